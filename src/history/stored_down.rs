//! Down sides that the database has stored: what an older program rolls back with.
//!
//! They become data like those that are compiled in, and so live as long as the program. Each text
//! is kept once, however often it is read.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Mutex, OnceLock, PoisonError},
};

use tokio_postgres::SimpleQueryRow;

use crate::{
    Result,
    connection::{answer::Answer, sql::named},
    embedded::{Class, CopyData, Loss, LossKind, Migration, Side, Statement, title},
    error::{Details, Error, rejection::Rejection},
    plan::checksum,
};

/// What [`Revisions::stored`](crate::history::revisions::Revisions::stored) returned, newest first.
///
/// # Errors
///
/// A text is not the one whose hash stands beside it.
pub(crate) fn migrations(answer: &Answer) -> Result<Vec<&'static Migration>> {
    named(answer, "upfront_stored").map(|it| migration(answer, it)).collect()
}

fn migration(answer: &Answer, row: &SimpleQueryRow) -> Result<&'static Migration> {
    static KEPT: OnceLock<Mutex<HashMap<String, &'static Migration>>> = OnceLock::new();
    // Every column has a part in it, as each may be changed by hand; versions are no secret.
    let statements = of_version(answer, "upfront_statement", row).map(all_columns);
    let losses = of_version(answer, "upfront_loss", row).map(all_columns);
    let rows = std::iter::once(all_columns(row)).chain(statements).chain(losses);
    let key = rows.collect::<Vec<_>>().join("\x02");
    let mut kept = KEPT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(it) = kept.get(&key) {
        return Ok(it);
    }
    let it: &'static Migration = Box::leak(Box::new(read(answer, row)?));
    kept.insert(key, it);
    Ok(it)
}

fn all_columns(row: &SimpleQueryRow) -> String {
    let columns: Vec<_> = (0..row.len()).map(|at| row.get(at).unwrap_or("\0")).collect();
    columns.join("\x01")
}

/// The rows of a statement of ours that speak of the same version.
fn of_version<'a>(
    answer: &'a Answer,
    column: &'a str,
    row: &'a SimpleQueryRow,
) -> impl Iterator<Item = &'a SimpleQueryRow> {
    named(answer, column).filter(|it| it.get(0) == row.get(0))
}

fn read(answer: &Answer, row: &SimpleQueryRow) -> Result<Migration> {
    const DOING: &str = "reading stored down sides";
    let text = |at: usize| row.get(at).map(leak);
    let unexpected = || Error::from(Details::Unexpected { doing: DOING });
    let needed = |at: usize| text(at).ok_or_else(unexpected);
    let (version, name, hash) = (needed(0)?, needed(1)?, needed(2)?);
    let title = title(version, name);
    let down = match (text(6), text(7)) {
        (Some(source), Some(stored)) if checksum::sha256(source) == stored => {
            let side = side(answer, row, &title, source, stored);
            Some(side.ok_or_else(|| altered(&title))?)
        }
        (None, None) => None,
        _ => return Err(altered(&title)),
    };
    Ok(Migration {
        version,
        name,
        chain: needed(3)?,
        breaking: row.get(4) == Some("t"),
        irreversible: text(5),
        checkpoint: row.get(9) == Some("t"),
        accepts: &[],
        up: Side {
            path: leak(&format!("{title}.sql")),
            source: "",
            body: None,
            hash,
            transactional: true,
            lock_timeout_ms: None,
            statement_timeout_ms: None,
            statements: Vec::new().into(),
        },
        down,
    })
}

fn altered(title: &str) -> Error {
    Rejection::DownAltered { migration: title.to_owned() }.into()
}

/// `None` where a part of it does not fit the text, of which the hash is known.
fn side(
    answer: &Answer,
    row: &SimpleQueryRow,
    title: &str,
    source: &'static str,
    hash: &'static str,
) -> Option<Side> {
    let milliseconds = |at: usize| row.get(at).and_then(|it| it.parse().ok());
    let body = row.get(10).map(leak);
    if body.is_some_and(|it| !is_body_of(it, source)) {
        return None;
    }
    let text = body.unwrap_or(source);
    let mut statements = Vec::new();
    for (it, ordinal) in of_version(answer, "upfront_statement", row).zip(1_usize..) {
        let ordinal = ordinal.to_string();
        let losses = of_version(answer, "upfront_loss", row);
        let losses = losses.filter(|it| it.get(1) == Some(&*ordinal)).map(loss);
        statements.push(statement(it, text, losses.collect())?);
    }
    Some(Side {
        path: leak(&format!("stored down/{title}.sql")),
        source,
        body,
        hash,
        transactional: row.get(8)? == "t",
        lock_timeout_ms: milliseconds(11),
        statement_timeout_ms: milliseconds(12),
        statements: statements.into(),
    })
}

/// A `;` stands for each delimiter, at the same place; all else is the text, whose hash was checked.
fn is_body_of(body: &str, source: &str) -> bool {
    let stays = |(it, was): (u8, u8)| it == was || b" \n;".contains(&it);
    body.len() == source.len() && body.bytes().zip(source.bytes()).all(stays)
}

/// `None` if its position is outside the text: one of the two was changed by hand.
fn statement(row: &SimpleQueryRow, text: &str, losses: Vec<Loss>) -> Option<Statement> {
    let number = |at: usize| row.get(at)?.parse::<usize>().ok();
    let (start, end) = (number(1)?, number(2)?);
    let it = text.get(start..end)?;
    let data = match (row.get(11), row.get(12)) {
        (None, None) => None,
        _ => Some(CopyData { lines: number(11)?..number(12)?, probe: "" }),
    };
    if data.as_ref().is_some_and(|it| !is_data(&it.lines, end, text)) {
        return None;
    }
    let secret = match row.get(10) {
        Some(secret) => secret == "true",
        None => it.to_ascii_lowercase().contains("password"),
    };
    let (class, losses) = (class(row), losses.leak());
    Some(Statement { data, class, losses, secret, ..Statement::plain(start, end, number(3)?) })
}

/// Rows stand behind their statement, and `\.` behind them.
fn is_data(it: &Range<usize>, statement_end: usize, text: &str) -> bool {
    statement_end < it.start && text.get(it.clone()).is_some() && text[it.end..].starts_with("\\.")
}

fn class(row: &SimpleQueryRow) -> Class {
    let text = |at: usize| row.get(at).filter(|it| !it.is_empty()).map(leak);
    let known = || {
        Some(match row.get(4)? {
            "transactional" => Class::Transactional,
            "session" => Class::Session,
            "create_index" => {
                Class::CreateIndex { index: text(5), table: text(6)?, if_not_exists: false }
            }
            "drop_index" => Class::DropIndex { index: text(5)?, if_exists: false },
            "reindex_index" => Class::ReindexIndex { index: text(5)? },
            "reindex_table" => Class::ReindexTable { table: text(6)? },
            "detach_partition" => Class::DetachPartition { parent: text(7)?, partition: text(8)? },
            "create_database" => Class::CreateDatabase { name: text(9)? },
            "drop_database" => Class::DropDatabase { name: text(9)? },
            "repeatable" => Class::Repeatable,
            _ => Class::Unknown,
        })
    };
    known().unwrap_or(Class::Unknown)
}

/// A kind that a newer program has stored, and this one does not know, may lose anything.
fn loss(row: &SimpleQueryRow) -> Loss {
    let kind = match row.get(2) {
        Some("table") => LossKind::Table,
        Some("column") => LossKind::Column,
        Some("column_type") => LossKind::ColumnType,
        Some("rows") => LossKind::Rows,
        Some("type") => LossKind::Type,
        Some("schema") => LossKind::Schema,
        Some("sequence") => LossKind::Sequence,
        Some("extension") => LossKind::Extension,
        _ => LossKind::Unknown,
    };
    Loss { kind, name: leak(row.get(3).unwrap_or_default()), column: row.get(4).map(leak) }
}

fn leak(it: &str) -> &'static str {
    it.to_owned().leak()
}
