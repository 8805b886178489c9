//! What passes between a boot and the server, counted and cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::LazyLock;

use tokio::sync::{Mutex, MutexGuard};
use upfront::Migrator;
use upfront_scratch::{Database, Server};
use upfront_tests::{Corpus, Counted, Wire, ask, owned, pool};

/// It logs every statement, and nothing but a client writes or takes a transaction id.
static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let quiet = [
        ("log_statement", "all"),
        ("autovacuum", "off"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("archive_mode", "off"),
    ];
    let builder = Server::builder().listen_tcp();
    quiet.iter().fold(builder, |it, (name, value)| it.setting(name, value)).start().unwrap()
});

/// One at a time: they count transaction ids of the whole server.
async fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

async fn wire() -> Wire {
    Wire::to(SERVER.tcp_port().unwrap()).await
}

/// Migrations of which the last is a checkpoint, so that all become rows in one step.
fn many(count: usize) -> Vec<(String, String)> {
    let file = |it: usize| match it == count {
        true => (format!("{it:014}_m.sql"), "-- atlas:checkpoint\n\nSELECT 1;\n".to_owned()),
        false => (format!("{it:014}_m.sql"), "SELECT 1;\n".to_owned()),
    };
    (1..=count).map(file).collect()
}

/// What a boot leaves untouched: the next transaction id and the end of the write-ahead log.
async fn written(database: &Database<'_>) -> String {
    ask(&database.url(), "SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_lsn()")
        .await
}

/// Boots twice on a connected pool; what passed at the second time, and what the server logged.
async fn second_boot(count: usize) -> (Counted, Vec<String>) {
    let (database, wire) = (SERVER.database().unwrap(), wire().await);
    let pool = pool(&wire.url("postgres", database.name()), 4);
    let migrator = Migrator::new(owned(&many(count)), pool.clone());
    assert_eq!(migrator.up().await.unwrap().applied.len(), count);
    let rows = "SELECT count(*) FROM upfront.revisions WHERE app = 'main'";
    assert_eq!(ask(&database.url(), rows).await, count.to_string());
    // A scan would tidy the pages that were just written, and that is written too.
    ask(&database.url(), "VACUUM (FREEZE, ANALYZE)").await;
    ask(&database.url(), "CHECKPOINT").await;
    // The first boot kept its connection to itself.
    drop(pool.get().await.unwrap());
    let ours = format!("@{}/", database.name());
    let mut found = String::new();
    // The server has work of its own now and then; a boot that writes would do so each time.
    for _ in 0..5 {
        let before = written(&database).await;
        let mark = SERVER.log_position().unwrap();
        wire.reset();
        assert!(migrator.up().await.unwrap().is_unchanged());
        let counted = wire.counted();
        let log = SERVER.log_since(mark).unwrap();
        let log = log.lines().filter(|it| it.contains(&ours)).map(str::to_owned).collect();
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype <> 'virtualxid' AND pid <> \
                     pg_backend_pid()";
        let after = (written(&database).await, ask(&database.url(), locks).await);
        if after == (before.clone(), "0".to_owned()) {
            return (counted, log);
        }
        found = format!("before: {before}, after and locks: {after:?}");
    }
    panic!("something was written or locked: {found}");
}

#[tokio::test]
async fn a_second_boot_is_one_round_trip_of_one_size() {
    let _alone = alone().await;
    let (one, log) = second_boot(1).await;
    println!("{one:?}");
    assert_eq!(one.round_trips, 1);
    assert!(one.sent + one.received <= 1700, "{one:?}");
    assert_eq!(log.len(), 1, "{log:#?}");
    assert!(log[0].contains("statement: SELECT"), "{log:?}");
    for word in ["lock", "xact", "txid", "INSERT", "CREATE", "SET "] {
        assert!(!log[0].contains(word), "{log:?}");
    }
    for count in [1_000, 10_000] {
        let (many, log) = second_boot(count).await;
        assert_eq!(many, one, "{count} migrations");
        assert_eq!(log.len(), 1, "{log:#?}");
    }
}

/// Tables take a transaction each; what comes before and after them does not grow.
#[tokio::test]
async fn a_cold_boot_is_one_round_trip_a_migration() {
    let _alone = alone().await;
    let cold = async |count: usize| {
        let (database, wire) = (SERVER.database().unwrap(), wire().await);
        let pool = pool(&wire.url("postgres", database.name()), 4);
        let migrator = Migrator::new(owned(&upfront_tests::tables(count)), pool);
        assert_eq!(migrator.up().await.unwrap().applied.len(), count);
        wire.counted().round_trips
    };
    let (few, many) = (cold(2).await, cold(42).await);
    println!("{few} round trips for 2 migrations, {many} for 42");
    assert_eq!(many - few, 40);
    // Among the 24 are the three migrations of upfront's own tables.
    assert!(few <= 2 + 24, "{few}");
}

#[tokio::test]
async fn a_wire_cut_anywhere_leaves_each_migration_whole() {
    const POINTS: u64 = 64;
    let _alone = alone().await;
    let (database, wire) = (SERVER.database().unwrap(), wire().await);
    let url = wire.url("postgres", database.name());
    let uncut = Corpus::new("uncut");
    uncut.migrator(pool(&url, 2)).up().await.unwrap();
    uncut.check_once(&database.url()).await;
    let Counted { sent, received, .. } = wire.counted();
    let mut cut_off = 0;
    wire.reset();
    for point in 0..POINTS {
        let corpus = Corpus::new(format!("cut_{point}"));
        wire.cut_after(1 + (sent + received) * point / POINTS);
        let first = corpus.migrator(pool(&url, 2)).up().await;
        cut_off += u64::from(first.is_err());
        corpus.check_whole(&database.url()).await;
        let second = corpus.migrator(pool(&url, 2)).up().await;
        second.unwrap_or_else(|err| panic!("cut at {point} of {POINTS}: {err}; first: {first:?}"));
        corpus.check_once(&database.url()).await;
    }
    assert!(wire.counted().cuts >= POINTS - 2, "{:?}", wire.counted());
    println!("{cut_off} of {POINTS} boots did not recover by themselves");
}

#[tokio::test]
async fn rows_of_a_copy_that_is_cut_off_arrive_once() {
    let _alone = alone().await;
    let rows = "1\tsome text that makes it long\n".repeat(99_999);
    let text = format!("CREATE TABLE c (id int, t text);\nCOPY c FROM stdin;\n{rows}\\.\n");
    let (database, wire) = (SERVER.database().unwrap(), wire().await);
    wire.cut_after(1_000_000);
    let files = [("1_c.sql", text.as_str())];
    let it = upfront_tests::migrator(&wire.url("postgres", database.name()), &files);
    it.up().await.unwrap();
    assert_eq!(wire.counted().cuts, 1);
    assert_eq!(database.psql("SELECT count(*) FROM c").unwrap().trim(), "99999");
}
