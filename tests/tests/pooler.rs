//! Boots through PgBouncer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio_postgres::{NoTls, SimpleQueryMessage};
use upfront::{ErrorKind, Migrator};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{
    Boot, ask, builder, database, migrations, migrator, pool, server, tables, until,
};

const BOOT: &str = env!("CARGO_BIN_EXE_boot");

const INDEX: (&str, &str) =
    ("2_index.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY t_1_name ON t_1 (name);\n");

const TABLE: (&str, &str) = ("1_t.sql", "CREATE TABLE t_1 (id bigint, name text);\n");

fn pooler(mode: PoolMode, size: u32) -> Pooler {
    Pooler::start(server(), mode, size).unwrap()
}

const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                     (SELECT oid FROM pg_database WHERE datname = current_database())";

#[tokio::test]
async fn eight_processes_apply_each_migration_once() {
    let (database, pooler) = (database(), pooler(PoolMode::Transaction, 4));
    let boot = Boot::new(BOOT, &pooler.url(database.name()), &tables(30));
    let boots: Vec<_> = (0..8).map(|_| boot.start()).collect();
    for it in boots {
        it.end().unwrap();
    }
    for sql in [
        "SELECT count(*) FROM upfront.revisions WHERE app = 'main'",
        "SELECT count(*) FROM upfront.log WHERE app = 'main' AND outcome = 'applied'",
        "SELECT count(*) FROM pg_tables WHERE tablename ~ '^t_[0-9]+$'",
    ] {
        assert_eq!(ask(&database.url(), sql).await, "30", "`{sql}`");
    }
    assert_eq!(ask(&database.url(), LOCKS).await, "0");
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid \
                <> pg_backend_pid() AND xact_start IS NOT NULL";
    assert_eq!(ask(&database.url(), open).await, "0");
    let warm = pool(&pooler.url(database.name()), 1);
    let files = upfront_tests::owned(&tables(30));
    assert!(Migrator::new(files, warm).up().await.unwrap().is_unchanged());
}

/// The pooler ends the server's connection of a client that is gone, and the server notices.
#[tokio::test]
async fn a_killed_boot_gives_its_lock_back() {
    let (database, pooler) = (database(), pooler(PoolMode::Transaction, 4));
    database.execute("CREATE TABLE pace AS SELECT 60.0::float8 AS seconds").unwrap();
    let url = pooler.url(database.name());
    let files = [("1_a.sql", "CREATE TABLE a ();\nSELECT pg_sleep(seconds) FROM pace;\n")];
    let boot = Boot::new(BOOT, &url, &files).start();
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                  wait_event = 'PgSleep'";
    until(&database.url(), sleeps, "1").await;
    boot.kill();
    database.execute("UPDATE pace SET seconds = 0").unwrap();
    let since = Instant::now();
    assert_eq!(migrator(&url, &files).up().await.unwrap().applied.len(), 1);
    let took = since.elapsed();
    println!("the next boot took {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// All settings, as a client sees them, with the role and the schema of temporary tables.
async fn settings(client: &tokio_postgres::Client) -> HashMap<String, String> {
    let all = client.simple_query("SHOW ALL").await.unwrap();
    let setting = |it: SimpleQueryMessage| match it {
        SimpleQueryMessage::Row(it) => {
            Some((it.get(0)?.to_owned(), it.get(1).unwrap_or_default().to_owned()))
        }
        _ => None,
    };
    let mut all: HashMap<_, _> = all.into_iter().filter_map(setting).collect();
    // They are there once a function of the language ran, with their defaults.
    all.retain(|name, _| !name.starts_with("plpgsql."));
    let role = client.query_one("SELECT CURRENT_USER::text, SESSION_USER::text", &[]).await;
    let role = role.unwrap();
    all.insert("role".into(), format!("{}, {}", role.get::<_, &str>(0), role.get::<_, &str>(1)));
    all
}

/// One connection of the server serves everybody, so whatever a boot leaves the other one sees.
#[tokio::test]
async fn no_setting_leaks_to_another_client() {
    let (database, pooler) = (database(), pooler(PoolMode::Transaction, 1));
    let url = pooler.url(database.name());
    database.execute("CREATE SCHEMA evil").unwrap();
    database.psql("DROP ROLE IF EXISTS leaker; CREATE ROLE leaker").unwrap();
    let (other, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let before = settings(&other).await;
    let backend = async || other.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    let pid: i32 = backend().await.get(0);

    let sets = "SET statement_timeout = '7s';\nSET search_path = evil;\nSET work_mem = '1MB';\nSET \
                SESSION lock_timeout = '1s';\nSET TIME ZONE 'Asia/Tokyo';\nSET ROLE leaker;\nRESET \
                ROLE;\nSELECT set_config('application_name', 'evil', false);\nCREATE TABLE t_2 (id \
                int);\n";
    let fails = "SET statement_timeout = '7s';\nSET search_path = evil;\nSELECT 1 / 0;\n";
    let good = [TABLE, ("2_sets.sql", sets)];
    let bad = [TABLE, ("2_sets.sql", sets), ("3_fails.sql", fails)];
    let err = migrator(&url, &bad).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
    assert_eq!(settings(&other).await, before);
    assert!(migrator(&url, &good).up().await.unwrap().is_unchanged());
    let owner = builder(&url, &[("1_a.sql", "CREATE TABLE a (id int);\n")]).app("owner");
    let owner = owner.search_path(["evil"]).lock_timeout(Duration::from_millis(77));
    owner.build().unwrap().up().await.unwrap();
    assert_eq!(settings(&other).await, before);
    assert_eq!(backend().await.get::<_, i32>(0), pid, "it was another connection of the server");
    assert_eq!(ask(&database.url(), LOCKS).await, "0");
    let made = "SELECT string_agg(schemaname || '.' || tablename, ' ' ORDER BY 1) FROM pg_tables \
                WHERE schemaname IN ('evil', 'public')";
    let made = made.replace("ORDER BY 1", "ORDER BY schemaname, tablename");
    assert_eq!(ask(&database.url(), &made).await, "evil.a evil.t_2 public.t_1");
}

/// All that is in a database, but for what belongs to the server.
async fn everything(database: &Database<'_>) -> String {
    let schemas = "SELECT nspname FROM pg_namespace ORDER BY 1";
    ask(&database.url(), schemas).await + &database.schema().unwrap()
}

#[tokio::test]
async fn a_migration_outside_a_transaction_is_refused() {
    for mode in [PoolMode::Transaction, PoolMode::Session] {
        let (database, pooler) = (database(), pooler(mode, 2));
        let before = everything(&database).await;
        let through = migrator(&pooler.url(database.name()), &[TABLE, INDEX]);
        let err = through.up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Pooler, "{err}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(err, @r"
            migration `2_index` runs outside a transaction and cannot go through a connection pooler; nothing was changed
              file: migrations/2_index.sql
              help: give upfront a pool that connects to the server directly, or set `session_pooler` if the pooler keeps one server connection for a whole session
            ");
        }
        assert_eq!(everything(&database).await, before, "something was changed");
        assert_eq!(ask(&database.url(), LOCKS).await, "0");

        // Once somebody else has brought it, a boot passes through.
        migrator(&database.url(), &[TABLE, INDEX]).up().await.unwrap();
        assert!(through.up().await.unwrap().is_unchanged());
        through.check().await.unwrap();
        assert!(through.status().await.unwrap().is_up_to_date());
    }
}

#[tokio::test]
async fn a_session_pooler_may_run_anything() {
    let (database, pooler) = (database(), pooler(PoolMode::Session, 3));
    let url = pooler.url(database.name());
    let files = [TABLE, INDEX];
    let migrator = Migrator::builder(migrations(&files), pool(&url, 1)).session_pooler(true);
    let migrator = migrator.build().unwrap();
    assert_eq!(migrator.up().await.unwrap().applied.len(), 2);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_1_name'::regclass";
    assert_eq!(ask(&database.url(), valid).await, "t");
    // The pooler keeps the server's connection and resets it.
    until(&database.url(), LOCKS, "0").await;
    assert!(migrator.up().await.unwrap().is_unchanged());

    let boot = Boot::new(BOOT, &url, &[TABLE, INDEX, ("3_a.sql", "CREATE TABLE a ();\n")]);
    let boot = boot.with("SESSION_POOLER", "1");
    let boots: Vec<_> = (0..3).map(|_| boot.start()).collect();
    for it in boots {
        it.end().unwrap();
    }
    let rows = "SELECT count(*) FROM upfront.log WHERE app = 'main' AND outcome = 'applied'";
    assert_eq!(ask(&database.url(), rows).await, "3");
}

/// Statement mode allows no transaction: that is an error soon, and no reason to reconnect until
/// the limit is over.
#[tokio::test]
async fn a_pooler_of_statements_is_an_error_soon() {
    let (database, pooler) = (database(), pooler(PoolMode::Statement, 2));
    let since = Instant::now();
    let err = migrator(&pooler.url(database.name()), &[TABLE]).up().await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    insta::assert_snapshot!(err);
    migrator(&database.url(), &[TABLE]).up().await.unwrap();
    migrator(&pooler.url(database.name()), &[TABLE]).check().await.unwrap();
}
