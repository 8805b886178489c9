//! The errors and warnings of a directory, each with a remedy.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::hash::Hash;
use crate::location::Location;
use crate::non_transactional::ScopeProblem;
use crate::other_tools::ToolMark;
use crate::sum::{Change, Difference, ParseSumError};
use crate::{canonical, delimiter, directive, name, statement};

/// The errors of a directory, at least one, ordered by file and line.
#[derive(Debug)]
pub struct Errors(Vec<Error>);

impl Errors {
    /// Fails if there are errors.
    pub(crate) fn check(mut errors: Vec<Error>) -> Result<(), Errors> {
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by(|a, b| (&a.0.file, a.0.location).cmp(&(&b.0.file, b.0.location)));
        Err(Errors(errors))
    }

    /// The errors, at least one.
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

/// An error in a directory.
///
/// It prints as `migrations/1_a.sql:3:1: message`, followed by a line with the remedy.
#[derive(Debug)]
pub struct Error(Box<Diagnostic<ErrorKind>>);

/// A problem of a directory that is not an error.
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
    /// With the hash of the file.
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

    /// The file or folder, prefixed with the label of the directory.
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
    /// The message without the location.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.kind.to_string()
    }

    /// The remedy.
    #[must_use]
    pub fn help(&self) -> String {
        self.0.kind.help().into_owned()
    }
}

impl Warning {
    /// The message without the location.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.kind.to_string()
    }

    /// The remedy.
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

    /// The file or folder, prefixed with the label of the directory.
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
            ErrorKind::Read(err) => write!(f, "cannot read: {err}"),
            ErrorKind::Write(err) => write!(f, "cannot write: {err}"),
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
            ErrorKind::DownWithoutUp => f.write_str("this down script has no up script"),
            ErrorKind::DownOfIrreversible => f.write_str(
                "this is the down script of a migration that is marked `upfront:irreversible`",
            ),
            ErrorKind::NoStatement(_) => f.write_str("this up script has no statement"),
            ErrorKind::NothingToUndo => f.write_str(
                "this down script declares `upfront:nothing-to-undo`, but contains statements",
            ),
            ErrorKind::DanglingLink => f.write_str("this symbolic link is broken"),
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
                    "write the migration, or delete the file, and run `upfront hash`; if a \
                     database has already applied it, write `-- upfront:accepts {hash}`, a blank \
                     line and \
                     `SELECT 1;`"
                )
                .into();
            }
            ErrorKind::Directive(it) => return it.help(),
            ErrorKind::OtherTool(it) => return it.help().into(),
            ErrorKind::OtherToolFolder { .. } => {
                "write it as `<version>_<name>.sql` and its down script to `down/` under the same \
                 name, or move the folder elsewhere. `upfront import` converts only folders of \
                 sqlx and golang-migrate"
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
            ErrorKind::Sum(_) => "run `upfront hash` (or `atlas migrate hash`) to rewrite the file",
            ErrorKind::Differs(it) => match it.change {
                Change::Added => {
                    "if this is intended, run `upfront hash` (or `atlas migrate hash`)"
                }
                Change::Edited => {
                    "if no database has applied it, run `upfront hash` (or `atlas migrate hash`); \
                     otherwise undo the edit"
                }
                Change::Removed => {
                    "if no database has applied it, run `upfront hash` (or `atlas migrate hash`); \
                     otherwise restore it"
                }
            },
            ErrorKind::DownWithoutUp => "give it the file name of its up script, or delete it",
            ErrorKind::DownOfIrreversible => "delete the file, or remove the directive",
            ErrorKind::NothingToUndo => "remove the statements or the directive",
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
            WarningKind::Empty => f.write_str("this folder has no migrations"),
            WarningKind::NoSum => f.write_str("this folder has no `atlas.sum`"),
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
                write!(
                    f,
                    "this file and `{other}` are the same file on a case-insensitive file \
                           system"
                )
            }
            WarningKind::UnnamedIndex => f.write_str(
                "this index has no name, so its state after a crash cannot be \
                             determined",
            ),
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
                write!(f, "`${{{name}}}` is sent unchanged: placeholders are not replaced")
            }
            WarningKind::NonTransactional(ScopeProblem::TransactionOnly(words)) => write!(
                f,
                "`{words}` has no effect on later statements: with `atlas:txmode none` each \
                 statement runs in its own transaction"
            ),
            WarningKind::NonTransactional(ScopeProblem::SessionDependent(words)) => write!(
                f,
                "the later statements of this file depend on `{words}`, and with `atlas:txmode \
                 none` \
                 they run one by one, possibly in another session after an interruption"
            ),
        }
    }
}

impl WarningKind {
    fn help(&self) -> &'static str {
        match self {
            WarningKind::Empty => "`upfront new NAME` writes the first one",
            WarningKind::NoSum => "`upfront hash` (or `atlas migrate hash`) writes it",
            WarningKind::SumLineEnds => "add `*.sql text eol=lf` to `.gitattributes`",
            WarningKind::Draft(_) => {
                "run `upfront hash` (or `atlas migrate hash`) before the migrations are committed"
            }
            WarningKind::Ignored => "rename it, or move it out of this folder",
            WarningKind::IgnoredFolder => {
                "only this folder itself and `down/` are read; move the files if they are \
                 migrations"
            }
            WarningKind::Collision(_) => "rename one of them",
            WarningKind::UnnamedIndex => "write `CREATE INDEX CONCURRENTLY name ON …`",
            WarningKind::NoStatement => {
                "write the SQL that undoes the migration; if there is nothing to undo, write \
                 `-- upfront:nothing-to-undo REASON` on the first line"
            }
            WarningKind::Restrict(_) => {
                "no action is needed; you may delete the line before the file is applied"
            }
            WarningKind::Placeholder(_) => "write the value; set passwords outside of migrations",
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
