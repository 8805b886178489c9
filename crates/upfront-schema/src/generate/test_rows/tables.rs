//! Tables as far as rows can be made up for them.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Row};

use crate::{
    catalog::scope::Scope,
    error::{Error, Result},
    quote,
};

const COLUMNS: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, a.attnum::int4, a.attname::text,
  format_type(a.atttypid, a.atttypmod), format_type(t.oid, NULL), t.typcategory::text,
  a.attnotnull, a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '',
  CASE WHEN a.attgenerated <> '' THEN (SELECT pg_get_expr(g.adbin, g.adrelid) FROM pg_attrdef g
    WHERE g.adrelid = a.attrelid AND g.adnum = a.attnum) END,
  CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE d.typtypmod END, a.attidentity = 'a',
  t.typrelid, a.attidentity <> '' OR q.adnum IS NOT NULL
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type d ON d.oid = a.atttypid
JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
LEFT JOIN (SELECT DISTINCT g.adrelid, g.adnum FROM pg_attrdef g
  JOIN pg_depend e ON e.classid = 'pg_attrdef'::regclass AND e.objid = g.oid
    AND e.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = e.refobjid AND s.relkind = 'S') q
  ON q.adrelid = a.attrelid AND q.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
  AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname, a.attnum";

/// The attributes of composite types, with the same columns as above where they count.
const ATTRIBUTES: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, a.attnum::int4, a.attname::text,
  format_type(a.atttypid, a.atttypmod), format_type(t.oid, NULL), t.typcategory::text,
  false, false, NULL::text,
  CASE WHEN a.atttypmod >= 0 THEN a.atttypmod ELSE d.typtypmod END, false, t.typrelid, false
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type d ON d.oid = a.atttypid
JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
WHERE c.relkind = 'c' ORDER BY c.oid, a.attnum";

/// Foreign keys, column by column.
const REFERENCES: &str = "
SELECT k.conrelid, k.conname::text, u.own::int4, format('%I.%I', n.nspname, r.relname),
  quote_ident(f.attname)
FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey, k.confkey)
  WITH ORDINALITY u (own, other, place)
JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.other
JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conrelid, k.conname, u.place";

/// What a violation names, and the columns that it is about; with the text of the condition.
const CONDITIONS: &str = "
SELECT k.conrelid, k.conname::text, k.conkey::int4[], CASE k.contype WHEN 'c'
  THEN pg_get_constraintdef(k.oid) END FROM pg_constraint k WHERE k.conrelid >= 16384 AND k.conkey <> '{}'
UNION ALL SELECT x.indrelid, i.relname::text, x.indkey::int2[]::int4[], NULL
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indisunique AND x.indrelid >= 16384
UNION ALL SELECT a.attrelid, k.conname::text, ARRAY[a.attnum]::int4[], pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_attribute a ON a.atttypid = k.contypid AND a.attnum > 0
WHERE k.contypid >= 16384
UNION ALL SELECT p.partrelid, NULL, p.partattrs::int2[]::int4[], pg_get_expr(c.relpartbound, c.oid)
FROM pg_partitioned_table p JOIN pg_inherits i ON i.inhparent = p.partrelid
JOIN pg_class c ON c.oid = i.inhrelid";

/// A column, or an attribute of a composite type.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) number: i32,
    pub(super) name: String,
    pub(super) declared: String,
    pub(super) root: String,
    pub(super) category: String,
    pub(super) not_null: bool,
    pub(super) default: Default,
    pub(super) generated: Option<String>,
    pub(super) modifier: i32,
    /// The relation of a composite type.
    pub(super) fields: u32,
}

/// The default of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    Null,
    Value,
    /// The next value of a sequence.
    Counted,
    /// The same, and it takes no other.
    AlwaysCounted,
}

impl Column {
    pub(super) fn counts(&self) -> bool {
        matches!(self.default, Default::Counted | Default::AlwaysCounted)
    }

    /// Whether it can be given a value.
    pub(super) fn is_open(&self) -> bool {
        self.generated.is_none() && self.default != Default::AlwaysCounted
    }
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) oid: u32,
    pub(super) path: String,
    /// Whether the setup of scratch databases has made it.
    pub(super) is_of_setup: bool,
    pub(super) columns: Vec<Column>,
}

/// A foreign key of a table.
#[derive(Debug)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) own: Vec<i32>,
    pub(super) other: String,
    pub(super) keys: Vec<String>,
}

/// What restricts the values of some columns.
#[derive(Debug)]
pub(super) struct Condition {
    /// None for the bound of a partition.
    pub(super) name: Option<String>,
    pub(super) columns: Vec<i32>,
    pub(super) text: String,
}

/// All that is known of a database's tables.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) all: Vec<Table>,
    pub(super) types: BTreeMap<u32, Vec<Column>>,
    pub(super) references: BTreeMap<u32, Vec<Reference>>,
    pub(super) conditions: BTreeMap<u32, Vec<Condition>>,
}

/// The tables alone.
pub(super) fn tables(client: &mut Client, scope: &Scope) -> Result<Vec<Table>> {
    let rows = client.query(COLUMNS, &[&scope.without_schemas]);
    let rows = rows.map_err(Error::postgres("read the tables"))?;
    let mut tables: Vec<Table> = Vec::new();
    for row in &rows {
        let oid: u32 = row.get(0);
        if tables.last().is_none_or(|it| it.oid != oid) {
            let path = quote::qualified(&[row.get(1), row.get(2)]);
            let is_of_setup = scope.setup.is_own_table(row.get(1), row.get(2));
            tables.push(Table { oid, path, is_of_setup, columns: Vec::new() });
        }
        if let Some(it) = tables.last_mut() {
            it.columns.push(column(row));
        }
    }
    Ok(tables)
}

fn column(row: &Row) -> Column {
    Column {
        number: row.get(3),
        name: row.get(4),
        declared: row.get(5),
        root: row.get(6),
        category: row.get(7),
        not_null: row.get(8),
        default: match (row.get(9), row.get(12), row.get(14)) {
            (false, ..) => Default::Null,
            (true, true, _) => Default::AlwaysCounted,
            (true, false, true) => Default::Counted,
            (true, false, false) => Default::Value,
        },
        generated: row.get(10),
        modifier: row.get(11),
        fields: row.get(13),
    }
}

impl Tables {
    pub(super) fn read(client: &mut Client, scope: &Scope) -> Result<Self> {
        // Texts are the same whatever the search path is, and name schemas.
        client.batch_execute("SET search_path = ''").map_err(Error::postgres("read the tables"))?;
        let all = tables(client, scope)?;
        let mut ask = |sql| client.query(sql, &[]).map_err(Error::postgres("read the tables"));
        let mut types: BTreeMap<u32, Vec<Column>> = BTreeMap::new();
        for row in ask(ATTRIBUTES)? {
            types.entry(row.get(0)).or_default().push(column(&row));
        }
        let mut conditions: BTreeMap<u32, Vec<Condition>> = BTreeMap::new();
        for row in ask(CONDITIONS)? {
            let text = row.get::<_, Option<String>>(3).unwrap_or_default();
            let condition = Condition { name: row.get(1), columns: row.get(2), text };
            conditions.entry(row.get(0)).or_default().push(condition);
        }
        let references = references(&ask(REFERENCES)?);
        let all = wanted(all, &references);
        client.batch_execute("RESET search_path").map_err(Error::postgres("read the tables"))?;
        Ok(Self { all, types, references, conditions })
    }
}

/// The tables without those of the setup that no other one refers to.
fn wanted(all: Vec<Table>, references: &BTreeMap<u32, Vec<Reference>>) -> Vec<Table> {
    let (of_setup, mut wanted): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.is_of_setup);
    let mut left = of_setup;
    loop {
        let others = wanted.iter().filter_map(|it| references.get(&it.oid)).flatten();
        let others: BTreeSet<&str> = others.map(|it| it.other.as_str()).collect();
        let is_wanted = |it: &Table| others.contains(it.path.as_str());
        let (more, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_wanted);
        if more.is_empty() {
            return wanted;
        }
        wanted.extend(more);
        left = rest;
    }
}

fn references(rows: &[Row]) -> BTreeMap<u32, Vec<Reference>> {
    let mut all: BTreeMap<u32, Vec<Reference>> = BTreeMap::new();
    for row in rows {
        let of = all.entry(row.get(0)).or_default();
        let name: String = row.get(1);
        if of.last().is_none_or(|it| it.name != name) {
            let other = row.get(3);
            of.push(Reference { name, own: Vec::new(), other, keys: Vec::new() });
        }
        if let Some(it) = of.last_mut() {
            it.own.push(row.get(2));
            it.keys.push(row.get(4));
        }
    }
    all
}
