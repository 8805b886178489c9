//! Links and servers that do not answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use upfront::{Error, ErrorKind, Migrator};
use upfront_scratch::Server;
use upfront_tests::{Corpus, Counted, Wire, ask, connect, migrations, pool, until_waited_for};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::builder().listen_tcp().start().unwrap());

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");

/// The last try is cut off by the limit, before the server could answer it.
#[tokio::test]
async fn a_server_without_a_free_connection_is_not_called_unreachable() {
    let limits = [("max_connections", "3"), ("superuser_reserved_connections", "0")];
    let quiet = [("max_wal_senders", "0"), ("autovacuum", "off")];
    let builder = limits.iter().chain(&quiet);
    let builder =
        builder.fold(Server::builder().listen_tcp(), |it, (name, value)| it.setting(name, value));
    let server = builder.start().unwrap();
    let database = server.database().unwrap();
    let mut taken = Vec::new();
    for _ in 0..3 {
        taken.push(connect(&database.url()).await);
    }
    let wire = Wire::to(server.tcp_port().unwrap()).await;
    wire.delay(Duration::from_millis(150));
    let pool = pool(&wire.url("postgres", database.name()), 2);
    let it = Migrator::builder(migrations(&[A]), pool).wait_timeout(Duration::from_secs(2));
    let err = it.build().unwrap().up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Unreachable, "{err}");
    assert_eq!(err.server_error().unwrap().sqlstate, "53300", "{err}");
    assert!(err.to_string().contains("max_connections"), "{err}");
    drop(taken);
}

#[tokio::test]
async fn a_session_that_migrates_has_limits_for_a_dead_link() {
    let settings = ["tcp_user_timeout", "tcp_keepalives_idle", "client_connection_check_interval"];
    let shown = settings.map(|it| format!("current_setting('{it}')")).join(" || ' ' || ");
    let one = format!("CREATE TABLE seen AS SELECT {shown} AS it;\n");
    let two = format!("-- atlas:txmode none\n\nINSERT INTO seen SELECT {shown};\n");
    let database = SERVER.database().unwrap();
    let url = SERVER.tcp_url(database.name()).unwrap();
    let files = [("1_one.sql", one.as_str()), ("2_two.sql", &two)];
    upfront_tests::migrator(&url, &files).up().await.unwrap();
    assert_eq!(ask(&url, "SELECT DISTINCT it FROM seen").await, "20000 30 2s");
}

/// A boot whose connection is dead, or whose server does not answer.
async fn silent(kill: impl Fn(&Wire)) -> Error {
    let database = SERVER.database().unwrap();
    let wire = Wire::to(SERVER.tcp_port().unwrap()).await;
    let pool = pool(&wire.url("postgres", database.name()), 2);
    let it = Migrator::builder(migrations(&[A]), pool.clone()).wait_timeout(Duration::from_secs(1));
    let it = it.build().unwrap();
    it.up().await.unwrap();
    drop(pool.get().await.unwrap());
    kill(&wire);
    let err = it.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout, "{err}");
    err
}

#[tokio::test]
async fn a_dead_connection_is_not_called_a_locked_table() {
    let err = silent(Wire::swallow).await.to_string();
    assert!(err.contains("this one is dead") && !err.contains("locked"), "{err}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_called_a_locked_table() {
    let err = silent(Wire::swallow_all).await.to_string();
    assert!(err.contains("a new connection gets no answer") && !err.contains("locked"), "{err}");
}

#[tokio::test]
async fn a_locked_table_names_who_has_locked_it() {
    let database = SERVER.database().unwrap();
    let url = SERVER.tcp_url(database.name()).unwrap();
    let it =
        Migrator::builder(migrations(&[A]), pool(&url, 2)).wait_timeout(Duration::from_secs(2));
    let it = it.build().unwrap();
    it.up().await.unwrap();
    let mut other = connect(&url).await;
    let locking = other.transaction().await.unwrap();
    locking.batch_execute("LOCK TABLE upfront.revisions").await.unwrap();
    let pid = locking.query_one("SELECT pg_backend_pid()", &[]).await.unwrap();
    let boot = tokio::spawn(async move { it.up().await.unwrap_err().to_string() });
    until_waited_for(&url, "upfront.revisions").await;
    let err = boot.await.unwrap();
    let ends = format!("SELECT pg_terminate_backend({})", pid.get::<_, i32>(0));
    assert!(err.contains("the revision table is locked") && err.contains(&ends), "{err}");
}

/// Both directions are swallowed at points all over a boot. As soon as the server's system gives the
/// connection up, another replica gets in, and each migration is there once.
#[tokio::test]
async fn another_replica_gets_in_when_the_server_gives_a_dead_link_up() {
    const POINTS: u64 = 16;
    const GIVES_UP: Duration = Duration::from_millis(500);
    let database = SERVER.database().unwrap();
    let wire = Wire::to(SERVER.tcp_port().unwrap()).await;
    let url = wire.url("postgres", database.name());
    Corpus::new("whole").migrator(pool(&url, 2)).up().await.unwrap();
    let Counted { sent, received, .. } = wire.counted();
    wire.reset();
    let mut longest = Duration::ZERO;
    for point in 0..POINTS {
        let corpus = Corpus::new(format!("dead_{point}"));
        wire.swallow_after(1 + (sent + received) * point / POINTS, GIVES_UP);
        let first = corpus.migrator(pool(&url, 2));
        let first = tokio::spawn(async move { first.up().await });
        while wire.counted().cuts == point && !first.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let since = Instant::now();
        let second = corpus.migrator(pool(&database.url(), 2)).up().await;
        second.unwrap_or_else(|err| panic!("dead at {point} of {POINTS}: {err}"));
        longest = longest.max(since.elapsed());
        corpus.check_once(&database.url()).await;
        first.abort();
    }
    println!("another replica was in after {longest:?} at the latest");
    assert!(longest < GIVES_UP + Duration::from_secs(5), "{longest:?}");
}
