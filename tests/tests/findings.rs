//! What reviews found in boots of transactional migrations and in looks, so that it stays found.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    future::Future,
    net::TcpListener,
    time::{Duration, Instant},
};

use tokio::{task::yield_now, time::timeout};
use upfront::{ErrorKind, Event, Migrator};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{
    Events, Gate, ask, builder, connect, database, migrations, migrator, pool, server, until,
    until_waited_for,
};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");
const C: (&str, &str) = ("3_c.sql", "CREATE TABLE c (id int);\n");

const VERSIONS: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions \
                        WHERE app = 'main'";

/// How often each version was applied.
const APPLIED: &str = "SELECT string_agg(format('%s: %s', version, count), ', ' ORDER BY version) \
                       FROM (SELECT version, count(*) FROM upfront.log WHERE app = 'main' AND \
                       outcome = 'applied' GROUP BY version) it";

/// Before a statement stands what makes its file transactional or not.
const HEADS: [&str; 2] = ["", "-- atlas:txmode none\n\n"];

/// In a block, as the directory refuses it outside a transaction where it sees it.
const HIDES: &str = "DO $$ BEGIN CREATE TEMP TABLE users AS SELECT 1 AS id; END $$;\n";

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

/// As on the machine of whoever applied them one by one.
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

const REVISIONS_LOCKED: &str = "SELECT count(*) FROM pg_locks WHERE relation = \
     to_regclass('upfront.revisions') AND mode = 'AccessExclusiveLock'";

/// The read of the history goes with the commit of the migration before it, and fails after that.
#[tokio::test]
async fn a_lock_on_the_history_behind_a_commit_is_waited_out() {
    let database = database();
    let gate = Gate::shut(&database);
    let waits = format!("{}{}", B.1, Gate::WAIT);
    let files = [A, (B.0, waits.as_str()), C];
    migrator(&database.url(), &files[..1]).up().await.unwrap();
    let migrator = migrator(&database.url(), &files);
    let boot = tokio::spawn(async move { migrator.up().await });
    gate.reached().await;
    let other = connect(&database.url()).await;
    let lock = tokio::spawn(async move {
        other.batch_execute("BEGIN; LOCK TABLE upfront.revisions").await.unwrap();
        other
    });
    until(&database.url(), REVISIONS_LOCKED, "1").await;
    gate.open();
    let other = lock.await.unwrap();
    until_waited_for(&database.url(), "upfront.revisions").await;
    other.batch_execute("COMMIT").await.unwrap();
    let report = boot.await.unwrap().unwrap();
    assert_eq!(report.applied.len(), 2);
    assert_eq!(ask(&database.url(), VERSIONS).await, "1 2 3");
    assert_eq!(ask(&database.url(), APPLIED).await, "1: 1, 2: 1, 3: 1");
}

/// It is never waited for without an end, and never taken for an escape.
#[tokio::test]
async fn a_lock_on_the_history_behind_a_commit_ends_in_a_timeout() {
    let database = database();
    let gate = Gate::shut(&database);
    let waits = format!("{}{}", B.1, Gate::WAIT);
    let files = [A, (B.0, waits.as_str()), C];
    migrator(&database.url(), &files[..1]).up().await.unwrap();
    let migrator = builder(&database.url(), &files).wait_timeout(Duration::from_secs(1));
    let migrator = migrator.build().unwrap();
    let boot = tokio::spawn(async move { soon(migrator.up()).await });
    gate.reached().await;
    let other = connect(&database.url()).await;
    let lock = tokio::spawn(async move {
        other.batch_execute("BEGIN; LOCK TABLE upfront.revisions").await.unwrap();
        other
    });
    until(&database.url(), REVISIONS_LOCKED, "1").await;
    gate.open();
    let other = lock.await.unwrap();
    let err = boot.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout && err.kind() != ErrorKind::TransactionEnded, "{err}");
    drop(other);
    assert_eq!(ask(&database.url(), APPLIED).await, "1: 1, 2: 1");
    assert_eq!(self::migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
}

/// What ends at all ends within ten seconds.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("it ends within ten seconds")
}

#[tokio::test]
async fn rows_deleted_by_hand_are_told_as_deleted() {
    for (gone, titles) in [
        ("version < '3'", &["1_a", "2_b"][..]),
        ("version = '1'", &["1_a"]),
        ("version IN ('2', '3')", &["2_b", "3_c"]),
        ("version = '3'", &["3_c"]),
        ("true", &["1_a", "2_b", "3_c"]),
    ] {
        let database = database();
        let migrator = migrator(&database.url(), &[A, B, C]);
        migrator.up().await.unwrap();
        let delete = format!("DELETE FROM upfront.revisions WHERE app = 'main' AND {gone}");
        database.execute(&delete).unwrap();
        let errors = [migrator.up().await.unwrap_err(), migrator.check().await.unwrap_err()];
        for err in errors {
            assert!(
                err.kind() == ErrorKind::Tampered && err.kind() != ErrorKind::OutOfOrder,
                "{gone}: {err}"
            );
            for it in titles {
                let told = format!("the row of migration `{it}` was deleted");
                assert!(err.to_string().contains(&told), "{gone}: {err}");
            }
        }
    }
}

#[tokio::test]
async fn a_migration_whose_row_was_deleted_does_not_run_again() {
    let database = database();
    let insert = ("2_b.sql", "INSERT INTO a VALUES (1);\n");
    migrator(&database.url(), &[A, insert]).up().await.unwrap();
    database.execute("DELETE FROM upfront.revisions WHERE version = '2'").unwrap();
    for files in [&[A, insert][..], &[A, insert, C]] {
        let err = migrator(&database.url(), files).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Tampered, "{err}");
        assert!(err.to_string().contains("`2_b`"), "{err}");
    }
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "1");
    assert_eq!(ask(&database.url(), VERSIONS).await, "1");
}

/// Whatever a boot and those who look say of these files, on a database that has others.
async fn said(database: &Database<'_>, files: &[(&str, &str)]) -> String {
    let migrator = migrator(&database.url(), files);
    let up = migrator.up().await.unwrap_err();
    let check = migrator.check().await.unwrap_err();
    let status = migrator.status().await.unwrap();
    format!("{up}\n{up:?}\n{check}\n{status}")
}

#[tokio::test]
async fn a_password_is_in_no_diff() {
    let database = database();
    let role = format!("{}_svc", database.name());
    let without = format!("CREATE ROLE {role} LOGIN;\n");
    let one = format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2';\n");
    let two = format!("CREATE ROLE {role} LOGIN\n  PASSWORD 'hunter3';\n");
    for (applied, edited) in [(&one, &without), (&without, &one), (&one, &two), (&two, &without)] {
        let database = self::database();
        database.execute(&format!("DROP ROLE IF EXISTS {role}")).unwrap();
        migrator(&database.url(), &[("1_a.sql", applied.as_str())]).up().await.unwrap();
        let said = said(&database, &[("1_a.sql", edited)]).await;
        assert!(said.contains("was changed after it was applied"), "{said}");
        assert!(!said.contains("hunter"), "{applied}{edited}{said}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_line_of_another_statement() {
    for fails in ["SELECT nope FROM pg_class", "SELEC 1", "SELECT 1 / 0"] {
        for head in HEADS {
            let database = database();
            let role = format!("{}_svc", database.name());
            let text = format!("{head}CREATE ROLE {role} PASSWORD 'hunter2'; {fails};\n");
            let err = migrator(&database.url(), &[("1_a.sql", &text)]).up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
            assert!(!format!("{err} {err:?}").contains("hunter2"), "{text}{err}");
            let log = ask(&database.url(), "SELECT message FROM upfront.log").await;
            assert!(!log.contains("hunter2"), "{text}{log}");
            database.execute(&format!("DROP ROLE IF EXISTS {role}")).unwrap();
        }
    }
}

/// Who vacuums or alters upfront's tables holds everybody up, and nobody for ever.
#[tokio::test]
async fn a_lock_on_the_history_is_not_waited_for_beyond_the_limit() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    let other = connect(&database.url()).await;
    other.batch_execute("BEGIN; LOCK TABLE upfront.revisions").await.unwrap();
    let limit = Duration::from_secs(1);
    for files in [&[A][..], &[A, B]] {
        let build = || builder(&database.url(), files).wait_timeout(limit).build().unwrap();
        for (verb, err) in [
            ("wait", timed("wait", build().wait(limit)).await),
            ("check", timed("check", build().check()).await),
            ("up", timed("up", async { build().up().await.map(drop) }).await),
            ("status", timed("status", async { build().status().await.map(drop) }).await),
            ("plan_up", timed("plan_up", async { build().plan_up().await.map(drop) }).await),
        ] {
            assert!(err.kind() == ErrorKind::Timeout, "{verb}: {err}");
        }
    }
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrator(&database.url(), &[A, B]).up().await.unwrap().applied.len(), 1);
}

/// The error of a verb, which came with the limit of a second.
async fn timed(verb: &str, future: impl Future<Output = upfront::Result<()>>) -> upfront::Error {
    let since = Instant::now();
    let ended = timeout(Duration::from_secs(10), future).await;
    let err = ended.expect(verb).unwrap_err();
    let took = since.elapsed();
    let soon = Duration::from_millis(900)..Duration::from_secs(4);
    assert!(soon.contains(&took), "{verb}, {took:?}: {err}");
    err
}

#[tokio::test]
async fn a_boot_that_waits_outlives_a_lock_on_the_history() {
    let database = database();
    let gate = Gate::shut(&database);
    let waits = format!("{}{}", B.1, Gate::WAIT);
    let files = [A, (B.0, waits.as_str())];
    migrator(&database.url(), &files[..1]).up().await.unwrap();
    let leader = migrator(&database.url(), &files);
    let leader = tokio::spawn(async move { leader.up().await });
    gate.reached().await;
    let events = Events::default();
    let waiter = builder(&database.url(), &files).on_event(events.listener()).build().unwrap();
    let waiter = tokio::spawn(async move { waiter.up().await });
    while !events.told().iter().any(|it| matches!(it, Event::Waiting { .. })) {
        yield_now().await;
    }
    let other = connect(&database.url()).await;
    let lock = tokio::spawn(async move {
        other.batch_execute("BEGIN; LOCK TABLE upfront.revisions").await.unwrap();
        other
    });
    until_waited_for(&database.url(), "upfront.revisions").await;
    gate.open();
    lock.await.unwrap().batch_execute("COMMIT").await.unwrap();
    assert_eq!(leader.await.unwrap().unwrap().applied.len(), 1);
    assert!(waiter.await.unwrap().unwrap().applied.is_empty());
    assert_eq!(ask(&database.url(), APPLIED).await, "1: 1, 2: 1");
}

/// Its pauses are longer than the server lets a session idle.
#[tokio::test]
async fn a_boot_that_waits_is_not_taken_for_an_idle_session() {
    let database = database();
    let gate = Gate::shut(&database);
    let name = database.name();
    let idle = format!("ALTER DATABASE {name} SET idle_session_timeout = '200ms'");
    database.execute(&idle).unwrap();
    let waits = format!("{}{}", A.1, Gate::WAIT);
    let files = [(A.0, waits.as_str())];
    let leader = migrator(&database.url(), &files);
    let leader = tokio::spawn(async move { leader.up().await });
    gate.reached().await;
    let events = Events::default();
    let waiter = builder(&database.url(), &files).on_event(events.listener()).build().unwrap();
    let waiter = tokio::spawn(async move { waiter.up().await });
    // It tells every five seconds, and by the second time its pauses are half a second long.
    let told = || events.told().iter().filter(|it| matches!(it, Event::Waiting { .. })).count();
    while told() < 2 {
        assert!(!waiter.is_finished(), "{:?}", waiter.await.unwrap());
        yield_now().await;
    }
    gate.open();
    assert_eq!(leader.await.unwrap().unwrap().applied.len(), 1);
    waiter.await.unwrap().unwrap();
    let reconnecting = |it: &Event| matches!(it, Event::Reconnecting { .. });
    assert!(!events.told().iter().any(reconnecting), "{:?}", events.told());
}

/// The kernel accepts, and nobody answers: as a firewall, or a server that hangs, would have it.
#[tokio::test]
async fn a_server_that_never_answers_is_a_connection_that_failed() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://nobody@127.0.0.1:{port}/nothing?sslmode=disable");
    let limit = Duration::from_secs(1);
    let build = || builder(&url, &[A]).wait_timeout(limit).build().unwrap();
    for err in [
        timed("up", async { build().up().await.map(drop) }).await,
        timed("check", build().check()).await,
        timed("wait", build().wait(limit)).await,
    ] {
        assert!(err.kind() == ErrorKind::Unreachable, "{err}");
        assert!(!err.to_string().contains("no connection of the pool came free"), "{err}");
    }
}

/// They are not taken for tables of an older version, which have no rows to read.
#[tokio::test]
async fn dropped_tables_are_no_empty_history() {
    let database = database();
    let it = migrator(&database.url(), &[A]);
    it.up().await.unwrap();
    database.execute("DROP TABLE upfront.targets, upfront.steps, upfront.log").unwrap();
    for err in [
        it.check().await.unwrap_err(),
        it.plan_up().await.unwrap_err(),
        it.status().await.unwrap_err(),
        it.log(None, None).await.unwrap_err(),
    ] {
        assert!(err.to_string().contains("does not exist"), "{err}");
    }
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_a_timeout() {
    let database = database();
    let pool = pool(&database.url(), 1);
    let _taken = pool.get().await.unwrap();
    let migrator = Migrator::builder(migrations(&[A]), pool).wait_timeout(Duration::from_secs(1));
    let migrator = migrator.build().unwrap();
    let err = timed("up", async { migrator.up().await.map(drop) }).await;
    assert!(err.kind() == ErrorKind::Timeout && err.kind() != ErrorKind::Unreachable, "{err}");
}

/// Whether a migration was cut off can no longer be determined.
#[tokio::test]
async fn without_the_journal_nothing_is_called_up_to_date() {
    let database = database();
    let settled = migrator(&database.url(), &[A]);
    settled.up().await.unwrap();
    database.execute("DROP TABLE upfront.steps").unwrap();
    for err in [
        settled.up().await.unwrap_err(),
        settled.check().await.unwrap_err(),
        settled.plan_up().await.unwrap_err(),
        settled.status().await.unwrap_err(),
    ] {
        assert!(err.to_string().contains("\"upfront.steps\" does not exist"), "{err}");
    }

    let behind = migrator(&database.url(), &[A, B]);
    let said = [
        format!("{:?}", behind.check().await.unwrap_err()),
        behind.plan_up().await.map_or_else(|err| err.to_string(), |it| it.to_string()),
        behind.up().await.map_or_else(|err| err.to_string(), |it| it.to_string()),
    ];
    for it in said {
        assert!(!it.contains("1_a"), "{it}");
    }
    assert_eq!(
        ask(&database.url(), "SELECT count(*) FROM pg_tables WHERE tablename = 'a'").await,
        "1"
    );
}

#[tokio::test]
async fn without_the_log_the_error_says_that_recording_failed() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    database.execute("DROP TABLE upfront.log").unwrap();
    let err = migrator(&database.url(), &[A, B]).up().await.unwrap_err();
    let text = err.to_string();
    assert!(text.contains("upfront.log") && !text.contains("2_b.sql:1"), "{text}");
    let nothing = "SELECT to_regclass('public.b') IS NULL";
    assert_eq!(ask(&database.url(), nothing).await, "t");
    assert_eq!(ask(&database.url(), VERSIONS).await, "1");
}

#[tokio::test]
async fn a_changed_down_side_is_stored_beside_a_stepwise_migration() {
    let database = database();
    let down = |text| [A, ("down/1_a.sql", text)];
    migrator(&database.url(), &down("DROP TABLE a;\n")).up().await.unwrap();
    let [a, changed] = down("DROP TABLE IF EXISTS a;\n");
    let index = ("2_i.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n");
    migrator(&database.url(), &[a, changed, index]).up().await.unwrap();
    let stored = "SELECT down_sql FROM upfront.revisions WHERE app = 'main' AND version = '1'";
    assert_eq!(ask(&database.url(), stored).await.trim(), "DROP TABLE IF EXISTS a;");
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
