//! Boots that are killed, and servers that die under them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use upfront::{ErrorKind, Event, Migrator};
use upfront_scratch::{Database, Server};
use upfront_tests::{
    Boot, Corpus, Events, Process, ask, builder, connect, database, migrator, pool, resolve, until,
};

const BOOT: &str = env!("CARGO_BIN_EXE_boot");

const SLEEPS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                      wait_event = 'PgSleep'";

/// Sessions of a boot that was killed are gone.
const ALONE: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                     pid <> pg_backend_pid() AND application_name = 'boot'";

/// A database with a table that says for how long a migration sleeps.
fn paced() -> Database<'static> {
    let database = database();
    database.execute("CREATE TABLE pace AS SELECT 60.0::float8 AS seconds").unwrap();
    database
}

fn at_once(database: &Database<'_>) {
    database.execute("UPDATE pace SET seconds = 0").unwrap();
}

fn start(database: &Database<'_>, files: &[(&str, &str)]) -> Process {
    Boot::new(BOOT, &format!("{}?application_name=boot", database.url()), files).start()
}

#[tokio::test]
async fn a_transactional_migration_that_was_killed_runs_again() {
    let database = paced();
    let files = [
        ("1_a.sql", "CREATE TABLE a (id int);\n"),
        ("2_b.sql", "INSERT INTO a VALUES (1);\nSELECT pg_sleep(seconds) FROM pace;\n"),
    ];
    let boot = start(&database, &files);
    until(&database.url(), SLEEPS, "1").await;
    boot.kill();
    let since = Instant::now();
    until(&database.url(), ALONE, "0").await;
    let noticed = since.elapsed();
    println!("the server noticed the death after {noticed:?}");
    assert!(noticed < Duration::from_secs(4), "{noticed:?}");
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "0");
    at_once(&database);
    let report = migrator(&database.url(), &files).up().await.unwrap();
    assert_eq!(report.applied.len(), 1);
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "1");
}

/// A statement that waits for an open transaction half way.
struct Case {
    /// Holds the statement up.
    blocker: &'static str,
    statement: &'static str,
    /// `t` once the statement has come half way.
    half: &'static str,
    /// `t` where it took effect.
    done: &'static str,
}

const TABLES: &str = "CREATE TABLE t (id int PRIMARY KEY, name text);\
     INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, 100) i;\
     CREATE INDEX old ON t (name);\
     CREATE TABLE parts (id int) PARTITION BY LIST (id);\
     CREATE TABLE part PARTITION OF parts FOR VALUES IN (1); CREATE INDEX ON parts (id);\
     CREATE SCHEMA \"Odd\"; CREATE TABLE \"Odd\".\"T \"\"t\"\"\" (LIKE t);\
     CREATE INDEX \"Old 'i\" ON \"Odd\".\"T \"\"t\"\"\" (name);";

/// Whether the transaction in the way ends before the server notices that its client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Release {
    /// The statement may then come to its end, and nobody records it.
    Early,
    /// The statement is cut off where it is.
    Late,
}

/// Kills a boot in the middle of the statement, and has the next one finish.
async fn check(it: &Case) {
    for release in [Release::Early, Release::Late] {
        let database = database();
        database.execute(TABLES).unwrap();
        let body = format!(
            "-- atlas:txmode none\n\nINSERT INTO t VALUES (1001);\n{};\nINSERT INTO t VALUES \
             (1002);\n",
            it.statement
        );
        let files = [("1_cut.sql", body.as_str())];
        let blocker = connect(&database.url()).await;
        blocker.batch_execute(&format!("BEGIN;{}", it.blocker)).await.unwrap();
        let boot = start(&database, &files);
        until(&database.url(), it.half, "t").await;
        boot.kill();
        match release {
            Release::Early => drop(blocker),
            Release::Late => {
                until(&database.url(), ALONE, "0").await;
                assert_eq!(ask(&database.url(), it.half).await, "t", "`{}`", it.statement);
                drop(blocker);
            }
        }
        let report = migrator(&database.url(), &files).up().await;
        let report = report.unwrap_or_else(|err| panic!("`{}`, {release:?}: {err}", it.statement));
        assert_eq!(report.applied.len(), 1);
        for (sql, expected) in [
            (it.done, "t"),
            ("SELECT string_agg(id::text, ' ') FROM t WHERE id > 1000", "1001 1002"),
            ("SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0"),
            ("SELECT count(*) FROM pg_class WHERE relname ~ '_cc(new|old)'", "0"),
            ("SELECT count(*) FROM pg_inherits WHERE inhdetachpending", "0"),
            ("SELECT count(*) FROM upfront.steps", "0"),
        ] {
            let found = ask(&database.url(), sql).await;
            assert_eq!(found, expected, "`{}`, {release:?}: `{sql}`", it.statement);
        }
    }
}

const WRITER: &str = "INSERT INTO t VALUES (0)";

#[tokio::test]
async fn an_index_that_was_cut_off_is_built_anew() {
    let half = "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)";
    let done = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('new')";
    for statement in [
        "CREATE INDEX CONCURRENTLY new ON t (name)",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS new ON t (id)",
    ] {
        check(&Case { blocker: WRITER, statement, half, done }).await;
    }
}

#[tokio::test]
async fn dropping_an_index_goes_on() {
    let half = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass('old')";
    let done = "SELECT to_regclass('old') IS NULL";
    for statement in ["DROP INDEX CONCURRENTLY old", "DROP INDEX CONCURRENTLY IF EXISTS old"] {
        check(&Case { blocker: WRITER, statement, half, done }).await;
    }
}

#[tokio::test]
async fn rebuilding_indexes_goes_on() {
    let half = "SELECT EXISTS (SELECT FROM pg_class WHERE relname ~ '_ccnew')";
    let done = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('old')";
    for statement in ["REINDEX INDEX CONCURRENTLY old", "REINDEX TABLE CONCURRENTLY t"] {
        check(&Case { blocker: WRITER, statement, half, done }).await;
    }
    // It would wait for a writer before it begins, and for an old snapshot half way.
    let blocker = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t";
    let (statement, done) = ("REINDEX TABLE CONCURRENTLY parts", "SELECT true");
    check(&Case { blocker, statement, half, done }).await;
}

#[tokio::test]
async fn detaching_a_partition_goes_on() {
    check(&Case {
        blocker: "SELECT count(*) FROM parts",
        statement: "ALTER TABLE parts DETACH PARTITION part CONCURRENTLY",
        half: "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)",
        done: "SELECT NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'parts'::regclass)",
    })
    .await;
}

/// Names that have to be quoted, in a schema that is on no path.
#[tokio::test]
async fn odd_names_are_found_in_the_catalog() {
    let blocker = r#"INSERT INTO "Odd"."T ""t""" VALUES (0)"#;
    let done =
        r#"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('"Odd"."New ''i"')"#;
    let half = "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)";
    let create = r#"CREATE INDEX CONCURRENTLY "New 'i" ON "Odd"."T ""t""" (name)"#;
    check(&Case { blocker, statement: create, half, done }).await;
    let drop = r#"DROP INDEX CONCURRENTLY "Odd"."Old 'i""#;
    let done = r#"SELECT to_regclass('"Odd"."Old ''i"') IS NULL"#;
    check(&Case { blocker, statement: drop, half, done }).await;
    let half = "SELECT EXISTS (SELECT FROM pg_class WHERE relname ~ '_ccnew')";
    let reindex = r#"REINDEX TABLE CONCURRENTLY "Odd"."T ""t""""#;
    check(&Case { blocker, statement: reindex, half, done: "SELECT true" }).await;
}

/// PostgreSQL names the index, and so nobody knows which one to look for.
#[tokio::test]
async fn an_index_without_a_name_stops_by_name() {
    let database = database();
    database.execute(TABLES).unwrap();
    let files =
        [("1_i.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY ON t (name, id);\n")];
    let blocker = connect(&database.url()).await;
    blocker.batch_execute(&format!("BEGIN;{WRITER}")).await.unwrap();
    let boot = start(&database, &files);
    let half = "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)";
    until(&database.url(), half, "t").await;
    boot.kill();
    until(&database.url(), ALONE, "0").await;
    drop(blocker);
    let err = migrator(&database.url(), &files).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied, "{err}");
    assert!(err.to_string().contains("migrations/1_i.sql:3:1"), "{err}");
}

/// `IF NOT EXISTS` alone would pass over what somebody else left invalid.
#[tokio::test]
async fn an_invalid_index_is_rebuilt_and_not_skipped() {
    let database = database();
    database.execute(TABLES).unwrap();
    database.execute("UPDATE t SET name = 'twice' WHERE id < 3").unwrap();
    let index = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS new ON t (name);\n";
    database.psql(index).unwrap_err();
    let file = format!("-- atlas:txmode none\n\n{index}");
    let migrator = migrator(&database.url(), &[("1_new.sql", &file)]);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'new'::regclass";
    assert_eq!(ask(&database.url(), valid).await, "f");
    let err = migrator.up().await.unwrap_err();
    assert_eq!(err.server_error().unwrap().sqlstate, "23505", "{err}");
    database.execute("UPDATE t SET name = 'once' WHERE id = 1").unwrap();
    migrator.up().await.unwrap();
    assert_eq!(ask(&database.url(), valid).await, "t");
}

const PROCEDURE: &str = "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN \
     INSERT INTO t VALUES (1); COMMIT; PERFORM pg_sleep(seconds) FROM pace; \
     INSERT INTO t VALUES (2); END $$;";

const CALL: (&str, &str) = (
    "1_call.sql",
    "-- atlas:txmode none\n\nINSERT INTO t VALUES (0);\n-- It commits by itself.\nCALL work();\n\
     INSERT INTO t VALUES (3);\n",
);

fn callable() -> Database<'static> {
    let database = paced();
    database.execute("CREATE TABLE t (id int)").unwrap();
    database.execute(PROCEDURE).unwrap();
    database
}

/// Both ways out are commands, and after each the boot continues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_may_have_run_stops_with_two_commands() {
    let database = callable();
    let boot = start(&database, &[CALL]);
    until(&database.url(), SLEEPS, "1").await;
    boot.kill();
    until(&database.url(), ALONE, "0").await;
    at_once(&database);
    let err = migrator(&database.url(), &[CALL]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied, "{err}");
    insta::assert_snapshot!(err, @r#"
    migration `1_call` is partially applied: it was cut off at migrations/1_call.sql:5:1
        |
      5 | CALL work();
        | ^
      whether it took effect is unknown
      help: find out whether the statement took effect, then run
        if it did:     `upfront resolve 1 --statement 2 --done`
        if it did not: `upfront resolve 1 --statement 2 --not-done`
    "#);
    let again = migrator(&database.url(), &[CALL]).up().await.unwrap_err();
    assert_eq!(again.to_string(), err.to_string());
    let status = migrator(&database.url(), &[CALL]).status().await.unwrap();
    assert_eq!(status.in_state(upfront::State::Partial).count(), 1);

    for (way, rows) in [("if it did:", "0 1 3"), ("if it did not:", "0 1 1 2 3")] {
        let text = err.to_string();
        let command = text.lines().find_map(|it| it.trim().strip_prefix(way)).unwrap();
        let copy = database.copy().unwrap();
        resolve(&migrator(&copy.url(), &[CALL]), command).await;
        assert_eq!(migrator(&copy.url(), &[CALL]).up().await.unwrap().applied.len(), 1);
        let found = ask(&copy.url(), "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t").await;
        assert_eq!(found, rows, "{way}");
        assert!(migrator(&copy.url(), &[CALL]).up().await.unwrap().is_unchanged());
    }
}

/// What it committed before it failed, nobody knows: the next boot does not run it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_failed_is_not_repeated() {
    let database = callable();
    at_once(&database);
    database.execute("ALTER TABLE t ADD CHECK (id <> 2)").unwrap();
    let boot = || migrator(&database.url(), &[CALL]);
    let err = boot().up().await.unwrap_err();
    assert!(
        err.kind() == ErrorKind::MigrationFailed && err.server_error().unwrap().sqlstate == "23514",
        "{err}"
    );
    assert!(err.to_string().contains("migrations/1_call.sql:5:1"), "{err}");
    assert!(err.to_string().contains("the next boot stops here"), "{err}");
    let err = boot().up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied, "{err}");
    assert_eq!(ask(&database.url(), "SELECT string_agg(id::text, ' ') FROM t").await, "0 1");
}

/// Most of a herd is killed while it boots; those who are left finish.
#[tokio::test]
async fn a_herd_outlives_its_leaders() {
    const ROUNDS: u32 = 12;
    let database = database();
    let whole = Duration::from_millis(150);
    for round in 0..ROUNDS {
        let corpus = Corpus::new(format!("herd_{round}"));
        let boot = Boot::new(BOOT, &database.url(), Corpus::files());
        let boot = boot.with("SCHEMA", &corpus.schema).with("WAIT_MS", "60000");
        let mut herd: Vec<_> = (0..5).map(|_| boot.start()).collect();
        for _ in 0..3 {
            tokio::time::sleep(whole * round / ROUNDS / 3).await;
            herd.remove(0).kill();
        }
        for it in herd {
            it.end().unwrap_or_else(|err| panic!("round {round}: {err}"));
        }
        corpus.check_once(&database.url()).await;
    }
}

#[tokio::test]
async fn killed_at_many_moments_each_migration_is_there_once() {
    const POINTS: u32 = 48;
    let database = database();
    let boot = |schema: &str| {
        Boot::new(BOOT, &database.url(), Corpus::files()).with("SCHEMA", schema).start()
    };
    let since = Instant::now();
    boot("whole").end().unwrap();
    let mut whole = since.elapsed();
    let mut killed = 0;
    for point in 0..POINTS {
        let corpus = Corpus::new(format!("kill_{point}"));
        let process = boot(&corpus.schema);
        tokio::time::sleep(whole * point / POINTS).await;
        process.kill();
        let report = corpus.migrator(pool(&database.url(), 2)).up().await;
        let report = report.unwrap_or_else(|err| panic!("killed at {point} of {POINTS}: {err}"));
        killed += u32::from(!report.is_unchanged());
        if report.is_unchanged() {
            // The machine is faster now than when the first boot was timed.
            whole = whole.mul_f64(0.9);
        }
        corpus.check_once(&database.url()).await;
    }
    println!("{killed} of {POINTS} were killed while they had something to do, {whole:?} long");
    assert!(killed > POINTS / 2, "{killed}");
}

/// The server ends the worker's session: the boot connects and goes on.
#[tokio::test]
async fn a_session_that_was_ended_is_begun_again() {
    let database = paced();
    let events = Events::default();
    let files = [("1_a.sql", "CREATE TABLE a ();\nSELECT pg_sleep(seconds) FROM pace;\n")];
    let migrator = builder(&database.url(), &files).on_event(events.listener()).build().unwrap();
    let boot = tokio::spawn(async move { migrator.up().await });
    until(&database.url(), SLEEPS, "1").await;
    at_once(&database);
    end_worker(&database).await;
    assert_eq!(boot.await.unwrap().unwrap().applied.len(), 1);
    let reconnected = |it: &Event| matches!(it, Event::Reconnecting { .. });
    assert_eq!(events.told().iter().filter(|it| reconnected(it)).count(), 1);
}

/// A migration that takes its session with it each time is not tried for ever.
#[tokio::test]
async fn a_migration_that_ends_its_session_is_not_tried_for_ever() {
    let database = database();
    let files = [("1_a.sql", "SELECT pg_terminate_backend(pg_backend_pid());\n")];
    let err = migrator(&database.url(), &files).up().await.unwrap_err();
    assert!(err.to_string().contains("the connection was lost while migration `1_a` ran"), "{err}");
}

#[tokio::test]
async fn a_call_whose_session_was_ended_is_not_repeated() {
    let database = callable();
    let migrator = migrator(&database.url(), &[CALL]);
    let boot = tokio::spawn(async move { migrator.up().await });
    until(&database.url(), SLEEPS, "1").await;
    end_worker(&database).await;
    let err = boot.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied, "{err}");
    assert_eq!(ask(&database.url(), "SELECT string_agg(id::text, ' ') FROM t").await, "0 1");
}

async fn end_worker(database: &Database<'_>) {
    let end = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event = 'PgSleep'";
    assert_eq!(ask(&database.url(), end).await, "1");
}

/// The server dies in the middle of a migration, and comes back: the boot goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_boot_outlives_the_crash_of_its_server() {
    let mut server = Server::start().unwrap();
    let url = server.url("postgres");
    let pace = "CREATE TABLE pace AS SELECT pg_postmaster_start_time() AS started";
    server.psql("postgres", pace).unwrap();
    server.psql("postgres", "CREATE TABLE t (id int)").unwrap();
    // Each sleeps until the server is another one.
    let sleep = "SELECT pg_sleep(60) FROM pace WHERE started = pg_postmaster_start_time();\n";
    let transactional = format!("INSERT INTO t VALUES (1);\n{sleep}");
    let stepwise = format!(
        "-- atlas:txmode none\n\nINSERT INTO t VALUES (2);\n{sleep}CREATE INDEX CONCURRENTLY i ON \
         t (id);\n"
    );
    let all = [("1_a.sql", transactional.as_str()), ("2_b.sql", stepwise.as_str())];
    for files in [&all[..1], &all[..]] {
        server.psql("postgres", "UPDATE pace SET started = pg_postmaster_start_time()").unwrap();
        let events = Events::default();
        let boot = builder(&url, files).on_event(events.listener()).build().unwrap();
        let boot = tokio::spawn(async move { boot.up().await });
        until(&url, SLEEPS, "1").await;
        server.crash().unwrap();
        server.restart().unwrap();
        let report = boot.await.unwrap().unwrap();
        assert_eq!(report.applied.len(), 1);
        assert!(events.told().iter().any(|it| matches!(it, Event::Reconnecting { .. })));
    }
    assert_eq!(ask(&url, "SELECT string_agg(id::text, ' ') FROM t").await, "1 2");
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert_eq!(ask(&url, valid).await, "t");
    assert!(migrator(&url, &all).up().await.unwrap().is_unchanged());
}

/// A server that does not come back is not waited for beyond the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stays_away_is_an_error() {
    let mut server = Server::start().unwrap();
    let url = server.url("postgres");
    let limit = Duration::from_secs(1);
    let files = upfront_tests::migrations(&[("1_a.sql", "SELECT pg_sleep(60);\n")]);
    let boot = Migrator::builder(files, pool(&url, 1)).wait_timeout(limit).build().unwrap();
    let boot = tokio::spawn(async move { boot.up().await });
    until(&url, SLEEPS, "1").await;
    server.crash().unwrap();
    let err = boot.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::Unreachable, "{err}");
}
