use std::path::{Path, PathBuf};
use std::{error, fmt, io, iter};

use crate::version::Version;

/// The error type of this crate.
///
/// [`Display`](fmt::Display) shows the failed action and a remedy. The cause, if any, is the
/// [`source`](error::Error::source). [`Debug`](fmt::Debug) shows both, for `unwrap` and for errors
/// returned from `main`.
pub struct Error(Box<ErrorKind>);

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum ErrorKind {
    NotInstalled { what: String, hint: String },
    Run { tool: String, source: io::Error },
    Failed { tool: String, output: String },
    Path { action: &'static str, path: PathBuf, source: io::Error },
    SocketPath(PathBuf),
    Start { what: String, log: String },
    ExternalServer { asked: String },
    InvalidUrl,
    ExternalMajor { given: u32, asked: u32 },
    InvalidMajor(String),
    Sql { action: String, source: postgres::Error },
    Timeout { action: String },
    MajorMismatch { major: u32, other: Version },
}

impl Error {
    /// Whether the program is not installed and could not be fetched.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(*self.0, ErrorKind::NotInstalled { .. })
    }

    /// Whether the operation is not possible on the external server at `UPFRONT_SCRATCH_URL`.
    #[must_use]
    pub fn is_external_server(&self) -> bool {
        matches!(*self.0, ErrorKind::ExternalServer { .. } | ErrorKind::ExternalMajor { .. })
    }

    /// Whether the compared servers have different major versions.
    #[must_use]
    pub fn is_major_mismatch(&self) -> bool {
        matches!(*self.0, ErrorKind::MajorMismatch { .. })
    }

    pub(crate) fn run(tool: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let tool = tool.as_ref().display().to_string();
        move |source| ErrorKind::Run { tool, source }.into()
    }

    pub(crate) fn path(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| ErrorKind::Path { action, path, source }.into()
    }

    pub(crate) fn kind(&self) -> &ErrorKind {
        &self.0
    }
}

impl From<ErrorKind> for Error {
    fn from(it: ErrorKind) -> Self {
        Self(Box::new(it))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let causes = iter::successors(error::Error::source(self), |it| it.source());
        causes.into_iter().try_for_each(|it| write!(f, ": {it}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ErrorKind::NotInstalled { what, hint } => {
                write!(f, "no {what} on this machine: {hint}")
            }
            ErrorKind::Run { tool, .. } => write!(f, "cannot run `{tool}`"),
            ErrorKind::Failed { tool, output } => write!(f, "`{tool}` failed: {}", output.trim()),
            ErrorKind::Path { action, path, .. } => {
                write!(f, "cannot {action} `{}`", path.display())
            }
            ErrorKind::SocketPath(it) => write!(
                f,
                "the path of the socket `{}` is too long for a unix socket: \
                 set `UPFRONT_SCRATCH_DIR` to a folder with a shorter name",
                it.display()
            ),
            ErrorKind::Start { what, log } => {
                write!(f, "{what} did not start; its log ends with:\n{}", log.trim())
            }
            ErrorKind::ExternalServer { asked } => write!(
                f,
                "the external server at `UPFRONT_SCRATCH_URL` does not support {asked}: \
                 unset the variable to start a temporary server"
            ),
            ErrorKind::InvalidUrl => f.write_str(
                "`UPFRONT_SCRATCH_URL` does not have the form `postgresql://user@host:port/database`",
            ),
            ErrorKind::ExternalMajor { given, asked } => write!(
                f,
                "the server of `UPFRONT_SCRATCH_URL` is PostgreSQL {given}, but {asked} was \
                 requested: unset the variable to start a temporary server"
            ),
            ErrorKind::InvalidMajor(it) => {
                write!(f, "`UPFRONT_SCRATCH_MAJOR` is `{it}`, not a major version such as 18")
            }
            ErrorKind::Sql { action, .. } => write!(f, "cannot {action}"),
            ErrorKind::Timeout { action } => write!(f, "timed out: {action}"),
            ErrorKind::MajorMismatch { major, other } => write!(
                f,
                "PostgreSQL {major} cannot be compared with PostgreSQL {}: start a server of that \
                 major version",
                other.number()
            ),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &*self.0 {
            ErrorKind::Run { source, .. } | ErrorKind::Path { source, .. } => Some(source),
            ErrorKind::Sql { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;
    use std::path::Path;

    use super::{Error, ErrorKind};
    use crate::version::Version;

    #[test]
    fn shows_the_remedy() {
        check(
            ErrorKind::NotInstalled {
                what: "PgBouncer".into(),
                hint: "`apt-get install x`".into(),
            },
            "no PgBouncer on this machine: `apt-get install x`",
        );
        check(
            ErrorKind::Failed { tool: "initdb".into(), output: "no room\n".into() },
            "`initdb` failed: no room",
        );
        check(
            ErrorKind::SocketPath("/long/.s.PGSQL.1".into()),
            "the path of the socket `/long/.s.PGSQL.1` is too long for a unix socket: \
             set `UPFRONT_SCRATCH_DIR` to a folder with a shorter name",
        );
        check(
            ErrorKind::Start { what: "PostgreSQL 18".into(), log: "FATAL:  no\n".into() },
            "PostgreSQL 18 did not start; its log ends with:\nFATAL:  no",
        );
        check(
            ErrorKind::ExternalServer { asked: "a crash".into() },
            "the external server at `UPFRONT_SCRATCH_URL` does not support a crash: \
                 unset the variable to start a temporary server",
        );
        check(
            ErrorKind::InvalidUrl,
            "`UPFRONT_SCRATCH_URL` does not have the form `postgresql://user@host:port/database`",
        );
        check(
            ErrorKind::ExternalMajor { given: 15, asked: 18 },
            "the server of `UPFRONT_SCRATCH_URL` is PostgreSQL 15, but 18 was requested: \
             unset the variable to start a temporary server",
        );
        check(
            ErrorKind::InvalidMajor("new".into()),
            "`UPFRONT_SCRATCH_MAJOR` is `new`, not a major version such as 18",
        );
        check(
            ErrorKind::Timeout { action: "the standby has not replayed 0/1".into() },
            "timed out: the standby has not replayed 0/1",
        );
        check(
            ErrorKind::MajorMismatch {
                major: 15,
                other: Version::parse("17.2 (x)").expect("a version"),
            },
            "PostgreSQL 15 cannot be compared with PostgreSQL 17.2: start a server of that major \
             version",
        );
    }

    #[test]
    fn debug_shows_the_cause() {
        let err = Error::run("initdb")(io::Error::other("why"));
        assert_eq!(format!("{err:?}"), "cannot run `initdb`: why");
    }

    #[test]
    fn keeps_the_cause_apart() {
        let cause = || io::Error::other("why");
        check_cause(&Error::run("initdb")(cause()), "cannot run `initdb`");
        check_cause(&Error::path("create", Path::new("/a"))(cause()), "cannot create `/a`");
    }

    fn check(kind: ErrorKind, expected: &str) {
        assert_eq!(Error::from(kind).to_string(), expected);
    }

    fn check_cause(err: &Error, expected: &str) {
        assert_eq!(err.to_string(), expected);
        assert_eq!(err.source().expect("it has a cause").to_string(), "why");
    }
}
