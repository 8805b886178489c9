//! Every call ends within `wait_timeout`, whatever it waits for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    future::Future,
    net::TcpListener,
    time::{Duration, Instant},
};

use tokio::time::timeout;
use upfront::{ErrorKind, Migrator};
use upfront_tests::{builder, connect, database, migrations, migrator, pool};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");

/// The limit that a cancelled boot promises to the next one.
const SOON: Duration = Duration::from_secs(3);

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

#[tokio::test]
async fn an_exhausted_pool_is_a_timeout() {
    let database = database();
    let pool = pool(&database.url(), 1);
    let taken = pool.get().await.unwrap();
    let limit = Duration::from_millis(200);
    let files = migrations(&[("1_a.sql", "CREATE TABLE a (id int);\n")]);
    let migrator = Migrator::builder(files, pool.clone()).wait_timeout(limit).build().unwrap();
    let since = Instant::now();
    for err in [
        migrator.up().await.unwrap_err(),
        migrator.check().await.unwrap_err(),
        migrator.status().await.unwrap_err(),
        migrator.wait(limit).await.unwrap_err(),
    ] {
        assert!(err.kind() == ErrorKind::Timeout, "{err}");
        assert!(err.to_string().starts_with("no connection of the pool came free within"), "{err}");
    }
    assert!(since.elapsed() < SOON);
    drop(taken);
    assert_eq!(migrator.up().await.unwrap().applied.len(), 1);
}
