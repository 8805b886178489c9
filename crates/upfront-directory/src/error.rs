//! What is wrong with a directory, and what to do about it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::hash::Hash;
use crate::location::Location;
use crate::non_transactional::ScopeProblem;
use crate::other_tools::ToolMark;
use crate::sum::{Change, Difference, ParseSumError};
use crate::{canonical, delimiter, directive, name, statement};

/// Everything that is wrong with a directory: one [`Error`] or more, by file and line.
#[derive(Debug)]
pub struct Errors(Vec<Error>);

impl Errors {
    /// Nothing, when there is no error.
    pub(crate) fn check(mut errors: Vec<Error>) -> Result<(), Errors> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by(|a, b| (&a.0.file, a.0.location).cmp(&(&b.0.file, b.0.location)));
        Err(Errors(errors))
    }

    /// The errors; there is at least one.
    pub fn iter(&self) -> std::slice::Iter<'_, Error> {
        self.0.iter()
    }
}

impl From<Error> for Errors {
    fn from(it: Error) -> Errors {
        Errors(vec![it])
    }
}

impl<'a> IntoIterator for &'a Errors {
    type Item = &'a Error;
    type IntoIter = std::slice::Iter<'a, Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Errors {
    type Item = Error;
    type IntoIter = std::vec::IntoIter<Error>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// One thing that is wrong with a directory.
///
/// It prints as `migrations/1_a.sql:3:1: what is wrong`, and below it what to do.
#[derive(Debug)]
pub struct Error(Box<Diagnostic<ErrorKind>>);

/// Something about a directory that is worth a look, and no error.
#[derive(Debug)]
pub struct Warning(Box<Diagnostic<WarningKind>>);

#[derive(Debug)]
struct Diagnostic<K> {
    file: String,
    location: Option<Location>,
    kind: K,
}

#[derive(Debug)]
pub(crate) enum ErrorKind {
    NoFolder,
    Read(std::io::Error),
    Write(std::io::Error),
    FileName,
    Name(name::NameError),
    Bytes(canonical::EncodingError),
    Directive(directive::DirectiveError),
    Delimiter(delimiter::DelimiterError),
    Statement(statement::StatementError),
    OtherTool(ToolMark),
    OtherToolFolder {
        tool: &'static str,
        file: String,
    },
    Sum(ParseSumError),
    Differs(Difference),
    DownWithoutUp,
    DownOfIrreversible,
    /// The hash is that of the file as it is.
    NoStatement(Hash),
    NothingToUndo,
    DanglingLink,
    NotAFile(&'static str),
    NotAFolder,
}

#[derive(Debug)]
pub(crate) enum WarningKind {
    Empty,
    NoSum,
    SumLineEnds,
    Draft(Difference),
    Ignored,
    IgnoredFolder,
    Collision(String),
    UnnamedIndex,
    NoStatement,
    Restrict(&'static str),
    Placeholder(String),
    NonTransactional(ScopeProblem),
}

impl Error {
    pub(crate) fn new(file: impl Into<String>, kind: ErrorKind) -> Error {
        Error(Box::new(Diagnostic { file: file.into(), location: None, kind }))
    }

    pub(crate) fn at(file: &str, location: Location, kind: ErrorKind) -> Error {
        Error(Box::new(Diagnostic { file: file.to_owned(), location: Some(location), kind }))
    }

    /// The file, or the folder, with the label of the directory before it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.0.location.map(|it| it.line)
    }

    /// The column, from 1, in characters.
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.0.location.and_then(|it| it.column)
    }
}

impl Error {
    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.kind.to_string()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        self.0.kind.help().into_owned()
    }
}

impl Warning {
    /// What is worth a look, without the place.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.kind.to_string()
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.0.kind.help()
    }

    pub(crate) fn new(file: impl Into<String>, kind: WarningKind) -> Warning {
        Warning(Box::new(Diagnostic { file: file.into(), location: None, kind }))
    }

    pub(crate) fn at(file: &str, line: u32, kind: WarningKind) -> Warning {
        let location = Some(Location { line, column: None });
        Warning(Box::new(Diagnostic { file: file.to_owned(), location, kind }))
    }

    /// The file, or the folder, with the label of the directory before it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.0.location.map(|it| it.line)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.0, self.0.kind.help())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  help: {}", self.0, self.0.kind.help())
    }
}

impl std::error::Error for Error {}

impl<K: fmt::Display> fmt::Display for Diagnostic<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for it in self.file.chars() {
            if it.is_control() { write!(f, "{}", it.escape_default())? } else { f.write_char(it)? }
        }
        if let Some(Location { line, column }) = self.location {
            write!(f, ":{line}")?;
            column.map_or(Ok(()), |it| write!(f, ":{it}"))?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::NoFolder => f.write_str("there is no such folder"),
            ErrorKind::Read(err) => write!(f, "cannot read it: {err}"),
            ErrorKind::Write(err) => write!(f, "cannot write it: {err}"),
            ErrorKind::FileName => f.write_str("this file name is not valid UTF-8"),
            ErrorKind::Name(it) => it.fmt(f),
            ErrorKind::Bytes(it) => it.fmt(f),
            ErrorKind::Directive(it) => it.fmt(f),
            ErrorKind::Delimiter(it) => it.fmt(f),
            ErrorKind::Statement(it) => it.fmt(f),
            ErrorKind::OtherTool(it) => it.fmt(f),
            ErrorKind::OtherToolFolder { tool, file } => {
                write!(f, "`{file}` is a migration of {tool}, and folders are not read")
            }
            ErrorKind::Sum(it) => it.fmt(f),
            ErrorKind::Differs(it) => differs(f, it),
            ErrorKind::DownWithoutUp => f.write_str("this down side has no up side"),
            ErrorKind::DownOfIrreversible => f.write_str(
                "this is the down side of a migration which says `upfront:irreversible`",
            ),
            ErrorKind::NoStatement(_) => f.write_str("this up script has no statement"),
            ErrorKind::NothingToUndo => f.write_str(
                "this down script declares `upfront:nothing-to-undo`, and has statements",
            ),
            ErrorKind::DanglingLink => f.write_str("this symbolic link leads nowhere"),
            ErrorKind::NotAFile(what) => write!(f, "this is {what}, not a file"),
            ErrorKind::NotAFolder => f.write_str("this is not a folder"),
        }
    }
}

fn differs(f: &mut fmt::Formatter<'_>, it: &Difference) -> fmt::Result {
    let change = match it.change {
        Change::Added => "was added",
        Change::Edited => "was edited",
        Change::Removed => "was removed",
    };
    write!(f, "`{}` {change} since this file was written", it.file)
}

impl ErrorKind {
    fn help(&self) -> Cow<'static, str> {
        let fixed = match self {
            ErrorKind::Name(it) => return it.help(),
            ErrorKind::NoStatement(hash) => {
                return format!(
                    "write the migration, or delete the file, and run `upfront hash`; if a database \
                     has applied it as it is, write `-- upfront:accepts {hash}`, a blank line and \
                     `SELECT 1;`"
                )
                .into();
            }
            ErrorKind::Directive(it) => return it.help(),
            ErrorKind::OtherTool(it) => return it.help().into(),
            ErrorKind::OtherToolFolder { .. } => {
                "write it as `<version>_<name>.sql`, and its down script into `down/` under the same \
                 name; or move the folder away. `upfront import` converts folders of sqlx and \
                 golang-migrate alone"
            }
            ErrorKind::NoFolder => {
                "create it, or correct the path; `upfront new NAME` writes the first migration"
            }
            ErrorKind::Read(_) | ErrorKind::Write(_) => {
                "check that it is a file, and its permissions"
            }
            ErrorKind::FileName => "rename the file",
            ErrorKind::Bytes(it) => it.help(),
            ErrorKind::Delimiter(it) => it.help(),
            ErrorKind::Statement(it) => it.help(),
            ErrorKind::Sum(_) => {
                "run `upfront hash` (or `atlas migrate hash`), which writes the file anew"
            }
            ErrorKind::Differs(it) => match it.change {
                Change::Added => {
                    "if that is what you want, run `upfront hash` (or `atlas migrate hash`)"
                }
                Change::Edited => {
                    "if no database has applied it, run `upfront hash` (or `atlas migrate hash`); \
                     else undo the edit"
                }
                Change::Removed => {
                    "if no database has applied it, run `upfront hash` (or `atlas migrate hash`); \
                     else bring it back"
                }
            },
            ErrorKind::DownWithoutUp => "give it the file name of its up side, or delete it",
            ErrorKind::DownOfIrreversible => "delete the file, or take the directive out",
            ErrorKind::NothingToUndo => "take out the statements or the directive",
            ErrorKind::DanglingLink => "correct its target, or delete it",
            ErrorKind::NotAFile(_) => "delete it, or give it another name",
            ErrorKind::NotAFolder => {
                "`down/` is the folder of the down scripts; delete or rename this"
            }
        };
        fixed.into()
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WarningKind::Empty => f.write_str("there is no migration in this folder"),
            WarningKind::NoSum => f.write_str("there is no `atlas.sum` in this folder"),
            WarningKind::SumLineEnds => {
                f.write_str("the files differ from this sum in their line ends")
            }
            WarningKind::Draft(it) => differs(f, it),
            WarningKind::Ignored => {
                f.write_str("this file is not a migration: its name does not end in `.sql`")
            }
            WarningKind::IgnoredFolder => {
                f.write_str("the SQL files in this folder are not migrations")
            }
            WarningKind::Collision(other) => {
                write!(f, "this file and `{other}` are one file where case does not matter")
            }
            WarningKind::UnnamedIndex => {
                f.write_str("this index has no name, so that nobody can tell after a crash")
            }
            WarningKind::NoStatement => f.write_str(
                "this down script has no statement, so the migration cannot be rolled back",
            ),
            WarningKind::Restrict(command) => {
                write!(
                    f,
                    "`{command}` is a command of psql in the output of `pg_dump`; it is skipped"
                )
            }
            WarningKind::Placeholder(name) => {
                write!(f, "`${{{name}}}` is sent as it is: nothing replaces placeholders")
            }
            WarningKind::NonTransactional(ScopeProblem::TransactionOnly(words)) => write!(
                f,
                "`{words}` has no effect on later statements: with `atlas:txmode none` each runs in \
                 a transaction of its own"
            ),
            WarningKind::NonTransactional(ScopeProblem::SessionDependent(words)) => write!(
                f,
                "the later statements of this file depend on `{words}`, and with `atlas:txmode none` \
                 they run one by one, after an interruption in another session"
            ),
        }
    }
}

impl WarningKind {
    fn help(&self) -> &'static str {
        match self {
            WarningKind::Empty => "`upfront new NAME` writes the first one",
            WarningKind::NoSum => "`upfront hash` (or `atlas migrate hash`) writes it",
            WarningKind::SumLineEnds => "put `*.sql text eol=lf` into `.gitattributes`",
            WarningKind::Draft(_) => {
                "run `upfront hash` (or `atlas migrate hash`) before the migrations are committed"
            }
            WarningKind::Ignored => "rename it, or move it out of this folder",
            WarningKind::IgnoredFolder => {
                "only this folder itself and `down/` are read; move them, or leave them"
            }
            WarningKind::Collision(_) => "rename one of them",
            WarningKind::UnnamedIndex => "write `CREATE INDEX CONCURRENTLY name ON …`",
            WarningKind::NoStatement => {
                "write what takes the migration back; if there is nothing to undo, write \
                 `-- upfront:nothing-to-undo REASON` on the first line"
            }
            WarningKind::Restrict(_) => {
                "nothing needs to be done; before the file is applied the line may be deleted"
            }
            WarningKind::Placeholder(_) => {
                "write the value; a password is better set outside of migrations"
            }
            WarningKind::NonTransactional(ScopeProblem::TransactionOnly(_)) => {
                "set it without `LOCAL`, write names with their schema, or move these statements \
                 into a file without `atlas:txmode none`"
            }
            WarningKind::NonTransactional(ScopeProblem::SessionDependent(_)) => {
                "write names with their schema, or move these statements into a file without \
                 `atlas:txmode none`"
            }
        }
    }
}
