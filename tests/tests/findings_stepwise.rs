//! What reviews found in migrations outside a transaction, so that it stays found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use tokio::{task::yield_now, time::timeout};
use upfront::{ErrorKind, Event, Migrator};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{
    Events, Gate, ask, builder, commands, connect, database, migrations, migrator, pool, resolve,
    server, until, until_waited_for,
};

/// The error of a boot, which must be a failed statement with this code.
async fn fails(database: &Database<'_>, files: &[(&str, &str)], code: &str) -> upfront::Error {
    let err = migrator(&database.url(), files).up().await.unwrap_err();
    let found = err.server_error().map(|it| it.sqlstate);
    assert!(err.kind() == ErrorKind::MigrationFailed && found.as_deref() == Some(code), "{err}");
    err
}

const VERSIONS: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions \
                        WHERE app = 'main'";

const STEPS: &str = "SELECT count(*) FROM upfront.steps";

/// Some of the migration has run, and the file that would run now counts nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_does_not_fit_the_file_stops_by_name() {
    const T: (&str, &str) = ("1_t.sql", "CREATE TABLE t (id int);\n");
    const CALL: &str = "INSERT INTO t VALUES (1);\nCALL work();\n";
    const WORK: &str = "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES \
                        (2); COMMIT; PERFORM 1 / 0; END $$";
    let head = "-- atlas:txmode none\n\n";
    for (failed, corrected, remains) in [
        // The head is gone: the whole file would run in a transaction.
        (
            format!("{head}INSERT INTO t VALUES (1);\nSELECT 1 / 0;\n"),
            "INSERT INTO t VALUES (1);\n",
            "1",
        ),
        (format!("{head}{CALL}"), "INSERT INTO t VALUES (1);\n", "1 2"),
        // The statement that may have run is gone.
        (format!("{head}{CALL}"), "-- atlas:txmode none\n\nINSERT INTO t VALUES (1);\n", "1 2"),
    ] {
        let database = database();
        database.execute(WORK).unwrap();
        let files = [T, ("2_b.sql", failed.as_str())];
        fails(&database, &files, "22012").await;
        let boot = || migrator(&database.url(), &[T, ("2_b.sql", corrected)]);
        let rows = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t";
        for _ in 0..2 {
            let err = boot().up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::PartiallyApplied, "{failed}{corrected}{err}");
            assert!(err.to_string().contains("`2_b`"), "{err}");
            assert_eq!(ask(&database.url(), rows).await, remains, "it ran twice");
        }
        assert_eq!(ask(&database.url(), VERSIONS).await, "1");
        let status = boot().status().await.unwrap();
        assert_eq!(status.in_state(upfront::State::Partial).count(), 1, "{status}");

        let err = boot().up().await.unwrap_err().to_string();
        for command in commands(&err) {
            let copy = database.copy().unwrap();
            resolve(&migrator(&copy.url(), &[T, ("2_b.sql", corrected)]), command).await;
            leads_on(&copy, &[T, ("2_b.sql", corrected)], command).await;
        }
    }
}

/// Runs further commands as the errors print them, the first each time, until a boot passes.
async fn leads_on(database: &Database<'_>, files: &[(&str, &str)], first: &str) {
    const ENOUGH: u32 = 5;
    for _ in 0..ENOUGH {
        let err = match migrator(&database.url(), files).up().await {
            Ok(report) => {
                assert_eq!(report.applied.len(), 1);
                assert_eq!(ask(&database.url(), STEPS).await, "0");
                assert!(migrator(&database.url(), files).up().await.unwrap().is_unchanged());
                return;
            }
            Err(err) => err.to_string(),
        };
        resolve(&migrator(&database.url(), files), commands(&err)[0]).await;
    }
    panic!("`{first}` leads nowhere");
}

/// Boots until the statement stands before the gate, and drops the boot there; one that ends
/// before that will do as well.
async fn cut_off(database: &Database<'_>, gate: &Gate<'_>, files: &[(&str, &str)]) {
    let migrator = migrator(&database.url(), files);
    let boot = tokio::spawn(async move { migrator.up().await });
    while !boot.is_finished() && ask(&database.url(), Gate::HOW_MANY).await != "1" {
        yield_now().await;
    }
    boot.abort();
    let _ = boot.await;
    gate.open();
}

/// An index of that name is there, and it is not what the migration would make.
#[tokio::test]
async fn an_index_of_somebody_else_is_not_taken_for_ours() {
    const T: (&str, &str) =
        ("1_t.sql", "CREATE TABLE t (a int, b int);\nCREATE INDEX idx ON t (a);\n");
    let index = "-- atlas:txmode none\n\nCREATE UNIQUE INDEX CONCURRENTLY idx ON t (b);\n";
    let files = [T, ("2_idx.sql", index)];
    for killed in [false, true] {
        let database = database();
        migrator(&database.url(), &files[..1]).up().await.unwrap();
        if killed {
            let gate = Gate::before("CREATE INDEX", &database);
            cut_off(&database, &gate, &files).await;
        }
        for _ in 0..3 {
            fails(&database, &files, "42P07").await;
            assert_eq!(ask(&database.url(), STEPS).await, "0");
        }
        assert_eq!(ask(&database.url(), VERSIONS).await, "1");
        let unique = "SELECT indisunique FROM pg_index WHERE indexrelid = 'idx'::regclass";
        assert_eq!(ask(&database.url(), unique).await, "f");
        database.execute("DROP INDEX idx").unwrap();
        assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
        assert_eq!(ask(&database.url(), unique).await, "t");
    }
}

/// Nothing is in its way, and nobody records that it was built.
#[tokio::test]
async fn an_index_of_ours_that_was_built_unnoticed_is_recorded() {
    let database = database();
    database.execute("CREATE TABLE t (id int)").unwrap();
    let files = [("1_i.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY idx ON t (id);\n")];
    let gate = Gate::before("CREATE INDEX", &database);
    cut_off(&database, &gate, &files).await;
    let valid = "SELECT coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = \
                 to_regclass('idx')), false)";
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                application_name = 'upfront'";
    until(&database.url(), gone, "0").await;
    if ask(&database.url(), valid).await == "f" {
        // The server noticed first that its client was gone.
        database.execute("CREATE INDEX CONCURRENTLY idx ON t (id)").unwrap();
    }
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    assert_eq!(ask(&database.url(), valid).await, "t");
}

#[tokio::test]
async fn dropping_an_index_that_never_was_is_an_error_each_time() {
    let files = [("1_i.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY typo;\n")];
    for killed in [false, true] {
        let database = database();
        if killed {
            let gate = Gate::before("DROP INDEX", &database);
            cut_off(&database, &gate, &files).await;
        }
        for _ in 0..3 {
            fails(&database, &files, "42704").await;
            assert_eq!(ask(&database.url(), STEPS).await, "0");
        }
    }
}

/// Cancels what the boot's session does, once it has come half way.
async fn cancelled(database: &Database<'_>, files: &[(&str, &str)], blocker: &str, half: &str) {
    let other = connect(&database.url()).await;
    other.batch_execute(&format!("BEGIN; {blocker}")).await.unwrap();
    let migrator = migrator(&database.url(), files);
    let boot = tokio::spawn(async move { migrator.up().await });
    until(&database.url(), half, "t").await;
    let cancel = "SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity WHERE \
                  datname = current_database() AND application_name = 'upfront'";
    assert_eq!(ask(&database.url(), cancel).await, "1");
    let err = boot.await.unwrap().unwrap_err();
    assert_eq!(err.server_error().unwrap().sqlstate, "57014", "{err}");
    other.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_detach_that_was_cancelled_half_way_is_finalized() {
    let database = database();
    let tables = "CREATE TABLE parts (id int) PARTITION BY LIST (id);\
                  CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)";
    database.execute(tables).unwrap();
    let text = "-- atlas:txmode none\n\nALTER TABLE parts DETACH PARTITION part CONCURRENTLY;\n";
    let files = [("1_detach.sql", text)];
    let half = "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)";
    cancelled(&database, &files, "SELECT count(*) FROM parts", half).await;
    assert_eq!(ask(&database.url(), half).await, "t");
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    let attached = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'parts'::regclass";
    assert_eq!(ask(&database.url(), attached).await, "0");
    assert_eq!(ask(&database.url(), STEPS).await, "0");
}

#[tokio::test]
async fn a_reindex_that_was_cancelled_leaves_nothing() {
    for statement in ["REINDEX INDEX CONCURRENTLY idx", "REINDEX TABLE CONCURRENTLY t"] {
        let database = database();
        database.execute("CREATE TABLE t (id int); CREATE INDEX idx ON t (id)").unwrap();
        let text = format!("-- atlas:txmode none\n\n{statement};\n");
        let files = [("1_reindex.sql", text.as_str())];
        let half = "SELECT EXISTS (SELECT FROM pg_class WHERE relname ~ '_ccnew')";
        cancelled(&database, &files, "INSERT INTO t VALUES (1)", half).await;
        assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
        let indexes = "SELECT string_agg(format('%s %s', relname, indisvalid), ', ') FROM pg_index \
                       JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = 't'::regclass";
        assert_eq!(ask(&database.url(), indexes).await, "idx t", "{statement}");
        assert_eq!(ask(&database.url(), STEPS).await, "0");
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
        let migrator = Migrator::builder(files, pool(&url, 1)).session_pooler();
        let booted = migrator.build().unwrap().up().await;
        assert_eq!(booted.is_ok(), text == sets, "{booted:?}");
        assert_eq!(ask(&database.url(), LOCKS).await, "0", "{text}");
        assert_eq!(ask(&url, "SELECT pg_backend_pid()").await, pid, "it is another connection");
        assert_eq!(ask(&url, SETTINGS).await, before, "{text}");
        assert_eq!(ask(&url, "SELECT to_regclass('pg_temp.t') IS NULL").await, "t", "{text}");
    }
}

/// How often a boot was told to try again.
fn retries(events: &Events) -> usize {
    events.told().iter().filter(|it| matches!(it, Event::Retrying { .. })).count()
}

/// The role that the file has set is not the one that writes the journal.
#[tokio::test]
async fn a_file_that_sets_a_role_waits_for_a_lock() {
    let database = database();
    let role = format!("{}_other", database.name());
    let tables =
        format!("CREATE ROLE {role}; CREATE TABLE t (id int); ALTER TABLE t OWNER TO {role}");
    database.execute(&tables).unwrap();
    let other = connect(&database.url()).await;
    other.batch_execute("BEGIN; SELECT * FROM t").await.unwrap();
    let text = format!(
        "-- atlas:txmode none\n\nSET ROLE {role};\nALTER TABLE t ADD COLUMN name text;\nVACUUM t;\n"
    );
    let events = Events::default();
    let migrator = builder(&database.url(), &[("1_t.sql", &text)]).on_event(events.listener());
    let migrator = migrator.build().unwrap();
    let boot = tokio::spawn(async move { migrator.up().await });
    while retries(&events) < 3 {
        assert!(!boot.is_finished(), "{:?}", boot.await.unwrap());
        yield_now().await;
    }
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(boot.await.unwrap().unwrap().applied.len(), 1);
    let column =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'name'";
    assert_eq!(ask(&database.url(), column).await, "1");
}

/// The role of a session is then another one than its login, and has all the rights.
#[tokio::test]
async fn a_login_that_has_a_role_set_may_migrate_in_both_ways() {
    let database = database();
    let name = database.name();
    let (login, owner) = (format!("{name}_login"), format!("{name}_owner"));
    for sql in [
        format!("CREATE ROLE {owner}"),
        format!("CREATE ROLE {login} LOGIN NOINHERIT"),
        format!("GRANT {owner} TO {login}"),
        format!("ALTER ROLE {login} SET role = '{owner}'"),
        format!("ALTER DATABASE {name} OWNER TO {owner}"),
        format!("ALTER SCHEMA public OWNER TO {owner}"),
    ] {
        database.execute(&sql).unwrap();
    }
    let url = database.url().replacen("postgres@", &format!("{login}@"), 1);
    let files = [
        ("1_t.sql", "CREATE TABLE t (id int);\n"),
        (
            "2_i.sql",
            "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON t (id);\nCREATE TABLE u (id int);\n",
        ),
        ("3_u.sql", "ALTER TABLE u ADD COLUMN name text;\n"),
    ];
    assert_eq!(migrator(&url, &files).up().await.unwrap().applied.len(), 3);
    let owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname IN \
                  ('public', 'upfront')";
    assert_eq!(ask(&database.url(), owners).await, owner);
    let who = "SELECT string_agg(DISTINCT login || ' ' || role, ', ') FROM upfront.revisions";
    assert_eq!(ask(&database.url(), who).await, format!("{login} {owner}"));
}

#[tokio::test]
async fn rewriting_a_table_outside_a_transaction_waits_in_short_tries() {
    for statement in ["VACUUM FULL t", "REINDEX TABLE t", "REINDEX INDEX t_pkey", "CLUSTER t"] {
        let database = database();
        let table = "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t CLUSTER ON t_pkey";
        database.execute(table).unwrap();
        let other = connect(&database.url()).await;
        other.batch_execute("BEGIN; SELECT * FROM t").await.unwrap();
        let events = Events::default();
        let text = format!("-- atlas:txmode none\n-- upfront:lock-timeout 200ms\n\n{statement};\n");
        let migrator = builder(&database.url(), &[("1_t.sql", &text)]).on_event(events.listener());
        let migrator = migrator.build().unwrap();
        let boot = tokio::spawn(async move { migrator.up().await });
        let reader = connect(&database.url()).await;
        let mut worst = Duration::ZERO;
        while retries(&events) < 3 {
            assert!(!boot.is_finished(), "{statement}: {:?}", boot.await.unwrap());
            let since = Instant::now();
            let read = reader.simple_query("SELECT count(*) FROM t");
            timeout(Duration::from_secs(5), read).await.expect(statement).unwrap();
            worst = worst.max(since.elapsed());
            yield_now().await;
        }
        other.batch_execute("COMMIT").await.unwrap();
        assert_eq!(boot.await.unwrap().unwrap().applied.len(), 1, "{statement}");
        assert!(worst < Duration::from_secs(2), "{statement}: a reader waited {worst:?}");
    }
}

/// What it leaves when it is cut off is an invalid index, and its locks are in nobody's way.
#[tokio::test]
async fn what_runs_concurrently_is_never_cut_off() {
    let database = database();
    database.execute("CREATE TABLE t (id int); CREATE INDEX old ON t (id)").unwrap();
    let concurrent = [
        "CREATE INDEX CONCURRENTLY new ON t (id)",
        "REINDEX TABLE CONCURRENTLY t",
        "DROP INDEX CONCURRENTLY old",
    ];
    for (version, statement) in (1..).zip(concurrent) {
        let other = connect(&database.url()).await;
        other.batch_execute("BEGIN; INSERT INTO t VALUES (1)").await.unwrap();
        let events = Events::default();
        let head = "-- atlas:txmode none\n-- upfront:lock-timeout 50ms\n\n";
        let (name, text) = (format!("{version}_t.sql"), format!("{head}{statement};\n"));
        let migrator = builder(&database.url(), &[(&name, &text)]).on_event(events.listener());
        let migrator = migrator.app(statement).build().unwrap();
        let boot = tokio::spawn(async move { migrator.up().await });
        let long = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                    application_name = 'upfront' AND state = 'active' AND clock_timestamp() - \
                    query_start > interval '500ms'";
        until(&database.url(), long, "1").await;
        assert!(!boot.is_finished(), "{statement}: {:?}", boot.await.unwrap());
        other.batch_execute("COMMIT").await.unwrap();
        assert_eq!(boot.await.unwrap().unwrap().applied.len(), 1);
        assert_eq!(retries(&events), 0, "{statement}");
    }
}

/// What nobody can tell from the catalog, the journal must know, however long it is locked.
#[tokio::test]
async fn a_lock_on_the_journal_behind_a_statement_is_waited_out() {
    for (table, statement) in [
        ("steps", "CALL work()"),
        ("steps", "CREATE INDEX CONCURRENTLY i ON t (id)"),
        ("revisions", "CALL work()"),
        ("revisions", "SELECT public.gate()"),
    ] {
        let database = database();
        let tables = "CREATE TABLE t (id int); CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ \
                      BEGIN INSERT INTO t VALUES (1); COMMIT; PERFORM public.gate(); END $$";
        database.execute(tables).unwrap();
        migrator(&database.url(), &[("1_a.sql", "SELECT 1;\n")]).up().await.unwrap();
        let gate = match statement.starts_with("CREATE INDEX") {
            true => Gate::before("CREATE INDEX", &database),
            false => Gate::shut(&database),
        };
        let text = format!("-- atlas:txmode none\n\n{statement};\n");
        let files = [("1_a.sql", "SELECT 1;\n"), ("2_b.sql", text.as_str())];
        let migrator = migrator(&database.url(), &files);
        let boot = tokio::spawn(async move { migrator.up().await });
        gate.reached().await;
        let other = connect(&database.url()).await;
        let lock = format!("BEGIN; LOCK TABLE upfront.{table}");
        other.batch_execute(&lock).await.unwrap();
        gate.open();
        until_waited_for(&database.url(), &format!("upfront.{table}")).await;
        other.batch_execute("COMMIT").await.unwrap();
        let report = boot.await.unwrap();
        let report = report.unwrap_or_else(|err| panic!("{table}, {statement}: {err}"));
        assert_eq!(report.applied.len(), 1);
        let count = ask(&database.url(), "SELECT count(*) FROM t").await;
        assert_eq!(count, if statement.starts_with("CALL") { "1" } else { "0" });
    }
}
