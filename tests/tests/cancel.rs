//! Boots whose future is dropped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;
use tokio::time::timeout;
use upfront::{Migrator, Target};
use upfront_scratch::Database;
use upfront_tests::{Corpus, ask, connect, database, migrations, migrator, pool, until};

/// Polls a future so often and then drops it; `None` where it was not ready by then.
async fn within<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        let Some(it) = left.checked_sub(1) else { return Poll::Ready(None) };
        left = it;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// How often a future is polled until it is ready.
async fn polls<T>(future: impl Future<Output = T>) -> usize {
    let mut future = pin!(future);
    let mut count = 0;
    poll_fn(|context| {
        count += 1;
        future.as_mut().poll(context).map(drop)
    })
    .await;
    count
}

/// The limit that a cancelled boot promises to the next one.
const SOON: Duration = Duration::from_secs(3);

/// A boot on the same pool, after one that was dropped.
async fn boot_again(corpus: &Corpus, pool: &Pool, database: &Database<'_>) -> bool {
    corpus.check_whole(&database.url()).await;
    let since = Instant::now();
    let report = corpus.migrator(pool.clone()).up().await.unwrap();
    let took = since.elapsed();
    assert!(took < SOON, "{took:?} for {report}");
    corpus.check_once(&database.url()).await;
    !report.is_unchanged()
}

/// Every await of a cold boot, some of them several times.
#[tokio::test]
async fn dropped_at_any_await_the_next_boot_finishes() {
    const DROPS: usize = 200;
    let database = database();
    let whole = Corpus::new("whole");
    let awaits = polls(whole.migrator(pool(&database.url(), 2)).up()).await;
    whole.check_once(&database.url()).await;
    let mut unfinished = 0;
    for at in 0..DROPS {
        let corpus = Corpus::new(format!("drop_{at}"));
        // A pool of one shows that nothing is kept, and one of two that nothing is mixed up.
        let pool = pool(&database.url(), 1 + at % 2);
        let dropped = within(1 + at * awaits / DROPS, corpus.migrator(pool.clone()).up()).await;
        assert!(dropped.is_none_or(|it| it.is_ok()));
        unfinished += usize::from(boot_again(&corpus, &pool, &database).await);
    }
    println!("{unfinished} of {DROPS} drops among {awaits} awaits left something to do");
    assert!(unfinished > DROPS * 3 / 4, "{unfinished}");
}

const SLEEPS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                      wait_event = 'PgSleep'";

/// The server is busy with a statement when the future goes: it notices by itself.
#[tokio::test]
async fn dropped_in_a_long_statement_the_lock_is_soon_free() {
    for head in ["", "-- atlas:txmode none\n\n"] {
        let database = database();
        database.execute("CREATE TABLE pace AS SELECT 60.0::float8 AS seconds").unwrap();
        let sql = format!("{head}CREATE TABLE a (id int);\nSELECT pg_sleep(seconds) FROM pace;\n");
        let pool = pool(&database.url(), 1);
        let migrator = Migrator::new(migrations(&[("1_a.sql", &sql)]), pool.clone());
        let url = database.url();
        tokio::select! {
            it = migrator.up() => panic!("{it:?}"),
            () = until(&url, SLEEPS, "1") => {}
        }
        let since = Instant::now();
        database.execute("UPDATE pace SET seconds = 0").unwrap();
        assert_eq!(migrator.up().await.unwrap().applied.len(), 1);
        let took = since.elapsed();
        println!("the next boot took {took:?}");
        assert!(took < SOON, "{took:?}");
    }
}

/// A waiter that gives up leaves nothing behind, and the leader does not notice.
#[tokio::test]
async fn a_waiter_may_be_dropped() {
    let database = database();
    database.execute("CREATE TABLE pace AS SELECT 60.0::float8 AS seconds").unwrap();
    let files = [("1_a.sql", "CREATE TABLE a ();\nSELECT pg_sleep(seconds) FROM pace;\n")];
    let leader = Migrator::new(migrations(&files), pool(&database.url(), 1));
    let leader = tokio::spawn(async move { leader.up().await });
    until(&database.url(), SLEEPS, "1").await;
    let waiting = pool(&database.url(), 2);
    for at in 1..40 {
        let waiter = Migrator::new(migrations(&files), waiting.clone());
        assert!(within(at, waiter.up()).await.is_none());
    }
    let transactions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                        AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
    until(&database.url(), transactions, "1").await;
    end_sleep(&database).await;
    leader.await.unwrap().unwrap();
    assert!(Migrator::new(migrations(&files), waiting).up().await.unwrap().is_unchanged());
}

/// The boot tries again after its session was ended, and then does not sleep.
async fn end_sleep(database: &Database<'_>) {
    let end = "UPDATE pace SET seconds = 0; SELECT pg_terminate_backend(pid) FROM \
               pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    assert_eq!(ask(&database.url(), end).await, "t");
}

/// What a boot gives back to the pool has no transaction, lock or setting of its own.
#[tokio::test]
async fn a_pool_of_one_works_and_stays_clean() {
    let database = database();
    let pool = pool(&database.url(), 1);
    let settings = "SELECT name, setting FROM pg_settings WHERE name <> 'application_name' ORDER \
                    BY 1";
    let before = ask(&database.url(), settings).await;
    let corpus = Corpus::new("one");
    corpus.migrator(pool.clone()).up().await.unwrap();
    for _ in 0..2 {
        assert!(corpus.migrator(pool.clone()).up().await.unwrap().is_unchanged());
        assert!(corpus.migrator(pool.clone()).status().await.unwrap().is_up_to_date());
        let client = pool.get().await.unwrap();
        let rows = client.query(settings, &[]).await.unwrap();
        let line =
            |it: &tokio_postgres::Row| format!("{}|{}", it.get::<_, &str>(0), it.get::<_, &str>(1));
        assert_eq!(rows.iter().map(line).collect::<Vec<_>>().join("\n"), before);
    }
    assert_eq!(pool.status().size, 1);
    corpus.check_once(&database.url()).await;
}

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");

/// A connection that goes back to its pool in the middle of a count is of use to the next one.
#[tokio::test]
async fn a_dropped_plan_leaves_no_transaction_in_the_pool() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    let other = connect(&database.url()).await;
    other.simple_query("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let pool = pool(&database.url(), 1);
    let it = Migrator::builder(migrations(&files), pool.clone());
    let it = it.lock_timeout(Duration::from_secs(30)).build().unwrap();
    let plan = timeout(Duration::from_millis(300), it.plan_down(Target::All)).await;
    assert!(plan.is_err(), "it waits for the table");
    pool.get().await.unwrap().simple_query("SELECT 1").await.unwrap();
}
