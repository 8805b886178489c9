//! What a migration may do, and what it may not do to the transaction that it runs in.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use insta::assert_snapshot;
use upfront::{__embedded::Embedded, ErrorKind, Migrations, Migrator};
use upfront_tests::{builder, database, migrator, pool};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");

/// A set of one migration that no directory would let pass.
fn unchecked(sql: &str) -> Migrations {
    let files = [("1_escape.sql".to_owned(), b"SELECT 1;\n".to_vec())];
    let directory = upfront_directory::Directory::from_files("migrations", files).unwrap();
    let mut migrations = directory.migrations().to_vec();
    let up = &mut migrations[0].up;
    (up.source, up.body) = (sql.into(), sql.into());
    up.statements[0].range = 0..6;
    let text = upfront_directory::encode("migrations", &migrations).leak();
    Migrations::from_static(Box::leak(Box::new(Embedded::new(text))))
}

#[tokio::test]
async fn a_body_that_leaves_its_transaction_is_never_applied() {
    for body in [
        "COMMIT",
        "COMMIT; BEGIN",
        "ROLLBACK",
        "ROLLBACK; BEGIN",
        "CREATE TABLE left_behind (); COMMIT; BEGIN; SELECT 1/0",
        "SET SESSION AUTHORIZATION upfront_other",
        "PREPARE TRANSACTION 'upfront_escape'",
    ] {
        let database = database();
        let other = "do $$ begin create role upfront_other; exception when duplicate_object or \
                     unique_violation then end $$";
        database.execute(other).unwrap();
        let pool = pool(&database.url(), 2);
        let err = Migrator::new(unchecked(body), pool).up().await.unwrap_err();
        if body.starts_with("PREPARE") {
            assert!(
                err.kind() == ErrorKind::MigrationFailed,
                "the server has no prepared transactions: {err}"
            );
        } else {
            assert!(err.kind() == ErrorKind::TransactionEnded, "{body}: {err}");
        }
        let rows = "select count(*) from upfront.revisions where app = 'main'";
        assert_eq!(database.psql(rows).unwrap().trim(), "0", "{body}");
    }
    let database = database();
    let escaped = Migrator::new(unchecked("COMMIT"), pool(&database.url(), 2));
    assert_snapshot!(escaped.up().await.unwrap_err());
}

#[tokio::test]
async fn the_builder_sets_role_search_path_schema_and_limits() {
    let database = database();
    database
        .execute("create role upfront_owner")
        .or_else(|it| if it.to_string().contains("already exists") { Ok(()) } else { Err(it) })
        .unwrap();
    database.execute("grant create on database \"x\" to upfront_owner").unwrap_err();
    let grant = format!(
        "grant create on database \"{0}\" to upfront_owner; create schema \"My Shop\" \
         authorization upfront_owner",
        database.name()
    );
    database.execute(&grant).unwrap();
    let files = [
        (
            "1_a.sql",
            "-- upfront:lock-timeout 2s\n-- upfront:statement-timeout 1min\n\nCREATE TABLE \
                     a AS SELECT current_setting('lock_timeout') AS lock, \
                     current_setting('statement_timeout') AS statement;\n",
        ),
        (
            "2_b.sql",
            "INSERT INTO a SELECT current_setting('lock_timeout'), \
                     current_setting('statement_timeout');\n",
        ),
    ];
    let build = builder(&database.url(), &files)
        .role("upfront_owner")
        .search_path(["My Shop"])
        .schema("Up \"front\"")
        .lock_timeout(Duration::from_millis(70))
        .statement_timeout(Duration::from_secs(30))
        .release("1.2.3");
    let it = build.build().unwrap();
    it.up().await.unwrap();
    it.check().await.unwrap();
    let rows = database.psql("select * from \"My Shop\".a").unwrap();
    assert_eq!(rows.trim(), "2s|1min\n70ms|30s");
    let owners = "select string_agg(distinct tableowner, ',') from pg_tables where schemaname in \
                  ('My Shop', 'Up \"front\"')";
    assert_eq!(database.psql(owners).unwrap().trim(), "upfront_owner");
    let who = "select distinct login, role, release from \"Up \"\"front\"\"\".revisions";
    assert_eq!(database.psql(who).unwrap().trim(), "postgres|upfront_owner|1.2.3");
}

#[tokio::test]
async fn a_checkpoint_stands_for_what_is_before_it() {
    let (fresh, old) = (database(), database());
    let checkpoint = (
        "3_checkpoint.sql",
        "-- atlas:checkpoint\n\nCREATE TABLE a (id bigint PRIMARY KEY);\nCREATE TABLE b (id bigint);\n",
    );
    let b = ("2_b.sql", "CREATE TABLE b (id bigint);\n");
    let c = ("4_c.sql", "CREATE TABLE c (id bigint);\n");
    migrator(&old.url(), &[A]).up().await.unwrap();
    let files = [A, b, checkpoint, c];
    let applied = migrator(&fresh.url(), &files).up().await.unwrap().applied;
    let covered: Vec<_> = applied.iter().map(|it| (it.version.as_str(), it.covered)).collect();
    assert_eq!(covered, [("1", true), ("2", true), ("3", false), ("4", false)]);
    let applied = migrator(&old.url(), &files).up().await.unwrap().applied;
    let covered: Vec<_> = applied.iter().map(|it| (it.version.as_str(), it.covered)).collect();
    assert_eq!(covered, [("2", false), ("3", true), ("4", false)]);
    let fingerprint = "select bit_xor(fingerprint) from upfront.revisions where app = 'main'";
    assert_eq!(fresh.psql(fingerprint).unwrap(), old.psql(fingerprint).unwrap());
    assert_eq!(fresh.schema().unwrap(), old.schema().unwrap());
    for it in [&fresh, &old] {
        assert!(migrator(&it.url(), &files).up().await.unwrap().is_unchanged());
    }
}

#[tokio::test]
async fn a_delimiter_is_kept_to() {
    let database = database();
    let text = "-- atlas:delimiter //\n\nCREATE TABLE a (id int)//\nCREATE FUNCTION f() RETURNS int \
                LANGUAGE sql AS 'SELECT 1; SELECT 2'//\nINSERT INTO a SELECT f()//\n";
    migrator(&database.url(), &[("1_a.sql", text)]).up().await.unwrap();
    assert_eq!(database.psql("select id from a").unwrap().trim(), "2");
    let broken = text.replace("INSERT INTO a SELECT f()", "INSERT INTO a SELECT g()");
    let second = self::database();
    let err = migrator(&second.url(), &[("1_a.sql", &broken)]).up().await.unwrap_err();
    assert_snapshot!(err);
}

#[tokio::test]
async fn statements_of_every_kind_pass_as_psql_would_take_them() {
    let database = database();
    let text = include_str!("bodies/kinds.sql");
    migrator(&database.url(), &[("1_kinds.sql", text)]).up().await.unwrap();
    let by_psql = self::database();
    by_psql.psql(text).unwrap();
    assert_eq!(schema(&database), schema(&by_psql));
}

/// The dump without upfront's own schema.
fn schema(database: &upfront_scratch::Database<'_>) -> String {
    let drop = "drop schema if exists upfront cascade";
    database.execute(drop).unwrap();
    database.schema().unwrap()
}

#[tokio::test]
async fn a_deferred_trigger_finds_what_the_body_had_set() {
    let database = database();
    let files = [
        (
            "1_a.sql",
            "CREATE SCHEMA shop;\nSET search_path = shop;\nCREATE TABLE a (id bigint);\nCREATE TABLE \
             seen (id bigint);\nCREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO seen VALUES (NEW.id); RETURN NULL; END $$;\nCREATE CONSTRAINT TRIGGER t \
             AFTER INSERT ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION \
             note();\nINSERT INTO a VALUES (7);\n",
        ),
        ("2_b.sql", "CREATE TABLE b ();\n"),
    ];
    migrator(&database.url(), &files).up().await.unwrap();
    assert_eq!(database.psql("select id from shop.seen").unwrap().trim(), "7");
}
