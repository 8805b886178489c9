//! What a statement takes away that no later statement brings back.

use std::fmt;

use crate::cursor::Cursor;
use crate::lexer::{Kind, Token};

/// What a statement may lose. Names are as the statement writes them.
///
/// It prints as `table "public"."users"`, `column users.email`, `unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// A table with its rows.
    Table(String),
    /// A column with its values.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Whatever the new type of a column cannot hold.
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Rows that are deleted, or overwritten.
    Rows(String),
    /// The columns of a type.
    Type(String),
    /// A schema with all that is in it.
    Schema(String),
    /// How far a sequence has counted.
    Sequence(String),
    /// An extension with the tables that it brought.
    Extension(String),
    /// Nobody can tell from the text: `DO`, `CALL`, a function's side effects, a `CASCADE`.
    Unknown,
}

/// What this statement may lose; a statement that is not recognised may lose anything.
pub(crate) fn losses(statement: Cursor<'_>) -> Vec<Loss> {
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
        "EXPLAIN" if !it.has("ANALYZE") && !it.has("ANALYSE") => Vec::new(),
        "COPY" => {
            it.skip();
            none_unless(it.peek().is_some_and(|it| it.kind == Kind::Open))
        }
        _ => none_unless(!holds(HARMLESS, &verb)),
    }
}

/// Statements that create, describe or tune, and take nothing away.
const HARMLESS: &str = "\
    ANALYSE ANALYZE CHECKPOINT CLOSE CLUSTER COMMENT CREATE DEALLOCATE DECLARE DISCARD FETCH \
    GRANT IMPORT LISTEN LOAD LOCK MOVE NOTIFY PREPARE REASSIGN REFRESH REINDEX RELEASE RESET \
    REVOKE ROLLBACK SAVEPOINT SECURITY SET SHOW START UNLISTEN VACUUM";

fn holds(words: &str, word: &str) -> bool {
    words.split(' ').any(|it| it.eq_ignore_ascii_case(word))
}

fn none_unless(unknown: bool) -> Vec<Loss> {
    if unknown { vec![Loss::Unknown] } else { Vec::new() }
}

fn drop(mut it: Cursor<'_>) -> Vec<Loss> {
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
        return dropped(it, Loss::Table, none_unless(cascade));
    }
    if it.eat("SEQUENCE") {
        return dropped(it, Loss::Sequence, Vec::new());
    }
    if it.eat("EXTENSION") {
        return dropped(it, Loss::Extension, none_unless(cascade));
    }
    if it.eat("SCHEMA") {
        return if cascade { dropped(it, Loss::Schema, Vec::new()) } else { Vec::new() };
    }
    if it.eat_any(&["TYPE", "DOMAIN"]) {
        return if cascade { dropped(it, Loss::Type, Vec::new()) } else { Vec::new() };
    }
    none_unless(cascade || it.is_at_any(&["DATABASE", "TABLESPACE", "SUBSCRIPTION", "OWNED"]))
}

fn dropped(mut it: Cursor<'_>, loss: fn(String) -> Loss, others: Vec<Loss>) -> Vec<Loss> {
    it.eat("IF EXISTS");
    let names = it.names();
    if names.is_empty() {
        return vec![Loss::Unknown];
    }
    names.into_iter().map(loss).chain(others).collect()
}

fn alter(mut it: Cursor<'_>) -> Vec<Loss> {
    if it.eat("TABLE") {
        return alter_table(it);
    }
    if it.eat("SEQUENCE") && it.has("RESTART") {
        return dropped(it, Loss::Sequence, Vec::new());
    }
    if it.eat("TYPE") {
        let takes = it.parts().iter().any(|part| {
            part.places().any(|mut it| it.eat("DROP ATTRIBUTE") || it.eat("ALTER ATTRIBUTE"))
        });
        return if takes { dropped(it, Loss::Type, Vec::new()) } else { Vec::new() };
    }
    none_unless(it.eat("EXTENSION"))
}

fn alter_table(mut it: Cursor<'_>) -> Vec<Loss> {
    it.eat("IF EXISTS");
    it.eat("ONLY");
    let Some(table) = it.name() else {
        return vec![Loss::Unknown];
    };
    it.eat_symbol("*");
    it.parts().into_iter().filter_map(|action| alter_action(&table, action)).collect()
}

fn alter_action(table: &str, mut it: Cursor<'_>) -> Option<Loss> {
    let table = table.to_owned();
    if it.eat("DROP") {
        let is_column = it.eat("COLUMN");
        if !is_column && it.is_at("CONSTRAINT") {
            return None;
        }
        it.eat("IF EXISTS");
        let column = it.identifier()?.to_owned();
        return Some(Loss::Column { table, column });
    }
    if it.eat("ALTER") {
        it.eat("COLUMN");
        let column = it.identifier()?.to_owned();
        it.eat("SET DATA");
        return it.eat("TYPE").then_some(Loss::ColumnType { table, column });
    }
    None
}

/// The writing statements within and after a `WITH`.
fn with(statement: Cursor<'_>) -> Vec<Loss> {
    let mut losses = Vec::new();
    let mut depth = 0;
    let mut opened = false;
    for it in statement.places() {
        let kind = it.peek().map(|it| it.kind);
        if (depth == 0 || opened) && it.is_at_any(&["DELETE", "UPDATE", "MERGE", "INSERT"]) {
            losses.extend(rows(it));
        }
        match kind {
            Some(Kind::Open) => depth += 1,
            Some(Kind::Close) => depth -= 1,
            _ => {}
        }
        opened = kind == Some(Kind::Open);
    }
    losses.extend(read_only(statement));
    losses
}

fn rows(mut it: Cursor<'_>) -> Vec<Loss> {
    if it.eat("TRUNCATE") {
        let cascade = it.ends_with("CASCADE");
        it.eat("TABLE");
        return dropped(it, Loss::Rows, none_unless(cascade));
    }
    if it.eat("INSERT INTO") {
        let overwrites = it.places().any(|mut it| it.eat("DO UPDATE"));
        return if overwrites { one_table(it) } else { Vec::new() };
    }
    if it.eat("DELETE FROM") || it.eat("MERGE INTO") || it.eat("UPDATE") {
        return one_table(it);
    }
    vec![Loss::Unknown]
}

fn one_table(mut it: Cursor<'_>) -> Vec<Loss> {
    it.eat("ONLY");
    vec![it.name().map_or(Loss::Unknown, Loss::Rows)]
}

/// A query takes nothing away, unless a function that it calls does.
fn read_only(statement: Cursor<'_>) -> Vec<Loss> {
    none_unless(statement.tokens().windows(2).any(|pair| {
        let [name, open] = pair else { return false };
        open.kind == Kind::Open && is_function(statement.text(), *name)
    }))
}

fn is_function(text: &str, name: Token) -> bool {
    match name.kind {
        Kind::Quoted => true,
        Kind::Word => !holds(CALLED_FREELY, name.text(text)),
        _ => false,
    }
}

/// Keywords that stand before a parenthesis, and functions that write nothing but a counter or a
/// setting.
const CALLED_FREELY: &str = "\
    abs all and any array array_agg as between by case cast char coalesce concat count \
    current_setting decimal distinct else except exists extract filter format from \
    gen_random_uuid greatest having ilike in intersect interval is join lateral least length \
    like limit lower materialized max md5 min nextval not now nullif numeric offset on or order \
    over recursive returning row row_number select set set_config setval some string_agg sum \
    then timestamp trim union upper using values varchar when where with";

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Loss::Table(name) => ("table", name.clone()),
            Loss::Column { table, column } => ("column", format!("{table}.{column}")),
            Loss::ColumnType { table, column } => ("column-type", format!("{table}.{column}")),
            Loss::Rows(name) => ("rows", name.clone()),
            Loss::Type(name) => ("type", name.clone()),
            Loss::Schema(name) => ("schema", name.clone()),
            Loss::Sequence(name) => ("sequence", name.clone()),
            Loss::Extension(name) => ("extension", name.clone()),
            Loss::Unknown => return f.write_str("unknown"),
        };
        write!(f, "{kind} {}", name.replace('\\', "\\\\").replace('\n', "\\n"))
    }
}
