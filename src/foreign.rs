//! Another tool's history: a database that it made must not be started anew by accident.

use tokio_postgres::{Client, SimpleQueryRow};

use crate::{Result, error::Kind, session};

const FOREIGN: &str = "SAVEPOINT upfront;\
     SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);\
     SELECT c.oid::regclass::text AS upfront_foreign, k.tool FROM (VALUES \
     ('atlas_schema_revisions', 'Atlas'), ('_sqlx_migrations', 'sqlx'), \
     ('refinery_schema_history', 'refinery'), ('__diesel_schema_migrations', 'diesel'), \
     ('seaql_migrations', 'SeaORM'), ('goose_db_version', 'goose'), \
     ('schema_migrations', 'golang-migrate, dbmate, Rails or Ecto'), \
     ('flyway_schema_history', 'Flyway'), ('databasechangelog', 'Liquibase'), \
     ('_prisma_migrations', 'Prisma'), ('django_migrations', 'Django'), \
     ('alembic_version', 'Alembic'), ('knex_migrations', 'Knex'), \
     ('__drizzle_migrations', 'Drizzle'), ('__EFMigrationsHistory', 'Entity Framework'), \
     ('pgmigrations', 'node-pg-migrate'), ('ar_internal_metadata', 'Rails')) k (name, tool) JOIN \
     pg_class c ON c.relname = k.name AND c.relkind IN ('r', 'p') ORDER BY \
     1;ROLLBACK TO upfront";

/// Looks for it in the transaction that holds the lock: the query goes through all tables, and one
/// process of a crowd is enough.
///
/// # Errors
///
/// There is one.
pub(crate) async fn refuse(client: &Client) -> Result<()> {
    let doing = "looking for another tool's history";
    let answer =
        session::ask(client, FOREIGN).await.map_err(|source| Kind::Server { doing, source })?;
    let table = |it: &SimpleQueryRow| {
        (it.columns().first()?.name() == "upfront_foreign").then(|| {
            (it.get(0).unwrap_or_default().to_owned(), tool(it.get(1).unwrap_or_default()))
        })
    };
    let tables: Vec<_> = answer.rows.iter().filter_map(table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Kind::Foreign { tables }.into()) }
}

fn tool(name: &str) -> String {
    format!("the history of {name}")
}
