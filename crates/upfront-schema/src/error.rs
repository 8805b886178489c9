use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use postgres::error::SqlState;

use crate::catalog::identity::Identity;

/// Why two schemas could not be compared, or a change not be planned.
///
/// [`Display`](fmt::Display) is the whole message, with a line for each reason.
pub struct Error(Box<Kind>);

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub(crate) enum Kind {
    Scratch(upfront_scratch::Error),
    Postgres {
        doing: String,
        source: postgres::Error,
    },
    Path {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    Directory(upfront_directory::Errors),
    NoSource(String),
    Answer {
        given: String,
        why: String,
    },
    Statement {
        place: String,
        excerpt: String,
        message: String,
        /// Whether something that it names is missing.
        is_missing: bool,
    },
    /// A statement for which the scratch server lacks something.
    Lacking {
        place: String,
        excerpt: String,
        message: String,
        help: String,
    },
    /// The role of the scratch server may not create databases.
    NoDatabases(String),
    /// A role is missing there and may not be made.
    NoRoles {
        role: String,
        why: String,
    },
    /// The setup of scratch databases has taken our rights.
    Demoted,
    Unmodeled(Vec<String>),
    Refused(Vec<String>),
    Cycle(Vec<String>),
    NotProven {
        side: &'static str,
        remains: Vec<String>,
    },
    Failed {
        side: &'static str,
        statement: String,
        message: String,
    },
    /// The desired schema and what of the migrations it does not manage.
    Overlaid {
        statement: String,
        message: String,
    },
}

impl Error {
    /// Whether a database has an object that is not supported, so that it cannot be compared.
    #[must_use]
    pub fn is_unmodeled(&self) -> bool {
        matches!(*self.0, Kind::Unmodeled(_))
    }

    /// Whether no safe SQL can express the difference.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(*self.0, Kind::Refused(_) | Kind::Cycle(_))
    }

    /// Whether the planned SQL fails or does not reach the desired schema.
    #[must_use]
    pub fn is_not_proven(&self) -> bool {
        matches!(*self.0, Kind::NotProven { .. } | Kind::Failed { .. })
    }

    /// Whether the SQL of the desired schema does not load.
    #[must_use]
    pub fn is_input(&self) -> bool {
        matches!(
            *self.0,
            Kind::Statement { .. }
                | Kind::Lacking { .. }
                | Kind::Directory(_)
                | Kind::NoSource(_)
                | Kind::Demoted
                | Kind::Answer { .. }
                | Kind::Overlaid { .. }
        )
    }

    /// Whether a statement names a schema, a table, a function or the like that is missing.
    #[must_use]
    pub fn is_missing_object(&self) -> bool {
        matches!(*self.0, Kind::Statement { is_missing: true, .. })
    }

    /// A statement that failed as the desired schema does not fit what it does not manage.
    pub(crate) fn overlaid(self) -> Self {
        match *self.0 {
            Kind::Failed { statement, message, .. } => Kind::Overlaid { statement, message }.into(),
            other => other.into(),
        }
    }

    /// The statement, if it uses a value of an enum that is not committed yet.
    pub(crate) fn uses_new_value(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Failed { statement, message, .. }
                if message.starts_with("unsafe use of new value") =>
            {
                Some(statement)
            }
            _ => None,
        }
    }

    pub(crate) fn postgres(doing: impl Into<String>) -> impl FnOnce(postgres::Error) -> Self {
        let doing = doing.into();
        move |source| Kind::Postgres { doing, source }.into()
    }

    pub(crate) fn path(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Kind::Path { doing, path, source }.into()
    }

    pub(crate) fn unknown_attribute(of: &Identity, attribute: &str) -> String {
        format!("attribute `{attribute}` of {of}")
    }
}

/// Whether the server says that a schema, a table, a function or something else of a name is missing.
pub(crate) fn is_missing(err: &postgres::Error) -> bool {
    const CODES: [SqlState; 4] = [
        SqlState::INVALID_SCHEMA_NAME,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
    ];
    err.code().is_some_and(|it| CODES.contains(it))
}

/// What the server says, rather than the driver's `db error`.
pub(crate) fn reason(err: &postgres::Error) -> String {
    let Some(it) = err.as_db_error() else { return err.to_string() };
    let detail = it.detail().map(|it| format!(" ({it})")).unwrap_or_default();
    let hint = it.hint().map(|it| format!(" (hint: {it})")).unwrap_or_default();
    let said = format!("{}{detail}{hint}", it.message());
    upfront_redact::redact_message(&said).into_owned()
}

impl From<Kind> for Error {
    fn from(it: Kind) -> Self {
        Self(Box::new(it))
    }
}

impl From<upfront_scratch::Error> for Error {
    fn from(it: upfront_scratch::Error) -> Self {
        Kind::Scratch(it).into()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        self.details().iter().try_for_each(|it| write!(f, "\n{it}"))?;
        self.help().map_or(Ok(()), |it| write!(f, "\nhelp: {it}"))
    }
}

/// The parts of the text.
impl Error {
    /// What failed, without the details and the help.
    #[must_use]
    pub fn title(&self) -> String {
        match &*self.0 {
            Kind::Scratch(it) => format!("{it:?}"),
            Kind::Postgres { doing, source } => format!("cannot {doing}: {}", reason(source)),
            Kind::Path { doing, path, source } => {
                format!("cannot {doing} `{}`: {source}", path.display())
            }
            Kind::Directory(it) => it.to_string(),
            Kind::NoSource(it) => format!("`{it}` is not a file, a folder or a PostgreSQL URL"),
            Kind::Answer { given, why } => format!("`{given}`: {why}"),
            Kind::Statement { place, message, .. } | Kind::Lacking { place, message, .. } => {
                format!("{place}: {message}")
            }
            Kind::NoDatabases(role) => {
                format!("the role `{role}` of the scratch server may not create databases")
            }
            Kind::NoRoles { role, why } => {
                format!("the scratch server has no role `{role}`, and it cannot be created: {why}")
            }
            Kind::Demoted => "the setup revokes superuser from the role that runs it".to_owned(),
            Kind::Unmodeled(_) => "not supported yet, so nothing was compared:".to_owned(),
            Kind::Refused(_) => "cannot write this difference as SQL:".to_owned(),
            Kind::Cycle(_) => "these changes depend on each other:".to_owned(),
            Kind::NotProven { side, .. } => format!("the {side} side leaves a difference:"),
            Kind::Overlaid { message, .. } => {
                format!("the desired schema does not fit what it does not manage: {message}")
            }
            Kind::Failed { side, message, .. } => format!("the {side} side fails: {message}"),
        }
    }

    /// The lines below the title: a statement, or a list.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        match &*self.0 {
            Kind::Statement { excerpt: text, .. }
            | Kind::Lacking { excerpt: text, .. }
            | Kind::Overlaid { statement: text, .. }
            | Kind::Failed { statement: text, .. } => text.lines().map(str::to_owned).collect(),
            Kind::Unmodeled(all)
            | Kind::Refused(all)
            | Kind::Cycle(all)
            | Kind::NotProven { remains: all, .. } => {
                all.iter().map(|it| format!("  {it}")).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What to do, if that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match &*self.0 {
            Kind::Lacking { help, .. } => help.clone(),
            Kind::NoDatabases(role) => format!(
                "`ALTER ROLE {role} CREATEDB` there, or name another in `UPFRONT_SCRATCH_URL`"
            ),
            Kind::NoRoles { .. } => "create it there, or set `UPFRONT_SCRATCH_URL` to a role that \
                                     may create roles"
                .to_owned(),
            Kind::Demoted => "remove the `ALTER ROLE … NOSUPERUSER`: migrations are replayed as a \
                              superuser"
                .to_owned(),
            Kind::Overlaid { .. } => "change the desired schema, or add the kind of object to \
                                      `manages` in `[desired]`"
                .to_owned(),
            _ => return None,
        })
    }

    /// The errors of a directory of migrations, if these are the reason.
    #[must_use]
    pub fn directory_errors(&self) -> Option<&upfront_directory::Errors> {
        match &*self.0 {
            Kind::Directory(it) => Some(it),
            _ => None,
        }
    }
}

impl error::Error for Error {}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{Error, Kind};

    #[test]
    fn says_what_remains() {
        let text = |it: Kind| Error::from(it).to_string();
        let list = || vec!["one".to_owned(), "two".to_owned()];
        assert_snapshot!(text(Kind::NotProven { side: "up", remains: list() }));
        assert_snapshot!(text(Kind::Cycle(list())));
        let statement = "DROP TABLE t".to_owned();
        let message = "it is used".to_owned();
        assert_snapshot!(text(Kind::Failed { side: "down", statement, message }));
    }
}
