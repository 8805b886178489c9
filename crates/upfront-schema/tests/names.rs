//! Whatever a thing is called.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;

use proptest::prelude::*;
use proptest::test_runner::Config;
use upfront_schema::{Options, Source, prove};
use upfront_scratch::Server;

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    #[test]
    fn keeps_every_name(names in prop::collection::hash_set(name(), 10)) {
        let names: Vec<_> = names.iter().map(|it| quote(it)).collect();
        let [schema, table, column, other, index, label, key, changed, unique, parts] = &names[..]
        else { return Ok(()) };
        let parted = format!("create table {schema}.{parts} ({other} int) partition by list ({other});
             create table {schema}.part partition of {schema}.{parts} default;");
        let old = format!(
            "create schema {schema}; {parted}
             create table {schema}.{table} ({other} int, constraint {unique} unique ({other}));
             create index {changed} on {schema}.{table} ({other});"
        );
        let new = format!(
            "create schema {schema}; {parted} create type {schema}.{label} as enum ('a', {});
             create table {schema}.{table} ({column} bigint, {other} int not null,
               x {schema}.{label}, constraint {key} check ({column} > 0),
               constraint {unique} unique ({other}, {column}));
             create index {changed} on {schema}.{table} ({other} desc);
             create index on {schema}.{parts} ({other});
             create index {index} on {schema}.{table} ({column}) where {other} > 0;
             comment on column {schema}.{table}.{column} is {};",
            literal(label),
            literal(column)
        );
        check(&old, &new);
    }
}

fn check(old: &str, new: &str) {
    let folder = tempfile::tempdir().unwrap();
    let source = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        Source::Sql(path)
    };
    let (old, new) = (source("old.sql", old), source("new.sql", new));
    let scope = Options::default().scope;
    let load = |it: &Source| it.load(Server::shared().unwrap(), &scope).unwrap();
    let (old, new) = (load(&old), load(&new));
    for strategy in [upfront_schema::Strategy::Plain, upfront_schema::Strategy::Online] {
        prove(&old, &new, &Options { strategy, ..Options::default() }).unwrap();
    }
}

/// Words of the grammar, mixed case, quotes, blanks, line feeds, and more bytes than a name has.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["select", "user", "order", "Table", "between", "column", "all"])
            .prop_map(str::to_owned),
        "[a-zA-Z0-9_ .\"'$\\\\-]{1,20}",
        "[äöü€\n\ta-c]{1,70}",
    ]
    .prop_map(|it| {
        it.chars()
            .scan(0, |bytes, it| {
                *bytes += it.len_utf8();
                // A name that the server cuts in two characters' midst is no name of ours.
                (*bytes <= 60).then_some(it)
            })
            .collect()
    })
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
