//! Temporary tables, prepared statements, cursors, settings and roles of a session: one migration
//! leaves none of them to the next, nor to the next client of a pooler.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Migrator, Target};
use upfront_scratch::{PoolMode, Pooler};
use upfront_tests::{ask, database, migrations, migrator, pool, server};

const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");
const C: (&str, &str) = ("3_c.sql", "CREATE TABLE c (id int);\n");

/// How often each version was applied.
const APPLIED: &str = "SELECT string_agg(format('%s: %s', version, count), ', ' ORDER BY version) \
                       FROM (SELECT version, count(*) FROM upfront.log WHERE app = 'main' AND \
                       outcome = 'applied' GROUP BY version) it";

/// Before a statement stands what makes its file transactional or not.
const HEADS: [&str; 2] = ["", "-- atlas:txmode none\n\n"];

/// In a block, as the directory refuses it outside a transaction where it sees it.
const HIDES: &str = "DO $$ BEGIN CREATE TEMP TABLE users AS SELECT 1 AS id; END $$;\n";

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");

#[tokio::test]
async fn a_temporary_table_does_not_reach_the_next_migration() {
    for (first, second) in HEADS.into_iter().flat_map(|it| HEADS.map(|second| (it, second))) {
        let database = database();
        let hides = format!("{first}{HIDES}");
        let alters = format!("{second}ALTER TABLE users ADD COLUMN email text;\n");
        let users = ("1_a.sql", "CREATE TABLE users (id int);\n");
        let files = [users, ("2_b.sql", hides.as_str()), ("3_c.sql", alters.as_str())];
        migrator(&database.url(), &files).up().await.unwrap();
        let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE \
                       attrelid = 'public.users'::regclass AND attnum > 0";
        assert_eq!(ask(&database.url(), columns).await, "id email", "`{first}`, `{second}`");
    }
}

/// As if they had been applied one by one.
#[tokio::test]
async fn names_of_a_session_may_be_used_by_each_migration() {
    for statement in [
        "DO $$ BEGIN CREATE TEMP TABLE ids AS SELECT 1 AS id; END $$;\n",
        "DO $$ BEGIN CREATE TEMP SEQUENCE ids; END $$;\n",
        "PREPARE ids AS SELECT 1;\nEXECUTE ids;\n",
        "DECLARE ids CURSOR WITH HOLD FOR SELECT 1;\n",
    ] {
        for (first, second) in HEADS.into_iter().flat_map(|it| HEADS.map(|second| (it, second))) {
            let database = database();
            let (a, b) = (format!("{first}{statement}"), format!("{second}{statement}"));
            let files = [("1_a.sql", a.as_str()), ("2_b.sql", b.as_str()), C];
            let report = migrator(&database.url(), &files).up().await;
            let report = report.unwrap_or_else(|err| panic!("{files:?}: {err}"));
            assert_eq!(report.applied.len(), 3);
        }
    }
}

#[tokio::test]
async fn a_migration_does_not_hear_what_the_one_before_listens_to() {
    for head in HEADS {
        let database = database();
        let listen = format!("{head}LISTEN upfront_news;\n");
        let hears = "CREATE TABLE heard AS SELECT pg_listening_channels();\n";
        let files = [("1_a.sql", listen.as_str()), ("2_b.sql", hears)];
        migrator(&database.url(), &files).up().await.unwrap();
        assert_eq!(ask(&database.url(), "SELECT count(*) FROM heard").await, "0", "`{head}`");
    }
}

/// One connection of the server serves everybody, so whatever a boot leaves the other one sees.
#[tokio::test]
async fn names_of_a_session_do_not_reach_another_client_of_a_pooler() {
    const LEAVES: &str = "CREATE TEMP TABLE users AS SELECT 1 AS id;\nPREPARE ids AS SELECT 1;\n\
                          LISTEN upfront_news;\nDECLARE held CURSOR WITH HOLD FOR SELECT 1;\n";
    const SEES: &str = "SELECT (SELECT string_agg(id::text, ' ') FROM users), (SELECT count(*) FROM \
                        pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels()), \
                        (SELECT count(*) FROM pg_cursors WHERE name = 'held')";
    let fails = format!("{LEAVES}SELECT 1 / 0;\n");
    for (files, fail) in [
        (vec![("1_a.sql", LEAVES)], false),
        (vec![("1_a.sql", LEAVES), B], false),
        (vec![("1_a.sql", fails.as_str())], true),
    ] {
        let database = database();
        let pooler = Pooler::start(server(), PoolMode::Transaction, 1).unwrap();
        let url = pooler.url(database.name());
        database.execute("CREATE TABLE users AS SELECT 42 AS id").unwrap();
        let booted = migrator(&url, &files).up().await;
        assert_eq!(booted.is_err(), fail, "{booted:?}");
        assert_eq!(ask(&url, SEES).await, "42|0|0|0", "{files:?}");
    }
}

#[tokio::test]
async fn columns_of_a_body_are_not_taken_for_ours() {
    for column in ["upfront_locked", "upfront_head", "upfront_status", "upfront_xid"] {
        for (first, head) in ["'t'", "'f'", "'2'", "NULL"].into_iter().zip(HEADS.iter().cycle()) {
            let database = database();
            let text = format!("{head}SELECT {first} AS {column}, '1', 'x', 'y';\n");
            let files = [("1_a.sql", text.as_str()), B, C];
            let report = migrator(&database.url(), &files).up().await;
            let report = report.unwrap_or_else(|err| panic!("{text}: {err}"));
            assert_eq!(report.applied.len(), 3, "{text}");
            assert_eq!(ask(&database.url(), APPLIED).await, "1: 1, 2: 1, 3: 1", "{text}");
        }
    }
}

/// It keeps the server's connection, and whatever a boot leaves the next client sees.
#[tokio::test]
async fn nothing_leaks_through_a_session_pooler_that_resets_nothing() {
    const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = \
                         (SELECT oid FROM pg_database WHERE datname = current_database())";
    const SETTINGS: &str = "SELECT CURRENT_USER, SESSION_USER, string_agg(format('%s=%s', name, \
                            setting), ' ' ORDER BY name) FROM pg_settings WHERE setting IS DISTINCT \
                            FROM reset_val AND name !~ '[.]'";
    let sets = "-- atlas:txmode none\n\nSET search_path = pg_catalog;\nSET statement_timeout = \
                '7s';\nSET ROLE pg_monitor;\nDO $$ BEGIN CREATE TEMP TABLE t AS SELECT 1 AS id; END $$;\nRESET \
                ROLE;\nCREATE TABLE public.u (id int);\nCREATE INDEX CONCURRENTLY i ON public.u \
                (id);\nSET ROLE pg_monitor;\n";
    let fails = format!("{sets}SELECT 1 / 0;\n");
    let fails_outside = format!("{sets}VACUUM public.nowhere;\n");
    for text in [sets, &fails, &fails_outside] {
        let database = database();
        let pooler = Pooler::start(server(), PoolMode::Session, 1).unwrap();
        ask(&pooler.url("pgbouncer"), "SET server_reset_query = ''").await;
        let url = pooler.url(database.name());
        let before = ask(&url, SETTINGS).await;
        let pid = ask(&url, "SELECT pg_backend_pid()").await;
        let files = migrations(&[("1_a.sql", text)]);
        let migrator = Migrator::builder(files, pool(&url, 1)).session_pooler(true);
        let booted = migrator.build().unwrap().up().await;
        assert_eq!(booted.is_ok(), text == sets, "{booted:?}");
        assert_eq!(ask(&database.url(), LOCKS).await, "0", "{text}");
        assert_eq!(ask(&url, "SELECT pg_backend_pid()").await, pid, "it is another connection");
        assert_eq!(ask(&url, SETTINGS).await, before, "{text}");
        assert_eq!(ask(&url, "SELECT to_regclass('pg_temp.t') IS NULL").await, "t", "{text}");
    }
}

/// The second of two steps finds constraints deferred as it would alone.
#[tokio::test]
async fn a_step_after_another_finds_deferred_constraints_deferred() {
    let database = database();
    let files = [
        (
            "1_a.sql",
            "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (id int REFERENCES p DEFERRABLE \
             INITIALLY DEFERRED);\n",
        ),
        ("2_b.sql", "SELECT 1;\n"),
        ("down/2_b.sql", "INSERT INTO c VALUES (1);\nINSERT INTO p VALUES (1);\n"),
        ("3_c.sql", "SELECT 1;\n"),
        ("down/3_c.sql", "SELECT 2;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    assert_eq!(it.down(Target::Steps(2)).await.unwrap().rolled_back.len(), 2);
}

/// An application's connection may have a temporary table of the name.
#[tokio::test]
async fn a_temporary_table_of_the_session_is_not_taken_for_the_real_one() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    database.execute("INSERT INTO a VALUES (1)").unwrap();
    let pool = pool(&database.url(), 1);
    let shadow = "CREATE TEMP TABLE a (id int)";
    pool.get().await.unwrap().simple_query(shadow).await.unwrap();
    let it = Migrator::new(migrations(&files), pool.clone());
    let mut plan = it.plan_down(Target::All).await.unwrap();
    assert!(plan.loses_data());
    it.apply(plan.accept_data_loss(true)).await.unwrap();
    assert_eq!(ask(&database.url(), "SELECT to_regclass('a') IS NULL").await, "t");
}

#[tokio::test]
async fn settings_of_one_migration_do_not_reach_the_next() {
    let database = database();
    let files = [
        ("1_a.sql", "SET search_path = nowhere;\nSET lock_timeout = 0;\nSET ROLE pg_monitor;\n"),
        (
            "2_b.sql",
            "CREATE TABLE b AS SELECT current_setting('lock_timeout') AS lock, \
                     current_setting('TimeZone') AS zone, current_user AS role;\n",
        ),
        (
            "3_c.sql",
            "-- atlas:txmode none\n\nSET search_path = pg_catalog;\nSET ROLE pg_monitor;\n",
        ),
        ("4_d.sql", "INSERT INTO b SELECT current_setting('lock_timeout'), 'x', current_user;\n"),
    ];
    migrator(&database.url(), &files).up().await.unwrap();
    let rows = database.psql("select * from public.b").unwrap();
    assert_eq!(rows.trim(), "100ms|UTC|postgres\n100ms|x|postgres");
}
