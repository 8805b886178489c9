//! The models as `upfront gen` and the service meet them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;

use models::{Standing, State};
use postgres::{Client, NoTls};
use upfront_schema::{Scope, Source, compare};
use upfront_scratch::Server;

/// What the example prints. Cargo has built it, as it builds all examples before it runs tests.
fn printed() -> String {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples/upfront_models")).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn prints_all_models_of_the_crate() {
    insta::assert_snapshot!(printed());
}

#[test]
fn has_the_values_that_the_row_mapper_reads() {
    let database = Server::shared().unwrap().database().unwrap();
    database.execute(&printed()).unwrap();
    let mut client = Client::connect(&database.url(), NoTls).unwrap();
    let row = client.query_one(READERS, &[&Standing::Suspended]).unwrap();
    assert_eq!(row.get::<_, i64>("id"), 1000);
    assert_eq!(row.get::<_, Standing>("standing"), Standing::Suspended);
    let states = client.query_one("SELECT enum_range(NULL::library.copy_state)", &[]).unwrap();
    assert_eq!(states.get::<_, Vec<State>>(0), [State::Good, State::InRepair, State::Lost]);
}

/// `upfront gen` wrote them: there is nothing to do for it.
#[test]
fn the_migrations_make_the_models() {
    let server = Server::shared().unwrap();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let scope = Scope::default();
    let there = Source::Migrations(migrations.into()).load(server, &scope).unwrap();
    let wanted = server.database().unwrap();
    wanted.execute(&printed()).unwrap();
    assert_eq!(compare(&there, &wanted, &scope).unwrap(), []);
}

const READERS: &str = "\
    WITH branch AS (INSERT INTO library.branches (name) VALUES ('Old Town') RETURNING id) \
    INSERT INTO library.readers (name, email, branch, standing) \
    SELECT 'Ada', 'ada@example.com', id, $1 FROM branch RETURNING id, standing";
