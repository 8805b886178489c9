//! Histories of other migration tools: which of them stop a boot that would start one of upfront's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use insta::assert_snapshot;
use upfront::{Builder, ErrorKind, Migrator, Status};
use upfront_scratch::Database;
use upfront_tests::{builder, database, migrator, pool, server};

const A: (&str, &str) = ("20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");

/// A login that may create schemas, and its URL.
fn login(database: &Database<'_>, name: &str) -> (String, String) {
    let role = format!("{name}_{}", database.name());
    let grants = format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA public \
         TO {role}",
        database.name()
    );
    database.execute(&grants).unwrap();
    let url = database.url().replacen("postgres@", &format!("{role}@"), 1);
    (role, url)
}

/// The tables that `up` refuses, which `status`, `plan_up` and `check` must show, too.
async fn refused(it: &Service<'_>) -> Vec<String> {
    let migrator = it.build();
    let status = migrator.status().await.unwrap();
    let found = tables(&status);
    let refusal = status.refusal().map(|it| it.to_string());
    for err in [migrator.plan_up().await.err(), migrator.check().await.err()] {
        let err =
            err.filter(|it: &_| it.kind() == ErrorKind::ForeignHistory).map(|it| it.to_string());
        assert_eq!(err, refusal);
    }
    match migrator.up().await {
        Ok(_) => assert_eq!(found, Vec::<String>::new()),
        Err(err) => {
            assert!(err.kind() == ErrorKind::ForeignHistory, "{err}");
            assert_eq!(Some(err.to_string()), refusal);
            let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'upfront'";
            assert_eq!(it.database.psql(schema).unwrap().trim(), "0", "nothing was created");
        }
    }
    found
}

fn tables(it: &Status) -> Vec<String> {
    it.foreign_histories.iter().map(|it| format!("{}: {}", it.table, it.tool)).collect()
}

/// Makes migrators of one database that differ in their settings.
struct Service<'a> {
    database: &'a Database<'static>,
    url: String,
    settings: Box<dyn Fn(Builder) -> Builder + 'a>,
}

impl<'a> Service<'a> {
    fn new(
        database: &'a Database<'static>,
        url: &str,
        settings: impl Fn(Builder) -> Builder + 'a,
    ) -> Self {
        Self { database, url: url.to_owned(), settings: Box::new(settings) }
    }

    fn build(&self) -> Migrator {
        (self.settings)(builder(&self.url, &[A])).build().unwrap()
    }
}

#[tokio::test]
async fn counts_only_where_it_concerns_the_program() {
    let database = database();
    let (app, url) = login(&database, "app");
    let (owner, _) = login(&database, "owner");
    let (auth, _) = login(&database, "auth");
    database
        .execute(&format!(
            "CREATE SCHEMA auth AUTHORIZATION {auth}; SET ROLE {auth}; CREATE TABLE \
             auth.schema_migrations (version varchar(255) PRIMARY KEY); RESET ROLE; CREATE SCHEMA \
             realtime; CREATE TABLE realtime.schema_migrations (version bigint PRIMARY KEY, \
             inserted_at timestamp); GRANT {owner} TO {app}"
        ))
        .unwrap();
    let copy = || database.copy().unwrap();
    let at = |it: &Database<'_>| url.replace(database.name(), it.name());
    // The role of this database's login contains its name, which is not that of the copy.
    let at = |it: &Database<'_>| at(it).replacen(&app.replace(database.name(), it.name()), &app, 1);
    let grant = |it: &Database<'_>| {
        let database = it.name();
        it.execute(&format!(
            "GRANT CREATE ON DATABASE {database} TO {app}; GRANT CREATE ON DATABASE {database} TO {owner}"
        ))
        .unwrap();
    };

    let elsewhere = copy();
    grant(&elsewhere);
    let none = refused(&Service::new(&elsewhere, &at(&elsewhere), |it| it)).await;
    assert_eq!(none, Vec::<String>::new(), "in schemas and of roles of others");

    let it = copy();
    grant(&it);
    it.execute(&format!("GRANT USAGE ON SCHEMA auth, realtime TO {app}")).unwrap();
    let auth_table = "auth.schema_migrations: dbmate or Rails";
    let path = Service::new(&it, &at(&it), |it| it.search_path(["public", "auth"]));
    assert_eq!(refused(&path).await, [auth_table]);
    let schemas = Service::new(&it, &at(&it), |it| it.schemas(["auth"]));
    assert_eq!(refused(&schemas).await, [auth_table]);
    let both = |it: Builder| it.schemas(["auth", "realtime"]);
    let other = "realtime.schema_migrations: Ecto";
    assert_eq!(refused(&Service::new(&it, &at(&it), both)).await, [auth_table, other]);
    let ignored = |it| both(it).ignore_foreign_history("auth.schema_migrations");
    assert_eq!(refused(&Service::new(&it, &at(&it), ignored)).await, [other], "the rest counts");
    it.execute(&format!("ALTER ROLE {app} IN DATABASE {} SET search_path = auth", it.name()))
        .unwrap();
    assert_eq!(refused(&Service::new(&it, &at(&it), |it| it)).await, [auth_table]);
    let unqualified = |it: Builder| it.ignore_foreign_history("schema_migrations");
    it.execute(&format!("GRANT CREATE ON SCHEMA auth TO {app}")).unwrap();
    assert_eq!(refused(&Service::new(&it, &at(&it), unqualified)).await, Vec::<String>::new());

    let it = copy();
    grant(&it);
    it.execute(&format!("ALTER TABLE realtime.schema_migrations OWNER TO {owner}")).unwrap();
    let with_role = Service::new(&it, &at(&it), |it| it.role(owner.as_str()));
    assert_eq!(refused(&with_role).await, [other], "of the role that migrates");
    it.execute(&format!("ALTER TABLE realtime.schema_migrations OWNER TO {app}")).unwrap();
    assert_eq!(refused(&with_role).await, [other], "of the login that sets the role");
    it.execute(&format!("CREATE SCHEMA {owner}; ALTER TABLE realtime.schema_migrations OWNER TO \
                         {auth}; ALTER TABLE realtime.schema_migrations SET SCHEMA {owner}; GRANT ALL \
                         ON SCHEMA {owner} TO {owner}"))
        .unwrap();
    let in_own = [format!("{owner}.schema_migrations: Ecto")];
    assert_eq!(refused(&with_role).await, in_own, "in the schema of \"$user\"");
}

#[tokio::test]
async fn is_told_by_the_columns_of_a_table() {
    let tools = [
        (
            "atlas_schema_revisions (version varchar, description varchar, type bigint, applied bigint, \
          total bigint, executed_at timestamptz, execution_time bigint, error text, error_stmt text, \
          hash varchar, partial_hashes jsonb, operator_version varchar)",
            "Atlas",
        ),
        (
            "_sqlx_migrations (version bigint, description text, installed_on timestamptz, success \
          boolean, checksum bytea, execution_time bigint)",
            "sqlx",
        ),
        (
            "refinery_schema_history (version int4, name varchar, applied_on varchar, checksum varchar)",
            "refinery",
        ),
        ("schema_migrations (version bigint, dirty boolean)", "golang-migrate"),
        (
            "supabase_migrations.schema_migrations (version text, statements text[], name text)",
            "the Supabase CLI",
        ),
        (
            "pgroll.migrations (schema name, name text, migration jsonb, created_at timestamp, updated_at \
          timestamp, parent text, done boolean, resulting_schema jsonb)",
            "pgroll",
        ),
        (
            "sqitch.changes (change_id text, script_hash text, change text, project text, note text, \
          committed_at timestamptz, committer_name text, committer_email text, planned_at timestamptz, \
          planner_name text, planner_email text)",
            "sqitch",
        ),
        (
            "graphile_migrate.migrations (hash text, previous_hash text, filename text, date timestamptz)",
            "graphile-migrate",
        ),
        ("\"SequelizeMeta\" (name varchar(255))", "Sequelize"),
        ("migrations (id varchar(255) PRIMARY KEY)", "gormigrate"),
        ("migrations (id serial, timestamp bigint, name varchar)", "TypeORM"),
        ("migrations (id serial, migration varchar, batch integer)", "Laravel"),
        ("kysely_migration (name varchar(255), \"timestamp\" varchar(255))", "Kysely"),
        ("schema_version (version int4 NOT NULL)", "tern"),
        (
            "schema_version (installed_rank int, version varchar, description varchar, type varchar, \
          script varchar, checksum int, installed_by varchar, installed_on timestamp, execution_time \
          int, success boolean)",
            "Flyway",
        ),
        ("pgmigrations (id serial, name varchar(255), run_on timestamp)", "node-pg-migrate"),
    ];
    for (table, tool) in tools {
        let database = database();
        let (name, _) = table.split_once(" (").unwrap();
        if let Some((schema, _)) = name.split_once('.') {
            database.execute(&format!("CREATE SCHEMA {schema}")).unwrap();
        }
        database.execute(&format!("CREATE TABLE {table}")).unwrap();
        let status = migrator(&database.url(), &[A]).status().await.unwrap();
        let full = if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
        assert_eq!(tables(&status), [format!("{full}: {tool}")]);
        let adoptable = ["Atlas", "sqlx"].contains(&tool);
        assert_eq!(status.foreign_histories[0].adoptable, adoptable, "{tool}");
    }
    let others = [
        "graphile_worker.migrations (id int PRIMARY KEY, ts timestamptz, breaking boolean)",
        "migrations (id bigserial PRIMARY KEY, from_country text, to_country text)",
        "migrations (id uuid PRIMARY KEY)",
        "changes (id bigint, project bigint, note text)",
        "schema_version (id int, version text)",
        "schema_migrations (schema text, migrated boolean)",
        "alembic_version (id int)",
        "\"SequelizeMeta\" (id int)",
        "atlas_schema_revisions (id int)",
    ];
    for table in others {
        let database = database();
        database.execute("CREATE SCHEMA graphile_worker").unwrap();
        database.execute(&format!("CREATE TABLE {table}")).unwrap();
        migrator(&database.url(), &[A]).up().await.unwrap();
    }
}

#[tokio::test]
async fn is_explained() {
    let histories = [
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "CREATE TABLE \"SequelizeMeta\" (name varchar(255)); CREATE SCHEMA \"two words\"; CREATE TABLE \
         \"two words\"._sqlx_migrations (version bigint, description text, installed_on timestamptz, \
         success boolean, checksum bytea)",
    ];
    let mut texts = Vec::new();
    for it in histories {
        let database = database();
        database.execute(it).unwrap();
        let migrator = migrator(&database.url(), &[A]);
        let err = migrator.up().await.unwrap_err();
        let status = migrator.status().await.unwrap();
        assert!(status.to_string().contains(&err.to_string()), "{status}");
        texts.push(err.to_string());
    }
    assert_snapshot!(texts.join("\n\n"));
    let pool = pool(&server().url("postgres"), 1);
    let builder = Migrator::builder(upfront_tests::migrations(&[A]), pool);
    assert_snapshot!(builder.ignore_foreign_history("a.b.c").build().unwrap_err());
}

#[tokio::test]
async fn costs_nothing_where_there_is_a_history() {
    let database = database();
    let it = migrator(&database.url(), &[A]);
    it.up().await.unwrap();
    database.execute("CREATE TABLE alembic_version (version_num varchar(32))").unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    it.check().await.unwrap();
    assert_eq!(it.status().await.unwrap().foreign_histories, []);
    let more = [A, ("20260102000000_b.sql", "CREATE TABLE b ();\n")];
    let it = migrator(&database.url(), &more);
    assert_eq!(it.plan_up().await.unwrap().steps.len(), 1);
    it.up().await.unwrap();
}
