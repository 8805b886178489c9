use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::{self, Account};
use crate::download;
use crate::error::{ErrorKind, Result};
use crate::version::Version;

/// A folder with the programs of one PostgreSQL version.
///
/// ```
/// for it in upfront_scratch::installs() {
///     println!("PostgreSQL {} in {}", it.version(), it.bin().display());
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    bin: PathBuf,
    version: Version,
}

impl Install {
    /// The folder that holds `initdb` and `postgres`.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The version of its `postgres`.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The first install of this major version, or of any, or a fetched one.
    pub(crate) fn find(major: Option<u32>) -> Result<Self> {
        let fits = |it: &Self| major.is_none_or(|wanted| it.version.major() == wanted);
        if let Some(it) = candidates().filter_map(|it| Self::at(&it)).find(fits) {
            return Ok(it);
        }
        let bin = download::fetch(major)?;
        // A missing library of the system shows here.
        let output = account::output(Command::new(bin.join("postgres")).arg("-V"))?;
        Self::at(&bin).ok_or_else(|| ErrorKind::Failed { tool: "postgres".into(), output }.into())
    }

    fn at(bin: &Path) -> Option<Self> {
        if !bin.join("initdb").is_file() {
            return None;
        }
        let text = account::output(Command::new(bin.join("postgres")).arg("-V")).ok()?;
        let version = Version::parse(text.trim().strip_prefix("postgres (PostgreSQL) ")?)?;
        Some(Self { bin: bin.to_owned(), version })
    }

    /// Whether it has this program; a server install lacks client tools in places.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.bin.join(name).is_file()
    }

    /// One of its programs, run by us.
    pub(crate) fn tool(&self, name: &str) -> Command {
        self.with_libraries(account::clean_command(self.program(name)))
    }

    /// One of its programs, run by the server's account.
    pub(crate) fn tool_as(&self, account: Account, name: &str) -> Command {
        self.with_libraries(account.command(self.program(name)))
    }

    /// A name that is not there is left to `PATH`.
    fn program(&self, name: &str) -> PathBuf {
        if self.has(name) { self.bin.join(name) } else { name.into() }
    }

    /// An unpacked archive has its own libpq, and a standby must not use that of the system:
    /// `libpqwalreceiver` of 18 fails with `invalid connection option "sslnegotiation"` on an old one.
    fn with_libraries(&self, mut command: Command) -> Command {
        let lib = self.bin.with_file_name("lib");
        if lib.join("libpq.so.5").exists() && lib != Path::new("/usr/lib") {
            let old = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
            let all = env::join_paths([lib].into_iter().chain(env::split_paths(&old)));
            command.env("LD_LIBRARY_PATH", all.unwrap_or_default());
        }
        command
    }
}

/// All the installs that are found here, the first being the one that is used when no major
/// version is asked for. Nothing is downloaded.
#[must_use]
pub fn installs() -> Vec<Install> {
    let mut all: Vec<Install> = Vec::new();
    for bin in candidates() {
        if all.iter().all(|it| it.bin != bin) {
            all.extend(Install::at(&bin));
        }
    }
    all
}

/// Folders that may hold an install, the best first.
fn candidates() -> impl Iterator<Item = PathBuf> {
    let named = ["UPFRONT_SCRATCH_BIN", "PATH"].into_iter().filter_map(env::var_os);
    let named: Vec<_> = named.flat_map(|it| env::split_paths(&it).collect::<Vec<_>>()).collect();
    let usual = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/usr/local", "pgsql"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/Applications/Postgres.app/Contents/Versions", ""),
    ];
    let usual = usual.into_iter().flat_map(|(parent, prefix)| newest_first(parent, prefix));
    named.into_iter().chain(usual).chain(download::cached())
}

/// The `bin` folders of the installs in `parent`, whose names end in a version.
fn newest_first(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|it| it.file_name());
    let mut names: Vec<_> = entries.filter(|it| it.to_string_lossy().starts_with(prefix)).collect();
    names.sort_by_key(|it| std::cmp::Reverse(trailing_number(it)));
    names.into_iter().map(|it| Path::new(parent).join(it).join("bin")).collect()
}

fn trailing_number(name: &OsString) -> u32 {
    let text = name.to_string_lossy();
    text.rsplit(['-', '@']).next().and_then(|it| it.parse().ok()).unwrap_or_default()
}
