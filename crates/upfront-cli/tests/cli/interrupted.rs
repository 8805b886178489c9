//! What a signal leaves, and what the command says of it.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use upfront_scratch::Database;

use crate::place::{Place, database};

/// Starts `up` or `down`, sends a signal once the server runs what has `mark` in it, and gives what
/// was printed, with the exit code.
fn interrupted(
    it: &Place,
    database: &Database<'_>,
    arguments: &[&str],
    mark: &str,
    signal: &str,
) -> String {
    let mut command = it.command("", arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_running = format!(
        "select count(*) from pg_stat_activity where query like '%{mark}%' and state = 'active' and \
         pid <> pg_backend_pid() and datname = current_database()"
    );
    while database.psql(&is_running).unwrap() != "1\n" {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it ran `{mark}`");
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    format!("exit code {}\n{text}", output.status.code().unwrap())
}

#[test]
fn a_migration_in_a_transaction_is_rolled_back() {
    let database = database();
    let files = [
        ("migrations/1_a.sql", "CREATE TABLE a ();\n"),
        ("migrations/2_b.sql", "CREATE TABLE b ();\nSELECT pg_sleep(60);\n"),
    ];
    let it = Place::on(&database, &files);
    it.run("hash");
    let shown = interrupted(&it, &database, &["up"], "pg_sleep(60)", "-INT");
    assert!(shown.starts_with("exit code 130\n"), "{shown}");
    let last = "error: interrupted: `2_b` was rolled back; nothing of it is applied\n";
    assert!(shown.ends_with(last), "{shown}");
    assert_eq!(database.psql("select to_regclass('a'), to_regclass('b')").unwrap(), "a|\n");
}

#[test]
fn a_statement_outside_a_transaction_may_be_unknown() {
    let database = database();
    let sleeps = "DO $$ BEGIN PERFORM pg_sleep(60); END $$;\n";
    let text = format!("-- atlas:txmode none\n\nCREATE TABLE a ();\n{sleeps}");
    let it = Place::on(&database, &[("migrations/1_a.sql", &text)]);
    it.run("hash");
    let shown = interrupted(&it, &database, &["up"], "DO $$ BEGIN PERFORM", "-TERM");
    assert!(shown.starts_with("exit code 143\n"), "{shown}");
    let unknown =
        "error: interrupted: the outcome of statement 2 of `1_a` is unknown; the next `up`";
    assert!(shown.lines().last().unwrap().starts_with(unknown), "{shown}");
}

#[test]
fn a_rollback_is_undone() {
    let database = database();
    let files = [
        ("migrations/1_a.sql", "CREATE TABLE a ();\n"),
        ("migrations/down/1_a.sql", "DROP TABLE a;\nSELECT pg_sleep(60);\n"),
    ];
    let it = Place::on(&database, &files);
    it.run("hash");
    it.run("up");
    let arguments = &["down", "--allow", "data-loss"];
    let shown = interrupted(&it, &database, arguments, "pg_sleep(60)", "-TERM");
    assert!(shown.starts_with("exit code 143\n"), "{shown}");
    let last = "error: interrupted: `1_a` is still applied; nothing of it was rolled back\n";
    assert!(shown.ends_with(last), "{shown}");
}

#[test]
fn whoever_only_waits_changes_nothing() {
    let database = database();
    let it = Place::on(&database, &[("migrations/1_a.sql", "SELECT pg_sleep(60);\n")]);
    it.run("hash");
    let mut first = it.command("", &["up"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut second = it.command("", &["up"]);
    let sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and pid <> \
                  pg_backend_pid() and datname = current_database()";
    while database.psql(sleeps).unwrap() != "1\n" {
        assert!(first.try_wait().unwrap().is_none(), "it ended before anybody could wait for it");
    }
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(second.stderr.take().unwrap()).lines();
    assert!(lines.by_ref().any(|it| it.unwrap().contains("waiting for pid ")));
    let pid = second.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let last = lines.last().unwrap().unwrap();
    assert_eq!(last, "error: interrupted: no migration was running; nothing was changed");
    assert_eq!(second.wait().unwrap().code(), Some(130));
    first.kill().unwrap();
    first.wait().unwrap();
}
