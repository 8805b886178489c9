//! Another tool's history: a database that it made must not be started anew by accident.

#[cfg(feature = "cli")]
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::{Client, SimpleQueryRow};

use crate::{Result, error::Kind, session};

/// The tables in which tools keep their histories.
const TABLES: [(&str, &str); 17] = [
    ("atlas_schema_revisions", "Atlas"),
    ("_sqlx_migrations", "sqlx"),
    ("refinery_schema_history", "refinery"),
    ("__diesel_schema_migrations", "diesel"),
    ("seaql_migrations", "SeaORM"),
    ("goose_db_version", "goose"),
    ("schema_migrations", "golang-migrate, dbmate, Rails or Ecto"),
    ("flyway_schema_history", "Flyway"),
    ("databasechangelog", "Liquibase"),
    ("_prisma_migrations", "Prisma"),
    ("django_migrations", "Django"),
    ("alembic_version", "Alembic"),
    ("knex_migrations", "Knex"),
    ("__drizzle_migrations", "Drizzle"),
    ("__EFMigrationsHistory", "Entity Framework"),
    ("pgmigrations", "node-pg-migrate"),
    ("ar_internal_metadata", "Rails"),
];

/// The tables of other tools' histories, with what belongs to them: no migration makes these, so a
/// comparison of schemas leaves them out.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[must_use]
pub fn history_tables() -> Vec<String> {
    let more = ["databasechangeloglock", "knex_migrations_lock"].map(str::to_owned);
    let sequences = ["id", "index"].map(|column| {
        TABLES.iter().map(move |(table, _)| format!("{table}_{column}_seq")).collect::<Vec<_>>()
    });
    let tables = TABLES.iter().map(|(table, _)| (*table).to_owned());
    tables.chain(more).chain(sequences.concat()).collect()
}

fn all() -> String {
    let tables = TABLES.map(|(table, tool)| format!("('{table}', '{tool}')")).join(", ");
    format!(
        "SAVEPOINT upfront;SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);\
         SELECT c.oid::regclass::text AS upfront_foreign, k.tool FROM (VALUES {tables}) k (name, \
         tool) JOIN pg_class c ON c.relname = k.name AND c.relkind IN ('r', 'p') ORDER BY \
         1;ROLLBACK TO upfront"
    )
}

/// A tool whose history can be taken over.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Atlas,
    Sqlx,
}

#[cfg(feature = "cli")]
impl Tool {
    /// By the name that [`find`] gives it.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Atlas, Self::Sqlx].into_iter().find(|it| it.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Atlas => "Atlas",
            Self::Sqlx => "sqlx",
        }
    }
}

/// Looks for it in the transaction that holds the lock: the query goes through all tables, and one
/// process of a crowd is enough.
///
/// # Errors
///
/// There is one.
pub(crate) async fn refuse(client: &Client) -> Result<()> {
    let called = |(table, tool)| (table, format!("the history of {tool}"));
    let tables: Vec<_> = find(client).await?.into_iter().map(called).collect();
    if tables.is_empty() { Ok(()) } else { Err(Kind::Foreign { tables }.into()) }
}

/// The tables of other tools, and whose they are; needs a transaction.
pub(crate) async fn find(client: &Client) -> Result<Vec<(String, String)>> {
    tables(client, &all()).await
}

/// The table that somebody named, and the tool whose columns it has, if any; needs a transaction.
#[cfg(feature = "cli")]
pub(crate) async fn named(client: &Client, table: &str) -> Result<Option<(String, Option<Tool>)>> {
    let doing = "looking for another tool's history";
    // Looked up on the path that is set, and printed for one that is pinned.
    let sql = format!(
        "SELECT pg_catalog.to_regclass({})::pg_catalog.oid AS upfront_table",
        escape_literal(table)
    );
    let answer = match session::ask(client, &sql).await {
        Err(err) if is_no_name(&err) => return Ok(None),
        other => other.map_err(|source| Kind::Server { doing, source })?,
    };
    let Some(oid) = answer.row("upfront_table").and_then(|it| it.get(0)) else { return Ok(None) };
    let found = tables(client, &NAMED.replace("OID", oid)).await?.into_iter().next();
    Ok(found.map(|(table, tool)| (table, Tool::of(&tool))))
}

/// What cannot be a name, names no table.
#[cfg(feature = "cli")]
fn is_no_name(err: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    let codes = [SqlState::INVALID_NAME, SqlState::SYNTAX_ERROR, SqlState::FEATURE_NOT_SUPPORTED];
    err.code().is_some_and(|it| codes.contains(it))
}

/// What a role needs in order to read another tool's table.
#[cfg(feature = "cli")]
pub(crate) fn grants(table: &str, role: &str) -> Vec<String> {
    let (schema, role) = (schema_of(table), escape_identifier(role));
    vec![
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT ON {table} TO {role}"),
    ]
}

/// The part of a qualified name before the dot, as it is quoted.
#[cfg(feature = "cli")]
fn schema_of(table: &str) -> &str {
    let mut quoted = false;
    let dot = table.find(|it| {
        quoted ^= it == '"';
        it == '.' && !quoted
    });
    &table[..dot.unwrap_or(table.len())]
}

#[cfg(feature = "cli")]
const NAMED: &str = "SAVEPOINT upfront;\
     SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);\
     SELECT OID::regclass::text AS upfront_foreign, (SELECT k.tool FROM (VALUES ('Atlas', \
     '{version,description,type,applied,total,executed_at,error,hash}'::text[]), ('sqlx', \
     '{version,description,installed_on,success,checksum}')) k (tool, columns) WHERE k.columns <@ \
     ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = OID AND attnum > 0 AND NOT \
     attisdropped));ROLLBACK TO upfront";

async fn tables(client: &Client, sql: &str) -> Result<Vec<(String, String)>> {
    let doing = "looking for another tool's history";
    let answer =
        session::ask(client, sql).await.map_err(|source| Kind::Server { doing, source })?;
    let table = |it: &SimpleQueryRow| {
        (it.columns().first()?.name() == "upfront_foreign").then(|| {
            (it.get(0).unwrap_or_default().to_owned(), it.get(1).unwrap_or_default().to_owned())
        })
    };
    Ok(answer.rows.iter().filter_map(table).collect())
}
