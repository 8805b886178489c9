//! The desired schema as texts of SQL.

use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result},
    kinds::object_kind::ObjectKind,
    scratch::{load::texts, session},
};

/// The server's own never count.
const OTHERS: &str = "SELECT nspname::text FROM pg_namespace
  WHERE nspname <> ALL ($1) AND nspname !~ '^pg_' AND nspname <> 'information_schema'";

/// Runs texts of SQL on a scratch database, each with what messages call it, their statements in
/// whatever order works.
///
/// # Errors
///
/// The first statement that never works or for which the server lacks something, with its place.
pub fn load(database: &Database<'_>, sources: Vec<(String, String)>) -> Result<()> {
    load_within(database, sources, &Scope::default())
}

/// The same, where extensions, subscriptions and security labels that are left alone are passed
/// over.
///
/// # Errors
///
/// As [`load`].
pub fn load_within(
    database: &Database<'_>,
    sources: Vec<(String, String)>,
    scope: &Scope,
) -> Result<()> {
    texts(&mut session::open(database)?, sources, scope)
}

/// Runs a dump of a database, with what messages call it, of which these schemas are left out: those
/// that do not count or belong to the setup.
///
/// # Errors
///
/// As [`load`].
pub fn load_dump(
    database: &Database<'_>,
    dump: (String, String),
    scope: &Scope,
    omitted: &[String],
) -> Result<()> {
    crate::scratch::load::dump(&mut session::open(database)?, dump, scope, omitted)
}

/// The names in texts of SQL that the server cuts to their first 63 bytes, as warnings with their
/// places.
#[must_use]
pub fn truncated_names(sources: &[(String, String)]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|(label, text)| crate::scratch::load::truncated_names(label, text))
        .collect()
}

const TABLES: &str = "
SELECT n.nspname || '.' || c.relname, format('%I.%I', n.nspname, c.relname), n.nspname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND n.nspname <> ALL ($1) AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
    AND d.deptype = 'e') ORDER BY 2";

/// The tables that have rows, which are no part of a schema.
///
/// # Errors
///
/// If the server does not answer.
pub fn tables_with_rows(database: &Database<'_>, scope: &Scope) -> Result<Vec<String>> {
    let mut client = session::open(database)?;
    let failed = || Error::postgres("look for rows");
    let mut all = Vec::new();
    for row in client.query(TABLES, &[&scope.without_schemas]).map_err(failed())? {
        let (path, name, schema): (&str, &str, &str) = (row.get(0), row.get(1), row.get(2));
        let sql = format!("SELECT EXISTS (SELECT FROM {name})");
        if scope.leaves_alone(ObjectKind::Table.name(), path, schema) {
            continue;
        }
        if client.query_one(&sql, &[]).map_err(failed())?.get(0) {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

const MISSING: &str = "
SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = $1";

impl Scope {
    /// The schemas among these that none of the databases has.
    ///
    /// # Errors
    ///
    /// If a server does not answer.
    pub fn missing(schemas: &[String], databases: &[&Database<'_>]) -> Result<Vec<String>> {
        let mut missing = schemas.to_vec();
        for it in databases {
            let mut client = session::open(it)?;
            for name in std::mem::take(&mut missing) {
                let row = client.query_one(MISSING, &[&name]);
                let row = row.map_err(Error::postgres("list the schemas"))?;
                if row.get::<_, i64>(0) == 0 {
                    missing.push(name);
                }
            }
        }
        Ok(missing)
    }

    /// Leaves out all schemas of these databases but those that are named.
    ///
    /// # Errors
    ///
    /// If a server does not answer.
    pub fn narrow(&mut self, to: &[String], databases: &[&Database<'_>]) -> Result<()> {
        for it in databases {
            let rows = session::open(it)?
                .query(OTHERS, &[&to])
                .map_err(Error::postgres("list the schemas"))?;
            self.without_schemas.extend(rows.iter().map(|it| it.get::<_, String>(0)));
        }
        Ok(())
    }
}
