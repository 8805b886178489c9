//! What views and functions return, compared with another database that has the same rows.
//!
//! A table may have its columns in another order than is wanted, which no SQL changes. Whatever names
//! columns by position would then read others, and its text would be the same.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Transaction};
use upfront_scratch::Database;

use crate::{
    catalog::{column_orders::ColumnOrders, scope::Scope},
    error::{Error, Result},
    generate::test_rows::{sample_kind::SampleKind, sample_rows::SampleRows},
    quote,
    scratch::session,
};

/// Values of each type that functions are called with.
const VALUES: usize = 4;

/// Calls of one function.
const CALLS: usize = 16;

const LIMITS: &str = "SET statement_timeout = '5s'; SET lock_timeout = '1s'";

const TABLES: &str = "
SELECT format('%I.%I', n.nspname, c.relname), (SELECT string_agg(quote_ident(a.attname), ', ')
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attgenerated = '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1) ORDER BY c.oid";

/// Views, but for columns whose values are the server's own numbers.
const VIEWS: &str = "
SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'm', array(SELECT a.attname::text
  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
  AND a.atttypid IN ('oid'::regtype, 'xid'::regtype, 'cid'::regtype, 'tid'::regtype))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
AND n.nspname <> ALL ($1) AND NOT EXISTS (SELECT FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY c.oid";

const FUNCTIONS: &str = "
SELECT format('%I.%I', n.nspname, p.proname), array(SELECT format_type(t, NULL)
  FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a (t, place) ORDER BY place),
  pg_get_function_identity_arguments(p.oid), p.proretset
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
JOIN pg_type r ON r.oid = p.prorettype
WHERE p.prokind = 'f' AND l.lanname IN ('sql', 'plpgsql') AND n.nspname !~ '^pg_'
AND p.provariadic = 0 AND r.oid NOT IN (
  'pg_catalog.trigger'::regtype, 'pg_catalog.event_trigger'::regtype, 'void'::regtype, 'oid'::regtype)
AND (r.typtype <> 'p' OR r.typname = 'record' AND p.proargmodes IS NOT NULL)
AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1) AND NOT EXISTS (SELECT FROM pg_depend d
  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') ORDER BY 1, 3";

/// The columns of each type that are in a table.
const COLUMNS: &str = "
SELECT format_type(a.atttypid, NULL), format('%I.%I', n.nspname, c.relname), quote_ident(a.attname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid AND t.typtype <> 'c'
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_'
AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1) ORDER BY 2, 3";

/// What there is that returns rows, with what it returns.
type Returned = BTreeMap<String, String>;

/// The views and functions that return other values than they do in a database with the wanted schema
/// and the same rows. If columns have the same order in both, the result is empty.
///
/// Neither database is changed.
///
/// # Errors
///
/// If the server does not answer.
pub fn changed_results(
    there: &Database<'_>,
    wanted: &Database<'_>,
    scope: &Scope,
) -> Result<Vec<String>> {
    let orders = |it| ColumnOrders::of(&mut session::open(it)?);
    let orders = orders(there)?.differences(&orders(wanted)?);
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let (there, like) = (there.copy()?, wanted.copy()?);
    empty(&there, scope)?;
    SampleRows::fill(&there, SampleKind::Apart, scope)?;
    empty(&like, scope)?;
    if !fill(&like, &there, scope)? {
        return Ok(Vec::new());
    }
    let values = Values::read(&mut open(&there)?, scope)?;
    let [expected, again] = [(), ()].map(|()| returned(&like, &values, scope));
    let (expected, again, found) = (expected?, again?, returned(&there, &values, scope)?);
    let differs = |(what, rows): &(&String, &String)| {
        again.get(*what) == Some(rows) && found.get(*what).is_some_and(|it| it != *rows)
    };
    let names: BTreeSet<_> =
        expected.iter().filter(differs).map(|(what, _)| object(what)).collect();
    let mut all: Vec<_> = names.iter().map(|it| format!("{it} returns other values")).collect();
    if !all.is_empty() {
        all.extend(orders);
    }
    Ok(all)
}

/// The call without its arguments.
fn object(what: &str) -> &str {
    what.split_once(" of ").map_or(what, |(it, _)| it)
}

fn broken() -> impl FnOnce(postgres::Error) -> Error {
    Error::postgres("compare what views return")
}

fn open(database: &Database<'_>) -> Result<Client> {
    let mut client = session::open(database)?;
    client.batch_execute(LIMITS).map_err(broken())?;
    Ok(client)
}

/// The same without foreign keys and triggers, which have had their say where rows come from. Only a
/// superuser can; for others rows may not fit.
fn open_for_rows(database: &Database<'_>) -> Result<Client> {
    let mut client = open(database)?;
    match client.batch_execute("SET session_replication_role = replica") {
        Err(err) if err.code().is_none() => return Err(broken()(err)),
        _ => {}
    }
    Ok(client)
}

/// The tables, with the columns that take values.
fn tables(client: &mut Client, scope: &Scope) -> Result<Vec<(String, Option<String>)>> {
    let tables = client.query(TABLES, &[&scope.without_schemas]).map_err(broken())?;
    Ok(tables.iter().map(|it| (it.get(0), it.get(1))).collect())
}

/// Takes the rows out of all tables.
fn empty(database: &Database<'_>, scope: &Scope) -> Result<()> {
    let mut client = open_for_rows(database)?;
    let tables = tables(&mut client, scope)?;
    let names: Vec<_> = tables.iter().map(|(table, _)| table.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    client.batch_execute(&format!("TRUNCATE {} CASCADE", names.join(", "))).map_err(broken())
}

/// Puts the rows of one database into the tables of the other; whether all fit.
fn fill(to: &Database<'_>, from: &Database<'_>, scope: &Scope) -> Result<bool> {
    let (mut source, mut client) = (open(from)?, open_for_rows(to)?);
    let tables = tables(&mut client, scope)?;
    for (table, columns) in &tables {
        let rows =
            source.query_one(&format!("SELECT jsonb_agg(to_jsonb(x))::text FROM {table} x"), &[]);
        let Ok(rows) = rows else { continue };
        let (Some(rows), Some(columns)) = (rows.get::<_, Option<String>>(0), columns) else {
            continue;
        };
        let sql = format!(
            "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} \
             FROM jsonb_populate_recordset(NULL::{table}, {}::jsonb)",
            quote::literal(&rows)
        );
        match client.batch_execute(&sql) {
            Ok(()) => {}
            Err(err) if err.code().is_some() => return Ok(false),
            Err(err) => return Err(broken()(err)),
        }
    }
    Ok(true)
}

/// What all of it returns, by name; what fails is there with the reason.
fn returned(database: &Database<'_>, values: &Values, scope: &Scope) -> Result<Returned> {
    let mut client = open(database)?;
    let mut transaction = client.transaction().map_err(broken())?;
    let mut all = Returned::new();
    let views = transaction.query(VIEWS, &[&scope.without_schemas]).map_err(broken())?;
    for row in views.iter().filter(|it| it.get(1)) {
        let sql = format!("REFRESH MATERIALIZED VIEW {}", row.get::<_, String>(0));
        try_on(&mut transaction, &sql)?;
    }
    for row in &views {
        let (name, numbers): (String, Vec<String>) = (row.get(0), row.get(2));
        let numbers: Vec<_> =
            numbers.iter().map(|it| format!(" - {}", quote::literal(it))).collect();
        let rows = rows(&format!("(to_jsonb(x){})", numbers.concat()), &format!("{name} x"));
        all.insert(format!("view {name}"), ask(&mut transaction, &rows)?);
    }
    for row in transaction.query(FUNCTIONS, &[&scope.without_schemas]).map_err(broken())? {
        let (name, types, signature): (String, Vec<String>, String) =
            (row.get(0), row.get(1), row.get(2));
        for arguments in values.calls(&types) {
            let what = format!("function {name}({signature}) of {arguments}");
            let rows = rows("to_jsonb(x)", &format!("{name}({arguments}) x"));
            all.insert(what, ask(&mut transaction, &rows)?);
        }
    }
    Ok(all)
}

fn rows(json: &str, from: &str) -> String {
    format!(
        "SELECT coalesce(jsonb_agg(j ORDER BY j::text), '[]')::text FROM (SELECT {json} j FROM {from}) x"
    )
}

/// What a query returns, or the reason why not; whatever it does is taken back.
fn ask(transaction: &mut Transaction<'_>, sql: &str) -> Result<String> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    let text = match savepoint.query_one(sql, &[]) {
        Ok(row) => row.get(0),
        Err(err) => match err.code() {
            Some(code) => format!("SQLSTATE {}", code.code()),
            None => return Err(broken()(err)),
        },
    };
    savepoint.rollback().map_err(broken())?;
    Ok(text)
}

fn try_on(transaction: &mut Transaction<'_>, sql: &str) -> Result<()> {
    let mut savepoint = transaction.transaction().map_err(broken())?;
    match savepoint.batch_execute(sql) {
        Ok(()) => savepoint.commit().map_err(broken()),
        Err(err) if err.code().is_some() => Ok(()),
        Err(err) => Err(broken()(err)),
    }
}

/// Some values of each type that a table has, as expressions.
struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    fn read(client: &mut Client, scope: &Scope) -> Result<Self> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in client.query(COLUMNS, &[&scope.without_schemas]).map_err(broken())? {
            let (declared, table, column): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let values = all.entry(declared.clone()).or_default();
            let sql = format!(
                "SELECT DISTINCT {column}::text FROM {table} WHERE {column} IS NOT NULL LIMIT {VALUES}"
            );
            let found = client.query(&sql, &[]).unwrap_or_default();
            for it in found {
                let value = format!("{}::{declared}", quote::literal(it.get(0)));
                if values.len() < VALUES && !values.contains(&value) {
                    values.push(value);
                }
            }
            // A row of the table itself, whatever the order of its columns.
            let row = format!("(SELECT r FROM {table} r ORDER BY to_jsonb(r)::text LIMIT 1)");
            all.insert(table, vec![row]);
        }
        Ok(Self(all))
    }

    /// Lists of arguments of these types.
    fn calls(&self, types: &[String]) -> Vec<String> {
        let mut calls = vec![Vec::new()];
        for declared in types {
            let unqualified = declared.contains('.').then(|| declared.clone());
            let own = unqualified.unwrap_or_else(|| format!("public.{declared}"));
            let found = self.0.get(declared).or_else(|| self.0.get(&own));
            let values = match found.filter(|it| !it.is_empty()) {
                Some(it) => it.clone(),
                None => vec![format!("NULL::{declared}")],
            };
            let longer = |call: &Vec<String>| {
                values
                    .iter()
                    .map(|it| [call.as_slice(), std::slice::from_ref(it)].concat())
                    .collect::<Vec<_>>()
            };
            calls = calls.iter().flat_map(longer).take(CALLS).collect();
        }
        calls.into_iter().map(|it| it.join(", ")).collect()
    }
}
