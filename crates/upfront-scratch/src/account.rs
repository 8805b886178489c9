//! The account that a server runs as: PostgreSQL refuses to run as root.

use std::env;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::error::{Error, ErrorKind, Result};

/// The user and the group of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    group: u32,
    is_other_user: bool,
}

impl Account {
    /// Our own account, or instead of root that of `postgres`, or else that of `nobody`.
    pub(crate) fn find() -> Result<Self> {
        if current_user()? != 0 {
            return Ok(Self {
                user: current_user()?,
                group: id("-g", None)?,
                is_other_user: false,
            });
        }
        Self::of("postgres").or_else(|_| Self::of("nobody"))
    }

    fn of(name: &str) -> Result<Self> {
        Ok(Self { user: id("-u", Some(name))?, group: id("-g", Some(name))?, is_other_user: true })
    }

    /// The program at `path` as this account, with no `PG…` variable and with C messages.
    pub(crate) fn command(self, path: impl AsRef<Path>) -> Command {
        let mut it = clean_command(path);
        if self.is_other_user {
            // This also drops root's supplementary groups.
            it.uid(self.user).gid(self.group);
        }
        it
    }

    /// Gives a file or folder that we made to this account.
    pub(crate) fn give(self, path: &Path) -> Result<()> {
        if !self.is_other_user {
            return Ok(());
        }
        chown(path, Some(self.user), Some(self.group)).map_err(Error::path("give away", path))
    }
}

/// The user that this process runs as.
pub(crate) fn current_user() -> Result<u32> {
    id("-u", None)
}

/// The program at `path` without the `PG…` variables and the locale of this process.
pub(crate) fn clean_command(path: impl AsRef<Path>) -> Command {
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
    stdout_or_error(&tool, &out)
}

/// What a program wrote, or why it failed.
pub(crate) fn stdout_or_error(tool: &str, out: &Output) -> Result<String> {
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let output = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(ErrorKind::Failed { tool: tool.to_owned(), output }.into())
}

fn id(what: &str, name: Option<&str>) -> Result<u32> {
    let text = output(Command::new("id").arg(what).args(name))?;
    text.trim().parse().map_err(|_| ErrorKind::Failed { tool: "id".into(), output: text }.into())
}
