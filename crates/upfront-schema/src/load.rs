//! SQL files in any order: what fails is tried again after the rest.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use postgres::Client;
use postgres::error::{ErrorPosition, SqlState};
use upfront_directory::cut_statements;

use crate::error::{Error, Kind, Result, reason};
use crate::session;

/// A statement of a file.
struct Piece {
    file: usize,
    range: Range<usize>,
    error: Option<postgres::Error>,
}

struct File {
    label: String,
    text: String,
}

/// Runs the statements of the file, or of all `.sql` files in the folder, until none is left.
pub(crate) fn load(client: &mut Client, path: &Path) -> Result<()> {
    run(client, &read(path)?)
}

/// The same with texts that have been read, each with what messages call it.
pub(crate) fn texts(client: &mut Client, texts: Vec<(String, String)>) -> Result<()> {
    let file = |(label, text): (String, String)| File { label, text: without_psql(&text) };
    run(client, &texts.into_iter().map(file).collect::<Vec<_>>())
}

/// The same beside objects that are made as soon as they can be.
pub(crate) fn texts_beside(
    client: &mut Client,
    texts: Vec<(String, String)>,
    mut beside: impl FnMut() -> Result<Progress>,
) -> Result<()> {
    let file = |(label, text): (String, String)| File { label, text: without_psql(&text) };
    let files: Vec<_> = texts.into_iter().map(file).collect();
    run_beside(client, &files, &mut beside)
}

/// Whether a round has made anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Some,
    None,
}

fn run(client: &mut Client, files: &[File]) -> Result<()> {
    run_beside(client, files, &mut || Ok(Progress::None))
}

fn run_beside(
    client: &mut Client,
    files: &[File],
    beside: &mut dyn FnMut() -> Result<Progress>,
) -> Result<()> {
    let mut open: Vec<Piece> =
        files.iter().enumerate().flat_map(|(at, it)| pieces(at, it)).collect();
    let mut checks_bodies = true;
    while !open.is_empty() {
        let before = open.len();
        open = round(client, files, open)?;
        if open.len() < before || beside()? == Progress::Some {
            continue;
        }
        if !checks_bodies {
            return Err(first(files, open));
        }
        checks_bodies = false;
        session::run(client, "SET check_function_bodies = off").map_err(Error::postgres("load"))?;
    }
    Ok(())
}

fn round(client: &mut Client, files: &[File], open: Vec<Piece>) -> Result<Vec<Piece>> {
    let mut left = Vec::new();
    for mut it in open {
        let sql = &files[it.file].text[it.range.clone()];
        match session::run(client, sql) {
            Ok(()) => {}
            Err(err) if is_there_already(&err, sql) => {}
            Err(err) if err.is_closed() => return Err(Error::postgres("load")(err)),
            Err(err) => {
                it.error = Some(err);
                left.push(it);
            }
        }
    }
    Ok(left)
}

/// Roles outlive a database.
fn is_there_already(err: &postgres::Error, sql: &str) -> bool {
    let starts = |it: &str| sql.get(..it.len()).is_some_and(|start| start.eq_ignore_ascii_case(it));
    let makes_role = ["CREATE ROLE", "CREATE USER", "CREATE GROUP"].iter().any(|it| starts(it));
    makes_role && err.code() == Some(&SqlState::DUPLICATE_OBJECT)
}

fn read(path: &Path) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    walk(path, &mut paths)?;
    let file = |it: PathBuf| {
        let text = fs::read_to_string(&it).map_err(Error::path("read", &it))?;
        Ok(File { label: it.display().to_string(), text: without_psql(&text) })
    };
    paths.into_iter().map(file).collect()
}

fn walk(path: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).map_err(Error::path("read", path))?;
    let mut all = entries
        .map(|it| it.map(|it| it.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::path("read", path))?;
    all.sort();
    all.retain(|it| it.is_dir() || it.extension().is_some_and(|it| it == "sql"));
    all.iter().try_for_each(|it| walk(it, paths))
}

/// The lines that `pg_dump` writes for psql alone are blanked, so that places stay what they are.
fn without_psql(text: &str) -> String {
    let is_psql =
        |line: &str| ["\\restrict ", "\\unrestrict "].iter().any(|it| line.starts_with(it));
    let lines = text.split_inclusive('\n');
    lines.map(|it| if is_psql(it) { "\n" } else { it }).collect()
}

/// A file is run statement by statement, so that its own transactions mean nothing.
fn pieces(file: usize, it: &File) -> Vec<Piece> {
    let ranges = cut_statements(&it.text).into_iter();
    let ranges = ranges.filter(|range| !is_passed_over(&it.text[range.clone()]));
    ranges.map(|range| Piece { file, range, error: None }).collect()
}

/// Control of transactions, the encoding, which is UTF-8 whatever a file says, and rows for psql,
/// which are no part of a schema.
fn is_passed_over(sql: &str) -> bool {
    const CONTROL: [&str; 6] =
        ["BEGIN", "COMMIT", "END", "START TRANSACTION", "BEGIN TRANSACTION", "COMMIT TRANSACTION"];
    let sql = sql.to_ascii_uppercase();
    CONTROL.contains(&sql.as_str())
        || sql.starts_with("SET CLIENT_ENCODING")
        || sql.starts_with("COPY ") && sql.contains("FROM STDIN")
}

/// The error of the first statement that is left.
fn first(files: &[File], open: Vec<Piece>) -> Error {
    let Some(it) = open.into_iter().next() else { return Kind::NoSource(String::new()).into() };
    let file = &files[it.file];
    let at = it.range.start
        + it.error.as_ref().and_then(|err| offset(err, &file.text[it.range.clone()])).unwrap_or(0);
    let (place, excerpt) = excerpt(&file.label, &file.text, at);
    let message = it.error.as_ref().map(reason).unwrap_or_default();
    Kind::Statement { place, excerpt, message }.into()
}

/// A byte of a text: file, line and column, and the line with a mark under it.
pub(crate) fn excerpt(label: &str, text: &str, at: usize) -> (String, String) {
    let (line, column) = place(text, at);
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    let number = line.to_string();
    let caret = " ".repeat(number.len() + 3 + column - 1);
    (format!("{label}:{line}:{column}"), format!("{number} | {shown}\n{caret}^"))
}

/// The byte that the server points at; it counts characters from one.
fn offset(err: &postgres::Error, sql: &str) -> Option<usize> {
    match err.as_db_error()?.position()? {
        ErrorPosition::Original(at) => {
            let at = usize::try_from(*at).ok()?.checked_sub(1)?;
            sql.char_indices().nth(at).map(|(byte, _)| byte)
        }
        ErrorPosition::Internal { .. } => None,
    }
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |it| it + 1);
    (line, before[start..].chars().count() + 1)
}
