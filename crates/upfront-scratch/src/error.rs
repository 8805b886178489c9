use std::path::{Path, PathBuf};
use std::{error, fmt, io, iter};

use crate::install::Version;

/// Why a server could not be started, asked or stopped.
///
/// [`Display`](fmt::Display) says what was being done and what to change; the cause, if there is
/// one, is its [`source`](error::Error::source). [`Debug`](fmt::Debug) says both, for `unwrap` and
/// for an error that `main` returns.
pub struct Error(Box<Kind>);

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum Kind {
    NotInstalled { what: String, hint: String },
    Run { tool: String, source: io::Error },
    Failed { tool: String, output: String },
    Path { doing: &'static str, path: PathBuf, source: io::Error },
    SocketPath(PathBuf),
    Start { what: String, log: String },
    Given { asked: String },
    GivenUrl,
    GivenMajor { given: u32, asked: u32 },
    Major(String),
    Sql { doing: String, source: postgres::Error },
    Late { doing: String },
    OtherMajor { major: u32, other: Version },
}

impl Error {
    /// Whether the program which was asked for is not on this machine and could not be fetched.
    #[must_use]
    pub fn is_not_installed(&self) -> bool {
        matches!(*self.0, Kind::NotInstalled { .. })
    }

    /// Whether the request needs a server of our own, but `UPFRONT_SCRATCH_URL` names another.
    #[must_use]
    pub fn is_given_server(&self) -> bool {
        matches!(*self.0, Kind::Given { .. } | Kind::GivenMajor { .. })
    }

    /// Whether two servers of different major versions were to be compared.
    #[must_use]
    pub fn is_other_major(&self) -> bool {
        matches!(*self.0, Kind::OtherMajor { .. })
    }

    pub(crate) fn run(tool: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let tool = tool.as_ref().display().to_string();
        move |source| Kind::Run { tool, source }.into()
    }

    pub(crate) fn path(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Kind::Path { doing, path, source }.into()
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.0
    }
}

impl From<Kind> for Error {
    fn from(it: Kind) -> Self {
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
            Kind::NotInstalled { what, hint } => write!(f, "no {what} on this machine: {hint}"),
            Kind::Run { tool, .. } => write!(f, "cannot run `{tool}`"),
            Kind::Failed { tool, output } => write!(f, "`{tool}` failed: {}", output.trim()),
            Kind::Path { doing, path, .. } => write!(f, "cannot {doing} `{}`", path.display()),
            Kind::SocketPath(it) => write!(
                f,
                "the path of the socket `{}` is too long for a unix socket: \
                 set `UPFRONT_SCRATCH_DIR` to a folder with a shorter name",
                it.display()
            ),
            Kind::Start { what, log } => {
                write!(f, "{what} did not start; its log ends with:\n{}", log.trim())
            }
            Kind::Given { asked } => write!(
                f,
                "the server of `UPFRONT_SCRATCH_URL` is not ours, so {asked} cannot be had from \
                 it: unset the variable to let a server be started"
            ),
            Kind::GivenUrl => f.write_str(
                "`UPFRONT_SCRATCH_URL` is not of the form `postgresql://user@host:port/database`",
            ),
            Kind::GivenMajor { given, asked } => write!(
                f,
                "the server of `UPFRONT_SCRATCH_URL` is PostgreSQL {given}, but {asked} was asked \
                 for: unset the variable to let a server be started"
            ),
            Kind::Major(it) => {
                write!(f, "`UPFRONT_SCRATCH_MAJOR` is `{it}`, not a major version such as 18")
            }
            Kind::Sql { doing, .. } => write!(f, "cannot {doing}"),
            Kind::Late { doing } => write!(f, "waited in vain: {doing}"),
            Kind::OtherMajor { major, other } => write!(
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
            Kind::Run { source, .. } | Kind::Path { source, .. } => Some(source),
            Kind::Sql { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;
    use std::path::Path;

    use super::{Error, Kind};
    use crate::install::Version;

    #[test]
    fn says_what_to_change() {
        check(
            Kind::NotInstalled { what: "PgBouncer".into(), hint: "`apt-get install x`".into() },
            "no PgBouncer on this machine: `apt-get install x`",
        );
        check(
            Kind::Failed { tool: "initdb".into(), output: "no room\n".into() },
            "`initdb` failed: no room",
        );
        check(
            Kind::SocketPath("/long/.s.PGSQL.1".into()),
            "the path of the socket `/long/.s.PGSQL.1` is too long for a unix socket: \
             set `UPFRONT_SCRATCH_DIR` to a folder with a shorter name",
        );
        check(
            Kind::Start { what: "PostgreSQL 18".into(), log: "FATAL:  no\n".into() },
            "PostgreSQL 18 did not start; its log ends with:\nFATAL:  no",
        );
        check(
            Kind::Given { asked: "a crash".into() },
            "the server of `UPFRONT_SCRATCH_URL` is not ours, so a crash cannot be had from it: \
             unset the variable to let a server be started",
        );
        check(
            Kind::GivenUrl,
            "`UPFRONT_SCRATCH_URL` is not of the form `postgresql://user@host:port/database`",
        );
        check(
            Kind::GivenMajor { given: 15, asked: 18 },
            "the server of `UPFRONT_SCRATCH_URL` is PostgreSQL 15, but 18 was asked for: unset \
             the variable to let a server be started",
        );
        check(
            Kind::Major("new".into()),
            "`UPFRONT_SCRATCH_MAJOR` is `new`, not a major version such as 18",
        );
        check(
            Kind::Late { doing: "the standby has not replayed 0/1".into() },
            "waited in vain: the standby has not replayed 0/1",
        );
        check(
            Kind::OtherMajor { major: 15, other: Version::parse("17.2 (x)").expect("a version") },
            "PostgreSQL 15 cannot be compared with PostgreSQL 17.2: start a server of that major \
             version",
        );
    }

    #[test]
    fn tells_all_to_a_programmer() {
        let err = Error::run("initdb")(io::Error::other("why"));
        assert_eq!(format!("{err:?}"), "cannot run `initdb`: why");
    }

    #[test]
    fn keeps_the_cause_apart() {
        let cause = || io::Error::other("why");
        check_cause(&Error::run("initdb")(cause()), "cannot run `initdb`");
        check_cause(&Error::path("create", Path::new("/a"))(cause()), "cannot create `/a`");
    }

    fn check(kind: Kind, expected: &str) {
        assert_eq!(Error::from(kind).to_string(), expected);
    }

    fn check_cause(err: &Error, expected: &str) {
        assert_eq!(err.to_string(), expected);
        assert_eq!(err.source().expect("it has a cause").to_string(), "why");
    }
}
