//! Errors of a set of models.

use std::fmt;

use crate::name::Name;

/// The error of a set of models that cannot be printed.
#[derive(Debug)]
pub struct Error(ErrorKind);

/// A result whose error is an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum ErrorKind {
    Empty,
    DuplicateName { name: Name, paths: [&'static str; 2] },
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::Empty => f.write_str(
                "no model is linked into this program: name the crate that has them, as in \
                 `use my_service as _;`",
            ),
            ErrorKind::DuplicateName { name, paths: [one, other] } => {
                write!(f, "`{one}` and `{other}` are both called {name}")
            }
        }
    }
}

impl std::error::Error for Error {}
