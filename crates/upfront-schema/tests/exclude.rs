//! What is left alone, with a rule or without one.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use insta::assert_snapshot;
use upfront_schema::{Scope, compare};
use upfront_scratch::{Database, Server};

/// Unsupported kinds, and objects that contain or use what is excluded.
const OBJECTS: &str = "
create type shell;
create schema other;
create table other.t (id int primary key check (id > 0));
create index on other.t ((id + 1));
create type other.pair as (a int, b int);
create type other.half;
create function other.to_text(other.pair) returns text language sql immutable as $$ select '' $$;
create cast (other.pair as text) with function other.to_text(other.pair);
create function other.f() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger t after insert on other.t execute function other.f();
create policy p on other.t;
create rule r as on insert to other.t do also notify x;
comment on table other.t is 'left alone';
alter default privileges in schema other grant select on tables to public;
create publication p for table other.t;
create operator class other.c for type int using btree as
  operator 1 <, function 1 btint4cmp(int, int);
alter operator family other.c using btree add operator 1 < (int4, int8);
";

#[test]
fn leaves_alone_what_it_does_not_know() {
    let all = made(OBJECTS);
    assert_snapshot!(error(&all, &Scope::default()));
    let scope = |patterns: &[&str]| Scope {
        exclude: patterns.iter().map(|it| it.parse().unwrap()).collect(),
        ..Scope::default()
    };
    let words = error(&all, &scope(&["type public.*"]));
    assert!(!words.contains("shell") && words.contains("type other.half"), "{words}");
    assert_eq!(
        differences(&all, &scope(&["type public.shell", "schema other", "publication p"])),
        ""
    );
}

#[test]
fn leaves_alone_what_is_in_other_schemas() {
    let mut scope = Scope { exclude: vec!["type *".parse().unwrap()], ..Scope::default() };
    let all = made(OBJECTS);
    scope.narrow(&["public".to_owned()], &[&all]).unwrap();
    // A publication belongs to no schema.
    assert_eq!(differences(&all, &scope), "publication p is only in the second");
}

fn made(sql: &str) -> Database<'static> {
    let database = Server::shared().unwrap().database().unwrap();
    database.execute(sql).unwrap();
    database
}

fn error(all: &Database<'_>, scope: &Scope) -> String {
    let empty = Server::shared().unwrap().database().unwrap();
    compare(&empty, all, scope).unwrap_err().to_string()
}

/// From an empty database.
fn differences(all: &Database<'_>, scope: &Scope) -> String {
    let empty = Server::shared().unwrap().database().unwrap();
    let all = compare(&empty, all, scope).unwrap();
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
