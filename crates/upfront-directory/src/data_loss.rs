//! The data that a statement may delete.

use std::fmt;

use crate::cursor::Cursor;
use crate::lexer::{Token, TokenKind};

/// Data that a statement may delete. Names are as written in the statement.
///
/// It prints as `table "public"."users"`, `column users.email`, `unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataLoss {
    /// A table with its rows.
    Table(String),
    /// A column with its values.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The values of a column that its new type cannot represent.
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Deleted or overwritten rows.
    Rows(String),
    /// The columns of a type.
    Type(String),
    /// A schema with its objects.
    Schema(String),
    /// The current value of a sequence.
    Sequence(String),
    /// An extension with its tables.
    Extension(String),
    /// Cannot be determined from the text: `DO`, `CALL`, side effects of a function, `CASCADE`.
    Unknown,
}

/// The names that earlier statements have changed. Names are resolved before the first statement
/// runs.
#[derive(Default)]
pub(crate) struct RenameTracker {
    /// Whether the search path or the role has changed.
    path: bool,
    /// Names that may refer to another object now, without quotes and in lower case.
    names: Vec<String>,
}

impl RenameTracker {
    /// The data that the next statement may delete.
    pub(crate) fn losses(&mut self, statement: Cursor<'_>) -> Vec<DataLoss> {
        let known = |it: DataLoss| if self.hides(&it) { DataLoss::Unknown } else { it };
        let mut losses: Vec<_> = losses(statement).into_iter().map(known).collect();
        losses.dedup();
        self.path |= moves_path(statement);
        self.names.extend(moved(statement).map(|it| plain(&it)));
        losses
    }

    /// Whether the name may refer to another object when the statement runs. `U&` names cannot be
    /// resolved.
    fn hides(&self, loss: &DataLoss) -> bool {
        let (name, column, by_path) = match loss {
            DataLoss::Column { table, column } | DataLoss::ColumnType { table, column } => {
                (table, column.as_str(), true)
            }
            DataLoss::Table(name)
            | DataLoss::Rows(name)
            | DataLoss::Type(name)
            | DataLoss::Sequence(name) => (name, "", true),
            DataLoss::Schema(name) | DataLoss::Extension(name) => (name, "", false),
            DataLoss::Unknown => return false,
        };
        let moved = |it: &str| self.names.iter().any(|name| name == it);
        (self.path && by_path && split(name).is_none())
            || [name, column].iter().any(|it| it.contains("&\""))
            || plain(name).split('.').chain([&*plain(column)]).any(moved)
    }
}

fn plain(name: &str) -> String {
    name.replace('"', "").to_lowercase()
}

/// Whether the statement changes the search path.
fn moves_path(statement: Cursor<'_>) -> bool {
    let names_it = || {
        let tokens = statement.tokens().iter();
        tokens.map(|it| it.text(statement.text())).any(|it| plain(it).contains("search_path"))
    };
    let mut it = statement;
    if it.eat("SET CONSTRAINTS") {
        return false;
    }
    match it.is_at_any(&["SET", "RESET", "DISCARD"]) {
        true => names_it() || ["ROLE", "SCHEMA", "ALL"].iter().any(|word| it.has(word)),
        false => it.is_at_any(&["SELECT", "VALUES", "WITH"]) && names_it(),
    }
}

/// The name that refers to another object after the statement.
fn moved(statement: Cursor<'_>) -> Option<String> {
    let mut it = statement;
    if !it.eat("ALTER") {
        return None;
    }
    if it.has("RENAME") {
        let mut to = it.positions().filter(|it| it.is_at("TO")).last()?;
        to.skip();
        return to.identifier().map(str::to_owned);
    }
    let moves = it.positions().any(|mut it| it.eat("SET SCHEMA") || it.eat("ATTACH PARTITION"));
    if !moves {
        return None;
    }
    it.skip();
    it.eat("IF EXISTS");
    it.eat("ONLY");
    let name = it.name()?;
    Some(split(&name).map_or(name.clone(), |(_, last)| last))
}

/// The data that this statement may delete: `Unknown` for an unrecognized statement.
fn losses(statement: Cursor<'_>) -> Vec<DataLoss> {
    let mut it = statement;
    let Some(verb) = it.word().map(str::to_ascii_uppercase) else {
        return read_only(it);
    };
    match verb.as_str() {
        "DROP" => {
            it.skip();
            drop(it)
        }
        "ALTER" => {
            it.skip();
            alter(it)
        }
        "WITH" => with(it),
        "INSERT" | "DELETE" | "UPDATE" | "MERGE" | "TRUNCATE" => rows(it),
        "SELECT" | "VALUES" | "TABLE" => read_only(it),
        "CREATE" => create(it),
        "EXPLAIN" if !it.has("ANALYZE") && !it.has("ANALYSE") => Vec::new(),
        "COPY" => {
            it.skip();
            none_unless(it.peek().is_some_and(|it| it.kind == TokenKind::Open))
        }
        _ => none_unless(!holds(HARMLESS, &verb)),
    }
}

/// Statements that never delete data.
const HARMLESS: &str = "\
    ANALYSE ANALYZE CHECKPOINT CLOSE CLUSTER COMMENT DEALLOCATE DECLARE DISCARD FETCH GRANT IMPORT LISTEN LOAD LOCK MOVE NOTIFY PREPARE REASSIGN REFRESH REINDEX RELEASE RESET \
    REVOKE ROLLBACK SAVEPOINT SECURITY SET SHOW START UNLISTEN VACUUM";

fn holds(words: &str, word: &str) -> bool {
    words.split(' ').any(|it| it.eq_ignore_ascii_case(word))
}

fn none_unless(unknown: bool) -> Vec<DataLoss> {
    if unknown { vec![DataLoss::Unknown] } else { Vec::new() }
}

/// Creating an object deletes nothing, unless the query that fills it does.
fn create(mut it: Cursor<'_>) -> Vec<DataLoss> {
    it.skip();
    it.eat_any(&["TEMPORARY", "TEMP", "UNLOGGED"]);
    if !it.eat_any(&["TABLE", "MATERIALIZED VIEW"]) {
        return Vec::new();
    }
    while !it.is_at_end() {
        if it.eat("AS") {
            return losses(it);
        }
        if it.group().is_none() {
            it.skip();
        }
    }
    Vec::new()
}

fn drop(mut it: Cursor<'_>) -> Vec<DataLoss> {
    let cascade = it.ends_with("CASCADE");
    if it.eat_any(&[
        "VIEW",
        "MATERIALIZED VIEW",
        "INDEX",
        "TRIGGER",
        "POLICY",
        "RULE",
        "EVENT TRIGGER",
        "PUBLICATION",
        "STATISTICS",
    ]) {
        return Vec::new();
    }
    if it.eat_any(&["TABLE"]) {
        return dropped(it, DataLoss::Table, none_unless(cascade));
    }
    if it.eat("SEQUENCE") {
        return dropped(it, DataLoss::Sequence, Vec::new());
    }
    if it.eat("EXTENSION") {
        return dropped(it, DataLoss::Extension, none_unless(cascade));
    }
    if it.eat("SCHEMA") {
        return if cascade { dropped(it, DataLoss::Schema, Vec::new()) } else { Vec::new() };
    }
    if it.eat_any(&["TYPE", "DOMAIN"]) {
        return if cascade { dropped(it, DataLoss::Type, Vec::new()) } else { Vec::new() };
    }
    none_unless(cascade || it.is_at_any(&["DATABASE", "TABLESPACE", "SUBSCRIPTION", "OWNED"]))
}

fn dropped(
    mut it: Cursor<'_>,
    loss: fn(String) -> DataLoss,
    others: Vec<DataLoss>,
) -> Vec<DataLoss> {
    it.eat("IF EXISTS");
    let names = it.names();
    if names.is_empty() {
        return vec![DataLoss::Unknown];
    }
    names.into_iter().map(loss).chain(others).collect()
}

fn alter(mut it: Cursor<'_>) -> Vec<DataLoss> {
    if it.eat("TABLE") {
        return alter_table(it);
    }
    if it.eat("SEQUENCE") && it.has("RESTART") {
        return dropped(it, DataLoss::Sequence, Vec::new());
    }
    if it.eat("TYPE") {
        let takes = it.parts().iter().any(|part| {
            part.positions().any(|mut it| it.eat("DROP ATTRIBUTE") || it.eat("ALTER ATTRIBUTE"))
        });
        return if takes { dropped(it, DataLoss::Type, Vec::new()) } else { Vec::new() };
    }
    none_unless(it.eat("EXTENSION"))
}

fn alter_table(mut it: Cursor<'_>) -> Vec<DataLoss> {
    it.eat("IF EXISTS");
    it.eat("ONLY");
    let Some(table) = it.name() else {
        return vec![DataLoss::Unknown];
    };
    it.eat_symbol("*");
    it.parts().into_iter().filter_map(|action| alter_action(&table, action)).collect()
}

fn alter_action(table: &str, mut it: Cursor<'_>) -> Option<DataLoss> {
    let table = table.to_owned();
    if it.eat("DROP") {
        let is_column = it.eat("COLUMN");
        if !is_column && it.is_at("CONSTRAINT") {
            return None;
        }
        it.eat("IF EXISTS");
        let column = it.identifier()?.to_owned();
        return Some(DataLoss::Column { table, column });
    }
    if it.eat("ALTER") {
        it.eat("COLUMN");
        let column = it.identifier()?.to_owned();
        it.eat("SET DATA");
        return it.eat("TYPE").then_some(DataLoss::ColumnType { table, column });
    }
    None
}

/// The writing statements within and after a `WITH`.
fn with(statement: Cursor<'_>) -> Vec<DataLoss> {
    let mut losses = Vec::new();
    let mut depth = 0;
    let mut opened = false;
    for it in statement.positions() {
        let kind = it.peek().map(|it| it.kind);
        if (depth == 0 || opened) && it.is_at_any(&["DELETE", "UPDATE", "MERGE", "INSERT"]) {
            losses.extend(rows(it));
        }
        match kind {
            Some(TokenKind::Open) => depth += 1,
            Some(TokenKind::Close) => depth -= 1,
            _ => {}
        }
        opened = kind == Some(TokenKind::Open);
    }
    losses.extend(read_only(statement));
    losses
}

fn rows(mut it: Cursor<'_>) -> Vec<DataLoss> {
    if it.eat("TRUNCATE") {
        let cascade = it.ends_with("CASCADE");
        it.eat("TABLE");
        return dropped(it, DataLoss::Rows, none_unless(cascade));
    }
    let insert = it;
    if it.eat("INSERT INTO") {
        let overwrites = it.positions().any(|mut it| it.eat("DO UPDATE"));
        let rows = if overwrites { one_table(it) } else { Vec::new() };
        return rows.into_iter().chain(read_only(insert)).collect();
    }
    if it.eat("DELETE FROM") || it.eat("MERGE INTO") || it.eat("UPDATE") {
        return one_table(it);
    }
    vec![DataLoss::Unknown]
}

fn one_table(mut it: Cursor<'_>) -> Vec<DataLoss> {
    it.eat("ONLY");
    vec![it.name().map_or(DataLoss::Unknown, DataLoss::Rows)]
}

/// A query deletes nothing, unless a function that it calls does.
fn read_only(statement: Cursor<'_>) -> Vec<DataLoss> {
    let (text, tokens) = (statement.text(), statement.tokens());
    let calls = |at: usize| tokens[at].kind == TokenKind::Open && is_call(text, &tokens[..at]);
    none_unless((0..tokens.len()).any(calls))
}

/// Whether these tokens end in the name of a called function.
fn is_call(text: &str, tokens: &[Token]) -> bool {
    let is_part =
        |it: &&Token| matches!(it.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Dot);
    let Some(name) = tokens.last().filter(|it| is_part(it) && it.kind != TokenKind::Dot) else {
        return false;
    };
    let mut before = &tokens[..tokens.len() - 1];
    let mut qualifier = None;
    while let [rest @ .., schema, dot] = before
        && dot.kind == TokenKind::Dot
    {
        (before, qualifier) = (rest, Some(schema.text(text)));
    }
    // A name that is defined here, or a table with its columns.
    if before.last().is_some_and(|it| holds("AS INTO RECURSIVE WITH", it.text(text))) {
        return false;
    }
    let ours = qualifier.is_some_and(|it| !it.eq_ignore_ascii_case("pg_catalog"));
    ours || name.kind == TokenKind::Quoted || !holds(CALLED_FREELY, name.text(text))
}

/// Keywords that precede a parenthesis, and functions that write at most a counter or a setting.
const CALLED_FREELY: &str = "\
    abs age all and any array array_agg array_length array_to_string as avg between bool_and \
    bool_or btrim by cardinality case cast ceil char clock_timestamp coalesce concat concat_ws \
    conflict count current_setting date_part date_trunc decimal decode dense_rank distinct else \
    encode except exists extract filter first_value floor format from gen_random_uuid \
    generate_series greatest having ilike in intersect interval is join json_agg \
    json_build_object jsonb_agg jsonb_array_elements jsonb_array_elements_text \
    jsonb_build_object jsonb_each jsonb_set lag last_value lateral lead least left length like \
    limit lower ltrim materialized max md5 min nextval not now nullif numeric offset on or order \
    over partition position random rank recursive regexp_replace replace returning right round \
    row row_number rtrim select set set_config setval some split_part string_agg \
    string_to_array strpos substr substring sum then time timestamp to_char to_date to_json \
    to_jsonb to_regclass to_timestamp trim union unnest upper using values varchar varying when \
    where with";

impl fmt::Display for DataLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            DataLoss::Table(name) => ("table", name.clone()),
            DataLoss::Column { table, column } => ("column", format!("{table}.{column}")),
            DataLoss::ColumnType { table, column } => ("column-type", format!("{table}.{column}")),
            DataLoss::Rows(name) => ("rows", name.clone()),
            DataLoss::Type(name) => ("type", name.clone()),
            DataLoss::Schema(name) => ("schema", name.clone()),
            DataLoss::Sequence(name) => ("sequence", name.clone()),
            DataLoss::Extension(name) => ("extension", name.clone()),
            DataLoss::Unknown => return f.write_str("unknown"),
        };
        write!(f, "{kind} {}", name.replace('\\', "\\\\").replace('\n', "\\n"))
    }
}

/// The parts before and after the last dot outside quotes.
fn split(name: &str) -> Option<(String, String)> {
    let mut dots = name.match_indices('.').map(|(at, _)| at);
    let at = dots.rfind(|at| name[..*at].matches('"').count().is_multiple_of(2))?;
    Some((name[..at].to_owned(), name[at + 1..].to_owned()))
}
