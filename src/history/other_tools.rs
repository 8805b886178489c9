//! Histories of other migration tools: a database that one of them has migrated must not be migrated
//! from the start again by accident.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::Client;

use crate::{
    Result,
    builder::Settings,
    connection::{
        answer::Answer,
        session, session_settings,
        sql::{PINNED, named as rows_named},
    },
    error::Details,
    plan::{foreign_history::ForeignHistory, table_name::TableName},
};

#[cfg(feature = "admin")]
use crate::plan::foreign_history::Tool;
#[cfg(feature = "admin")]
use postgres_protocol::escape::escape_identifier;

/// What the history table of a tool looks like.
struct Signature {
    table: &'static str,
    /// Names, or names with their types.
    columns: &'static [&'static str],
    /// Whether other columns mean that it is another table.
    exact: bool,
    tool: &'static str,
}

const fn with(
    table: &'static str,
    columns: &'static [&'static str],
    tool: &'static str,
) -> Signature {
    Signature { table, columns, exact: false, tool }
}

const fn only_with(
    table: &'static str,
    columns: &'static [&'static str],
    tool: &'static str,
) -> Signature {
    Signature { table, columns, exact: true, tool }
}

const ATLAS: Signature = with(
    "atlas_schema_revisions",
    &["version", "description", "type", "applied", "total", "executed_at", "error", "hash"],
    "Atlas",
);
const SQLX: Signature = with(
    "_sqlx_migrations",
    &["version", "description", "installed_on", "success", "checksum"],
    "sqlx",
);

/// The histories of tools by their default tables. Of several that fit a table, the first counts.
///
/// `migrations` with `id`, `ts` and `breaking` is that of graphile-worker, a queue, and not here.
const SIGNATURES: [Signature; 43] = [
    ATLAS,
    SQLX,
    with("refinery_schema_history", &["version", "name", "checksum"], "refinery"),
    with("__diesel_schema_migrations", &["version", "run_on"], "diesel"),
    with("seaql_migrations", &["version", "applied_at"], "SeaORM"),
    with("goose_db_version", &["version_id", "is_applied"], "goose"),
    with("schema_migrations", &["version", "dirty"], "golang-migrate"),
    with("schema_migrations", &["version", "inserted_at"], "Ecto"),
    with("schema_migrations", &["version", "statements"], "the Supabase CLI"),
    with("schema_migrations", &["version"], "dbmate or Rails"),
    with("flyway_schema_history", &["installed_rank", "version", "script", "success"], "Flyway"),
    with("schema_version", &["installed_rank", "version", "script", "success"], "Flyway"),
    with("databasechangelog", &["id", "author", "filename", "md5sum"], "Liquibase"),
    with("_prisma_migrations", &["checksum", "migration_name", "started_at"], "Prisma"),
    with("django_migrations", &["app", "name", "applied"], "Django"),
    with("alembic_version", &["version_num"], "Alembic"),
    with("knex_migrations", &["name", "batch", "migration_time"], "Knex"),
    with("__drizzle_migrations", &["hash", "created_at"], "Drizzle"),
    with("__EFMigrationsHistory", &["MigrationId", "ProductVersion"], "Entity Framework"),
    with("__EFMigrationsHistory", &["migration_id", "product_version"], "Entity Framework"),
    with("__ef_migrations_history", &["migration_id", "product_version"], "Entity Framework"),
    with("pgmigrations", &["name", "run_on"], "node-pg-migrate"),
    with("ar_internal_metadata", &["key", "value"], "Rails"),
    with("migrations", &["schema", "name", "migration", "parent", "done"], "pgroll"),
    with("changes", &["change_id", "change", "project", "committed_at", "planned_at"], "sqitch"),
    with("migrations", &["hash", "previous_hash", "filename", "date"], "graphile-migrate"),
    with("SequelizeMeta", &["name"], "Sequelize"),
    with("sequelize_meta", &["name"], "Sequelize"),
    only_with("migrations", &["id varchar"], "gormigrate"),
    only_with("migrations", &["id text"], "gormigrate"),
    only_with("migrations", &["migration_id varchar"], "gormigrate"),
    with("kysely_migration", &["name", "timestamp"], "Kysely"),
    only_with("schema_version", &["version int4"], "tern"),
    with("migrations", &["timestamp int8", "name"], "TypeORM"),
    with("migrations", &["migration", "batch"], "Laravel"),
    with("migrations", &["name", "run_on"], "db-migrate"),
    with("migrations", &["id", "name", "hash", "executed_at"], "postgres-migrations"),
    with("mikro_orm_migrations", &["name", "executed_at"], "MikroORM"),
    with("doctrine_migration_versions", &["version", "executed_at"], "Doctrine"),
    with("gorp_migrations", &["id", "applied_at"], "sql-migrate"),
    with("bun_migrations", &["name", "group_id", "migrated_at"], "Bun"),
    with("phinxlog", &["version", "migration_name", "end_time"], "Phinx"),
    with("schemaversions", &["scriptname", "applied"], "DbUp"),
];

/// Names that an application may well give to a table of its own.
#[cfg(feature = "admin")]
const COMMON: [&str; 4] = ["migrations", "changes", "schema_version", "schemaversions"];

/// The tables of other tools' histories, with what belongs to them: no migration makes these, so a
/// comparison of schemas leaves them out.
#[cfg(feature = "admin")]
#[doc(hidden)]
#[must_use]
pub fn history_tables() -> Vec<String> {
    let names = SIGNATURES.iter().map(|it| it.table).filter(|it| !COMMON.contains(it));
    let names: std::collections::BTreeSet<_> = names.collect();
    let more = ["databasechangeloglock", "knex_migrations_lock", "kysely_migration_lock"]
        .map(str::to_owned);
    let sequences = ["id", "index"].map(|column| {
        names.iter().map(move |table| format!("{table}_{column}_seq")).collect::<Vec<_>>()
    });
    names.iter().map(|it| (*it).to_owned()).chain(more).chain(sequences.concat()).collect()
}

/// Where the program's search path is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathSource {
    /// The transaction has it set.
    Transaction,
    /// [`capture_path`] has saved it, and the transaction works on upfront's own tables.
    Captured,
}

/// A statement that saves the search path of a program before another one is set.
pub(crate) fn capture_path(program: Option<&str>) -> String {
    let path = program
        .map_or_else(|| "pg_catalog.current_setting('search_path')".to_owned(), escape_literal);
    format!("SELECT pg_catalog.set_config('upfront.search_path', {path}, true);")
}

/// Refuses to start a history beside that of another tool, in the transaction that holds the lock:
/// the query reads the catalog's list of all tables, and one process of a crowd is enough.
///
/// # Errors
///
/// There is such a history, and it concerns this program.
pub(crate) async fn refuse(settings: &Settings, client: &Client, source: PathSource) -> Result<()> {
    if settings.foreign.ignores_all {
        return Ok(());
    }
    stop_at(find(settings, client, source).await?)
}

/// The same without a transaction and without a lock, for those who only ask.
///
/// # Errors
///
/// As for [`refuse`].
pub(crate) async fn refuse_ahead(settings: &Settings, client: &Client) -> Result<()> {
    stop_at(find_ahead(settings, client).await?)
}

fn stop_at(tables: Vec<ForeignHistory>) -> Result<()> {
    if tables.is_empty() { Ok(()) } else { Err(Details::Foreign { tables }.into()) }
}

/// The histories that concern this program; in a transaction.
pub(crate) async fn find(
    settings: &Settings,
    client: &Client,
    source: PathSource,
) -> Result<Vec<ForeignHistory>> {
    let path = match source {
        PathSource::Transaction => "",
        PathSource::Captured => {
            "SELECT pg_catalog.set_config('search_path', \
             pg_catalog.current_setting('upfront.search_path'), true);"
        }
    };
    let query = query(settings, &concerns(settings));
    let sql = format!("SAVEPOINT upfront;{path}{query};ROLLBACK TO upfront");
    Ok(read(settings, &ask(client, &sql).await?))
}

/// The histories in the whole database, for a person who asks for one; in a transaction.
#[cfg(feature = "admin")]
pub(crate) async fn find_anywhere(
    settings: &Settings,
    client: &Client,
) -> Result<Vec<ForeignHistory>> {
    let sql = format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", query(settings, "true"));
    Ok(read(settings, &ask(client, &sql).await?))
}

/// The histories that would stop a boot; without a transaction.
pub(crate) async fn find_ahead(
    settings: &Settings,
    client: &Client,
) -> Result<Vec<ForeignHistory>> {
    if settings.foreign.ignores_all {
        return Ok(Vec::new());
    }
    let path = session_settings::search_path(settings).map_or_else(String::new, |it| {
        let path = escape_literal(&it);
        format!("SELECT pg_catalog.set_config('search_path', {path}, true);")
    });
    let sql = format!("{path}{}", query(settings, &concerns(settings)));
    Ok(read(settings, &ask(client, &sql).await?))
}

async fn ask(client: &Client, sql: &str) -> Result<Answer> {
    let doing = "looking for another tool's history";
    session::ask(client, sql).await.map_err(|source| Details::Server { doing, source }.into())
}

/// Finds history tables that fulfil a condition over the table `c`, its schema `n` and the search
/// path `p`, which is the program's here.
fn query(settings: &Settings, condition: &str) -> String {
    // The role may not be set yet.
    let of_role = settings.role.as_deref().map_or_else(String::new, |it| {
        format!(
            "||CASE WHEN pg_catalog.strpos(pg_catalog.current_setting('search_path'), '$user') > 0 \
             THEN ARRAY[{}]::pg_catalog.name[] END",
            escape_literal(it)
        )
    });
    format!(
        "SELECT pg_catalog.set_config('upfront.schemas', \
         (pg_catalog.current_schemas(false){of_role})::pg_catalog.text, true);{PINNED}SELECT \
         it.oid::regclass::text AS upfront_foreign, tool, nspname, relname, on_path FROM (SELECT \
         DISTINCT ON (c.oid) c.oid, k.tool, n.nspname, c.relname, n.nspname = ANY (p.path) AS on_path \
         FROM (VALUES {}) k (place, name, columns, exact, tool) JOIN pg_class c ON c.relname = k.name \
         AND c.relkind IN ('r', 'p') JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN (SELECT \
         current_setting('upfront.schemas')::name[] AS path) p CROSS JOIN LATERAL {COLUMNS} a WHERE \
         NOT pg_is_other_temp_schema(n.oid) AND ({condition}) AND {FITS} ORDER BY c.oid, k.place) it \
         ORDER BY 1",
        signatures(&SIGNATURES)
    )
}

/// Is the table in a schema that concerns the program, or of the role that migrates? A `role`
/// counts as that role whether it is set yet or not, and so does the login that sets it.
fn concerns(settings: &Settings) -> String {
    let schemas = settings.foreign.schemas.iter().map(|it| escape_literal(it));
    let schemas = schemas.fold(String::new(), |all, it| all + &format!(" OR n.nspname = {it}"));
    let role = settings.role.as_deref().map_or_else(String::new, |it| {
        let role = escape_literal(it);
        format!(", {role}")
    });
    format!(
        "n.nspname = ANY (p.path){schemas} OR pg_get_userbyid(c.relowner) IN (current_user, \
         session_user{role})"
    )
}

/// The columns of the table `c`, by their names and by names with types. Columns of types that
/// somebody has created do not count, as reading them could run functions.
const COLUMNS: &str = "(SELECT count(*), array_agg(attname::text) FILTER (WHERE atttypid < 16384) || \
                       array_agg(attname || ' ' || typname) FILTER (WHERE atttypid < 16384) AS names \
                       FROM pg_attribute JOIN pg_type t ON t.oid = atttypid WHERE attrelid = c.oid AND \
                       attnum > 0 AND NOT attisdropped)";

/// Does the signature `k` fit the columns `a`?
const FITS: &str =
    "k.columns::text[] <@ a.names AND (NOT k.exact OR a.count = cardinality(k.columns::text[]))";

/// Rows of a `VALUES`.
fn signatures(of: &[Signature]) -> String {
    let row = |(place, it): (usize, &Signature)| {
        let Signature { table, columns, exact, tool } = it;
        format!("({place}, '{table}', '{{{}}}', {exact}, '{tool}')", columns.join(","))
    };
    of.iter().enumerate().map(row).collect::<Vec<_>>().join(", ")
}

/// Reads the answer, without the tables that the settings ignore.
fn read(settings: &Settings, answer: &Answer) -> Vec<ForeignHistory> {
    let ignored: Vec<_> =
        settings.foreign.ignored.iter().filter_map(|it| TableName::parse(it)).collect();
    let found = rows_named(answer, "upfront_foreign").filter_map(|it| {
        let text = |at| it.get(at).unwrap_or_default();
        let (schema, name, on_path) = (text(2), text(3), text(4) == "t");
        let is_ignored = ignored.iter().any(|it| it.names(schema, name, on_path));
        (!is_ignored).then(|| ForeignHistory {
            table: text(0).to_owned(),
            tool: text(1).to_owned(),
            adoptable: [ATLAS.tool, SQLX.tool].contains(&text(1)),
        })
    });
    found.collect()
}

/// The table that somebody named, and the tool whose columns it has, if any; needs a transaction.
#[cfg(feature = "admin")]
pub(crate) async fn named(client: &Client, table: &str) -> Result<Option<(String, Option<Tool>)>> {
    let doing = "looking for another tool's history";
    // Looked up on the path that is set, and printed for one that is pinned.
    let sql = format!(
        "SELECT pg_catalog.to_regclass({})::pg_catalog.oid AS upfront_table",
        escape_literal(table)
    );
    let answer = match session::ask(client, &sql).await {
        Err(err) if is_no_name(&err) => return Ok(None),
        other => other.map_err(|source| Details::Server { doing, source })?,
    };
    let Some(oid) = answer.row("upfront_table").and_then(|it| it.get(0)) else { return Ok(None) };
    let sql = format!(
        "SAVEPOINT upfront;{PINNED}SELECT c.oid::regclass::text AS upfront_foreign, (SELECT k.tool \
         FROM (VALUES {}) k (place, name, columns, exact, tool), {COLUMNS} a WHERE {FITS}) FROM \
         pg_class c WHERE c.oid = {oid};ROLLBACK TO upfront",
        signatures(&[ATLAS, SQLX])
    );
    let answer = ask(client, &sql).await?;
    Ok(answer
        .row("upfront_foreign")
        .and_then(|it| Some((it.get(0)?.to_owned(), it.get(1).and_then(Tool::of)))))
}

/// What cannot be a name, names no table.
#[cfg(feature = "admin")]
fn is_no_name(err: &tokio_postgres::Error) -> bool {
    use tokio_postgres::error::SqlState;
    let codes = [SqlState::INVALID_NAME, SqlState::SYNTAX_ERROR, SqlState::FEATURE_NOT_SUPPORTED];
    err.code().is_some_and(|it| codes.contains(it))
}

/// What a role needs in order to read another tool's table.
#[cfg(feature = "admin")]
pub(crate) fn grants(table: &str, role: &str) -> Vec<String> {
    let (schema, role) = (schema_of(table), escape_identifier(role));
    vec![
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        format!("GRANT SELECT ON {table} TO {role}"),
    ]
}

/// The part of a qualified name before the dot, as it is quoted.
#[cfg(feature = "admin")]
fn schema_of(table: &str) -> &str {
    let mut quoted = false;
    let dot = table.find(|it| {
        quoted ^= it == '"';
        it == '.' && !quoted
    });
    &table[..dot.unwrap_or(table.len())]
}
