//! A directory that was parsed when the program ran, as the data that a build would have left.

use std::time::Duration;

use upfront_directory::{self as directory, Directory, ReindexKind};

use crate::embedded::{Class, Loss, LossKind, Migration, Set, Side, Statement};

/// The directory's data, which from here on live as long as the program.
pub(crate) fn set(it: &Directory) -> &'static Set {
    let set = Set {
        label: leak(it.label()),
        fingerprint: leak(&it.fingerprint().to_string()),
        migrations: it.migrations().iter().map(migration).collect::<Vec<_>>().leak(),
    };
    Box::leak(Box::new(set))
}

fn migration(it: &directory::Migration) -> Migration {
    Migration {
        version: leak(&it.version),
        name: leak(&it.name),
        chain: leak(&it.chain.to_string()),
        breaking: it.breaking,
        irreversible: it.irreversible.as_deref().map(leak),
        checkpoint: it.checkpoint,
        accepts: it.accepts.iter().map(|it| leak(&it.to_string())).collect::<Vec<_>>().leak(),
        up: side(&it.up),
        down: it.down.as_ref().map(side),
    }
}

fn side(it: &directory::Side) -> Side {
    Side {
        path: leak(&it.path),
        source: leak(&it.source),
        body: (it.body != it.source).then(|| leak(&it.body)),
        hash: leak(&it.hash.to_string()),
        transactional: it.transactional,
        lock_timeout_ms: it.lock_timeout.map(milliseconds),
        statement_timeout_ms: it.statement_timeout.map(milliseconds),
        statements: it.statements.iter().map(statement).collect::<Vec<_>>().leak(),
    }
}

fn statement(it: &directory::Statement) -> Statement {
    Statement {
        start: offset(it.range.start),
        end: offset(it.range.end),
        line: it.line,
        class: class(&it.class),
        losses: it.losses.iter().map(loss).collect::<Vec<_>>().leak(),
        secret: it.secret,
    }
}

fn loss(it: &directory::Loss) -> Loss {
    let of = |kind, name: &str| Loss { kind, name: leak(name), column: None };
    let column = |kind, table: &str, column: &str| Loss {
        kind,
        name: leak(table),
        column: Some(leak(column)),
    };
    match it {
        directory::Loss::Table(it) => of(LossKind::Table, it),
        directory::Loss::Column { table, column: it } => column(LossKind::Column, table, it),
        directory::Loss::ColumnType { table, column: it } => {
            column(LossKind::ColumnType, table, it)
        }
        directory::Loss::Rows(it) => of(LossKind::Rows, it),
        directory::Loss::Type(it) => of(LossKind::Type, it),
        directory::Loss::Schema(it) => of(LossKind::Schema, it),
        directory::Loss::Sequence(it) => of(LossKind::Sequence, it),
        directory::Loss::Extension(it) => of(LossKind::Extension, it),
        _ => of(LossKind::Unknown, ""),
    }
}

fn class(it: &directory::Class) -> Class {
    match it {
        directory::Class::Transactional => Class::Transactional,
        directory::Class::Session => Class::Session,
        directory::Class::CreateIndex { index, table, if_not_exists } => Class::CreateIndex {
            index: index.as_deref().map(leak),
            table: leak(table),
            if_not_exists: *if_not_exists,
        },
        directory::Class::DropIndex { index, if_exists } => {
            Class::DropIndex { index: leak(index), if_exists: *if_exists }
        }
        directory::Class::Reindex { kind: ReindexKind::Index, target: Some(it) } => {
            Class::ReindexIndex { index: leak(it) }
        }
        directory::Class::Reindex { kind: ReindexKind::Table, target: Some(it) } => {
            Class::ReindexTable { table: leak(it) }
        }
        directory::Class::Reindex { .. } | directory::Class::Repeatable => Class::Repeatable,
        directory::Class::DetachPartition { parent, partition } => {
            Class::DetachPartition { parent: leak(parent), partition: leak(partition) }
        }
        directory::Class::CreateDatabase { name } => Class::CreateDatabase { name: leak(name) },
        directory::Class::DropDatabase { name, .. } => Class::DropDatabase { name: leak(name) },
        _ => Class::Unknown,
    }
}

fn leak(it: &str) -> &'static str {
    it.to_owned().leak()
}

fn milliseconds(it: Duration) -> u32 {
    u32::try_from(it.as_millis()).unwrap_or(u32::MAX)
}

fn offset(it: usize) -> u32 {
    u32::try_from(it).expect("a migration is smaller than four gigabytes")
}
