//! Moving in: histories of Atlas and sqlx, and databases that were made by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fmt::Write, time::Duration};

use insta::assert_snapshot;
use upfront::{AdoptReport, Error, ErrorKind, Migrator, Result};
use upfront_directory::Sum;
use upfront_scratch::{Database, DiffFilter, PoolMode, Pooler, Server};
use upfront_tests::{builder, connect, database, migrator, pool, server, until};

type File = (&'static str, &'static str);

const A: File = ("20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const B: File = ("20260102000000_b_and_more.sql", "CREATE TABLE b (id bigint);\n");
const C: File = ("20260103000000_c.sql", "CREATE TABLE c (id bigint);\n");
const D: File = ("20260104000000_d.sql", "CREATE TABLE d (id bigint);\n");
const NEW: File = (D.0, "CREATE TABLE d (id integer);\n");

async fn adopt(database: &Database<'_>, files: &[File]) -> Result<AdoptReport> {
    migrator(&database.url(), files).adopt(None).await
}

/// A refusal by the dry run and by the real one alike, after which there is nothing of upfront's.
async fn refused(database: &Database<'_>, files: &[File]) -> Error {
    let it = migrator(&database.url(), files);
    let planned = it.plan_adopt(None).await.unwrap_err();
    let err = it.adopt(None).await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused, "{err}");
    assert_eq!(planned.to_string(), err.to_string());
    let schema = "select count(*) from pg_namespace where nspname = 'upfront'";
    assert_eq!(database.psql(schema).unwrap().trim(), "0", "nothing is written");
    err
}

/// Applies files and records them, as `atlas migrate apply` does, in a schema's table.
fn atlas(database: &Database<'_>, schema: &str, files: &[File]) {
    let table = format!(
        "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.atlas_schema_revisions (version \
         character varying NOT NULL PRIMARY KEY, description character varying NOT NULL, type \
         bigint NOT NULL DEFAULT 2, applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL \
         DEFAULT 0, executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text, \
         error_stmt text, hash character varying NOT NULL, partial_hashes jsonb, operator_version \
         character varying NOT NULL)"
    );
    database.execute(&table).unwrap();
    apply(database, schema, files, 0);
}

/// Applies and records the files from a place on; the hashes are those of the whole directory.
fn apply(database: &Database<'_>, schema: &str, files: &[File], from: usize) {
    for at in from..files.len() {
        apply_one(database, schema, files, at);
    }
}

fn apply_one(database: &Database<'_>, schema: &str, files: &[File], at: usize) {
    let sum = Sum::of(files.iter().map(|(name, text)| (*name, text.as_bytes())));
    let (file, text) = files[at];
    database.execute(text).unwrap();
    let (version, name) = file.trim_end_matches(".sql").split_once('_').unwrap();
    let hash = sum.hash(file).unwrap();
    let row = format!(
        "INSERT INTO {schema}.atlas_schema_revisions VALUES ('{version}', '{name}', 2, 1, 1, \
         clock_timestamp(), 812417, '', '', '{hash}', 'null', 'Atlas CLI v0.30.1-c0d486a-canary')"
    );
    database.execute(&row).unwrap();
}

const CLOUD: &str = "INSERT INTO public.atlas_schema_revisions VALUES ('.atlas_cloud_identifier', \
                     '6f1c0a0e-1f7a-4f5e-9d7c-0f3f0a0b0c0d', 2, 0, 0, now(), 0, '', '', '', \
                     'null', 'Atlas CLI v0.30.1')";

/// Everything in the other tool's table, with what an update would change.
fn contents(database: &Database<'_>, table: &str) -> String {
    database.psql(&format!("select *, xmin, ctid from {table} t order by 1")).unwrap()
}

/// Applies files as sqlx does: by sqlx, from a folder.
async fn sqlx(database: &Database<'_>, files: &[File]) -> Result<(), sqlx::migrate::MigrateError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let migrator = sqlx::migrate::Migrator::new(folder.path()).await?;
    let pool = sqlx::PgPool::connect(&database.url()).await.unwrap();
    let ran = migrator.run(&pool).await;
    pool.close().await;
    ran
}

#[tokio::test]
async fn a_history_of_atlas() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    database.execute(CLOUD).unwrap();
    let table = "public.atlas_schema_revisions";
    let before = contents(&database, table);
    let files = [A, B, C];
    let it = migrator(&database.url(), &files);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::ForeignHistory);

    let planned = it.plan_adopt(None).await.unwrap();
    assert!(!planned.recorded);
    let adopted = it.adopt(None).await.unwrap();
    assert_eq!(adopted.migrations, planned.migrations);
    assert_eq!(adopted.pending, ["20260103000000_c"]);
    assert!(adopted.unchecked.is_empty());
    assert_snapshot!(format!("{planned}\n\n{adopted}"));
    assert_snapshot!(serde_json::to_string_pretty(&adopted).unwrap());

    assert_eq!(it.up().await.unwrap().applied.len(), 1);
    assert!(it.up().await.unwrap().is_unchanged());
    it.check().await.unwrap();
    assert_eq!(contents(&database, table), before, "Atlas's table is never written");
    let rows = "select r.kind, r.applied_at = a.executed_at, r.up_sql <> '' from upfront.revisions \
                r left join atlas_schema_revisions a using (version) where app = 'main' order by \
                version";
    assert_eq!(database.psql(rows).unwrap(), "baseline|t|t\nbaseline|t|t\napplied||t\n");
    let log = "select version, outcome, message from upfront.log where app = 'main' order by id";
    assert_snapshot!(database.psql(log).unwrap());
}

#[tokio::test]
async fn a_history_with_nothing_new_costs_one_look_afterwards() {
    let server = Server::builder().setting("log_statement", "all").start().unwrap();
    let database = server.database().unwrap();
    atlas(&database, "atlas_schema_revisions", &[A, B]);
    let it = migrator(&database.url(), &[A, B]);
    let mark = server.log_position().unwrap();
    it.adopt(None).await.unwrap();
    let log = server.log_since(mark).unwrap();
    let words = ["INSERT INTO atlas", "UPDATE atlas", "DELETE FROM atlas", "LOCK TABLE atlas"];
    assert!(words.iter().all(|it| !log.contains(it)), "{log}");
    let of_atlas = log.split("LOG:  statement:").filter(|it| it.contains("upfront_atlas"));
    assert!(of_atlas.into_iter().all(|it| !it.contains("ALTER")), "{log}");

    let mark = server.log_position().unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    let log = server.log_since(mark).unwrap();
    assert_eq!(log.matches("LOG:  statement:").count(), 1, "{log}");
}

#[tokio::test]
async fn a_history_of_atlas_in_any_schema() {
    for schema in ["atlas_schema_revisions", "\"odd \"\" schema.x\""] {
        let database = database();
        atlas(&database, schema, &[A, B]);
        let adopted = adopt(&database, &[A, B]).await.unwrap();
        assert_eq!(adopted.table.unwrap(), format!("{schema}.atlas_schema_revisions"));
        assert!(migrator(&database.url(), &[A, B]).up().await.unwrap().is_unchanged());
    }
}

#[tokio::test]
async fn one_history_of_several() {
    let database = database();
    atlas(&database, "one", &[A]);
    atlas(&database, "two", &[B]);
    let files = [A, C];
    assert_snapshot!(refused(&database, &files).await);
    let it = migrator(&database.url(), &files);
    let named = it.adopt(Some("one.atlas_schema_revisions")).await.unwrap();
    assert_eq!(named.migrations, ["20260101000000_a"]);
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn a_table_that_was_named() {
    let database = database();
    atlas(&database, "public", &[A]);
    database.execute("alter table atlas_schema_revisions rename to \"ours\"").unwrap();
    let it = migrator(&database.url(), &[A]);
    let mut texts = String::new();
    for name in ["theirs", "a", "none.ours", "a.b.c.d"] {
        let err = it.adopt(Some(name)).await.unwrap_err();
        writeln!(texts, "{err}\n").unwrap();
    }
    assert_snapshot!(texts);
    let adopted = it.adopt(Some("ours")).await.unwrap();
    assert_eq!(adopted.table.as_deref(), Some("public.ours"));
}

#[tokio::test]
async fn an_edited_file_of_atlas() {
    let database = database();
    atlas(&database, "public", &[A, B, C, D]);
    let before = contents(&database, "atlas_schema_revisions");
    assert_snapshot!(refused(&database, &[A, (B.0, "CREATE TABLE b ();\n"), C, D]).await);
    assert_eq!(contents(&database, "atlas_schema_revisions"), before);
    assert_eq!(adopt(&database, &[A, B, C, D]).await.unwrap().migrations.len(), 4);
}

#[tokio::test]
async fn the_first_file_of_atlas_edited() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    assert_snapshot!(refused(&database, &[(A.0, "CREATE TABLE a ();\n"), B]).await);
}

#[tokio::test]
async fn every_difference_at_once() {
    let database = database();
    atlas(&database, "public", &[A, B, C, D]);
    let edits = "update atlas_schema_revisions set applied = 1, total = 3, error = 'relation \"x\" \
                 does not exist' where version like '%1000000'; update atlas_schema_revisions set \
                 type = 9, error = 'oh' where version like '20260103%'";
    database.execute(edits).unwrap();
    let files = [
        ("20250101000000_old.sql", "SELECT 1;\n"),
        A,
        ("20260102000000_bee.sql", B.1),
        ("20260103500000_late.sql", "SELECT 1;\n"),
        D,
    ];
    assert_snapshot!(refused(&database, &files).await);
}

#[tokio::test]
async fn a_failed_row_of_atlas() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    let set = |it: &str| {
        let sql = format!(
            "update atlas_schema_revisions set error = '{it}' where version like '20260102%'"
        );
        database.execute(&sql).unwrap();
    };
    set("syntax error at or near \"hunter2\", in PASSWORD hunter2");
    let secret = refused(&database, &[A, B]).await.to_string();
    assert!(!secret.contains("hunter2"), "{secret}");
    set("deadlock detected");
    assert_snapshot!(format!("{}\n\n{secret}", refused(&database, &[A, B]).await));
}

#[tokio::test]
async fn a_baseline_of_atlas() {
    let database = database();
    atlas(&database, "public", &[A, B, C]);
    let baseline = "delete from atlas_schema_revisions where version < '20260102'; update \
                    atlas_schema_revisions set type = 1, applied = 0, total = 0, hash = '' where \
                    version < '20260103'";
    database.execute(baseline).unwrap();
    let copy = database.copy().unwrap();
    let adopted = adopt(&database, &[A, B, C]).await.unwrap();
    assert_eq!(adopted.migrations.len(), 3);
    assert!(adopted.unchecked.is_empty(), "the hash of the last covers all before it");
    assert!(migrator(&database.url(), &[A, B, C]).up().await.unwrap().is_unchanged());

    copy.execute("delete from atlas_schema_revisions where version > '20260103'").unwrap();
    let adopted = adopt(&copy, &[A, B, NEW]).await.unwrap();
    assert_eq!(adopted.unchecked, ["20260101000000_a", "20260102000000_b_and_more"]);
    assert_snapshot!(adopted);
}

#[tokio::test]
async fn rows_that_were_set_by_hand() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    let set = "update atlas_schema_revisions set type = 4, applied = 0, total = 0, hash = '' where \
               version like '20260102%'";
    database.execute(set).unwrap();
    let adopted = adopt(&database, &[A, B]).await.unwrap();
    assert_eq!(adopted.unchecked, ["20260102000000_b_and_more"]);
}

#[tokio::test]
async fn checkpoints_of_atlas() {
    const CHECKPOINT: File = (
        "20260102500000_checkpoint.sql",
        "-- atlas:checkpoint\n\nCREATE TABLE a (id bigint PRIMARY KEY);\nCREATE TABLE b (id bigint);\n",
    );
    let fresh = database();
    let files = [A, B, CHECKPOINT, C];
    let table = "atlas_schema_revisions";
    atlas(&fresh, "public", &[]);
    apply(&fresh, "public", &files, 2);
    assert_eq!(adopt(&fresh, &files).await.unwrap().migrations.len(), 4);
    assert!(migrator(&fresh.url(), &files).up().await.unwrap().is_unchanged());

    let used = database();
    atlas(&used, "public", &files[..2]);
    apply(&used, "public", &files, 3);
    assert_eq!(used.psql(&format!("select count(*) from {table}")).unwrap().trim(), "3");
    let adopted = adopt(&used, &files).await.unwrap();
    assert!(adopted.unchecked.is_empty());
    assert!(migrator(&used.url(), &files).up().await.unwrap().is_unchanged());

    let headless = database();
    atlas(&headless, "public", &[]);
    apply(&headless, "public", &[A, B], 1);
    assert_snapshot!(refused(&headless, &[A, B]).await);
}

#[tokio::test]
async fn a_history_that_did_not_come_in_order() {
    let database = database();
    atlas(&database, "public", &[A, C]);
    let files = [A, B, C, D];
    assert_snapshot!(refused(&database, &files).await);
    // As `atlas migrate apply --exec-order non-linear` does.
    apply_one(&database, "public", &files, 1);
    apply_one(&database, "public", &files, 3);
    let edited = [A, B, (C.0, "CREATE TABLE c ();\n"), D];
    assert_snapshot!(refused(&database, &edited).await);
    let adopted = adopt(&database, &files).await.unwrap();
    assert!(adopted.unchecked.is_empty());
    assert!(migrator(&database.url(), &files).up().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn other_line_ends_are_no_difference() {
    let windows: Vec<File> =
        [A, B].iter().map(|(name, text)| (*name, &*text.replace('\n', "\r\n").leak())).collect();
    for (then, now) in [(&[A, B][..], &windows[..]), (&windows, &[A, B])] {
        let one = database();
        atlas(&one, "public", then);
        assert!(adopt(&one, now).await.unwrap().unchecked.is_empty());
        let other = database();
        sqlx(&other, then).await.unwrap();
        assert!(adopt(&other, now).await.unwrap().unchecked.is_empty());
    }
}

#[tokio::test]
async fn line_ends_that_are_mixed_from_file_to_file() {
    let windows = |(name, text): File| (name, &*text.replace('\n', "\r\n").leak());
    let database = database();
    atlas(&database, "public", &[A, windows(B), C, windows(D)]);
    let baseline = "delete from atlas_schema_revisions where version < '20260102'; update \
                    atlas_schema_revisions set type = 1, applied = 0, total = 0, hash = '' where \
                    version < '20260103'";
    let copy = database.copy().unwrap();
    assert!(adopt(&database, &[windows(A), B, C, D]).await.unwrap().unchecked.is_empty());
    copy.execute(baseline).unwrap();
    let it = refused(&copy, &[A, B, C, D]).await;
    assert!(it.to_string().contains("not what was applied"), "two that no hash tells apart: {it}");
    assert!(adopt(&copy, &[A, windows(B), C, windows(D)]).await.unwrap().unchecked.is_empty());
}

#[tokio::test]
async fn directives_that_were_added_are_no_difference() {
    let files = [
        A,
        (B.0, "-- upfront:breaking\n\nCREATE TABLE b (id bigint);\n"),
        C,
        (D.0, "-- upfront:lock-timeout 5s\n\nCREATE TABLE d (id bigint);\n"),
    ];
    for other in [false, true] {
        let database = database();
        match other {
            true => sqlx(&database, &[A, B, C, D]).await.unwrap(),
            false => atlas(&database, "public", &[A, B, C, D]),
        }
        assert!(adopt(&database, &files).await.unwrap().unchecked.is_empty());
        assert!(migrator(&database.url(), &files).up().await.unwrap().is_unchanged());
    }
}

#[tokio::test]
async fn a_history_of_sqlx() {
    let database = database();
    sqlx(&database, &[A, B]).await.unwrap();
    let before = contents(&database, "_sqlx_migrations");
    let files = [A, B, C];
    let it = migrator(&database.url(), &files);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::ForeignHistory);
    let adopted = it.adopt(None).await.unwrap();
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
    assert!(it.up().await.unwrap().is_unchanged());
    assert_eq!(contents(&database, "_sqlx_migrations"), before);
    assert_snapshot!(adopted);
    let at = "select r.applied_at = s.installed_on from upfront.revisions r join _sqlx_migrations \
              s on s.version::text = r.version";
    assert_eq!(database.psql(at).unwrap(), "t\nt\n");
}

#[tokio::test]
async fn a_reversible_directory_of_sqlx() {
    let database = database();
    let index = "-- no-transaction\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n";
    let theirs = [
        ("20260101000000_a.up.sql", A.1),
        ("20260101000000_a.down.sql", "DROP TABLE a;\n"),
        ("20260102000000_b_and_more.up.sql", B.1),
        ("20260102000000_b_and_more.down.sql", "DROP TABLE b;\n"),
        ("20260103000000_index.up.sql", index),
        ("20260103000000_index.down.sql", "DROP INDEX b_id;\n"),
    ];
    sqlx(&database, &theirs).await.unwrap();
    let ours = [
        A,
        ("down/20260101000000_a.sql", "DROP TABLE a;\n"),
        B,
        ("down/20260102000000_b_and_more.sql", "DROP TABLE b;\n"),
        (
            "20260103000000_index.sql",
            "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n",
        ),
        ("down/20260103000000_index.sql", "DROP INDEX b_id;\n"),
    ];
    assert_eq!(adopt(&database, &ours).await.unwrap().migrations.len(), 3);
    assert!(migrator(&database.url(), &ours).up().await.unwrap().is_unchanged());
    let down = "select count(down_sql) from upfront.revisions where app = 'main'";
    assert_eq!(database.psql(down).unwrap().trim(), "3");
}

#[tokio::test]
async fn differences_from_sqlx() {
    let edited = (B.0, "CREATE TABLE b ();\n");
    let renamed = ("20260103000000_sea.sql", C.1);
    let late = ("20260101500000_late.sql", "SELECT 1;\n");
    let database = database();
    sqlx(&database, &[A, B, C, D]).await.unwrap();
    assert_snapshot!(refused(&database, &[late, edited, renamed, D]).await);
}

#[tokio::test]
async fn a_failed_row_of_sqlx() {
    let database = database();
    sqlx(&database, &[A, B]).await.unwrap();
    let failed = "update _sqlx_migrations set success = false where version = 20260102000000";
    database.execute(failed).unwrap();
    assert_snapshot!(refused(&database, &[A, B]).await);
}

#[tokio::test]
async fn versions_of_another_width() {
    let database = database();
    sqlx(&database, &[("1_a.sql", A.1), ("10_b.sql", B.1)]).await.unwrap();
    let files = [("01_a.sql", A.1), ("10_b.sql", B.1)];
    assert_eq!(adopt(&database, &files).await.unwrap().migrations, ["01_a", "10_b"]);
    assert!(migrator(&database.url(), &files).up().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn histories_that_are_none() {
    let nothing = database();
    assert_snapshot!("nothing", refused(&nothing, &[A]).await);
    let empty = database();
    atlas(&empty, "public", &[]);
    empty.execute(CLOUD).unwrap();
    assert_snapshot!("empty", refused(&empty, &[A]).await);
    let other = database();
    let tables = "create table refinery_schema_history (version int, name text, checksum text); create schema diesel; create \
                  table diesel.__diesel_schema_migrations (version text, run_on timestamp)";
    other.execute(tables).unwrap();
    assert_snapshot!("unsupported", refused(&other, &[A]).await);
}

#[tokio::test]
async fn another_tool_beside_one_that_is_supported() {
    let database = database();
    sqlx(&database, &[A]).await.unwrap();
    database.execute("create table ar_internal_metadata (key text, value text)").unwrap();
    assert_eq!(adopt(&database, &[A]).await.unwrap().tool.as_deref(), Some("sqlx"));
}

#[tokio::test]
async fn a_history_of_our_own() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    atlas(&database, "public", &[]);
    let err = adopt(&database, &[A, B]).await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused);
    assert_snapshot!(err);
    let err = migrator(&database.url(), &[A, B]).baseline("20260101000000").await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused);
    let billing = builder(&database.url(), &[NEW]).app("billing").build().unwrap();
    assert_eq!(
        billing.baseline(NEW.0.split('_').next().unwrap()).await.unwrap().migrations.len(),
        1
    );
    billing.check().await.unwrap();
}

#[tokio::test]
async fn a_deleted_history_of_our_own() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    database.execute("delete from upfront.revisions where app = 'main'").unwrap();
    let err = migrator(&database.url(), &[A]).baseline("20260101000000").await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused, "the log tells that it was there: {err}");
}

#[tokio::test]
async fn two_who_adopt_at_once() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    let url = database.url();
    let all = (0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { migrator(&url, &[A, B]).adopt(None).await })
    });
    let mut done = 0;
    for it in all.collect::<Vec<_>>() {
        match it.await.unwrap() {
            Ok(_) => done += 1,
            Err(err) => assert!(err.kind() == ErrorKind::AdoptionRefused, "{err}"),
        }
    }
    assert_eq!(done, 1);
    assert!(migrator(&url, &[A, B]).up().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn the_other_tool_is_at_work() {
    let database = database();
    atlas(&database, "public", &[A]);
    let other = connect(&database.url()).await;
    other
        .batch_execute("set application_name = 'atlas'; select pg_advisory_lock(2686470616)")
        .await
        .unwrap();
    let err = adopt(&database, &[A]).await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused);
    insta::with_settings!({filters => vec![(r"pid \d+|\(\d+\)|\d+\.\d+[mµn]?s|\d+(\.\d+)?[mµn]?s", "…")]}, {
        assert_snapshot!(err);
    });
    let rows = "select count(*) from upfront.revisions where app = 'main'";
    assert_eq!(database.psql(rows).unwrap().trim(), "0");
    drop(other);
    until(&database.url(), "select count(*) from pg_locks where objid = 2686470616", "0").await;
    adopt(&database, &[A]).await.unwrap();
}

#[tokio::test]
async fn sqlx_is_at_work() {
    let database = database();
    sqlx(&database, &[A]).await.unwrap();
    let slow = [A, (B.0, "SELECT pg_sleep(60);\n")];
    let url = database.url();
    let sleeping = "select count(*) from pg_stat_activity where query like 'SELECT pg_sleep(60)%' \
                    and datname = current_database() and state = 'active'";
    let (_, err) = tokio::select! {
        it = async { (sqlx(&database, &slow).await, None) } => it,
        it = async {
            until(&url, sleeping, "1").await;
            (Ok(()), Some(adopt(&database, &[A]).await.unwrap_err()))
        } => it,
    };
    let err = err.unwrap();
    assert!(err.to_string().starts_with("sqlx is migrating this database"), "{err}");
}

#[tokio::test]
async fn a_cancelled_adoption_leaves_all_or_nothing() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    let it = migrator(&database.url(), &[A, B]);
    for micros in (0..400).map(|it| it * 100) {
        let limit = Duration::from_micros(micros);
        let _ = tokio::time::timeout(limit, it.adopt(None)).await;
        let there = "select to_regclass('upfront.revisions') is not null";
        if database.psql(there).unwrap().trim() == "t" {
            let rows = "select count(*) from upfront.revisions where app = 'main'";
            let rows = database.psql(rows).unwrap();
            assert!(["0", "2"].contains(&rows.trim()), "{rows}");
            if rows.trim() == "2" {
                break;
            }
        }
    }
    let _ = it.adopt(None).await;
    assert!(it.up().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn rights_that_are_missing() {
    let database = database();
    atlas(&database, "\"Odd\"", &[A]);
    let name = database.name();
    let roles = format!(
        "create role adopt_reader_{name} login; create role adopt_founder_{name} login; grant usage \
         on schema \"Odd\" to adopt_founder_{name}; grant select on all tables in schema \"Odd\" to \
         adopt_founder_{name}"
    );
    database.execute(&roles).unwrap();
    let err = |role: &str| {
        let url = database.url().replace("postgres@", &format!("adopt_{role}_{name}@"));
        async move {
            let it = Migrator::new(upfront_tests::migrations(&[A]), pool(&url, 1));
            let err = it.adopt(None).await.unwrap_err();
            assert!(err.kind() == ErrorKind::PermissionDenied, "{err}");
            err.to_string().replace(name, "DATABASE")
        }
    };
    assert_snapshot!("reader", err("reader").await);
    assert_snapshot!("founder", err("founder").await);
    let drop = format!(
        "drop owned by adopt_reader_{name}, adopt_founder_{name}; drop role adopt_reader_{name}, \
         adopt_founder_{name}"
    );
    database.execute(&drop).unwrap();
}

#[tokio::test]
async fn sessions_that_cannot_write() {
    let database = database();
    atlas(&database, "public", &[A]);
    let sql = format!("alter database {} set default_transaction_read_only = on", database.name());
    database.execute(&sql).unwrap();
    let it = migrator(&database.url(), &[A]);
    assert_eq!(it.plan_adopt(None).await.unwrap().migrations.len(), 1);
    let err = it.adopt(None).await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly && err.kind() != ErrorKind::AdoptionRefused);
    assert_snapshot!(err);

    let primary = Server::start().unwrap();
    let database = primary.database().unwrap();
    atlas(&database, "public", &[A]);
    let standby = primary.standby().unwrap();
    standby.wait_caught_up(&primary).unwrap();
    let it = migrator(&standby.url(database.name()), &[A]);
    assert_eq!(it.plan_adopt(None).await.unwrap().migrations.len(), 1);
    let err = it.adopt(None).await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly);
    assert_snapshot!("standby", err);
}

#[tokio::test]
async fn through_a_pooler() {
    let database = database();
    atlas(&database, "public", &[A, B]);
    let pooler = Pooler::start(server(), PoolMode::Transaction, 2).unwrap();
    let it = migrator(&pooler.url(database.name()), &[A, B]);
    it.adopt(None).await.unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    let locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select \
                 oid from pg_database where datname = current_database())";
    assert_eq!(database.psql(locks).unwrap().trim(), "0");
}

#[tokio::test]
async fn a_scratch_replay_tells_whether_a_baseline_is_true() {
    let (database, scratch) = (database(), database());
    sqlx(&database, &[A, B]).await.unwrap();
    let files = [A, B, C];
    let first = upfront_tests::migrations(&files).up_to("20260102000000").unwrap();
    Migrator::new(first, pool(&scratch.url(), 2)).up().await.unwrap();
    let tables = upfront::history_tables();
    let tables: Vec<_> = tables.iter().map(String::as_str).collect();
    let without = DiffFilter { schemas: &["upfront"], tables: &tables };
    assert_eq!(scratch.difference(&database.url(), &without).unwrap(), None);
    migrator(&database.url(), &files).baseline("20260102000000").await.unwrap();
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    let difference = scratch.difference(&database.url(), &without).unwrap().unwrap();
    assert!(difference.starts_with("TABLE public.c\n"), "{difference}");
}

#[tokio::test]
async fn a_role_and_a_schema_of_their_own() {
    let database = database();
    let name = database.name();
    atlas(&database, "public", &[A]);
    let role = format!("adopt_owner_{name}");
    let sql = format!(
        "create role {role}; grant create on database {name} to {role}; grant select on \
         atlas_schema_revisions to {role}"
    );
    database.execute(&sql).unwrap();
    let it = builder(&database.url(), &[A])
        .schema("history")
        .role(role.as_str())
        .search_path(["nowhere"]);
    let it = it.build().unwrap();
    it.adopt(None).await.unwrap();
    it.check().await.unwrap();
    let owner = "select distinct tableowner from pg_tables where schemaname = 'history'";
    assert_eq!(database.psql(owner).unwrap().trim(), role);
    database.execute(&format!("drop owned by {role} cascade; drop role {role}")).unwrap();
}

#[tokio::test]
async fn a_baseline() {
    let database = database();
    for (_, text) in [A, B] {
        database.execute(text).unwrap();
    }
    let it = migrator(&database.url(), &[A, B, C]);
    let planned = it.plan_baseline("20260102000000").await.unwrap();
    let done = it.baseline("20260102000000_b_and_more").await.unwrap();
    assert_snapshot!(format!("{planned}\n\n{done}"));
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
    assert!(it.up().await.unwrap().is_unchanged());
    let log = "select version, outcome, message from upfront.log where app = 'main' order by id";
    assert_snapshot!(database.psql(log).unwrap());
}

/// A dump without upfront's schema, restored; the first file finds nothing in its way.
#[tokio::test]
async fn a_database_without_its_history() {
    let first = ("20250101000000_first.sql", "CREATE TABLE IF NOT EXISTS first (id int);\n");
    let files = [first, A, B];
    for outside in [false, true] {
        let database = database();
        for (_, text) in files {
            database.execute(text).unwrap();
        }
        let head = if outside { "-- atlas:txmode none\n\n" } else { "" };
        let a = format!("{head}{}", A.1);
        let files = [first, (A.0, a.as_str()), B];
        let build =
            || builder(&database.url(), &files).app("a'b").schema("history").build().unwrap();
        let err = build().up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
        let command = r"`upfront baseline 20260102000000 --app 'a'\''b' --schema history`";
        assert!(err.to_string().contains(command), "{err}");
        if !outside {
            assert_snapshot!(err);
        }
        let done = build().baseline("20260102000000").await.unwrap();
        assert_eq!(done.migrations, ["20260101000000_a", "20260102000000_b_and_more"]);
        build().check().await.unwrap();
        assert!(build().up().await.unwrap().is_unchanged());
    }
    // Later a table in the way is something else.
    let database = database();
    let files: Vec<_> =
        (1..=6).map(|it| (format!("{it}_x.sql"), "SELECT 1;\n".to_owned())).collect();
    Migrator::new(upfront_tests::owned(&files[..5]), pool(&database.url(), 2)).up().await.unwrap();
    let files =
        [&files[..5], &[("6_x.sql".into(), "CREATE TABLE t (); CREATE TABLE t ();\n".into())]]
            .concat();
    let later = Migrator::new(upfront_tests::owned(&files), pool(&database.url(), 2));
    let err = later.up().await.unwrap_err().to_string();
    assert!(!err.contains("baseline"), "{err}");
}

#[tokio::test]
async fn a_baseline_that_is_no_version() {
    let database = database();
    let it = migrator(&database.url(), &[A, B, C, D]);
    let err = it.baseline("20260102").await.unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused);
    assert_snapshot!(err);
    let err = upfront_tests::migrations(&[A]).up_to("3").unwrap_err();
    assert!(err.kind() == ErrorKind::AdoptionRefused);
}

#[tokio::test]
async fn the_first_migrations_alone() {
    let database = database();
    let first = upfront_tests::migrations(&[A, B, C]).up_to("20260102000000").unwrap();
    let it = Migrator::new(first, pool(&database.url(), 2));
    assert_eq!(it.up().await.unwrap().applied.len(), 2);
    assert!(it.up().await.unwrap().is_unchanged());
    assert_eq!(migrator(&database.url(), &[A, B, C]).up().await.unwrap().applied.len(), 1);
}
