//! What the caller may say, and what is said to the caller.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_schema::{Hazard, Lock, Options, Statement, Strategy, prove, prove_up};
use upfront_scratch::{Database, Server};

#[test]
fn takes_a_conversion_from_the_caller() {
    let (old, new) = (database("create table t (a boolean)"), database("create table t (a date)"));
    let using = "case when a then current_date end".to_owned();
    let mut options = Options::default();
    options.using.insert("t.a".to_owned(), using);
    let up = prove_up(&old, &new, &options).unwrap();
    assert!(up.statements[0].sql.contains("TYPE date USING case when a then current_date end"));
    assert!(prove(&old, &new, &options).unwrap_err().is_refused());
    options.using_down.insert("public.t.a".to_owned(), "a is not null".to_owned());
    assert!(prove(&old, &new, &options).unwrap().down.to_string().contains("USING a is not null"));
}

#[test]
fn tells_of_the_order_of_columns() {
    let old = database("create table t (a int, c int)");
    let new = database("create table t (a int, b int, c int)");
    let up = prove_up(&old, &new, &Options::default()).unwrap();
    assert_eq!(up.notes, ["public.t has the order a, c, b instead of a, b, c"]);
}

#[test]
fn tells_what_was_locked_and_rewritten() {
    let old = database("create table t (a int); create table u (i int primary key)");
    let new = database(
        "create table u (i int primary key); create table t (a bigint, i int references u)",
    );
    let up = prove_up(&old, &new, &Options::default()).unwrap();
    let it = &up.statements[0];
    let locks: Vec<_> = it.locks.iter().map(|it| (it.table.as_str(), it.mode)).collect();
    assert_eq!(locks, [("public.t", "ACCESS EXCLUSIVE"), ("public.u", "SHARE ROW EXCLUSIVE")]);
    assert!(it.hazards.contains(&Hazard::Rewrites("public.t".to_owned())));
}

#[test]
fn tells_what_online_forms_lock() {
    let old = database("create table t (a int not null, b int)");
    let new = database("create table t (a int not null, b int not null, unique (a))");
    let options = Options { strategy: Strategy::Online, ..Options::default() };
    let up = prove_up(&old, &new, &options).unwrap();
    let locks = |it: &Statement| it.locks.iter().map(shown).collect::<Vec<_>>().join(", ");
    let all: Vec<_> = up.statements.iter().map(|it| (it.phase, locks(it))).collect();
    let expected = [
        (0, "ACCESS EXCLUSIVE"),
        (1, "SHARE UPDATE EXCLUSIVE, read, documented"),
        (2, "SHARE UPDATE EXCLUSIVE, read"),
        (2, "ACCESS EXCLUSIVE"),
    ];
    assert_eq!(all[..4], expected.map(|(phase, it)| (phase, it.to_owned())));
    assert_eq!(all[4..].iter().map(|it| it.0).collect::<Vec<_>>(), [2, 2]);
    let is_calm = |it: &Statement| !it.hazards.iter().any(|it| matches!(it, Hazard::Locks(_)));
    assert!(up.statements.iter().all(is_calm));
    let plain = prove_up(&old, &new, &Options::default()).unwrap();
    assert!(!plain.statements.iter().all(is_calm));
    old.psql(&up.script()).unwrap();
}

fn shown(it: &Lock) -> String {
    let read = if it.scans { ", read" } else { "" };
    let documented = if it.documented { ", documented" } else { "" };
    format!("{}{read}{documented}", it.mode)
}

#[test]
fn commits_a_label_before_it_is_used() {
    let old = database("create type e as enum ('a'); create table t (e e)");
    let new = database("create type e as enum ('a', 'b'); create table t (e e default 'b')");
    let up = prove_up(&old, &new, &Options::default()).unwrap();
    assert_eq!(up.script().matches("COMMIT;").count(), 2);
    old.psql(&up.script()).unwrap();
}

fn database(sql: &str) -> Database<'static> {
    let database = Server::shared().unwrap().database().unwrap();
    database.execute(sql).unwrap();
    database
}
