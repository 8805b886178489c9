//! The service in each state of its database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use upfront_scratch::Server;

fn check(url: &str, migrate: bool, code: i32, expected: &str) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_exit-codes"));
    program.env("DATABASE_URL", url).env_remove("MIGRATE");
    if migrate {
        program.env("MIGRATE", "1");
    }
    let output = program.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(expected), "{text}");
}

#[test]
fn the_exit_code_names_the_problem() {
    let database = Server::shared().unwrap().database().unwrap();
    let url = database.url();
    check(&url, false, 10, "waiting for the migration job: 2 pending");
    check(&url, true, 0, "applied 2 migrations");
    check(&url, false, 0, "ready");
    let edit =
        "UPDATE upfront.revisions SET hash = repeat('0', 64) WHERE version = '20261101090000'";
    database.execute(edit).unwrap();
    check(&url, false, 11, "diverged at 20261101090000: Edited");
    check("postgresql://x@127.0.0.1:1", false, 12, "cannot connect to the database");
}

#[test]
fn a_failed_migration_is_reported_with_its_place() {
    let database = Server::shared().unwrap().database().unwrap();
    let url = database.url();
    database.execute("CREATE TABLE orders (id bigint, placed_at text)").unwrap();
    check(&url, true, 1, "20261101090000_orders.sql:1");
    check(&url, true, 1, "with 42P07, after 0 applied migrations");
}
