//! Why a history is not taken over, in words.

use std::fmt;

use crate::{
    event::LockHolder,
    plan::{
        external_history::{Difference, Source},
        foreign_history::ForeignHistory,
    },
};

/// Why `adopt` or `baseline` is refused; nothing was written.
#[derive(Debug)]
pub(crate) enum AdoptError {
    /// No other tool's history.
    Nothing,
    /// Only histories of tools that we do not read: table and tool.
    Unsupported(Vec<ForeignHistory>),
    /// More than one: table and tool.
    Several(Vec<ForeignHistory>),
    /// There is no table of that name.
    NoTable(String),
    /// A table whose columns are those of no tool that we read.
    NotAHistory(String),
    /// A history without a row.
    Empty(Source),
    /// The other tool is migrating.
    Running { source: Source, holder: Option<LockHolder> },
    /// upfront has a history already.
    NotEmpty { app: String, newest: String },
    /// History and directory differ.
    Differs { source: Source, label: &'static str, found: Vec<Difference> },
    /// No migration of that version.
    Unknown { label: &'static str, version: String, near: Vec<String> },
    /// The session cannot write.
    ReadOnly { standby: bool },
}

impl AdoptError {
    pub(crate) fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly { .. })
    }
}

const BASELINE: &str = "mark what it has as applied with `upfront baseline VERSION`";

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(
                f,
                "the database has no history of another tool\n  help: for an empty database, run \
                 `upfront up`; if its schema was made by hand, {BASELINE}"
            ),
            Self::Unsupported(tables) => {
                f.write_str(
                    "upfront takes over the histories of Atlas and sqlx; this database has",
                )?;
                list(f, tables)?;
                write!(f, "\n  help: {BASELINE}")
            }
            Self::Several(tables) => {
                f.write_str("the database has more than one history that could be taken over")?;
                list(f, tables)?;
                f.write_str("\n  help: name one of them")?;
                let first = tables.iter().take(1);
                first.into_iter().try_for_each(|it| write!(f, ": {}", it.adopting()))
            }
            Self::NoTable(it) => write!(
                f,
                "the database has no table `{it}`\n  help: name it with its schema, quoted as in SQL"
            ),
            Self::NotAHistory(it) => write!(
                f,
                "table {it} has neither the columns of Atlas's history nor those of sqlx's\n  \
                 help: {BASELINE}"
            ),
            Self::Empty(Source { table, tool }) => write!(
                f,
                "{table}, the history of {}, says that nothing was applied\n  help: drop the table \
                 and run `upfront up`; if the database was made by hand, {BASELINE}",
                tool.name()
            ),
            Self::Running { source, holder } => running(f, source, holder.as_ref()),
            Self::NotEmpty { app, newest } => write!(
                f,
                "upfront has a history of app `{app}` already, up to `{newest}`; nothing was \
                 written\n  help: see it with `upfront status`; another set of migrations needs \
                 another `--app`"
            ),
            Self::Differs { source, label, found } => differs(f, source, label, found),
            Self::Unknown { label, version, near } => unknown(f, label, version, near),
            Self::ReadOnly { standby } => f.write_str(match standby {
                true => "this server is a standby; nothing was tried\n  help: use the primary",
                false => {
                    "this session is read-only; nothing was tried\n  help: see \
                     `default_transaction_read_only` of the role and the database"
                }
            }),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, tables: &[ForeignHistory]) -> fmt::Result {
    tables.iter().try_for_each(|it| write!(f, "\n  {it}"))
}

fn running(
    f: &mut fmt::Formatter<'_>,
    source: &Source,
    holder: Option<&LockHolder>,
) -> fmt::Result {
    let tool = source.tool.name();
    write!(f, "{tool} is migrating this database; nothing was written")?;
    match holder {
        Some(it) => {
            write!(
                f,
                "\n  its lock is held by: {it}\n  help: wait for it, or end it with {}",
                it.ending()
            )
        }
        None => f.write_str("\n  help: wait for it"),
    }
}

fn differs(
    f: &mut fmt::Formatter<'_>,
    Source { table, tool }: &Source,
    label: &str,
    found: &[Difference],
) -> fmt::Result {
    let tool = tool.name();
    write!(f, "{table}, the history of {tool}, is not that of {label}; nothing was written")?;
    found.iter().try_for_each(|it| write!(f, "\n{it}"))?;
    f.write_str(
        "\n  help: if the history cannot be mended, `upfront baseline VERSION` compares the schema \
         instead",
    )
}

fn unknown(f: &mut fmt::Formatter<'_>, label: &str, version: &str, near: &[String]) -> fmt::Result {
    write!(f, "there is no migration `{version}` in {label}; nothing was written")?;
    near.iter().try_for_each(|it| write!(f, "\n  near it: {it}"))?;
    f.write_str("\n  help: name the newest migration that the database has")
}
