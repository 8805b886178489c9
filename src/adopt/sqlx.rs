//! sqlx's table `_sqlx_migrations`.

use sha2::{Digest, Sha384};
use tokio_postgres::SimpleQueryRow;

use crate::{
    connection::answer::Answer,
    embedded::{Migration, Set, title},
    plan::{
        checksum::hex,
        external_history::{
            Difference, ExternalHistory, ExternalRevision, Scope, Source, Text, texts,
        },
        foreign_history::Tool,
        rows::Head,
    },
};

/// The key of the advisory lock that sqlx's migrator holds in a database of this name.
pub(crate) fn lock(database: &str) -> i64 {
    0x3d32_ad9e * i64::from(crc32(database.as_bytes()))
}

/// CRC-32 as in Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// What is read of a table, whose name is quoted; with the search path pinned.
pub(crate) fn rows_of(table: &str) -> String {
    format!(
        "SELECT version AS upfront_sqlx, description, success, encode(checksum, 'hex'), \
         installed_on::text FROM {table} ORDER BY version"
    )
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    version: i64,
    /// The name of the file, with blanks for underscores.
    description: String,
    success: bool,
    /// SHA-384 of the file, in hex.
    checksum: String,
    installed_on: String,
}

/// Reads the answer to [`rows_of`]; `None` where it is not of this shape.
pub(crate) fn read(answer: &Answer) -> Option<Vec<Row>> {
    let is_one =
        |it: &&SimpleQueryRow| it.columns().first().is_some_and(|it| it.name() == "upfront_sqlx");
    answer.rows.iter().filter(is_one).map(row).collect()
}

fn row(it: &SimpleQueryRow) -> Option<Row> {
    Some(Row {
        version: it.get(0)?.parse().ok()?,
        description: it.get(1)?.to_owned(),
        success: it.get(2)? == "t",
        checksum: it.get(3)?.to_owned(),
        installed_on: it.get(4)?.to_owned(),
    })
}

/// Compares a table, which has rows, with the directory.
///
/// # Errors
///
/// All differences, in the order of the versions.
pub(crate) fn compare(
    set: &'static Set,
    rows: &[Row],
    table: &str,
) -> Result<ExternalHistory, Vec<Difference>> {
    let newest = rows.last().map_or(i64::MIN, |it| it.version);
    let migrations =
        || set.migrations.iter().map(|it| (it.version.parse().unwrap_or(i64::MAX), it));
    let row_of = |version: i64| rows.iter().find(|it| it.version == version);
    let file_of = |row: &Row| migrations().find(|(version, _)| *version == row.version);
    let mut found = Vec::new();
    for row in rows {
        found.extend(differences(file_of(row).map(|it| it.1), row).map(|it| (row.version, it)));
    }
    let gaps = migrations()
        .filter(|(version, it)| *version < newest && row_of(*version).is_none() && !it.checkpoint);
    found.extend(gaps.map(|(version, it)| {
        let newest = rows.last().map(titled).unwrap_or_default();
        (version, Difference::Skipped { title: it.title(), path: it.up.path, newest })
    }));
    found.sort_by_key(|it| it.0);
    if !found.is_empty() {
        return Err(found.into_iter().map(|it| it.1).collect());
    }
    let count = migrations().filter(|(version, _)| *version <= newest).count();
    let (old, pending) = set.migrations.split_at(count);
    let old = old.iter().map(|migration| {
        let row = row_of(migration.version.parse().unwrap_or(i64::MAX));
        let applied_at = row.map(|it| it.installed_on.clone());
        ExternalRevision { migration, applied_at, checked: row.is_some() }
    });
    let source = Some(Source { table: table.to_owned(), tool: Tool::Sqlx });
    Ok(ExternalHistory { source, old: old.collect(), pending, after: Head::start() })
}

fn titled(row: &Row) -> String {
    title(&row.version.to_string(), &row.description.replace(' ', "_"))
}

fn differences(file: Option<&'static Migration>, row: &Row) -> impl Iterator<Item = Difference> {
    let failed =
        (!row.success).then(|| Difference::Failed { title: titled(row), error: String::new() });
    let other = match file {
        None => Some(Difference::Missing { title: titled(row) }),
        Some(it) if it.name.replace('_', " ") != row.description => {
            let (title, recorded) = (it.title(), titled(row));
            Some(Difference::Renamed { title, path: it.up.path, recorded })
        }
        Some(it) => edited(it, row),
    };
    failed.into_iter().chain(other)
}

fn edited(it: &Migration, row: &Row) -> Option<Difference> {
    let fits = originals(it.up.source).any(|it| checksum(&it) == row.checksum);
    (!fits).then(|| Difference::Edited {
        title: it.title(),
        path: it.up.path,
        recorded: row.checksum.clone(),
        found: checksum(it.up.source),
        scope: Scope::File,
    })
}

/// What the file may have been when sqlx ran it: as [`texts`] has it; and where directives stand
/// before it, sqlx's own mark may have stood there.
fn originals(source: &str) -> impl Iterator<Item = String> {
    let marked = |it: &Text<'_>| {
        let is_cut = it.source.len() < source.len();
        let marks = ["", "-- no-transaction\n", "-- no-transaction\n\n"];
        let marks = if is_cut { &marks[..] } else { &marks[..1] };
        marks.iter().map(|mark| it.line_end.of(&format!("{mark}{}", it.source))).collect::<Vec<_>>()
    };
    texts(source).into_iter().flat_map(move |it| marked(&it))
}

fn checksum(text: &str) -> String {
    hex(&Sha384::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_that_of_sqlx() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(lock("postgres"), 0x3d32_ad9e * i64::from(crc32(b"postgres")));
    }

    #[test]
    fn finds_the_text_that_sqlx_ran() {
        let ran = |now: &str, then: &str| originals(now).any(|it| it == then);
        let body = "-- what it is for\nCREATE INDEX;\n";
        assert!(ran(body, body));
        assert!(ran(body, &body.replace('\n', "\r\n")));
        let marked = format!("-- no-transaction\n{body}");
        let imported = [
            format!("-- atlas:txmode none\n\n{body}"),
            format!("-- atlas:txmode none\n{body}"),
            format!("-- atlas:txmode none\n\n{marked}"),
            format!("-- atlas:txmode none\n-- upfront:lock-timeout 5s\n\n{marked}"),
        ];
        for it in imported {
            assert!(ran(&it, &marked), "{it}");
        }
        assert!(!ran(body, "-- what it is for\nCREATE INDEX\n"));
        assert!(!ran("\nSELECT 1;\n", "SELECT 1;\n"));
    }
}
