//! The folder of one server, and what servers of dead processes left behind.

use std::fs::{self, DirBuilder};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use crate::account::{self, Account};
use crate::error::{Error, ErrorKind, Result};

const PREFIX: &str = "upfront-scratch-";

/// A data folder of 40 MB and its journal; a container's usual 64 MB of shared memory are not enough.
const WANTED_KILOBYTES: u64 = 1 << 20;

/// macOS allows 104 bytes with the NUL, Linux 108.
const LONGEST_SOCKET: usize = 103;

/// A private folder, removed on drop. Its name identifies its owner: process, start time, number.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn create(account: Account) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let pid = process::id();
        let start_time = start_time(pid).unwrap_or_default();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent().join(format!("{PREFIX}{pid}-{start_time}-{number}"));
        if socket(&path, u16::MAX).as_os_str().len() > LONGEST_SOCKET {
            return Err(ErrorKind::SocketPath(socket(&path, u16::MAX)).into());
        }
        DirBuilder::new().mode(0o700).create(&path).map_err(Error::path("create", &path))?;
        let it = Self(path);
        account.give(&it.0)?;
        Ok(it)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The socket of a server that listens on `port` in `folder`.
pub(crate) fn socket(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!(".s.PGSQL.{port}"))
}

/// Where folders are made: `UPFRONT_SCRATCH_DIR`, else memory if there is enough, else the
/// temporary folder.
pub(crate) fn parent() -> PathBuf {
    if let Some(it) = env::var_os("UPFRONT_SCRATCH_DIR") {
        return it.into();
    }
    let memory = Path::new("/dev/shm");
    if available(memory).is_some_and(|it| it >= WANTED_KILOBYTES) {
        return memory.to_owned();
    }
    env::temp_dir()
}

fn available(path: &Path) -> Option<u64> {
    let text = account::output(Command::new("df").arg("-Pk").arg(path)).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()
}

/// Removes the folders of processes that have ended.
///
/// A process of another container has an unknown number as well, so a folder whose socket still
/// answers stays.
pub(crate) fn remove_stale() {
    for entry in fs::read_dir(parent()).into_iter().flatten().flatten() {
        let path = entry.path();
        let owner = path.file_name().and_then(|it| owner(it.as_bytes()));
        if owner.is_some_and(|(pid, since)| !is_running(pid, since)) && !is_answering(&path) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// The process and its start time from `upfront-scratch-<pid>-<start time>-<number>`.
fn owner(name: &[u8]) -> Option<(u32, u64)> {
    let mut parts = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?.split('-');
    let (pid, since) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let _number: u32 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((pid, since))
}

fn is_answering(folder: &Path) -> bool {
    let sockets = fs::read_dir(folder).into_iter().flatten().flatten();
    sockets
        .filter(|it| it.file_name().as_bytes().starts_with(b".s.PGSQL."))
        .any(|it| UnixStream::connect(it.path()).is_ok())
}

#[cfg(target_os = "linux")]
fn is_running(pid: u32, since: u64) -> bool {
    start_time(pid) == Some(since)
}

#[cfg(not(target_os = "linux"))]
fn is_running(pid: u32, _since: u64) -> bool {
    account::output(Command::new("ps").args(["-p", &pid.to_string()])).is_ok()
}

/// When a process started, in ticks since boot: the 22nd field of its `stat`, which is the 20th
/// after the name. The name is in parentheses and may contain any character.
fn start_time(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{is_running, owner, start_time};

    #[test]
    fn reads_the_owner_from_the_name() {
        check("upfront-scratch-12-345-6", Some((12, 345)));
        check("upfront-scratch-initdb-12-345", None);
        check("upfront-scratch-12-345", None);
        check("upfront-scratch-12-345-6-7", None);
        check("other-12-345-6", None);
    }

    fn check(name: &str, expected: Option<(u32, u64)>) {
        assert_eq!(owner(name.as_bytes()), expected, "{name}");
    }

    #[test]
    fn knows_the_living_from_the_dead() {
        let me = std::process::id();
        let since = start_time(me).unwrap_or_default();
        assert!(is_running(me, since));
        assert!(!is_running(u32::MAX, since));
        #[cfg(target_os = "linux")]
        assert!(!is_running(me, since + 1));
    }
}
