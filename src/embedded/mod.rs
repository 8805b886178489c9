//! The migrations as the build left them: data that live as long as the program. No SQL is parsed at
//! run time.

pub(crate) mod decode;
#[cfg(any(feature = "admin", feature = "rust-embed", feature = "dev"))]
pub(crate) mod from_directory;

use std::fmt;
use std::{ops::Range, sync::OnceLock};

/// One directory.
#[derive(Debug)]
pub(crate) struct Set {
    /// How messages call the directory, such as `migrations`.
    pub(crate) label: &'static str,
    /// What the database answers when it has exactly these migrations, in hex.
    pub(crate) fingerprint: &'static str,
    /// In the order in which they are applied.
    pub(crate) migrations: &'static [Migration],
}

/// One file, and its down side.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) version: &'static str,
    pub(crate) name: &'static str,
    /// SHA-256 over everything up to here, in hex.
    #[cfg_attr(
        not(any(feature = "admin", test)),
        allow(dead_code, reason = "a boot computes the chain from the rows")
    )]
    pub(crate) chain: &'static str,
    pub(crate) breaking: bool,
    pub(crate) irreversible: Option<&'static str>,
    pub(crate) checkpoint: bool,
    /// Hashes of earlier texts of this file that count as the same.
    pub(crate) accepts: &'static [&'static str],
    pub(crate) up: Side,
    pub(crate) down: Option<Side>,
}

/// The SQL of one direction.
#[derive(Debug)]
pub(crate) struct Side {
    /// Where the file stood, for messages.
    pub(crate) path: &'static str,
    /// The canonical text: what is hashed and stored.
    pub(crate) source: &'static str,
    /// What is sent, where that differs; of the same length in characters.
    pub(crate) body: Option<&'static str>,
    /// SHA-256 of `source`, in hex.
    pub(crate) hash: &'static str,
    pub(crate) transactional: bool,
    pub(crate) lock_timeout_ms: Option<u32>,
    pub(crate) statement_timeout_ms: Option<u32>,
    pub(crate) statements: Statements,
}

/// The statements of a side, decoded when they are first asked for: few boots need them.
#[derive(Debug)]
pub(crate) struct Statements {
    count: usize,
    any: Any,
    table: &'static str,
    decoded: OnceLock<Vec<Statement>>,
}

/// What is so of any statement of a side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Any {
    /// It changes the settings of the session, or prepares something in it.
    pub(crate) session: bool,
    /// It contains a password.
    pub(crate) secret: bool,
    /// It is a `COPY … FROM STDIN`.
    pub(crate) data: bool,
}

/// One statement, by its place in the body.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Bytes.
    pub(crate) start: usize,
    /// Bytes, exclusive.
    pub(crate) end: usize,
    /// The data of a `COPY … FROM STDIN`.
    pub(crate) data: Option<CopyData>,
    /// The body of the function that it creates, or of a `DO`.
    pub(crate) routine: Option<Routine>,
    /// One-based.
    pub(crate) line: u32,
    pub(crate) class: Class,
    /// What it would lose.
    pub(crate) losses: &'static [Loss],
    /// It contains a password: no message shows its text.
    pub(crate) secret: bool,
}

/// The data of a `COPY … FROM STDIN`.
#[derive(Debug)]
pub(crate) struct CopyData {
    /// Bytes of the body.
    pub(crate) lines: Range<usize>,
    /// Fails where the `COPY` could not begin; may be empty.
    pub(crate) probe: &'static str,
}

/// The body of a function or procedure, or of a `DO`.
#[derive(Debug)]
pub(crate) struct Routine {
    /// As the catalog has it, without its schema; empty for a `DO`.
    pub(crate) name: &'static str,
    /// Bytes, without the quotes.
    pub(crate) body: Range<usize>,
    /// Whether a quote in the body is written twice.
    pub(crate) is_quoted: bool,
    /// Where the statements of an SQL function start, in bytes.
    pub(crate) statements: &'static [usize],
}

/// What a statement may lose. Names are as the statement writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    pub(crate) kind: LossKind,
    /// The table, type, schema …; empty if unknown.
    pub(crate) name: &'static str,
    /// The column, of a column.
    pub(crate) column: Option<&'static str>,
}

/// What kind of thing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LossKind {
    /// A table with its rows.
    Table,
    /// A column with its values.
    Column,
    /// Whatever the new type of a column cannot hold.
    ColumnType,
    /// Rows that are deleted, or overwritten.
    Rows,
    /// The columns of a type.
    Type,
    /// A schema with all that is in it.
    Schema,
    /// How far a sequence has counted.
    Sequence,
    /// An extension with its tables.
    Extension,
    /// Unknown from the text.
    Unknown,
}

/// How a statement may run, and how to find out afterwards whether it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Can run in a transaction.
    Transactional,
    /// Sets something for the session: run again after a crash.
    Session,
    /// `CREATE INDEX CONCURRENTLY`.
    CreateIndex { index: Option<&'static str>, table: &'static str, if_not_exists: bool },
    /// `DROP INDEX CONCURRENTLY`.
    DropIndex { index: &'static str, if_exists: bool },
    /// `REINDEX INDEX CONCURRENTLY`.
    ReindexIndex { index: &'static str },
    /// `REINDEX TABLE CONCURRENTLY`.
    ReindexTable { table: &'static str },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`.
    DetachPartition { parent: &'static str, partition: &'static str },
    /// `CREATE DATABASE`.
    CreateDatabase { name: &'static str },
    /// `DROP DATABASE`.
    DropDatabase { name: &'static str },
    /// Cannot run in a transaction, and running it twice is harmless.
    Repeatable,
    /// Its outcome cannot be determined afterwards.
    Unknown,
}

impl Set {
    /// The last migration: where this program's schema ends.
    pub(crate) fn head(&self) -> Option<&'static Migration> {
        self.migrations.last()
    }

    /// The first so many migrations; lives as long as the program.
    #[cfg(feature = "admin")]
    pub(crate) fn first(&'static self, count: usize) -> &'static Set {
        let migrations = &self.migrations[..count];
        let row = |it: &'static Migration| upfront_directory::Row {
            version: it.version,
            name: it.name,
            hash: it.up.hash.parse().expect("a set holds hashes"),
            chain: it.chain.parse().expect("a set holds hashes"),
            breaking: it.breaking,
        };
        let fingerprint = upfront_directory::fingerprint(migrations.iter().map(row));
        let fingerprint = fingerprint.to_string().leak();
        Box::leak(Box::new(Set { label: self.label, fingerprint, migrations }))
    }

    /// Looks up a migration by its version, or by version and name.
    pub(crate) fn named(&self, asked: &str) -> Option<&'static Migration> {
        self.migrations.iter().find(|it| it.version == asked || it.title() == asked)
    }

    /// Looks a version up; versions ascend.
    pub(crate) fn find(&self, version: &str) -> Option<&'static Migration> {
        let at = self.migrations.binary_search_by(|it| it.version.cmp(version)).ok()?;
        Some(&self.migrations[at])
    }
}

impl Migration {
    /// For an error.
    pub(crate) fn named(&self) -> MigrationName {
        MigrationName { version: self.version.to_owned(), name: self.name.to_owned() }
    }

    /// As messages name it: `20261122101500_add_users`.
    pub(crate) fn title(&self) -> String {
        title(self.version, self.name)
    }

    /// The canonical text of its up script.
    #[cfg(feature = "admin")]
    pub(crate) fn text(&self) -> &'static str {
        self.up.source
    }

    /// Does a row with this hash stand for this migration?
    pub(crate) fn accepts(&self, hash: &str) -> bool {
        self.up.hash == hash || self.accepts.contains(&hash)
    }
}

/// A migration as errors carry it; prints as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MigrationName {
    pub(crate) version: String,
    pub(crate) name: String,
}

impl fmt::Display for MigrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&title(&self.version, &self.name))
    }
}

/// A migration's version and name as one word.
pub(crate) fn title(version: &str, name: &str) -> String {
    if name.is_empty() { version.to_owned() } else { format!("{version}_{name}") }
}

impl Statements {
    pub(crate) fn encoded(count: usize, any: Any, table: &'static str) -> Self {
        Self { count, any, table, decoded: OnceLock::new() }
    }
}

impl From<Vec<Statement>> for Statements {
    fn from(it: Vec<Statement>) -> Self {
        Self {
            count: it.len(),
            any: Any {
                session: it.iter().any(|it| it.class == Class::Session),
                secret: it.iter().any(|it| it.secret),
                data: it.iter().any(|it| it.data.is_some()),
            },
            table: "",
            decoded: OnceLock::from(it),
        }
    }
}

impl Statement {
    /// A plain statement.
    pub(crate) fn plain(start: usize, end: usize, line: usize) -> Self {
        let class = Class::Transactional;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Self { start, end, line, class, losses: &[], secret: false, data: None, routine: None }
    }

    /// Where the next one may start.
    pub(crate) fn end_of_data(&self) -> usize {
        self.data.as_ref().map_or(self.end, |it| it.lines.end)
    }
}

impl Side {
    /// The statements, in order.
    pub(crate) fn statements(&self) -> &[Statement] {
        let Statements { count, table, decoded, .. } = &self.statements;
        decoded.get_or_init(|| decode::statements(table, *count, self.source))
    }

    /// How many statements there are.
    pub(crate) fn count(&self) -> usize {
        self.statements.count
    }

    /// Whether the header of a down script says that there is nothing to undo.
    pub(crate) fn has_nothing_to_undo(&self) -> bool {
        let mut header = self.source.lines().map_while(|it| it.strip_prefix("--"));
        header.any(|it| it.trim_start().starts_with("upfront:nothing-to-undo "))
    }

    /// What is so of any of them.
    pub(crate) fn any(&self) -> Any {
        self.statements.any
    }

    /// The text that is sent.
    pub(crate) fn body(&self) -> &'static str {
        self.body.unwrap_or(self.source)
    }

    /// The statement in which a byte of the body stands, else the one that ends before it.
    pub(crate) fn statement_at(&self, at: usize) -> Option<&Statement> {
        let behind = self.statements().partition_point(|it| it.start <= at);
        self.statements().get(behind.checked_sub(1)?)
    }

    /// The text of one statement.
    pub(crate) fn text(&self, statement: &Statement) -> &'static str {
        &self.body()[statement.start..statement.end]
    }

    /// The text of one statement with its data, which is what its hash covers.
    pub(crate) fn text_and_data(&self, statement: &Statement) -> &'static str {
        &self.body()[statement.start..statement.end_of_data()]
    }
}
