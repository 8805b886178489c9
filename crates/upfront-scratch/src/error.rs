use std::path::{Path, PathBuf};
use std::{error, fmt, io};

/// Why a server could not be started, asked or stopped.
///
/// [`Display`](fmt::Display) says what was being done and what to change; the cause, if there is
/// one, is its [`source`](error::Error::source).
#[derive(Debug)]
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
    Sql { doing: String, source: postgres::Error },
    Late { doing: String },
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
            Kind::Sql { doing, .. } => write!(f, "cannot {doing}"),
            Kind::Late { doing } => write!(f, "waited in vain: {doing}"),
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
