//! The same migrations under another app or in another schema: a typo there would apply them all
//! again.

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::Client;

use crate::{
    Result,
    connection::{
        answer::Answer,
        session,
        sql::{PINNED, named},
    },
    embedded::Set,
    error::{
        Details,
        rejection::{Duplicate, Rejection},
    },
    execute::context::Context,
};

/// How many of the program's migrations are looked for.
const COMPARED: usize = 20;

/// Refuses to start a history whose migrations were applied to the same target schema before; in
/// the transaction that has the lock, by the one process that starts it.
///
/// # Errors
///
/// They were.
pub(crate) async fn refuse(context: &Context<'_>, client: &Client) -> Result<()> {
    let Some(migrations) = compared(context.set) else { return Ok(()) };
    let app = context.app.to_owned();
    let sql = format!("{};{}", other_apps(context, &migrations), other_schemas(context));
    let answer = ask(client, &sql).await?;
    if let Some(it) = texts(&answer, "upfront_app").next() {
        return Err(Rejection::DuplicateHistory { app, found: Duplicate::App(it) }.into());
    }
    for schema in texts(&answer, "upfront_schema") {
        let same = ask(client, &same_app(context, &schema, &migrations)).await?;
        if texts(&same, "upfront_app").next().is_some() {
            return Err(
                Rejection::DuplicateHistory { app, found: Duplicate::Schema(schema) }.into()
            );
        }
    }
    Ok(())
}

/// Versions and hashes, as the rows of a `VALUES`.
fn compared(set: &Set) -> Option<String> {
    let row = |it: &crate::embedded::Migration| {
        format!("({}, '{}')", escape_literal(it.version), it.up.hash)
    };
    let rows: Vec<_> = set.migrations.iter().take(COMPARED).map(row).collect();
    (!rows.is_empty()).then(|| rows.join(", "))
}

/// Other apps that have one of the migrations, unless they were applied to another schema.
fn other_apps(context: &Context<'_>, migrations: &str) -> String {
    let (schema, app) = (escape_identifier(&context.settings.schema), escape_literal(context.app));
    format!(
        "SELECT DISTINCT r.app AS upfront_app FROM {schema}.revisions r WHERE r.app NOT IN ({app}, \
         'upfront') AND (r.version, r.hash) IN (VALUES {migrations}) AND {} ORDER BY 1",
        same_target(&format!("{schema}.targets"), "r.app")
    )
}

/// Does a history have no target, or this session's?
fn same_target(targets: &str, app: &str) -> String {
    format!(
        "(NOT EXISTS (SELECT FROM {targets} t WHERE t.app = {app}) OR EXISTS (SELECT FROM {targets} t \
         WHERE t.app = {app} AND t.schema = current_setting('upfront.target')))"
    )
}

/// Other schemas that hold upfront's tables; of an owner that may be trusted, as they are read.
fn other_schemas(context: &Context<'_>) -> String {
    let schema = escape_literal(&context.settings.schema);
    let trusted = context.revisions.trust.is_trusted("relowner");
    let table = |name: &str| {
        format!(
            "EXISTS (SELECT FROM pg_class c WHERE relnamespace = n.oid AND relname = '{name}' AND \
             relkind = 'r' AND NOT relrowsecurity AND NOT EXISTS (SELECT FROM pg_rewrite WHERE ev_class \
             = c.oid) AND {trusted} AND has_schema_privilege(n.oid, 'USAGE') AND \
             has_table_privilege(c.oid, 'SELECT') AND (SELECT max(atttypid) < 16384 FROM pg_attribute \
             WHERE attrelid = c.oid))"
        )
    };
    format!(
        "SELECT nspname AS upfront_schema FROM pg_namespace n, pg_database d WHERE datname = \
         current_database() AND nspname <> {schema} AND {} AND {} AND 7 = (SELECT count(*) FROM \
         pg_attribute WHERE attrelid = (SELECT c.oid FROM pg_class c WHERE relnamespace = n.oid AND \
         relname = 'revisions') AND attname IN ('app', 'version', 'name', 'hash', 'chain', 'up_sql', \
         'fingerprint') AND NOT attisdropped) ORDER BY 1",
        table("revisions"),
        table("targets")
    )
}

fn same_app(context: &Context<'_>, schema: &str, migrations: &str) -> String {
    let (schema, app) = (escape_identifier(schema), escape_literal(context.app));
    format!(
        "SELECT DISTINCT r.app AS upfront_app FROM {schema}.revisions r WHERE r.app = {app} AND \
         (r.version, r.hash) IN (VALUES {migrations}) AND {}",
        same_target(&format!("{schema}.targets"), "r.app")
    )
}

/// Asks within the transaction, and puts its search path back.
async fn ask(client: &Client, sql: &str) -> Result<Answer> {
    let doing = "looking for the same migrations elsewhere";
    let sql = format!(
        "SAVEPOINT upfront;SELECT pg_catalog.set_config('upfront.target', \
         COALESCE(pg_catalog.current_schema()::pg_catalog.text, ''), true);{PINNED}{sql};ROLLBACK TO \
         upfront"
    );
    session::ask(client, &sql).await.map_err(|source| Details::Server { doing, source }.into())
}

fn texts<'a>(answer: &'a Answer, column: &'a str) -> impl Iterator<Item = String> {
    named(answer, column).filter_map(|it| Some(it.get(0)?.to_owned()))
}
