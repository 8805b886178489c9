//! Whether a statement can run in a transaction, and how its outcome is determined after a crash.

use crate::cursor::{Cursor, fold};
use crate::lexer::TokenKind;

/// How a statement behaves in transactions. This decides what happens if its outcome is unknown
/// after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// It can run in a transaction block, together with the row that records it.
    Transactional,
    /// It changes only settings of the session: a new session must run it again.
    Session,
    /// `CREATE INDEX CONCURRENTLY`: the catalog shows whether the index is absent, invalid or
    /// finished.
    CreateIndex {
        /// The index as named in the catalog, without its schema, which is that of the table. If
        /// omitted, PostgreSQL chooses the name.
        index: Option<String>,
        /// The table as it is written, for `to_regclass`.
        table: String,
        /// Whether an existing index is skipped, even an invalid one.
        if_not_exists: bool,
    },
    /// `DROP INDEX CONCURRENTLY`, which takes one index.
    DropIndex {
        /// The index as it is written, for `to_regclass`.
        index: String,
        /// Whether a missing index is skipped.
        if_exists: bool,
    },
    /// `REINDEX … CONCURRENTLY`, which may leave invalid indexes named `…_ccnew` and `…_ccold`.
    Reindex {
        /// What is rebuilt.
        kind: ReindexKind,
        /// Its name as written. Since PostgreSQL 16, a database needs none.
        target: Option<String>,
    },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`: `pg_inherits.inhdetachpending` shows
    /// its state, and `FINALIZE` completes it.
    DetachPartition {
        /// The partitioned table as it is written.
        parent: String,
        /// The partition as it is written.
        partition: String,
    },
    /// It cannot, or cannot always, run in a transaction block (`REINDEX` and `CLUSTER` of a
    /// partitioned table), but running it again is harmless.
    Repeatable,
    /// `CREATE DATABASE`: `pg_database` shows the outcome.
    CreateDatabase {
        /// The database as named in the catalog.
        name: String,
    },
    /// `DROP DATABASE`: `pg_database` shows the outcome.
    DropDatabase {
        /// The database as named in the catalog.
        name: String,
        /// Whether a missing database is skipped.
        if_exists: bool,
    },
    /// It may commit (`CALL`, `DO`), or has effects outside the catalog: the outcome cannot be
    /// determined after a crash.
    Unknown,
}

/// What `REINDEX` rebuilds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReindexKind {
    /// One index.
    Index,
    /// The indexes of one table.
    Table,
    /// The indexes of one schema.
    Schema,
    /// The indexes of the database, except those of the catalog.
    Database,
    /// The indexes of the catalog.
    System,
}

/// A statement's class, and its name when PostgreSQL refuses it in a transaction block.
///
/// The names are those of `PreventInTransactionBlock` in PostgreSQL's sources.
pub(crate) fn classify(statement: Cursor<'_>) -> (Class, Option<&'static str>) {
    let mut it = statement;
    if it.eat("CREATE") {
        create(it)
    } else if it.eat("DROP") {
        drop(it)
    } else if it.eat("ALTER") {
        alter(it)
    } else if it.eat("REINDEX") {
        reindex(it)
    } else if it.eat("VACUUM") {
        alone(Class::Repeatable, "VACUUM")
    } else if it.eat("CLUSTER") {
        cluster(it)
    } else if it.is_at_any(&["CALL", "DO"]) {
        (Class::Unknown, None)
    } else if is_session(it) {
        (Class::Session, None)
    } else {
        anywhere()
    }
}

fn anywhere() -> (Class, Option<&'static str>) {
    (Class::Transactional, None)
}

fn alone(class: Class, name: &'static str) -> (Class, Option<&'static str>) {
    (class, Some(name))
}

fn create(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    it.eat("UNIQUE");
    if it.eat("INDEX CONCURRENTLY") {
        return alone(create_index(it).unwrap_or(Class::Unknown), "CREATE INDEX CONCURRENTLY");
    }
    if it.eat("DATABASE") {
        let class = folded(&mut it).map(|name| Class::CreateDatabase { name });
        return alone(class.unwrap_or(Class::Unknown), "CREATE DATABASE");
    }
    if it.eat("TABLESPACE") {
        return alone(Class::Unknown, "CREATE TABLESPACE");
    }
    let makes_slot = |it: Cursor<'_>| !is_off(it, "connect") && !is_off(it, "create_slot");
    if it.eat("SUBSCRIPTION") && makes_slot(it) {
        return alone(Class::Unknown, "CREATE SUBSCRIPTION … WITH (create_slot = true)");
    }
    anywhere()
}

fn create_index(mut it: Cursor<'_>) -> Option<Class> {
    let if_not_exists = it.eat("IF NOT EXISTS");
    let index = if it.is_at("ON") { None } else { Some(folded(&mut it)?) };
    if !it.eat("ON") {
        return None;
    }
    it.eat("ONLY");
    Some(Class::CreateIndex { index, table: it.name()?, if_not_exists })
}

fn drop(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    if it.eat("INDEX CONCURRENTLY") {
        let if_exists = it.eat("IF EXISTS");
        let class = it.name().map(|index| Class::DropIndex { index, if_exists });
        return alone(class.unwrap_or(Class::Unknown), "DROP INDEX CONCURRENTLY");
    }
    if it.eat("DATABASE") {
        let if_exists = it.eat("IF EXISTS");
        let class = folded(&mut it).map(|name| Class::DropDatabase { name, if_exists });
        return alone(class.unwrap_or(Class::Unknown), "DROP DATABASE");
    }
    if it.eat("TABLESPACE") {
        return alone(Class::Unknown, "DROP TABLESPACE");
    }
    if it.eat("SUBSCRIPTION") {
        return alone(Class::Unknown, "DROP SUBSCRIPTION");
    }
    anywhere()
}

fn alter(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    if it.eat("SYSTEM") {
        return alone(Class::Repeatable, "ALTER SYSTEM");
    }
    if it.eat("DATABASE") {
        it.name();
        return if it.eat("SET TABLESPACE") {
            alone(Class::Repeatable, "ALTER DATABASE SET TABLESPACE")
        } else {
            anywhere()
        };
    }
    if it.eat("SUBSCRIPTION") {
        return alter_subscription(it);
    }
    if it.eat("TABLE") {
        return detach(it).map_or_else(anywhere, |class| {
            alone(class, "ALTER TABLE … DETACH PARTITION … CONCURRENTLY")
        });
    }
    anywhere()
}

fn alter_subscription(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    it.name();
    if it.eat("REFRESH") {
        return alone(Class::Repeatable, "ALTER SUBSCRIPTION … REFRESH");
    }
    let class = if it.eat("SET PUBLICATION") { Class::Repeatable } else { Class::Unknown };
    let publications =
        class == Class::Repeatable || it.eat_any(&["ADD PUBLICATION", "DROP PUBLICATION"]);
    if publications && !is_off(it, "refresh") {
        return alone(class, "ALTER SUBSCRIPTION with refresh");
    }
    anywhere()
}

fn detach(mut it: Cursor<'_>) -> Option<Class> {
    it.eat("IF EXISTS");
    it.eat("ONLY");
    let parent = it.name()?;
    it.eat_symbol("*");
    if !it.eat("DETACH PARTITION") {
        return None;
    }
    let partition = it.name()?;
    it.eat("CONCURRENTLY").then_some(Class::DetachPartition { parent, partition })
}

fn reindex(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    let options = it.group();
    let (kind, plain) = match it.word().map(str::to_ascii_uppercase).as_deref() {
        Some("INDEX") => (ReindexKind::Index, None),
        Some("TABLE") => (ReindexKind::Table, None),
        Some("SCHEMA") => (ReindexKind::Schema, Some("REINDEX SCHEMA")),
        Some("DATABASE") => (ReindexKind::Database, Some("REINDEX DATABASE")),
        Some("SYSTEM") => (ReindexKind::System, Some("REINDEX SYSTEM")),
        _ => return anywhere(),
    };
    it.skip();
    let option = options.is_some_and(|it| it.has("CONCURRENTLY") && !is_off(it, "concurrently"));
    match (it.eat("CONCURRENTLY") || option, plain) {
        (true, _) => alone(Class::Reindex { kind, target: it.name() }, "REINDEX CONCURRENTLY"),
        (false, Some(name)) => alone(Class::Repeatable, name),
        (false, None) => (Class::Repeatable, None),
    }
}

/// Without a table it goes over all of them, each in a transaction of its own.
fn cluster(mut it: Cursor<'_>) -> (Class, Option<&'static str>) {
    it.group();
    it.eat("VERBOSE");
    (Class::Repeatable, it.is_at_end().then_some("CLUSTER"))
}

fn is_session(mut it: Cursor<'_>) -> bool {
    if it.eat("SET") {
        return !it.is_at("CONSTRAINTS");
    }
    if it.eat("SELECT") {
        it.eat("pg_catalog");
        it.eat_kind(TokenKind::Dot);
        // Whatever else it selects must not run twice.
        return it.eat("set_config") && {
            it.group();
            it.is_at_end()
        };
    }
    it.is_at_any(&["RESET", "LOAD", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE", "DISCARD"])
}

/// Whether the option stands somewhere with a value that PostgreSQL reads as false.
fn is_off(statement: Cursor<'_>, option: &str) -> bool {
    statement.positions().any(|mut it| {
        it.eat(option) && {
            it.eat_symbol("=");
            let value = it.peek().map_or("", |token| token.text(it.text()));
            ["false", "off", "0", "'false'", "'off'", "'0'"]
                .iter()
                .any(|no| no.eq_ignore_ascii_case(value))
        }
    })
}

fn folded(it: &mut Cursor<'_>) -> Option<String> {
    it.identifier().and_then(fold)
}
