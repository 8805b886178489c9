//! What stops a boot, and the words for it. Every message has a snapshot.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use insta::assert_snapshot;
use upfront::{DivergenceKind, Error, ErrorKind, Migrator, NewerDatabase};
use upfront_scratch::Server;
use upfront_tests::{builder, database, migrations, migrator, pool, server};

const A: (&str, &str) = ("20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const B: (&str, &str) = ("20260102000000_b.sql", "-- what b is for\nCREATE TABLE b (id bigint);\n");
const C: (&str, &str) = ("20260103000000_c.sql", "CREATE TABLE c (id bigint);\n");

/// The error of a boot of `then` on a database that has `first`.
async fn refused(first: &[(&str, &str)], then: &[(&str, &str)]) -> Error {
    let database = database();
    migrator(&database.url(), first).up().await.unwrap();
    let err = migrator(&database.url(), then).up().await.unwrap_err();
    let checked = migrator(&database.url(), then).check().await.unwrap_err();
    assert_eq!(checked.to_string(), err.to_string(), "`check` and `up` follow one rule");
    err
}

#[tokio::test]
async fn an_edited_migration() {
    let edited = (B.0, "-- what b is for\nCREATE TABLE b (id integer);\n");
    let err = refused(&[A, B], &[A, edited, C]).await;
    assert!(err.kind() == ErrorKind::Edited && err.is_diverged());
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_renamed_migration() {
    let err = refused(&[A, B], &[A, ("20260102000000_bee.sql", B.1)]).await;
    assert!(err.kind() == ErrorKind::Edited);
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_missing_migration() {
    let err = refused(&[A, B, C], &[A, C]).await;
    assert!(err.kind() == ErrorKind::Missing);
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_migration_inserted_before_the_head() {
    let err = refused(&[A, C], &[A, B, C]).await;
    assert!(err.kind() == ErrorKind::OutOfOrder);
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_breaking_migration_ahead() {
    let breaking = (C.0, "-- upfront:breaking\n\nDROP TABLE a;\n");
    let err = refused(&[A, B, breaking], &[A, B]).await;
    assert!(err.kind() == ErrorKind::NewerDatabase);
    assert_snapshot!(err);
}

#[tokio::test]
async fn anything_ahead_where_that_is_set() {
    let database = database();
    migrator(&database.url(), &[A, B]).up().await.unwrap();
    let strict =
        builder(&database.url(), &[A]).on_newer_database(NewerDatabase::Refuse).build().unwrap();
    let err = strict.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::NewerDatabase);
    assert_snapshot!(err);
    let report = migrator(&database.url(), &[A]).up().await.unwrap();
    assert_eq!(report.ahead, ["20260102000000_b"]);
    assert!(report.to_string().contains("; the database is ahead by 20260102000000_b"));
}

/// The line that differs is shown, whatever else differs before it.
#[tokio::test]
async fn an_edited_migration_behind_a_missing_one() {
    let edited = (B.0, "CREATE TABLE b (id integer);\n");
    let err = refused(&[A, B, C], &[edited, C]).await;
    assert!(err.kind() == ErrorKind::Missing && err.divergences().len() == 2, "{err}");
    assert!(err.to_string().contains("+ CREATE TABLE b (id integer);"), "{err}");
}

#[tokio::test]
async fn several_divergences_at_once() {
    let edited = (A.0, "CREATE TABLE a (id integer);\n");
    let err = refused(&[A, B, C], &[edited, C]).await;
    let kinds: Vec<_> = err.divergences().iter().map(|it| it.kind).collect();
    assert!(kinds.contains(&DivergenceKind::Edited) && kinds.contains(&DivergenceKind::Missing));
    assert!(err.is_diverged() && ErrorKind::from(kinds[0]) == err.kind());
    assert_snapshot!(err);
}

#[tokio::test]
async fn rows_changed_by_hand() {
    let edits = [
        "update upfront.revisions set breaking = true where version = '20260102000000'",
        "update upfront.revisions set chain = hash where version = '20260103000000'",
        "update upfront.revisions set hash = chain where version = '20260103000000'",
        "update upfront.revisions set name = 'x' where version = '20260101000000'",
        "delete from upfront.revisions where version = '20260102000000'",
        "insert into upfront.revisions (app, version, name, hash, chain) select app, \
         '20260102500000', name, hash, chain from upfront.revisions where version = '20260102000000'",
    ];
    let mut texts = Vec::new();
    for edit in edits {
        let database = database();
        let it = migrator(&database.url(), &[A, B, C]);
        it.up().await.unwrap();
        database.execute(edit).unwrap();
        let err = it.up().await.unwrap_err();
        assert!(err.is_diverged(), "{edit}: {err}");
        texts.push(format!("{edit}\n{err}"));
    }
    assert_snapshot!(texts.join("\n\n"));
}

#[tokio::test]
async fn an_accepted_edit_settles_without_a_rewrite() {
    let database = database();
    migrator(&database.url(), &[A, B]).up().await.unwrap();
    let hash = "select hash from upfront.revisions where version = '20260102000000'";
    let hash = database.psql(hash).unwrap().trim().to_owned();
    let text = format!(
        "-- upfront:accepts {hash}\n\n-- what b is really for\nCREATE TABLE b (id bigint);\n"
    );
    let files = [A, (B.0, text.as_str()), C];
    let rows = "select version, hash, xmin from upfront.revisions where app = 'main' and version \
                < '20260103' order by version";
    let before = database.psql(rows).unwrap();
    migrator(&database.url(), &files[..2]).check().await.unwrap();
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    assert_eq!(database.psql(rows).unwrap(), before);
    migrator(&database.url(), &files).check().await.unwrap();
}

#[tokio::test]
async fn a_foreign_history() {
    let database = database();
    database.execute("create schema atlas; create table atlas.atlas_schema_revisions (version text, description text, type bigint, applied bigint, total bigint, executed_at timestamptz, error text, hash text); create table _sqlx_migrations (version bigint, description text, installed_on timestamptz, success boolean, checksum bytea)").unwrap();
    let err = migrator(&database.url(), &[A]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::ForeignHistory);
    assert_snapshot!(err);
    let own = builder(&database.url(), &[A]).ignore_foreign_histories(true).build().unwrap();
    assert_eq!(own.up().await.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn a_failing_statement() {
    let database = database();
    let broken = (
        B.0,
        "CREATE TABLE b (id bigint);\n\n-- ünïcode before the place\nINSERT INTO b\n  SELECT id, nme FROM a;\n",
    );
    let err = migrator(&database.url(), &[A, broken]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed);
    assert_eq!(err.server_error().unwrap().sqlstate, "42703");
    assert_snapshot!(err);
    assert_eq!(database.psql("select to_regclass('b') is null").unwrap().trim(), "t");
    let log = "select version, outcome, sqlstate from upfront.log where app = 'main' order by id";
    let log = database.psql(log).unwrap();
    assert_eq!(log.trim(), "20260101000000|applied|\n20260102000000|failed|42703");
    let report = migrator(&database.url(), &[A, B]).up().await.unwrap();
    assert_eq!(report.applied.len(), 1, "a corrected binary goes on from there");
}

#[tokio::test]
async fn a_statement_that_fails_without_a_position() {
    let database = database();
    let broken = (B.0, "INSERT INTO a VALUES (1);\nINSERT INTO a\n  VALUES (1);\nSELECT 1;\n");
    let err = migrator(&database.url(), &[A, broken]).up().await.unwrap_err();
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_constraint_that_fails_at_commit() {
    let database = database();
    let broken = (
        B.0,
        "CREATE TABLE b (a bigint REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (7);\n",
    );
    let err = migrator(&database.url(), &[A, broken]).up().await.unwrap_err();
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_failure_inside_a_function() {
    let database = database();
    let broken = (B.0, "DO $$ BEGIN\n  PERFORM 1 / (SELECT count(*) FROM a);\nEND $$;\n");
    let err = migrator(&database.url(), &[A, broken]).up().await.unwrap_err();
    assert_snapshot!(err);
}

#[tokio::test]
async fn a_password_is_in_no_message() {
    let database = database();
    for text in [
        "CREATE ROLE upfront_x PASSWORD 'hunter2' NOSUCHOPTION;\n",
        "SELECT 1;\nCREATE ROLE postgres\n PASSWORD 'hunter2';\n",
    ] {
        let err = migrator(&database.url(), &[A, (B.0, text)]).up().await.unwrap_err();
        assert!(!format!("{err} {err:?}").contains("hunter2"), "{err:?}");
        let log = database.psql("select * from upfront.log").unwrap();
        assert!(!log.contains("hunter2"), "{log}");
        assert_snapshot!(err);
    }
}

#[tokio::test]
async fn a_failing_statement_outside_a_transaction() {
    let database = database();
    let unique = "-- atlas:txmode none\n\nINSERT INTO b VALUES (1), (1);\nCREATE UNIQUE INDEX CONCURRENTLY b_id ON b (id);\n";
    let files = [A, B, (C.0, unique)];
    let err = migrator(&database.url(), &files).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed);
    assert_snapshot!(err);
    database.execute("delete from b where ctid = (select min(ctid) from b)").unwrap();
    migrator(&database.url(), &files).up().await.unwrap();
    let index = "select indisvalid from pg_index where indexrelid = 'b_id'::regclass";
    assert_eq!(database.psql(index).unwrap().trim(), "t");
    assert_eq!(database.psql("select count(*) from b").unwrap().trim(), "1");
}

#[tokio::test]
async fn pending_for_those_who_only_look() {
    let database = database();
    let it = migrator(&database.url(), &[A, B]);
    assert_snapshot!(it.check().await.unwrap_err());
    let late = it.wait(Duration::from_millis(120)).await.unwrap_err();
    assert!(late.kind() == ErrorKind::Timeout && !late.pending().is_empty());
    assert!(late.to_string().contains("pending: 20260102000000_b"), "{late}");
    assert_eq!(
        database
            .psql("select count(*) from pg_namespace where nspname = 'upfront'")
            .unwrap()
            .trim(),
        "0"
    );
}

#[tokio::test]
async fn settings_that_make_no_sense() {
    let build = |set: fn(upfront::Builder) -> upfront::Builder| {
        let pool = pool("postgres://nobody@localhost/none", 1);
        set(Migrator::builder(migrations(&[A]), pool)).build().unwrap_err()
    };
    let texts = [
        build(|it| it.app("")),
        build(|it| it.app("upfront")),
        build(|it| it.schema("")),
        build(|it| it.schema("x".repeat(64))),
        build(|it| it.role("")),
        build(|it| it.search_path([""])),
        build(|it| it.search_path::<&str>([])),
        build(|it| it.lock_timeout(Duration::ZERO)),
        build(|it| it.statement_timeout(Duration::ZERO)),
        build(|it| it.wait_timeout(Duration::ZERO)),
        build(|it| it.lock_timeout(Duration::from_secs(1 << 40))),
    ];
    assert!(texts.iter().all(|it: &_| it.kind() == ErrorKind::InvalidSetting));
    assert_snapshot!(texts.map(|it| it.to_string()).join("\n"));
}

#[tokio::test]
async fn an_empty_folder() {
    let pool = pool("postgres://nobody@localhost/none", 1);
    let err = Migrator::new(migrations(&[]), pool).up().await.unwrap_err();
    assert_snapshot!(err);
}

#[tokio::test]
async fn connections_that_cannot_be_made() {
    let server = server();
    let err = |url: String| async move {
        let err = migrator(&url, &[A]).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Unreachable, "{err:?}");
        err.to_string()
    };
    let down = err("postgres://u:hunter2@127.0.0.1:1/x".into()).await;
    assert_snapshot!(down);
    let nowhere = err(server.url("no_such_database")).await;
    assert_snapshot!(nowhere);
}

#[tokio::test]
async fn a_server_that_turns_the_connection_away() {
    let server = Server::builder()
        .listen_tcp()
        .hba("host all secretive 127.0.0.1/32 scram-sha-256")
        .hba("hostnossl all encrypted 127.0.0.1/32 reject")
        .start()
        .unwrap();
    let database = server.database().unwrap();
    let roles = "create role secretive login password 'right'; create role encrypted login";
    database.execute(roles).unwrap();
    let url = |user: &str, more: &str| {
        let port = server.tcp_port().unwrap();
        format!("postgres://{user}@127.0.0.1:{port}/{}{more}", database.name())
    };
    let refused = async |url: String| {
        let err = migrator(&url, &[A]).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Unreachable);
        let text = format!("{err:?}");
        assert!(!text.contains("hunter2"), "{text}");
        let text = text.replace(database.name(), "DATABASE");
        text.lines().filter(|it| !it.starts_with("LOCATION")).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!("wrong_password", refused(url("secretive:hunter2", "")).await);
    assert_snapshot!("no_password", refused(url("secretive", "")).await);
    assert_snapshot!("tls_required_by_the_server", refused(url("encrypted", "")).await);
    let required = refused(url("postgres:hunter2", "?sslmode=require")).await;
    assert_snapshot!("tls_required_by_the_settings", required);
}

#[tokio::test]
async fn an_app_has_a_name_of_at_most_63_bytes() {
    let build = |name: String| {
        let pool = pool("postgres://nobody@localhost/none", 1);
        Migrator::builder(migrations(&[A]), pool).app(name).build()
    };
    for name in ["x".repeat(64), "ä".repeat(32), "x".repeat(3000)] {
        let err = build(name).unwrap_err();
        assert!(
            err.kind() == ErrorKind::InvalidSetting && err.to_string().contains("63 bytes"),
            "{err}"
        );
    }
    build("x".repeat(63)).unwrap();
}
