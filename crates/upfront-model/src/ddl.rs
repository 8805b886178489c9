//! Models as SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use crate::definition::{Column, Enum, ForeignKey, Index, Key, Policy, RowSecurity, Table};
use crate::fragment::{ConstraintName, Header, Lines, RenameComment, Targets};
use crate::model::Model;
use crate::name::{List, Literal, Name, Quoted};

/// The SQL that creates a set of models in an empty database.
///
/// [`Display`](fmt::Display) writes it. Statements follow their dependencies: schemas, enums,
/// `raw_before`, tables, indexes, foreign keys, row level security and policies, comments, `raw`.
/// Objects of the same kind are sorted by name.
///
/// Comments before an object or a column annotate it: `-- renamed from: nick`,
/// `-- fill: lower(email)`.
#[derive(Clone, Debug)]
pub struct Ddl {
    sql: String,
    warnings: Vec<String>,
}

impl Ddl {
    pub(crate) fn of(models: &BTreeMap<Name, Model>) -> Self {
        let (mut it, tables) = (Script::default(), models.values().filter_map(as_table));
        schemas(&mut it, models.keys());
        for model in models.values().filter_map(as_enum) {
            create_enum(&mut it, model);
        }
        for (step, model) in STEPS.iter().flat_map(|step| tables.clone().map(move |it| (step, it)))
        {
            step(&mut it, model);
        }
        let warnings = tables.filter_map(warning).collect();
        Self { sql: it.0, warnings }
    }

    /// What is allowed and seldom meant: tables without a primary key.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.warnings.iter().map(String::as_str)
    }
}

impl fmt::Display for Ddl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql)
    }
}

/// What is done for all tables before the next step is for any.
const STEPS: [fn(&mut Script, &Table); 7] = [
    |script, table| raw(script, table.raw_before),
    create_table,
    create_indexes,
    add_foreign_keys,
    secure,
    comment,
    |script, table| raw(script, table.raw),
];

/// Statements, with an empty line between two of them.
#[derive(Default)]
struct Script(String);

impl Script {
    fn statement(&mut self, text: fmt::Arguments<'_>) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.write(format_args!("{gap}{text};\n"));
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes whatever is written to it");
    }
}

fn as_table(model: &Model) -> Option<&'static Table> {
    match model {
        Model::Table(it) => Some(it),
        Model::Enum(_) => None,
    }
}

fn as_enum(model: &Model) -> Option<&'static Enum> {
    match model {
        Model::Enum(it) => Some(it),
        Model::Table(_) => None,
    }
}

/// `IF NOT EXISTS`, as `public` is there already, and so may be what other SQL has made.
fn schemas<'a>(script: &mut Script, names: impl Iterator<Item = &'a Name>) {
    let schemas: BTreeSet<_> = names.filter_map(Name::schema).collect();
    for schema in schemas {
        script.statement(format_args!("CREATE SCHEMA IF NOT EXISTS {}", Quoted(schema)));
    }
}

fn create_enum(script: &mut Script, model: &Enum) {
    let head = Header { model: model.model, renamed_from: model.renamed_from };
    let labels = Lines(model.labels);
    script.statement(format_args!("{head}CREATE TYPE {} AS ENUM ({labels})", model.name));
    if let Some(text) = model.comment {
        script.statement(format_args!("COMMENT ON TYPE {} IS {}", model.name, Literal(text)));
    }
}

fn create_table(script: &mut Script, model: &Table) {
    let head = Header { model: model.model, renamed_from: model.renamed_from };
    let unlogged = if model.unlogged { "UNLOGGED " } else { "" };
    let lines: Vec<&dyn fmt::Display> = model
        .columns
        .iter()
        .map(|it| it as &dyn fmt::Display)
        .chain(model.constraints.iter().map(|it| it as &dyn fmt::Display))
        .collect();
    let (name, lines, suffix) = (model.name, Lines(&lines), model.suffix);
    script.statement(format_args!("{head}CREATE {unlogged}TABLE {name} ({lines}){suffix}"));
}

/// Before the foreign keys: one may reference the columns of a unique index.
fn create_indexes(script: &mut Script, model: &Table) {
    for Index { unique, name, renamed_from, clause } in model.indexes {
        let (renamed, name) =
            (RenameComment(*renamed_from), name.map(|it| format!("{} ", Quoted(it))));
        let (unique, name) = (if *unique { "UNIQUE " } else { "" }, name.unwrap_or_default());
        let table = model.name;
        script.statement(format_args!("{renamed}CREATE {unique}INDEX {name}ON {table} {clause}"));
    }
}

/// After all tables, so that two may reference each other.
fn add_foreign_keys(script: &mut Script, model: &Table) {
    for ForeignKey { name, renamed_from, columns, targets, suffix } in model.foreign_keys {
        let (renamed, name, columns) =
            (RenameComment(*renamed_from), ConstraintName(*name), List(columns));
        let targets = Targets(targets);
        script.statement(format_args!(
            "{renamed}ALTER TABLE {}\n  ADD {name}FOREIGN KEY ({columns}) REFERENCES {targets}{suffix}",
            model.name,
        ));
    }
}

fn secure(script: &mut Script, model: &Table) {
    let table = model.name;
    if model.row_security != RowSecurity::Off {
        script.statement(format_args!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
    }
    if model.row_security == RowSecurity::Forced {
        script.statement(format_args!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY"));
    }
    for Policy { name, renamed_from, clause } in model.policies {
        let (renamed, name) = (RenameComment(*renamed_from), Quoted(name));
        script.statement(format_args!("{renamed}CREATE POLICY {name} ON {table}{clause}"));
    }
}

fn comment(script: &mut Script, model: &Table) {
    let table = model.name;
    if let Some(text) = model.comment {
        script.statement(format_args!("COMMENT ON TABLE {table} IS {}", Literal(text)));
    }
    for Column { name, comment, .. } in model.columns {
        let Some(text) = comment else { continue };
        let (column, text) = (Quoted(name), Literal(text));
        script.statement(format_args!("COMMENT ON COLUMN {table}.{column} IS {text}"));
    }
}

/// SQL as it was written, with one semicolon behind it. The line break keeps that out of a comment
/// on the last line.
fn raw(script: &mut Script, texts: &[&str]) {
    for text in texts {
        let text = text.trim().trim_end_matches(';').trim_end();
        let end = if text.lines().last().is_some_and(|it| it.contains("--")) { "\n" } else { "" };
        script.statement(format_args!("{text}{end}"));
    }
}

fn warning(model: &Table) -> Option<String> {
    let Table { key: Key::Missing, name, model, .. } = model else { return None };
    Some(format!(
        "table {name} has no primary key: mark a field of `{model}` with `#[col(primary_key)]`, or \
         the struct with `#[table(no_primary_key)]` if it is meant"
    ))
}
