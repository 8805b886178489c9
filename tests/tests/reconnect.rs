//! Connections that die while a migration runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::str::FromStr;

use deadpool_postgres::{Manager, Pool};
use tokio::task::yield_now;
use tokio_postgres::{Config, NoTls, config::Host};
use upfront::{Event, Migrator};
use upfront_scratch::Server;
use upfront_tests::{Events, ask, database, migrations, migrator, until};

/// A gate for each number, all of them shut.
const GATES: &str = "CREATE TABLE gates (n int PRIMARY KEY, shut boolean DEFAULT true);\
     INSERT INTO gates (n) VALUES (1), (2);\
     CREATE FUNCTION gate(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
     WHILE (SELECT shut FROM gates WHERE n = $1) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$;";

/// The process that stands before a gate.
fn before(gate: u32) -> String {
    format!(
        "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND \
         state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%gate({gate})%'"
    )
}

fn open(gate: u32) -> String {
    format!("UPDATE gates SET shut = false WHERE n = {gate}")
}

/// Waits until another process than this one stands before a gate.
async fn reached(url: &str, gate: u32, not: &str) -> String {
    let other = format!("SELECT it.max NOT IN (0, {not}) FROM ({}) it (max)", before(gate));
    until(url, &other, "t").await;
    ask(url, &before(gate)).await
}

/// Each of them has one more try, not all of them together.
#[tokio::test]
async fn each_migration_has_one_more_try_after_a_lost_connection() {
    for head in ["", "-- atlas:txmode none\n\n"] {
        let database = database();
        let url = database.url();
        database.execute(GATES).unwrap();
        let body = |it: u32| format!("{head}SELECT gate({it});\n");
        let (one, two) = (body(1), body(2));
        let migrator = migrator(&url, &[("1_a.sql", &one), ("2_b.sql", &two)]);
        let boot = tokio::spawn(async move { migrator.up().await });
        for gate in [1, 2] {
            let pid = reached(&url, gate, "0").await;
            ask(&url, &format!("SELECT pg_terminate_backend({pid})")).await;
            reached(&url, gate, &pid).await;
            if gate == 1 {
                database.execute(&open(gate)).unwrap();
            }
        }
        let pid = ask(&url, &before(2)).await;
        ask(&url, &format!("SELECT pg_terminate_backend({pid})")).await;
        let err = boot.await.unwrap().unwrap_err();
        assert!(err.to_string().contains("`2_b`"), "{err}");
        let versions = "SELECT string_agg(version, ' ') FROM upfront.revisions WHERE app = 'main'";
        assert_eq!(ask(&url, versions).await, "1");
    }
}

/// Whoever had the primary and comes back too early meets a standby for a moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_is_not_promoted_yet_is_waited_for_after_a_fail_over() {
    let mut primary = Server::start().unwrap();
    let standby = primary.standby().unwrap();
    let (first, second) = (primary.url("postgres"), standby.url("postgres"));
    primary.psql("postgres", GATES).unwrap();
    let mut config = Config::from_str(&first).unwrap();
    let other = Config::from_str(&second).unwrap();
    for host in other.get_hosts() {
        match host {
            Host::Unix(it) => config.host_path(it),
            Host::Tcp(it) => config.host(it),
        };
    }
    for port in other.get_ports() {
        config.port(*port);
    }
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(2).build().unwrap();
    let events = Events::default();
    let files = migrations(&[("1_a.sql", "SELECT gate(1);\n")]);
    let migrator = Migrator::builder(files, pool).on_event(events.listener()).build().unwrap();
    let boot = tokio::spawn(async move { migrator.up().await });
    let pid = reached(&first, 1, "0").await;
    assert_ne!(pid, "0");
    standby.wait_caught_up(&primary).unwrap();
    primary.crash().unwrap();
    let tries =
        || events.told().iter().filter(|it| matches!(it, Event::Reconnecting { .. })).count();
    while tries() < 3 && !boot.is_finished() {
        yield_now().await;
    }
    assert!(!boot.is_finished(), "{:?}", boot.await.unwrap());
    standby.psql("postgres", "SELECT pg_promote()").unwrap();
    standby.psql("postgres", &open(1)).unwrap();
    assert_eq!(boot.await.unwrap().unwrap().applied.len(), 1);
}
