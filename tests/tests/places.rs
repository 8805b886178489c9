//! Errors that come from inside a function point at its line, wherever the file has it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront_scratch::Server;
use upfront_tests::{database, migrator};

/// The place in the first line of the error, and the line that is shown.
async fn place(text: &str) -> String {
    place_in(text, "1_a.sql").await
}

async fn place_in(text: &str, file: &str) -> String {
    let database = database();
    let first = ("0_z.sql", "CREATE TABLE z (a int);\n");
    let err = migrator(&database.url(), &[first, (file, text)]).up().await.unwrap_err().to_string();
    let place = err.split("migrations/1_a.sql:").nth(1).unwrap_or(&err);
    place
        .split(|it: char| !it.is_ascii_digit() && it != ':')
        .next()
        .unwrap()
        .trim_end_matches(':')
        .to_owned()
}

/// Checks the place in a file, and in the same file outside a transaction and with a delimiter.
async fn check(expected: &str, text: &str) {
    assert_eq!(place(text).await, expected, "{text}");
    let (line, column) = expected.split_once(':').unwrap();
    let line: usize = line.parse().unwrap();
    let outside = format!("-- atlas:txmode none\n\n{text}");
    assert_eq!(place(&outside).await, format!("{}:{column}", line + 2), "{outside}");
    let copy = format!("COPY z FROM stdin;\n1\n\\.\n{text}");
    assert_eq!(place(&copy).await, format!("{}:{column}", line + 3), "{copy}");
}

#[tokio::test]
async fn a_mistake_that_the_server_finds_when_a_function_is_created() {
    let plpgsql = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  IF 1 = 1\n    \
                   RETURN 1;\n  END IF;\nEND $$;\n";
    check("4:13", plpgsql).await;
    let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS\n'SELECT 1 AS \"é\", ''é'' AS b,\n       \
               nope FROM z';\n";
    check("3:8", sql).await;
    check("3:3", "DO $body$\nBEGIN\n  NOPE;\nEND $body$;\n").await;
    check("3:3", "DO LANGUAGE plpgsql '\nBEGIN\n  NOPE ''é'';\nEND';\n").await;
}

#[tokio::test]
async fn the_same_body_twice() {
    let one = "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN \
               1 +;\nEND $$;\n";
    let two = one.replace("FUNCTION f", "FUNCTION g");
    // The first of them is the one that fails.
    check("3:13", &format!("{one}{two}")).await;
}

#[tokio::test]
async fn a_mistake_that_shows_when_it_runs() {
    check("3:3", "DO $$\nBEGIN\n  RAISE 'no';\nEND $$;\n").await;
    let into = "DO $$\nDECLARE n int;\nBEGIN\n  SELECT 1 INTO n FROM no_z;\nEND $$;\n";
    check("4:24", into).await;
    check("4:11", "DO $$\nBEGIN\n  PERFORM 1;\n  IF 1 =  nope THEN END IF;\nEND $$;\n").await;
    check("3:26", "DO $$\nBEGIN\n  EXECUTE 'SELECT * FROM nope';\nEND $$;\n").await;
    let assigned = "DO $$\nDECLARE a int;\nBEGIN\n  a := nope + 1;\nEND $$;\n";
    check("4:8", assigned).await;
    let again = "DO $$\nBEGIN\n  IF false THEN\n    PERFORM nope();\n  END IF;\n  PERFORM nope();\nEND $$;\n";
    check("6:11", again).await;
    check("3:3", "DO '\nBEGIN\n  RAISE ''no'';\nEND';\n").await;
}

#[tokio::test]
async fn a_function_that_is_called_later() {
    let raises = "CREATE FUNCTION public.\"F x\"(a int) RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  \
                  -- é\n  RAISE 'no %', a;\nEND $$;\n\nSELECT \"F x\"(1);\n";
    check("4:3", raises).await;
    let trigger = "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS '\nBEGIN\n\n  RAISE \
                   ''no'';\nEND';\nCREATE TRIGGER t BEFORE INSERT ON z FOR EACH ROW EXECUTE FUNCTION \
                   t();\nCOPY z FROM stdin;\n5\n\\.\n";
    assert_eq!(place(trigger).await, "4:3");
    let sql = "SET check_function_bodies = off;\nCREATE FUNCTION g() RETURNS int LANGUAGE sql AS $$\n  \
               SELECT 1;\n  SELECT nope;\n$$;\nSELECT g();\n";
    // PostgreSQL 18 gives no place within the statement.
    let is_exact = Server::shared().unwrap().version().major() < 18;
    check(if is_exact { "4:10" } else { "4:3" }, sql).await;
    let runs = "CREATE FUNCTION g() RETURNS void LANGUAGE sql AS $$\n  SELECT 1;\n  UPDATE z SET a = \
                1 / (a - a);\n$$;\nINSERT INTO z VALUES (1);\nSELECT g();\n";
    check("3:3", runs).await;
    let atomic = "CREATE FUNCTION g() RETURNS void LANGUAGE sql BEGIN ATOMIC\n  SELECT 1;\n  UPDATE z \
                  SET a = 1 / (a - a);\nEND;\nINSERT INTO z VALUES (1);\nSELECT g();\n";
    check("3:3", atomic).await;
    let nested = "CREATE FUNCTION inner_one() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1 / \
                  0;\nEND $$;\nCREATE FUNCTION outer_one() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  \
                  RETURN inner_one();\nEND $$;\nSELECT outer_one();\n";
    check("3:3", nested).await;
}

#[tokio::test]
async fn a_function_of_another_file() {
    let earlier =
        "CREATE FUNCTION e() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RAISE 'no';\nEND $$;\n";
    let database = database();
    let files = [
        ("1_e.sql", earlier),
        ("2_a.sql", "SELECT 1;\nDO $$\nBEGIN\n  PERFORM\n    e();\nEND $$;\n"),
    ];
    let err = migrator(&database.url(), &files).up().await.unwrap_err().to_string();
    assert!(err.contains("migrations/2_a.sql:4:3"), "{err}");
}
