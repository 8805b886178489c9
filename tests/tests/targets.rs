//! Which app, which schema of upfront's tables and which schema of the database are meant: a mistake
//! there is noticed before anything is applied again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Stdio;

use upfront::{Builder, ErrorKind};
use upfront_scratch::Database;
use upfront_tests::{ask, builder, database, migrator, resolve, until};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE IF NOT EXISTS a (id int);\n");
const B: (&str, &str) = ("2_b.sql", "INSERT INTO a VALUES (1);\n");
const VACUUM: (&str, &str) = ("3_v.sql", "-- atlas:txmode none\n\nVACUUM a;\n");

/// The command behind a label of an error's help.
fn command(text: &str, label: &str) -> String {
    let line = text.lines().find(|it| it.trim_start().starts_with(label)).unwrap();
    line.split_once(label).unwrap().1.trim().to_owned()
}

#[tokio::test]
async fn a_schema_that_was_made_again_is_not_taken_for_the_migrated_one() {
    for last in [B, VACUUM] {
        for reset in
            ["DROP SCHEMA public CASCADE", "DROP SCHEMA public CASCADE; CREATE SCHEMA public"]
        {
            let database = database();
            let it = migrator(&database.url(), &[A, last]);
            it.up().await.unwrap();
            database.execute(reset).unwrap();
            let err = it.up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::SchemaReplaced, "{err}");
            assert!(it.check().await.unwrap_err().kind() == ErrorKind::SchemaReplaced);
            let status = it.status().await.unwrap();
            assert!(!status.is_up_to_date());
            assert_eq!(status.replaced_schemas, ["public"]);
            if last == B {
                insta::allow_duplicates! { insta::assert_snapshot!("schema_made_again", err) };
            }
            // Both of the ways out.
            let keep = command(&err.to_string(), "if the schema was restored by other means:");
            resolve(&it, &keep).await;
            assert!(it.up().await.unwrap().is_unchanged());
            database.execute("CREATE SCHEMA IF NOT EXISTS public").unwrap();
            let again = command(&err.to_string(), "to apply all migrations again:");
            resolve(&it, &again).await;
            assert_eq!(it.up().await.unwrap().applied.len(), 2);
            assert_eq!(ask(&database.url(), "SELECT to_regclass('public.a')").await, "a");
            assert!(it.up().await.unwrap().is_unchanged());
        }
    }
}

/// Restores what `pg_dump` prints of a database.
fn restore(from: &Database<'_>, to: &Database<'_>, options: &[&str]) {
    let mut dump = from.server().bin("pg_dump");
    dump.args(options).args(["-d", &from.url()]).stdout(Stdio::piped());
    let mut dump = dump.spawn().unwrap();
    let mut psql = to.server().bin("psql");
    psql.args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", &to.url()]);
    let psql = psql.stdin(dump.stdout.take().unwrap()).output().unwrap();
    assert!(dump.wait().unwrap().success());
    assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
}

#[tokio::test]
async fn a_dump_and_restore_raises_no_false_alarm() {
    for schema in ["public", "app"] {
        let (database, copy) = (database(), upfront_tests::database());
        let path = |it: &Database<'_>| builder(&it.url(), &[A, B]).search_path([schema]);
        database.execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).unwrap();
        path(&database).build().unwrap().up().await.unwrap();
        // By the server itself.
        let same = copied(&database).await;
        path(&same).build().unwrap().check().await.unwrap();
        restore(&database, &copy, &[]);
        path(&copy).build().unwrap().check().await.unwrap();
        // Over the same database.
        restore(&copy, &database, &["--clean", "--if-exists"]);
        path(&database).build().unwrap().check().await.unwrap();
        assert!(path(&database).build().unwrap().status().await.unwrap().is_up_to_date());
    }
}

/// A copy of a database, once nobody is connected to it.
async fn copied<'s>(database: &Database<'s>) -> Database<'s> {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> \
                  pg_backend_pid()";
    until(&database.url(), others, "0").await;
    loop {
        if let Ok(it) = database.copy() {
            return it;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A migration may drop and create its own schema.
#[tokio::test]
async fn a_migration_may_make_its_schema_again() {
    let database = database();
    let again = ("3_again.sql", "DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n");
    migrator(&database.url(), &[A]).up().await.unwrap();
    let it = migrator(&database.url(), &[A, again]);
    it.up().await.unwrap();
    it.check().await.unwrap();
    it.up().await.unwrap();
}

async fn refused(it: Builder) -> String {
    let err = it.build().unwrap().up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::DuplicateHistory, "{err}");
    err.to_string()
}

#[tokio::test]
async fn another_app_or_schema_does_not_apply_everything_again() {
    let database = database();
    let it = |app: &str| builder(&database.url(), &[A, B, VACUUM]).app(app);
    it("billing").build().unwrap().up().await.unwrap();
    insta::assert_snapshot!("another_app", refused(it("biling")).await);
    insta::assert_snapshot!("another_schema", refused(it("billing").schema("upfrnt")).await);
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "1");
    // Other migrations are another app's.
    let other = ("1_other.sql", "CREATE TABLE other (id int);\n");
    let other = |app: &str| builder(&database.url(), &[other]).app(app);
    other("other").build().unwrap().up().await.unwrap();
    let third = ("1_third.sql", "CREATE TABLE third (id int);\n");
    let third = builder(&database.url(), &[third]).app("billing").schema("ops");
    third.build().unwrap().up().await.unwrap();
    // On purpose.
    let it = it("biling").ignore_duplicate_history(true).build().unwrap();
    assert_eq!(it.up().await.unwrap().applied.len(), 3);
}

/// A history for each tenant, whose tables are in a schema of their own.
#[tokio::test]
async fn the_same_migrations_may_go_to_another_target() {
    let database = database();
    database.execute("CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA three").unwrap();
    let it = |target: &str| builder(&database.url(), &[A, B]).search_path([target, "public"]);
    it("one").app("one").build().unwrap().up().await.unwrap();
    it("two").app("two").build().unwrap().up().await.unwrap();
    it("three").app("one").schema("upfront_three").build().unwrap().up().await.unwrap();
    refused(it("two").app("again")).await;
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM two.a").await, "1");
}

/// What looks like upfront's tables in a stranger's schema is not read.
#[tokio::test]
async fn another_schema_of_a_stranger_is_not_read() {
    let database = database();
    let role = format!("mallory_{}", database.name());
    database
        .execute(&format!(
            "CREATE ROLE {role}; GRANT CREATE ON DATABASE {} TO {role}",
            database.name()
        ))
        .unwrap();
    let trap = format!(
        "SET ROLE {role}; CREATE SCHEMA trap; CREATE FUNCTION trap.f() RETURNS text LANGUAGE plpgsql AS \
         $$BEGIN RAISE EXCEPTION 'ran as %', current_user; END$$; CREATE VIEW trap.revisions AS SELECT \
         trap.f() app, '1'::text AS version, ''::text AS name, ''::text hash, ''::text chain, ''::text \
         up_sql, ''::text fingerprint; CREATE TABLE trap.targets (app text, schema name); CREATE SCHEMA \
         trap2; CREATE TABLE trap2.revisions (app text, version text, name text, hash text, chain text, \
         up_sql text, fingerprint text); CREATE TABLE trap2.targets (app text, schema name)"
    );
    database.execute(&trap).unwrap();
    migrator(&database.url(), &[A]).up().await.unwrap();
}
