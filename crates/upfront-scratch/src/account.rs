//! The account that a server runs as: PostgreSQL refuses to run as root.

use std::env;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::error::{Error, Kind, Result};

/// The user and the group of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    group: u32,
    foreign: bool,
}

impl Account {
    /// Our own account, or instead of root that of `postgres`, or else that of `nobody`.
    pub(crate) fn find() -> Result<Self> {
        if caller()? != 0 {
            return Ok(Self { user: caller()?, group: id("-g", None)?, foreign: false });
        }
        Self::of("postgres").or_else(|_| Self::of("nobody"))
    }

    fn of(name: &str) -> Result<Self> {
        Ok(Self { user: id("-u", Some(name))?, group: id("-g", Some(name))?, foreign: true })
    }

    /// The program at `path` as this account, with no `PG…` variable and with C messages.
    pub(crate) fn command(self, path: impl AsRef<Path>) -> Command {
        let mut it = clean(path);
        if self.foreign {
            // This also drops root's supplementary groups.
            it.uid(self.user).gid(self.group);
        }
        it
    }

    /// Gives a file or folder that we made to this account.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        if !self.foreign {
            return Ok(());
        }
        chown(path, Some(self.user), Some(self.group)).map_err(Error::path("give away", path))
    }
}

/// The user that this process runs as.
pub(crate) fn caller() -> Result<u32> {
    id("-u", None)
}

/// The program at `path`, unaware of the `PG…` variables and the language of whoever runs us.
pub(crate) fn clean(path: impl AsRef<Path>) -> Command {
    let mut it = Command::new(path.as_ref());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            it.env_remove(name);
        }
    }
    it.env("LC_ALL", "C");
    it
}

/// Runs a program to its end and returns what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let out = command.output().map_err(Error::run(&tool))?;
    text(&tool, &out)
}

/// What a program wrote, or why it failed.
pub(crate) fn text(tool: &str, out: &Output) -> Result<String> {
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let output = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(Kind::Failed { tool: tool.to_owned(), output }.into())
}

fn id(what: &str, name: Option<&str>) -> Result<u32> {
    let text = output(Command::new("id").arg(what).args(name))?;
    text.trim().parse().map_err(|_| Kind::Failed { tool: "id".into(), output: text }.into())
}
