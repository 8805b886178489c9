//! A directory as the data that `upfront::__embedded_v1!` takes.

use std::{
    fmt::{self, Write},
    path::Path,
    time::Duration,
};

use upfront_directory::{Class, Directory, Loss, Migration, ReindexKind, Side, Statement};

/// The whole generated file: one expression.
///
/// The path stands outside the set: only a program that reads the directory when it starts makes
/// anything of it.
pub(crate) fn render(directory: &Directory, path: &Path) -> String {
    let mut out = String::new();
    set(&mut out, directory, path).expect("a String takes whatever is written");
    out
}

fn set(out: &mut String, it: &Directory, path: &Path) -> fmt::Result {
    let (label, fingerprint, path) = (it.label(), it.fingerprint(), path.to_string_lossy());
    writeln!(out, "__embedded_v1!({path:?},")?;
    writeln!(out, "Set {{ label: {label:?}, fingerprint: \"{fingerprint}\",")?;
    writeln!(out, "migrations: &[")?;
    it.migrations().iter().try_for_each(|it| migration(out, it))?;
    writeln!(out, "] }})")
}

fn migration(out: &mut String, it: &Migration) -> fmt::Result {
    let Migration { version, name, chain, breaking, irreversible, checkpoint, .. } = it;
    writeln!(out, "Migration {{ version: {version:?}, name: {name:?}, chain: \"{chain}\",")?;
    writeln!(
        out,
        "breaking: {breaking}, irreversible: {irreversible:?}, checkpoint: {checkpoint},"
    )?;
    let accepts: Vec<_> = it.accepts.iter().map(ToString::to_string).collect();
    write!(out, "accepts: &{accepts:?}, up: ")?;
    side(out, &it.up)?;
    write!(out, ", down: ")?;
    match &it.down {
        Some(it) => {
            write!(out, "Some(")?;
            side(out, it)?;
            write!(out, ")")?;
        }
        None => write!(out, "None")?,
    }
    writeln!(out, " }},")
}

fn side(out: &mut String, it: &Side) -> fmt::Result {
    let Side { path, source, hash, transactional, .. } = it;
    let body = (it.body != it.source).then_some(&it.body);
    let lock = it.lock_timeout.map(milliseconds);
    let statement = it.statement_timeout.map(milliseconds);
    writeln!(out, "Side {{ path: {path:?}, source: {source:?}, body: {body:?},")?;
    writeln!(out, "hash: \"{hash}\", transactional: {transactional},")?;
    writeln!(out, "lock_timeout_ms: {lock:?}, statement_timeout_ms: {statement:?},")?;
    write!(out, "statements: &[")?;
    it.statements.iter().try_for_each(|it| self::statement(out, it))?;
    write!(out, "] }}")
}

fn statement(out: &mut String, it: &Statement) -> fmt::Result {
    let Statement { range, line, class, losses, secret } = it;
    let losses: Vec<_> = losses.iter().map(loss).collect();
    let (start, end, class) = (range.start, range.end, self::class(class));
    write!(
        out,
        "Statement {{ start: {start}, end: {end}, line: {line}, class: Class::{class}, losses: \
         &[{}], secret: {secret} }}, ",
        losses.join(", ")
    )
}

fn loss(it: &Loss) -> String {
    let (kind, name, column) = match it {
        Loss::Table(it) => ("Table", it.as_str(), None),
        Loss::Column { table, column } => ("Column", table.as_str(), Some(column)),
        Loss::ColumnType { table, column } => ("ColumnType", table.as_str(), Some(column)),
        Loss::Rows(it) => ("Rows", it.as_str(), None),
        Loss::Type(it) => ("Type", it.as_str(), None),
        Loss::Schema(it) => ("Schema", it.as_str(), None),
        Loss::Sequence(it) => ("Sequence", it.as_str(), None),
        Loss::Extension(it) => ("Extension", it.as_str(), None),
        _ => ("Unknown", "", None),
    };
    format!("Loss {{ kind: LossKind::{kind}, name: {name:?}, column: {column:?} }}")
}

fn milliseconds(it: Duration) -> u32 {
    u32::try_from(it.as_millis()).unwrap_or(u32::MAX)
}

/// What the runtime does not know how to ask the catalog about is unknown to it.
fn class(it: &Class) -> String {
    match it {
        Class::Transactional => "Transactional".into(),
        Class::Session => "Session".into(),
        Class::CreateIndex { index, table, if_not_exists } => format!(
            "CreateIndex {{ index: {index:?}, table: {table:?}, if_not_exists: {if_not_exists} }}"
        ),
        Class::DropIndex { index, if_exists } => {
            format!("DropIndex {{ index: {index:?}, if_exists: {if_exists} }}")
        }
        Class::Reindex { kind: ReindexKind::Index, target: Some(index) } => {
            format!("ReindexIndex {{ index: {index:?} }}")
        }
        Class::Reindex { kind: ReindexKind::Table, target: Some(table) } => {
            format!("ReindexTable {{ table: {table:?} }}")
        }
        Class::Reindex { .. } | Class::Repeatable => "Repeatable".into(),
        Class::DetachPartition { parent, partition } => {
            format!("DetachPartition {{ parent: {parent:?}, partition: {partition:?} }}")
        }
        Class::CreateDatabase { name } => format!("CreateDatabase {{ name: {name:?} }}"),
        Class::DropDatabase { name, .. } => format!("DropDatabase {{ name: {name:?} }}"),
        _ => "Unknown".into(),
    }
}
