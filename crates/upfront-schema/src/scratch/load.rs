//! SQL files in any order: what fails is tried again after the rest.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use postgres::Client;
use postgres::error::{ErrorPosition, SqlState};
use upfront_directory::{
    ServerRequirement, internal_options, long_names, server_requirement, split_foreign_keys,
    split_statements, unclosed,
};
use upfront_redact::KnownSecrets;

use crate::{
    catalog::scope::Scope,
    error::{Error, Kind, Result, is_missing, reason},
    kinds::object_kind::ObjectKind,
    quote,
    scratch::{
        preflight::{self, MissingFeature},
        role, session,
    },
};

/// A statement of a file.
struct PendingStatement {
    file: usize,
    range: Range<usize>,
    form: StatementForm,
    error: Option<postgres::Error>,
}

/// What is run of a statement.
enum StatementForm {
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

/// Takes back the default privileges of the loading role: a dump says what each object has, as if there
/// were none, and has them at its end.
const WITHOUT_DEFAULTS: &str = "
DO $$
DECLARE
  it record;
BEGIN
  FOR it IN
    SELECT pg_get_userbyid(d.defaclrole) AS role, n.nspname AS schema, d.defaclobjtype AS type,
      CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
        WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END AS kind,
      CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END AS whom
    FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace,
      aclexplode(d.defaclacl) x
    WHERE pg_get_userbyid(d.defaclrole) = current_user
      AND (d.defaclnamespace <> 0 OR x.grantee <> d.defaclrole)
  LOOP
    EXECUTE format('ALTER DEFAULT PRIVILEGES %s REVOKE ALL ON %s FROM %s',
      coalesce('IN SCHEMA ' || quote_ident(it.schema), ''), it.kind, it.whom);
  END LOOP;
  FOR it IN SELECT defaclobjtype AS type FROM pg_default_acl
    WHERE defaclnamespace = 0 AND pg_get_userbyid(defaclrole) = current_user
  LOOP
    IF it.type = 'f' THEN ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC; END IF;
    IF it.type = 'T' THEN ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC; END IF;
  END LOOP;
END $$";

/// The same with a dump of a database, of which these schemas are left out.
///
/// Objects of the setup of the scratch database already exist. An object that belongs to no schema
/// and names one of these is out of scope, as an event trigger that runs a function of one.
pub(crate) fn dump(
    client: &mut Client,
    (label, text): (String, String),
    scope: &Scope,
    omitted: &[String],
) -> Result<()> {
    client.batch_execute(WITHOUT_DEFAULTS).map_err(Error::postgres("load"))?;
    let files = [File { label, text: loadable(&text) }];
    let mut all = statements_of(0, &files[0], scope);
    let text = |it: &PendingStatement| &files[0].text[it.range.clone()];
    for it in &all {
        if let Some(schema) = extension_schema(text(it)).filter(|it| omitted.contains(it)) {
            let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quote::name(&schema));
            session::run(client, &sql).map_err(Error::postgres("load"))?;
        }
    }
    let mut open = Vec::new();
    for it in all.drain(..) {
        let is_out_of_scope = extension_schema(text(&it)).is_some_and(|it| {
            scope.without_schemas.contains(&it) || scope.setup.is_own_schema(&it)
        });
        match server_requirement(text(&it)) {
            Some(wanted)
                if is_out_of_scope && preflight::missing_feature(client, &wanted)?.is_some() => {}
            _ => open.push(it),
        }
    }
    look(client, &files, &open)?;
    let is_tolerated = |it: &PendingStatement| {
        let is_there = it.error.as_ref().and_then(postgres::Error::code).is_some_and(is_duplicate);
        is_there && !scope.setup.is_empty()
            || is_outside_schemas(text(it)) && omitted.iter().any(|of| names_schema(text(it), of))
    };
    run_open(client, &files, open, &mut || Ok(Progress::None), &is_tolerated)
}

fn is_duplicate(code: &SqlState) -> bool {
    [
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_FUNCTION,
        SqlState::DUPLICATE_SCHEMA,
    ]
    .contains(code)
}

/// The schema in a `CREATE EXTENSION` of `pg_dump`.
fn extension_schema(sql: &str) -> Option<String> {
    let Some(ServerRequirement::Extension { .. }) = server_requirement(sql) else { return None };
    let (_, written) = sql.split_once(" WITH SCHEMA ")?;
    let written = written.trim().trim_end_matches(';');
    let quoted = written.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Some(quoted.map_or_else(|| written.to_owned(), |it| it.replace("\"\"", "\"")))
}

/// Whether it creates or alters an object that belongs to no schema.
fn is_outside_schemas(sql: &str) -> bool {
    const KINDS: [&str; 10] = [
        "CREATE CAST",
        "CREATE TRANSFORM",
        "CREATE EVENT TRIGGER",
        "ALTER EVENT TRIGGER",
        "CREATE FOREIGN DATA WRAPPER",
        "CREATE PUBLICATION",
        "ALTER PUBLICATION",
        "ALTER DEFAULT PRIVILEGES",
        "COMMENT ON CAST",
        "COMMENT ON EVENT TRIGGER",
    ];
    KINDS.iter().any(|it| sql.starts_with(it))
}

/// Whether `pg_dump` has written the name of this schema.
fn names_schema(sql: &str, schema: &str) -> bool {
    let quoted = quote::name(schema);
    let mut places = sql.match_indices(quoted.as_str());
    places.any(|(at, it)| {
        let before = sql[..at].chars().next_back();
        let after = sql[at + it.len()..].chars().next();
        let is_name = |it: char| it.is_alphanumeric() || "_$\".".contains(it);
        !before.is_some_and(is_name) && after.is_none_or(|it| " .;,".contains(it))
    })
}

/// Runs the statements of texts one after the other, up to the first that fails.
pub(crate) fn in_order(client: &mut Client, texts: Vec<(String, String)>) -> Result<()> {
    let file = |(label, text): (String, String)| File { label, text: loadable(&text) };
    let files: Vec<_> = texts.into_iter().map(file).collect();
    let scope = Scope::default();
    let all = files.iter().enumerate().flat_map(|(at, it)| statements_of(at, it, &scope));
    let all: Vec<_> = all.collect();
    look(client, &files, &all)?;
    for it in all {
        let failed = round(client, &files, vec![it])?;
        if !failed.is_empty() {
            return Err(first(&files, failed));
        }
    }
    Ok(())
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
    let open: Vec<PendingStatement> =
        files.iter().enumerate().flat_map(|(at, it)| statements_of(at, it, scope)).collect();
    look(client, files, &open)?;
    run_open(client, files, open, beside, &|_| false)
}

/// Runs statements until none is left but those that may fail.
fn run_open(
    client: &mut Client,
    files: &[File],
    mut open: Vec<PendingStatement>,
    beside: &mut dyn FnMut() -> Result<Progress>,
    may_fail: &dyn Fn(&PendingStatement) -> bool,
) -> Result<()> {
    let mut unchecked = None;
    let mut may_lift = true;
    while !open.is_empty() {
        let before = open.len();
        open = round(client, files, open)?;
        open.retain(|it| !may_fail(it));
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
            let form = StatementForm::AsWritten;
            let shift = again.len() - sql.len();
            let at = offset(&err, &again).map_or(0, |it| it.saturating_sub(shift));
            let range = range.start + at..range.end;
            let piece = PendingStatement { file, range, form, error: Some(err) };
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
fn look(client: &mut Client, files: &[File], all: &[PendingStatement]) -> Result<()> {
    for it in files {
        if let Some((at, message)) = unclosed(&it.text) {
            let (place, excerpt) = excerpt(&it.label, &it.text, at);
            return Err(Kind::Statement { place, excerpt, message, is_missing: false }.into());
        }
    }
    for it in all {
        let file = &files[it.file];
        let Some(wanted) = server_requirement(&file.text[it.range.clone()]) else { continue };
        if let Some(MissingFeature { message, help }) = preflight::missing_feature(client, &wanted)?
        {
            let (place, excerpt) = excerpt(&file.label, &file.text, it.range.start);
            return Err(Kind::Lacking { place, excerpt, message, help }.into());
        }
    }
    Ok(())
}

fn round(
    client: &mut Client,
    files: &[File],
    open: Vec<PendingStatement>,
) -> Result<Vec<PendingStatement>> {
    let mut left = Vec::new();
    for mut it in open {
        let written = &files[it.file].text[it.range.clone()];
        let sql = match &it.form {
            StatementForm::AsWritten => written,
            StatementForm::WithoutKeys(sql) | StatementForm::Keys(sql) => sql,
        };
        match session::run(client, sql) {
            Ok(()) => mark_role(client, written),
            Err(err) if is_there_already(&err, written) => {}
            Err(err) if is_of_newer_dump(&err, written) => {}
            Err(err) if err.is_closed() => return Err(Error::postgres("load")(err)),
            Err(err) => {
                // The table as it is written has failed with a place in the file.
                if !matches!(it.form, StatementForm::WithoutKeys(_)) {
                    it.error = Some(err);
                }
                left.push(it);
            }
        }
    }
    Ok(left)
}

/// Creates tables that refer to each other without their foreign keys, which are added last.
fn lift(files: &[File], open: Vec<PendingStatement>) -> Vec<PendingStatement> {
    let (mut all, mut keys) = (Vec::new(), Vec::new());
    for mut it in open {
        if let Some((table, key)) = lifted(files, &it) {
            it.form = StatementForm::WithoutKeys(table);
            let range = it.range.clone();
            keys.push(PendingStatement {
                file: it.file,
                range,
                form: StatementForm::Keys(key),
                error: None,
            });
        }
        all.push(it);
    }
    all.extend(keys);
    all
}

fn lifted(files: &[File], it: &PendingStatement) -> Option<(String, String)> {
    split_foreign_keys(&files[it.file].text[it.range.clone()])
}

/// Roles outlive a database.
fn is_there_already(err: &postgres::Error, sql: &str) -> bool {
    err.code() == Some(&SqlState::DUPLICATE_OBJECT)
        && matches!(server_requirement(sql), Some(ServerRequirement::Role(_)))
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
    if let Some(ServerRequirement::Role(name)) = server_requirement(sql) {
        // Without the right to, it stays.
        let _ = role::mark(client, &name);
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
fn statements_of(file: usize, it: &File, scope: &Scope) -> Vec<PendingStatement> {
    let ranges = split_statements(&it.text).into_iter();
    let is_run = |sql: &str| !is_passed_over(sql) && !is_left_alone(sql, scope);
    let ranges = ranges.filter(|range| is_run(&it.text[range.clone()]));
    ranges
        .map(|range| PendingStatement { file, range, form: StatementForm::AsWritten, error: None })
        .collect()
}

/// What the scratch server may not even have.
fn is_left_alone(sql: &str, scope: &Scope) -> bool {
    let (kind, name) = match server_requirement(sql) {
        Some(
            ServerRequirement::Extension { name, .. } | ServerRequirement::ExtensionComment(name),
        ) => (ObjectKind::Extension.name(), name),
        Some(ServerRequirement::Subscription(name)) => (ObjectKind::Subscription.name(), name),
        Some(ServerRequirement::SecurityLabel(on)) => (ObjectKind::SecurityLabel.name(), on),
        Some(ServerRequirement::Role(_)) | None => return false,
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
fn first(files: &[File], open: Vec<PendingStatement>) -> Error {
    let others = open.len() - 1;
    let Some(it) = open.into_iter().next() else { return Kind::NoSource(String::new()).into() };
    let file = &files[it.file];
    let offset = match it.form {
        StatementForm::Keys(_) => None,
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
    let secrets = KnownSecrets::of(&file.text[it.range.clone()]);
    let message = it.error.as_ref().map(|err| match session::missing_role(err) {
        Some(_) => format!("{}, and cannot be created on the scratch server", reason(err)),
        None => secrets.redact(&reason(err)),
    });
    let message = message.unwrap_or_default();
    let is_missing = it.error.as_ref().is_some_and(is_missing);
    Kind::Statement { place, excerpt, message, is_missing }.into()
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
pub(crate) fn truncated_names(label: &str, text: &str) -> Vec<String> {
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
