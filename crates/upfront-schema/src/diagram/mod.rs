//! Entity-relationship pictures.

mod dot;
mod mermaid;

use std::collections::HashMap;

use postgres::{Client, Row};
use upfront_scratch::Database;

use crate::{
    catalog::{
        prelude::{PRELUDE, pin},
        scope::Scope,
    },
    error::{Error, Result},
    kinds::queries,
    scratch::session,
};

const COLUMNS: &str = "
SELECT c.oid, a.attnum::int4, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2";

/// Of each unique index all columns; `true` for that of the primary key.
const UNIQUE: &str = "
SELECT x.indrelid, x.indisprimary, (x.indkey::int2[]::int4[])[0:x.indnkeyatts - 1]
FROM relation c JOIN pg_index x ON x.indrelid = c.oid
WHERE x.indisunique AND x.indpred IS NULL AND x.indexprs IS NULL ORDER BY 1, 3";

const REFERENCES: &str = "
SELECT k.conrelid, k.conname::text, k.conkey::int4[], k.confrelid, k.confkey::int4[]
FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid
WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY c.nspname, c.relname, k.conname";

/// The tables of a schema and how they refer to each other.
///
/// Views, and what else there is, are not in it. Partitions are shown as a number.
#[derive(Clone, Debug)]
pub struct Diagram {
    tables: Vec<Table>,
    relations: Vec<Relation>,
}

#[derive(Clone, Debug)]
struct Table {
    oid: u32,
    schema: String,
    name: String,
    partitions: i64,
    above: Vec<u32>,
    columns: Vec<Column>,
    unique: Vec<Vec<i32>>,
}

#[derive(Clone, Debug)]
struct Column {
    number: i32,
    name: String,
    declared: String,
    not_null: bool,
    /// In their order: `PK`, `FK`, `UK`.
    marks: Vec<&'static str>,
}

/// A foreign key, or an inheritance where it has no columns.
#[derive(Clone, Debug)]
struct Relation {
    name: String,
    from: usize,
    to: usize,
    /// The first column at either end.
    ports: Option<(usize, usize)>,
    /// Whether a row may do without it.
    is_optional: bool,
    /// Whether no two rows may have the same.
    is_unique: bool,
}

impl Diagram {
    /// Reads what of a database is in scope.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn of(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let mut it = Self { tables: tables(&mut client, scope)?, relations: Vec::new() };
        let places: HashMap<_, _> = it.tables.iter().map(|it| it.oid).zip(0..).collect();
        for row in query(&mut client, COLUMNS, scope)? {
            if let Some(&at) = places.get(&row.get(0)) {
                it.tables[at].columns.push(Column {
                    number: row.get(1),
                    name: row.get(2),
                    declared: row.get(3),
                    not_null: row.get(4),
                    marks: Vec::new(),
                });
            }
        }
        for row in query(&mut client, UNIQUE, scope)? {
            if let Some(&at) = places.get(&row.get(0)) {
                it.tables[at].add_unique(row.get(1), row.get(2));
            }
        }
        for row in query(&mut client, REFERENCES, scope)? {
            it.refer(&row, &places);
        }
        it.inherit(&places);
        Ok(it)
    }

    fn refer(&mut self, row: &Row, places: &HashMap<u32, usize>) {
        let (from, to): (u32, u32) = (row.get(0), row.get(3));
        let (Some(&from), Some(&to)) = (places.get(&from), places.get(&to)) else { return };
        let (own, theirs): (Vec<i32>, Vec<i32>) = (row.get(2), row.get(4));
        let port = |table: &Table, number: Option<&i32>| {
            table.columns.iter().position(|it| Some(&it.number) == number).unwrap_or_default()
        };
        let ports = (port(&self.tables[from], own.first()), port(&self.tables[to], theirs.first()));
        let table = &mut self.tables[from];
        let mut is_optional = false;
        for it in table.columns.iter_mut().filter(|it| own.contains(&it.number)) {
            is_optional |= !it.not_null;
            it.mark("FK");
        }
        let is_unique = table.unique.iter().any(|it| it.iter().all(|it| own.contains(it)));
        let ports = Some(ports);
        let name = row.get(1);
        self.relations.push(Relation { name, from, to, ports, is_optional, is_unique });
    }

    fn inherit(&mut self, places: &HashMap<u32, usize>) {
        for (from, table) in self.tables.iter().enumerate() {
            for to in table.above.iter().filter_map(|it| places.get(it)) {
                self.relations.push(Relation {
                    name: "inherits".to_owned(),
                    from,
                    to: *to,
                    ports: None,
                    is_optional: false,
                    is_unique: true,
                });
            }
        }
    }
}

impl Table {
    fn add_unique(&mut self, is_primary: bool, columns: Vec<i32>) {
        for it in self.columns.iter_mut().filter(|it| columns.contains(&it.number)) {
            // Of several columns that are unique together none is so alone.
            match (is_primary, columns.len()) {
                (true, _) => it.mark("PK"),
                (false, 1) => it.mark("UK"),
                (false, _) => {}
            }
        }
        self.unique.push(columns);
    }

    fn partitions(&self) -> Option<String> {
        match self.partitions {
            0 => None,
            1 => Some("1 partition".to_owned()),
            it => Some(format!("{it} partitions")),
        }
    }
}

impl Column {
    fn mark(&mut self, mark: &'static str) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
            let place = |it: &&str| ["PK", "FK", "UK"].iter().position(|mark| mark == it);
            self.marks.sort_by_key(place);
        }
    }
}

fn tables(client: &mut Client, scope: &Scope) -> Result<Vec<Table>> {
    let mut all = Vec::new();
    for row in query(client, queries::DIAGRAM_TABLES, scope)? {
        let (schema, name): (String, String) = (row.get(1), row.get(2));
        if !scope.leaves_alone(row.get(3), &format!("{schema}.{name}"), &schema) {
            all.push(Table {
                oid: row.get(0),
                schema,
                name,
                partitions: row.get(4),
                above: row.get(5),
                columns: Vec::new(),
                unique: Vec::new(),
            });
        }
    }
    Ok(all)
}

/// Types are named with their schemas, unless they are the server's own.
fn query(client: &mut Client, sql: &str, scope: &Scope) -> Result<Vec<Row>> {
    let failed = || Error::postgres("read the tables");
    let mut transaction = client.transaction().map_err(failed())?;
    pin(&mut transaction)?;
    transaction.query(&format!("{PRELUDE} {sql}"), &[&scope.without_schemas]).map_err(failed())
}
