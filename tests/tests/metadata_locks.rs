//! Locks that other sessions take on upfront's own tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{future::Future, time::Duration};

use tokio::{task::yield_now, time::timeout};
use upfront::{ErrorKind, Event};
use upfront_tests::{
    Events, Gate, ask, builder, connect, database, migrator, until, until_waited_for,
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
