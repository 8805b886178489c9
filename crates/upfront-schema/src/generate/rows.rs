//! Rows for trying a migration on, as far as a table takes what can be thought of.

use std::collections::BTreeMap;

use postgres::{Client, Transaction};
use upfront_directory::Side;
use upfront_scratch::Database;

use crate::error::{Error, Result, reason};
use crate::extract::Scope;
use crate::generate::label::Labels;
use crate::{quote, session};

/// The rows of each table, so that it gets some where a value may be NULL and some where not.
const ROWS: u32 = 2;

/// More rows than these are not compared.
const COMPARED: usize = 10_000;

const COLUMNS: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, a.attnum::int4, a.attname::text,
  format_type(a.atttypid, a.atttypmod), format_type(t.oid, NULL), t.typcategory::text,
  a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '',
  a.atttypmod
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type d ON d.oid = a.atttypid
JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
  AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname, a.attnum";

const REFERENCES: &str = "
SELECT k.conrelid, a.attnum::int4, k.confrelid::regclass::text, quote_ident(f.attname)
FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey, k.confkey) u (own, other)
JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
JOIN pg_attribute f ON f.attrelid = k.confrelid AND f.attnum = u.other
WHERE k.contype = 'f' AND k.conparentid = 0";

struct Column {
    number: i32,
    name: String,
    declared: String,
    root: String,
    category: String,
    not_null: bool,
    has_default: bool,
    generated: bool,
    modifier: i32,
}

struct Table {
    oid: u32,
    path: String,
    columns: Vec<Column>,
}

/// Whether columns that may be NULL are so in some of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// In every second one.
    Some,
    /// In none, where a value can be thought of.
    None,
}

/// What came of seeding.
#[derive(Debug, Default)]
pub struct Seeded {
    /// How many tables have rows.
    pub tables: usize,
    /// Those that have none.
    pub without: Vec<Unseeded>,
}

/// The other table and its column, by table and column.
type References = BTreeMap<(u32, i32), (String, String)>;

/// A table that took no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseeded {
    /// Its name.
    pub table: String,
    /// Why, as the server has it.
    pub sqlstate: String,
}

/// A side that does not work with rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// The table, where the server names one.
    pub table: Option<String>,
    /// Why, as the server has it.
    pub sqlstate: String,
    /// What it says.
    pub message: String,
}

/// The rows of all tables at one moment.
#[derive(Clone, Debug)]
pub struct Rows(BTreeMap<u32, Content>, Labels);

#[derive(Clone, Debug)]
struct Content {
    table: String,
    /// Number and type of each column.
    columns: Vec<(i32, String)>,
    rows: Vec<Vec<Option<String>>>,
}

impl Seeded {
    /// Puts rows into every table that takes them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn fill(database: &Database<'_>, nulls: Nulls, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let tables = tables(&mut client, scope)?;
        let references = references(&mut client)?;
        let mut transaction = client.transaction().map_err(Error::postgres("make rows"))?;
        let mut open: Vec<_> = tables.iter().collect();
        let mut without = Vec::new();
        while !open.is_empty() {
            without.clear();
            let before = open.len();
            let mut left = Vec::new();
            for it in open {
                if let Some(why) = seed(&mut transaction, it, &references, nulls)? {
                    without.push(Unseeded { table: it.path.clone(), sqlstate: why });
                    left.push(it);
                }
            }
            open = left;
            if open.len() == before {
                break;
            }
        }
        transaction.commit().map_err(Error::postgres("make rows"))?;
        Ok(Self { tables: tables.len() - without.len(), without })
    }
}

/// Puts rows into a table; why there is none.
fn seed(
    transaction: &mut Transaction<'_>,
    table: &Table,
    references: &References,
    nulls: Nulls,
) -> Result<Option<String>> {
    let (mut made, mut why) = (0, None);
    for row in 1..=ROWS {
        let full = insert(table, row, references, |_| true);
        let sparse = insert(table, row, references, |it| it.not_null);
        let tries = match nulls {
            Nulls::Some if row % 2 == 0 => [sparse, full],
            _ => [full, sparse],
        };
        for sql in tries {
            match attempt(transaction, &sql)? {
                None => {
                    made += 1;
                    break;
                }
                Some(state) => why = Some(state),
            }
        }
    }
    match why {
        Some(why) if made == 0 && is_empty(transaction, table)? => Ok(Some(why)),
        _ => Ok(None),
    }
}

/// A migration may have put rows there.
fn is_empty(transaction: &mut Transaction<'_>, table: &Table) -> Result<bool> {
    let sql = format!("SELECT NOT EXISTS (SELECT FROM {})", table.path);
    let row = transaction.query_one(&sql, &[]).map_err(Error::postgres("make rows"))?;
    Ok(row.get(0))
}

fn attempt(transaction: &mut Transaction<'_>, sql: &str) -> Result<Option<String>> {
    let broken = |it| Error::postgres("make rows")(it);
    let mut savepoint = transaction.transaction().map_err(broken)?;
    let sql = format!("SET CONSTRAINTS ALL IMMEDIATE; {sql}");
    match savepoint.batch_execute(&sql) {
        Ok(()) => savepoint.commit().map(|()| None).map_err(broken),
        Err(err) => match err.code() {
            Some(code) => Ok(Some(code.code().to_owned())),
            None => Err(broken(err)),
        },
    }
}

fn insert(
    table: &Table,
    row: u32,
    references: &References,
    wants: impl Fn(&Column) -> bool,
) -> String {
    let is_reference = |it: &Column| references.contains_key(&(table.oid, it.number));
    let is_open = |it: &Column| !it.generated && (!it.has_default || is_reference(it));
    let columns = table.columns.iter().filter(|it| is_open(it) && wants(it));
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for it in columns {
        names.push(quote::name(&it.name));
        values.push(match references.get(&(table.oid, it.number)) {
            Some((other, key)) => {
                format!("(SELECT {key} FROM {other} ORDER BY {key} OFFSET {} LIMIT 1)", row - 1)
            }
            None => value(it, row),
        });
    }
    if names.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", table.path);
    }
    let (names, values) = (names.join(", "), values.join(", "));
    format!("INSERT INTO {} ({names}) VALUES ({values})", table.path)
}

/// A value of the type, another one for each row where that can be.
fn value(of: &Column, row: u32) -> String {
    let root = &of.root;
    let text = match of.category.as_str() {
        "N" => row.to_string(),
        "S" => short(row, of.modifier),
        "B" => format!("{}", row % 2 == 1),
        "D" if root.starts_with("time ") => format!("0{row}:00"),
        "D" => format!("2026-01-0{row}"),
        "T" => format!("{row} days"),
        "I" => format!("10.0.0.{row}"),
        "A" => "{}".to_owned(),
        "R" => "empty".to_owned(),
        "V" => "1".repeat(usize::try_from(of.modifier.max(1)).unwrap_or(1)),
        "E" => {
            let all = format!("enum_range(NULL::{root})");
            return format!("({all})[least({row}, array_length({all}, 1))]");
        }
        _ => match root.as_str() {
            "uuid" => return format!("md5('{row}')::uuid"),
            "json" | "jsonb" => format!("{{\"row\": {row}}}"),
            "bytea" => format!("\\x0{row}"),
            "xml" => format!("<row>{row}</row>"),
            "tsvector" => format!("row{row}"),
            _ => return "NULL".to_owned(),
        },
    };
    format!("{}::{}", quote::literal(&text), of.declared)
}

/// A text that fits, with its number last.
fn short(row: u32, modifier: i32) -> String {
    let text = format!("row {row}");
    match usize::try_from(modifier - 4) {
        Ok(limit) if limit < text.len() => text[text.len() - limit..].to_owned(),
        _ => text,
    }
}

fn tables(client: &mut Client, scope: &Scope) -> Result<Vec<Table>> {
    let rows = client
        .query(COLUMNS, &[&scope.without_schemas])
        .map_err(Error::postgres("read the tables"))?;
    let mut tables: Vec<Table> = Vec::new();
    for row in &rows {
        let oid: u32 = row.get(0);
        if tables.last().is_none_or(|it| it.oid != oid) {
            let path = quote::qualified(&[row.get(1), row.get(2)]);
            tables.push(Table { oid, path, columns: Vec::new() });
        }
        let column = Column {
            number: row.get(3),
            name: row.get(4),
            declared: row.get(5),
            root: row.get(6),
            category: row.get(7),
            not_null: row.get(8),
            has_default: row.get::<_, bool>(9) && !row.get::<_, bool>(10),
            generated: row.get(10),
            modifier: row.get(11),
        };
        if let Some(it) = tables.last_mut() {
            it.columns.push(column);
        }
    }
    Ok(tables)
}

fn references(client: &mut Client) -> Result<References> {
    let rows = client.query(REFERENCES, &[]).map_err(Error::postgres("read the foreign keys"))?;
    Ok(rows.iter().map(|it| ((it.get(0), it.get(1)), (it.get(2), it.get(3)))).collect())
}

impl Unfit {
    /// Runs one side of a migration on rows; what the server has against it.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn of(database: &Database<'_>, side: &Side) -> Result<Option<Self>> {
        let mut client = session::open(database)?;
        let whole = std::slice::from_ref(&side.body);
        let single: Vec<_> =
            side.statements.iter().map(|it| side.body[it.range.clone()].to_owned()).collect();
        let pieces = if side.transactional { whole } else { &single };
        for sql in pieces {
            if let Err(err) = session::run(&mut client, sql) {
                return match err.as_db_error() {
                    None => Err(Error::postgres("run a migration with rows")(err)),
                    Some(it) => Ok(Some(Self {
                        table: it.table().map(str::to_owned),
                        sqlstate: it.code().code().to_owned(),
                        message: reason(&err),
                    })),
                };
            }
        }
        Ok(None)
    }
}

impl Rows {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        let mut client = session::open(database)?;
        let mut all = BTreeMap::new();
        for table in tables(&mut client, scope)? {
            let columns: Vec<_> = table.columns.iter().filter(|it| !it.generated).collect();
            let texts: Vec<_> =
                columns.iter().map(|it| format!("{}::text", quote::name(&it.name))).collect();
            let sql = format!("SELECT {} FROM {} LIMIT {COMPARED}", texts.join(", "), table.path);
            let rows = client.query(&sql, &[]).map_err(Error::postgres("read the rows"))?;
            let rows = rows.iter().map(|row| (0..texts.len()).map(|it| row.get(it)).collect());
            let content = Content {
                table: table.path.clone(),
                columns: columns.iter().map(|it| (it.number, it.declared.clone())).collect(),
                rows: rows.collect(),
            };
            all.insert(table.oid, content);
        }
        Ok(Self(all, Labels::read(&mut client)?))
    }

    /// The same without the columns of enums of which a value was renamed in between.
    fn comparable(&self, before: &Self) -> Self {
        let renamed = before.1.renamed(&self.1);
        let mut it = self.clone();
        for content in it.0.values_mut() {
            content.columns.iter_mut().for_each(|(_, declared)| {
                if renamed.contains(declared.trim_end_matches("[]")) {
                    declared.push_str(" with other values");
                }
            });
        }
        it
    }

    /// The tables whose rows are others by now, in the columns that they have had all the time.
    #[must_use]
    pub fn changed(&self, later: &Self) -> Vec<String> {
        let later = later.comparable(self);
        let both = self.0.iter().filter_map(|(oid, it)| Some((it, later.0.get(oid)?)));
        let differ = both.filter(|(old, new)| {
            let kept: Vec<_> = old.columns.iter().filter(|it| new.columns.contains(it)).collect();
            old.only(&kept) != new.only(&kept)
        });
        differ.map(|(old, _)| old.table.clone()).collect()
    }

    /// How many rows each table has more than before, where it has.
    #[must_use]
    pub fn added(&self, later: &Self) -> Vec<(String, usize)> {
        let count = |it: &Self, oid| it.0.get(oid).map_or(0, |it: &Content| it.rows.len());
        let more = later
            .0
            .iter()
            .map(|(oid, it)| (it.table.clone(), it.rows.len().saturating_sub(count(self, oid))));
        more.filter(|(_, rows)| *rows > 0).collect()
    }
}

impl Content {
    fn only(&self, columns: &[&(i32, String)]) -> Vec<Vec<Option<&str>>> {
        let places: Vec<_> =
            (0..self.columns.len()).filter(|at| columns.contains(&&self.columns[*at])).collect();
        let rows = self.rows.iter();
        let mut rows: Vec<Vec<_>> =
            rows.map(|row| places.iter().map(|at| row[*at].as_deref()).collect()).collect();
        rows.sort();
        rows
    }
}
