//! Locks that other sessions hold on the tables of a migration.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use tokio::{task::yield_now, time::timeout};
use upfront::{ErrorKind, Event};
use upfront_tests::{Events, ask, builder, connect, database, migrator, until};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");

#[tokio::test]
async fn a_lock_on_a_table_is_waited_for_in_short_tries() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    let mut other = connect(&database.url()).await;
    let holding = other.transaction().await.unwrap();
    holding.batch_execute("select * from a").await.unwrap();
    let events = Events::default();
    let alter = ("2_alter.sql", "ALTER TABLE a ADD COLUMN name text;\n");
    let it = builder(&database.url(), &[A, alter]).on_event(events.listener()).build().unwrap();
    let boot = tokio::spawn(async move { it.up().await });
    let reader = connect(&database.url()).await;
    let mut worst = Duration::ZERO;
    while events.told().iter().filter(|it| matches!(it, Event::Retrying { .. })).count() < 4 {
        let since = Instant::now();
        reader.query("select * from a", &[]).await.unwrap();
        worst = worst.max(since.elapsed());
        tokio::task::yield_now().await;
    }
    holding.commit().await.unwrap();
    boot.await.unwrap().unwrap();
    assert!(worst < Duration::from_secs(2), "a reader waited {worst:?}");
    let told = events.told();
    let retrying = told.iter().find_map(|it| match it {
        Event::Retrying { code, blockers, .. } => Some((code.clone(), blockers.clone())),
        _ => None,
    });
    let (code, blockers) = retrying.unwrap();
    assert_eq!(code, "55P03");
    assert!(!blockers.is_empty(), "the event names the open transaction");
}

#[tokio::test]
async fn a_lock_that_is_never_given_up_ends_in_an_error() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    let mut other = connect(&database.url()).await;
    let holding = other.transaction().await.unwrap();
    holding.batch_execute("select * from a").await.unwrap();
    let files = [A, ("2_alter.sql", "ALTER TABLE a ADD COLUMN name text;\n")];
    let it = builder(&database.url(), &files).wait_timeout(Duration::from_millis(400));
    let err = it.build().unwrap().up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed);
    assert_eq!(err.server_error().unwrap().sqlstate, "55P03");
    assert!(err.to_string().contains("it was tried "), "{err}");
    assert!(err.to_string().contains("upfront:lock-timeout"), "{err}");
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
