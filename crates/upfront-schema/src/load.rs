//! SQL files in any order: what fails is tried again after the rest.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use postgres::Client;
use postgres::error::{ErrorPosition, SqlState};
use upfront_directory::{
    Beyond, beyond, cut_statements, internal_options, lift_references, long_names, unclosed,
};
use upfront_redact::Known;

use crate::error::{Error, Kind, Result, reason};
use crate::extract::Scope;
use crate::preflight::{self, Lack};
use crate::{roles, session};

/// A statement of a file.
struct Piece {
    file: usize,
    range: Range<usize>,
    form: Form,
    error: Option<postgres::Error>,
}

/// What is run of a statement.
enum Form {
    AsWritten,
    WithoutKeys(String),
    Keys(String),
}

struct File {
    label: String,
    text: String,
}

/// Runs the statements of the file, or of all `.sql` files in the folder, until none is left.
pub(crate) fn load(client: &mut Client, path: &Path, scope: &Scope) -> Result<()> {
    run(client, &read(path)?, scope)
}

/// The same with texts that have been read, each with what messages call it.
pub(crate) fn texts(
    client: &mut Client,
    texts: Vec<(String, String)>,
    scope: &Scope,
) -> Result<()> {
    let file = |(label, text): (String, String)| File { label, text: loadable(&text) };
    run(client, &texts.into_iter().map(file).collect::<Vec<_>>(), scope)
}

/// The same beside objects that are made as soon as they can be.
pub(crate) fn texts_beside(
    client: &mut Client,
    texts: Vec<(String, String)>,
    scope: &Scope,
    mut beside: impl FnMut() -> Result<Progress>,
) -> Result<()> {
    let file = |(label, text): (String, String)| File { label, text: loadable(&text) };
    let files: Vec<_> = texts.into_iter().map(file).collect();
    run_beside(client, &files, scope, &mut beside)
}

/// Whether a round has made anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Some,
    None,
}

fn run(client: &mut Client, files: &[File], scope: &Scope) -> Result<()> {
    run_beside(client, files, scope, &mut || Ok(Progress::None))
}

fn run_beside(
    client: &mut Client,
    files: &[File],
    scope: &Scope,
    beside: &mut dyn FnMut() -> Result<Progress>,
) -> Result<()> {
    let mut open: Vec<Piece> =
        files.iter().enumerate().flat_map(|(at, it)| pieces(at, it, scope)).collect();
    look(client, files, &open)?;
    let mut unchecked = None;
    let mut may_lift = true;
    while !open.is_empty() {
        let before = open.len();
        open = round(client, files, open)?;
        if open.len() < before || beside()? == Progress::Some {
            continue;
        }
        if unchecked.is_none() {
            let bodies = open.iter().map(|it| (it.file, it.range.clone()));
            unchecked = Some(bodies.collect::<Vec<_>>());
            session::run(client, "SET check_function_bodies = off")
                .map_err(Error::postgres("load"))?;
        } else if may_lift && open.iter().any(|it| lifted(files, it).is_some()) {
            may_lift = false;
            open = lift(files, open);
        } else {
            return Err(first(files, open));
        }
    }
    check_bodies(client, files, unchecked.unwrap_or_default())
}

/// Routines that only loaded without a look at their bodies are looked at when all is there.
fn check_bodies(client: &mut Client, files: &[File], of: Vec<(usize, Range<usize>)>) -> Result<()> {
    const AGAIN: &str = "CREATE OR REPLACE";
    session::run(client, "SET check_function_bodies = on").map_err(Error::postgres("load"))?;
    for (file, range) in of {
        let sql = &files[file].text[range.clone()];
        let Some(rest) = sql.get(6..).filter(|_| is_routine(sql)) else { continue };
        let again = match sql.get(..AGAIN.len()).is_some_and(|it| it.eq_ignore_ascii_case(AGAIN)) {
            true => sql.to_owned(),
            false => format!("{AGAIN}{rest}"),
        };
        if let Err(err) = session::run(client, &again) {
            let form = Form::AsWritten;
            let shift = again.len() - sql.len();
            let at = offset(&err, &again).map_or(0, |it| it.saturating_sub(shift));
            let range = range.start + at..range.end;
            let piece = Piece { file, range, form, error: Some(err) };
            return Err(first(files, vec![piece]));
        }
    }
    Ok(())
}

fn is_routine(sql: &str) -> bool {
    let words = sql.split_whitespace().map(str::to_ascii_uppercase).take(4).collect::<Vec<_>>();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    matches!(
        words[..],
        ["CREATE", "FUNCTION" | "PROCEDURE", ..]
            | ["CREATE", "OR", "REPLACE", "FUNCTION" | "PROCEDURE"]
    )
}

/// What the server lacks is said before anything runs.
fn look(client: &mut Client, files: &[File], all: &[Piece]) -> Result<()> {
    for it in files {
        if let Some((at, message)) = unclosed(&it.text) {
            let (place, excerpt) = excerpt(&it.label, &it.text, at);
            return Err(Kind::Statement { place, excerpt, message }.into());
        }
    }
    for it in all {
        let file = &files[it.file];
        let Some(wanted) = beyond(&file.text[it.range.clone()]) else { continue };
        if let Some(Lack { message, help }) = preflight::lack(client, &wanted)? {
            let (place, excerpt) = excerpt(&file.label, &file.text, it.range.start);
            return Err(Kind::Lacking { place, excerpt, message, help }.into());
        }
    }
    Ok(())
}

fn round(client: &mut Client, files: &[File], open: Vec<Piece>) -> Result<Vec<Piece>> {
    let mut left = Vec::new();
    for mut it in open {
        let written = &files[it.file].text[it.range.clone()];
        let sql = match &it.form {
            Form::AsWritten => written,
            Form::WithoutKeys(sql) | Form::Keys(sql) => sql,
        };
        match session::run(client, sql) {
            Ok(()) => mark_role(client, written),
            Err(err) if is_there_already(&err, written) => {}
            Err(err) if is_of_newer_dump(&err, written) => {}
            Err(err) if err.is_closed() => return Err(Error::postgres("load")(err)),
            Err(err) => {
                // The table as it is written has failed with a place in the file.
                if !matches!(it.form, Form::WithoutKeys(_)) {
                    it.error = Some(err);
                }
                left.push(it);
            }
        }
    }
    Ok(left)
}

/// Tables that refer to each other come without their foreign keys, which are added at last.
fn lift(files: &[File], open: Vec<Piece>) -> Vec<Piece> {
    let (mut all, mut keys) = (Vec::new(), Vec::new());
    for mut it in open {
        if let Some((table, key)) = lifted(files, &it) {
            it.form = Form::WithoutKeys(table);
            let range = it.range.clone();
            keys.push(Piece { file: it.file, range, form: Form::Keys(key), error: None });
        }
        all.push(it);
    }
    all.extend(keys);
    all
}

fn lifted(files: &[File], it: &Piece) -> Option<(String, String)> {
    lift_references(&files[it.file].text[it.range.clone()])
}

/// Roles outlive a database.
fn is_there_already(err: &postgres::Error, sql: &str) -> bool {
    err.code() == Some(&SqlState::DUPLICATE_OBJECT) && matches!(beyond(sql), Some(Beyond::Role(_)))
}

/// A setting that a newer `pg_dump` writes and this server does not know. None of them is part of a
/// schema, and any other name may be a slip of the pen.
fn is_of_newer_dump(err: &postgres::Error, sql: &str) -> bool {
    const SETTINGS: [&str; 5] = [
        "default_table_access_method",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "row_security",
        "transaction_timeout",
    ];
    let mut words = sql.split([' ', '=']).filter(|it| !it.is_empty());
    err.code() == Some(&SqlState::UNDEFINED_OBJECT)
        && words.next().is_some_and(|it| it.eq_ignore_ascii_case("SET"))
        && words.next().is_some_and(|it| SETTINGS.contains(&it.to_ascii_lowercase().as_str()))
}

fn mark_role(client: &mut Client, sql: &str) {
    if let Some(Beyond::Role(name)) = beyond(sql) {
        // Without the right to, it stays.
        let _ = roles::mark(client, &name);
    }
}

fn read(path: &Path) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    walk(path, &mut paths)?;
    let file = |it: PathBuf| {
        let text = fs::read_to_string(&it).map_err(Error::path("read", &it))?;
        Ok(File { label: it.display().to_string(), text: loadable(&text) })
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
    for it in &all {
        // A named pipe without a writer would block for ever.
        if fs::metadata(it).is_ok_and(|it| !it.is_dir() && !it.is_file()) {
            let err = std::io::Error::other("it is a pipe, a socket or a device, not a file");
            return Err(Error::path("read", it)(err));
        }
        walk(it, paths)?;
    }
    Ok(())
}

/// What only psql or another server can read of a dump is blanked, so that places stay what they are.
fn loadable(text: &str) -> String {
    let is_psql =
        |line: &str| ["\\restrict ", "\\unrestrict "].iter().any(|it| line.starts_with(it));
    let lines = text.split_inclusive('\n');
    let mut text: String = lines.map(|it| if is_psql(it) { "\n" } else { it }).collect();
    for it in internal_options(&text) {
        let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
        let blanks: String = text[it.clone()].bytes().map(blank).collect();
        text.replace_range(it, &blanks);
    }
    text
}

/// A file is run statement by statement, so that its own transactions mean nothing.
fn pieces(file: usize, it: &File, scope: &Scope) -> Vec<Piece> {
    let ranges = cut_statements(&it.text).into_iter();
    let is_run = |sql: &str| !is_passed_over(sql) && !is_left_alone(sql, scope);
    let ranges = ranges.filter(|range| is_run(&it.text[range.clone()]));
    ranges.map(|range| Piece { file, range, form: Form::AsWritten, error: None }).collect()
}

/// What the scratch server may not even have.
fn is_left_alone(sql: &str, scope: &Scope) -> bool {
    let (kind, name) = match beyond(sql) {
        Some(Beyond::Extension { name, .. } | Beyond::ExtensionComment(name)) => {
            ("extension", name)
        }
        Some(Beyond::Subscription(name)) => ("subscription", name),
        Some(Beyond::SecurityLabel(on)) => ("security label", on),
        Some(Beyond::Role(_)) | None => return false,
    };
    scope.leaves_alone(kind, &name, "")
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
    let others = open.len() - 1;
    let Some(it) = open.into_iter().next() else { return Kind::NoSource(String::new()).into() };
    let file = &files[it.file];
    let offset = match it.form {
        Form::Keys(_) => None,
        _ => it.error.as_ref().and_then(|err| offset(err, &file.text[it.range.clone()])),
    };
    let at = it.range.start + offset.unwrap_or(0);
    let (place, mut excerpt) = excerpt(&file.label, &file.text, at);
    let more = match others {
        0 => String::new(),
        1 => "\none more statement does not load either".to_owned(),
        _ => format!("\n{others} more statements do not load either"),
    };
    excerpt.push_str(&more);
    let secrets = Known::of(&file.text[it.range.clone()]);
    let message = it.error.as_ref().map(|err| match session::missing_role(err) {
        Some(_) => format!("{}, and it cannot be made on the scratch server", reason(err)),
        None => secrets.redact(&reason(err)),
    });
    Kind::Statement { place, excerpt, message: message.unwrap_or_default() }.into()
}

/// A byte of a text: file, line and column, and the line with a mark under it.
pub(crate) fn excerpt(label: &str, text: &str, at: usize) -> (String, String) {
    let (line, column) = place(text, at);
    let (shown, before) = upfront_redact::redact_line(text, at);
    let number = line.to_string();
    let caret = " ".repeat(number.len() + 3 + before);
    (format!("{label}:{line}:{column}"), format!("{number} | {shown}\n{caret}^"))
}

/// The names in a text that the server cuts, as warnings with their places.
pub(crate) fn cut_names(label: &str, text: &str) -> Vec<String> {
    let one = |range: Range<usize>| {
        let (line, column) = place(text, range.start);
        format!("{label}:{line}:{column}: PostgreSQL cuts {} to 63 bytes", &text[range])
    };
    long_names(text).into_iter().map(one).collect()
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
