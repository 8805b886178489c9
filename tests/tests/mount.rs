//! The command inside a service: one line of its own clap application.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use upfront::Outcome;
use upfront_tests::{database, migrator};

const A: (&str, &str) = ("20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const B: (&str, &str) = ("20260102000000_b.sql", "CREATE TABLE b (id bigint);\n");

#[derive(Parser)]
struct Service {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Migrate(upfront::cli::Migrate),
}

/// What the service's `main` does with its arguments.
async fn run(url: &str, files: &[(&str, &str)], arguments: &str) -> ExitCode {
    let arguments = ["service"].into_iter().chain(arguments.split(' '));
    match Service::try_parse_from(arguments).unwrap().command {
        Command::Migrate(it) => it.run(&migrator(url, files)).await,
    }
}

#[tokio::test]
async fn a_service_mounts_the_command() {
    let database = database();
    let url = &database.url();
    let files = &[A, B];
    for (arguments, code) in [
        ("migrate status", 0),
        ("migrate status --exit-code --format json", 3),
        ("migrate check --color never", 3),
        ("migrate plan", 0),
        ("migrate up --dry-run", 0),
        ("migrate log", 0),
        ("migrate up", 0),
        ("migrate --format json check", 0),
        ("migrate log --oneline -n 1", 0),
    ] {
        let exit = run(url, files, arguments).await;
        assert_eq!(exit, ExitCode::from(code), "{arguments}");
    }
    assert_eq!(run(url, files, "migrate check --schema other").await, ExitCode::from(3));
    assert_eq!(run(url, files, "migrate --schema= check").await, ExitCode::from(8));
    assert_eq!(run(url, &[B], "migrate check").await, ExitCode::from(4));
    assert_eq!(run("postgres://u@127.0.0.1:1/d", files, "migrate up").await, ExitCode::from(7));
    assert_eq!(run(url, &[("1_a.sql", "COMMIT;\n")], "migrate up").await, ExitCode::from(8));
}

#[tokio::test]
async fn the_log_says_who_did_what() {
    let database = database();
    let it = migrator(&database.url(), &[A]);
    assert_eq!(it.log(None, None).await.unwrap(), []);
    it.up().await.unwrap();
    let broken = migrator(&database.url(), &[A, (B.0, "SELECT nme;\n")]);
    broken.up().await.unwrap_err();
    let entries = it.log(None, None).await.unwrap();
    let told: Vec<_> = entries.iter().map(|it| (it.version.as_str(), it.outcome)).collect();
    assert_eq!(told, [("20260102000000", Outcome::Failed), ("20260101000000", Outcome::Applied)]);
    assert_eq!(entries[0].sqlstate.as_deref(), Some("42703"));
    assert!(entries[1].duration.is_some(), "{entries:?}");
    assert_eq!(it.log(Some(1), None).await.unwrap(), entries[..1]);
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    assert_eq!(it.log(None, Some(later)).await.unwrap(), []);
    // A newer upfront may have added columns.
    database.execute("alter table upfront.log add newer text default 'x'").unwrap();
    assert_eq!(it.log(Some(2), None).await.unwrap(), entries);
}
