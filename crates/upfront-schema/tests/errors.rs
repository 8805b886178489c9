//! What is said when it cannot be done.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;

use insta::assert_snapshot;
use upfront_schema::{Error, Options, Source, diff};
use upfront_scratch::Server;

#[test]
fn names_the_place_of_a_mistake() {
    let err = error("", "create table t (a int);\n\ncreate table u (\n  b int,\n  c strange\n);\n");
    assert!(err.is_input());
    assert_snapshot!(err);
}

#[test]
fn names_a_statement_that_is_no_sql() {
    let err = error("", "create tabel t ();");
    assert_snapshot!(err);
}

#[test]
fn names_an_extension_that_is_missing() {
    let err = error("", "create extension no_such_thing;");
    assert!(err.is_input());
    // Each version has words of its own, and names the folder of the server.
    let text = err.to_string();
    assert!(text.starts_with("new.sql:1:1: ") && text.contains("no_such_thing"), "{text}");
}

#[test]
fn names_what_has_no_rule() {
    let err = error("", "create type \"half done\"; create table t (a int);");
    assert!(err.is_unmodeled());
    assert_snapshot!(err);
}

#[test]
fn refuses_to_guess_a_conversion() {
    let err = error("create table t (a boolean)", "create table t (a date)");
    assert!(err.is_refused());
    assert_snapshot!(err);
}

#[test]
fn refuses_to_make_anew_what_holds_rows() {
    let err = error(
        "create table t (a int) partition by range (a); create table k (t t);",
        "create table t (a int) partition by list (a); create table k (t t);",
    );
    assert!(err.is_refused());
    assert_snapshot!(err);
}

#[test]
fn names_a_source_that_is_none() {
    let err = "no/such/file.sql".parse::<Source>().unwrap_err();
    assert_snapshot!(err);
}

/// The error without the folder that the files are in.
fn error(old: &str, new: &str) -> Shown {
    let folder = tempfile::tempdir().unwrap();
    let source = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Source::Sql(path)
    };
    let (old, new) = (source("old.sql", old), source("new.sql", new));
    let err = diff(Server::shared().unwrap(), &old, &new, &Options::default()).unwrap_err();
    let text = err.to_string().replace(&format!("{}/", folder.path().display()), "");
    Shown { err, text }
}

struct Shown {
    err: Error,
    text: String,
}

impl std::ops::Deref for Shown {
    type Target = Error;

    fn deref(&self) -> &Error {
        &self.err
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
