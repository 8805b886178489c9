//! What the server logs of a boot: nothing that upfront could have left unsaid.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use upfront::{ErrorKind, Target};
use upfront_scratch::Server;
use upfront_tests::{ask, builder, connect, migrator};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\nINSERT INTO a VALUES (1);\n");
const DOWN_A: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = (
    "2_b.sql",
    "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (id);\nCREATE TABLE b (id bigint);\n\
     VACUUM a;\nSET work_mem = '8MB';\n",
);
const DOWN_B: (&str, &str) =
    ("down/2_b.sql", "-- atlas:txmode none\n\nDROP TABLE b;\nDROP INDEX CONCURRENTLY i;\n");

/// The server logs what has at least the rank of a warning, which includes `LOG`.
fn server() -> Server {
    Server::builder().setting("log_min_messages", "warning").start().unwrap()
}

/// What it logged of this database; the errors of migrations are theirs.
fn logged(server: &Server, expected: &[&str]) -> Vec<String> {
    let log = server.log().unwrap();
    let levels = ["WARNING:", "ERROR:", "FATAL:", "LOG:"];
    let is_ours = |it: &&str| it.contains("@scratch") || it.contains('/');
    let of_server = ["checkpoint", "database system", "listening on", "starting PostgreSQL"];
    let lines = log.lines().filter(is_ours).filter(|it| levels.iter().any(|at| it.contains(at)));
    let lines = lines.filter(|it| !of_server.iter().any(|at| it.contains(at)));
    lines.filter(|it| !expected.iter().any(|at| it.contains(at))).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_boot_and_a_rollback_make_the_server_log_nothing() {
    let server = server();
    let database = server.database().unwrap();
    let url = &database.url();
    // A first look at an empty database finds no table, and cannot know.
    let first_look = &["schema \"upfront\" does not exist"];
    let files = [A, DOWN_A, B, DOWN_B];
    migrator(url, &files).up().await.unwrap();
    migrator(url, &files).up().await.unwrap();
    let it = migrator(url, &files);
    let mut plan = it.plan_down(Target::To("1".into())).await.unwrap();
    it.apply(plan.accept_data_loss(true)).await.unwrap();
    it.down(Target::All).await.unwrap_err();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    it.apply(plan.accept_data_loss(true)).await.unwrap();
    it.up().await.unwrap();
    assert_eq!(logged(&server, first_look), [""; 0]);
    assert!(server.log().unwrap().matches(first_look[0]).count() <= 1);
    // Is what would be found found?
    ask(url, "ROLLBACK").await;
    assert_eq!(logged(&server, first_look).len(), 1);
}

#[tokio::test]
async fn failures_are_logged_once_and_as_what_they_are() {
    let server = server();
    let database = server.database().unwrap();
    let url = &database.url();
    migrator(url, &[A, DOWN_A]).up().await.unwrap();
    let fails = |text: &'static str| {
        let it = migrator(url, &[A, ("3_c.sql", text)]);
        async move { it.up().await.unwrap_err() }
    };
    for text in [
        "SELECT 1/0;\n",
        "-- atlas:txmode none\n\nSELECT 1;\nSELECT 1/0;\n",
        "-- atlas:txmode none\n\nCREATE UNIQUE INDEX CONCURRENTLY u ON nowhere (id);\n",
        "-- atlas:txmode none\n\nDO $$ BEGIN PERFORM 1/0; END $$;\n",
        "INSERT INTO a SELECT 1/0;\n",
        "SELEC;\n",
    ] {
        assert!(fails(text).await.kind() == ErrorKind::MigrationFailed, "{text}");
        ask(url, "DELETE FROM upfront.steps").await;
    }
    // Under the lock it turns out that the plan is old.
    let it = migrator(url, &[A, ("3_c.sql", "SELECT 1;\n")]);
    let plan = it.plan_up().await.unwrap();
    migrator(url, &[A, ("2_other.sql", "SELECT 1;\n")]).up().await.unwrap();
    it.apply(&plan).await.unwrap_err();
    let hold = migrator(url, &[A, DOWN_A, ("2_other.sql", "SELECT 1;\n")]);
    hold.release(&["7".to_owned()]).await.unwrap_err();
    hold.baseline("1").await.unwrap_err();
    let expected =
        ["division by zero", "\"nowhere\"", "at or near \"SELEC\"", "schema \"upfront\""];
    assert_eq!(logged(&server, &expected), [""; 0]);
}

/// Several replicas meet an empty database, a table is locked, and so are upfront's own.
#[tokio::test]
async fn whoever_waits_does_not_fill_the_servers_log() {
    let server = server();
    let database = server.database().unwrap();
    let url = database.url();
    let slow = ("1_a.sql", "CREATE TABLE a (id bigint);\nSELECT pg_sleep(1);\n");
    let boots = (0..4).map(|_| {
        let it = builder(&url, &[slow]).build().unwrap();
        tokio::spawn(async move { it.up().await })
    });
    for boot in boots.collect::<Vec<_>>() {
        boot.await.unwrap().unwrap();
    }
    let missing = "schema \"upfront\" does not exist";
    assert!(server.log().unwrap().matches(missing).count() <= 4, "one for each first look");

    for table in ["a", "upfront.revisions", "upfront.log", "upfront.steps"] {
        let mut other = connect(&url).await;
        let held = other.transaction().await.unwrap();
        held.batch_execute(&format!("LOCK TABLE {table}")).await.unwrap();
        let version = format!("2_{}.sql", table.replace('.', "_"));
        let alters = format!("-- atlas:txmode none\n\nALTER TABLE a ADD COLUMN \"{table}\" int;\n");
        let it = builder(&url, &[slow, (&version, &alters)]);
        let boot = it.lock_timeout(Duration::from_millis(100)).build().unwrap();
        let boot = tokio::spawn(async move { boot.up().await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        held.rollback().await.unwrap();
        boot.await.unwrap().unwrap();
        ask(&url, "DELETE FROM upfront.revisions WHERE app = 'main' AND version = '2'").await;
        ask(&url, "DELETE FROM upfront.log WHERE app = 'main' AND version = '2'").await;
    }
    assert_eq!(logged(&server, &[missing, "due to lock timeout"]), [""; 0]);
}
