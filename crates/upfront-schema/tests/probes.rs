//! What a probe counts is what its statement fails on.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fmt::Write;

use upfront_schema::{Hazard, Options, Plan, Probe, prove_up};
use upfront_scratch::{Database, Server};

#[test]
fn counts_what_keys_do_not_allow() {
    let table = "create table t (a int, b int, c text)";
    let add = |what: &str| format!("{table}; alter table t add {what}");
    let primary = add("primary key (a, b)");
    check(table, &primary, "insert into t values (1, 1), (1, 2)", "");
    check(table, &primary, "insert into t values (1, 1)", "insert into t values (1, 1)");
    check(table, &primary, "insert into t values (1, 1)", "insert into t values (1, null)");
    let unique = add("unique (a, b)");
    check(
        table,
        &unique,
        "insert into t values (1, null), (1, null), (1, 1)",
        "insert into t values (1, 1)",
    );
    if major() >= 15 {
        let unique = add("unique nulls not distinct (a)");
        check(table, &unique, "insert into t values (1), (null)", "insert into t values (null)");
    }
    let inherited = format!("{table}; create table child () inherits (t)");
    let unique = format!("{inherited}; alter table t add unique (a)");
    check(
        &inherited,
        &unique,
        "insert into t values (1); insert into child values (1)",
        "insert into t values (1)",
    );
    let primary = format!("{inherited}; alter table t add primary key (a)");
    check(
        &inherited,
        &primary,
        "insert into t values (1); insert into child values (1)",
        "insert into child values (null)",
    );
}

#[test]
fn counts_what_unique_indexes_do_not_allow() {
    let table = "create table \"T t\" (\"A\" int, c text)";
    let index = |what: &str| format!("{table}; create unique index i on \"T t\" {what}");
    check(
        table,
        &index("(lower(c), \"A\") include (c) where \"A\" > 0 or c = 'x\ny'"),
        "insert into \"T t\" values (1, 'A'), (1, 'b'), (0, 'a'), (0, 'a'), (1, null), (1, null)",
        "insert into \"T t\" values (1, 'a')",
    );
    check(
        table,
        &index("((true)) where \"A\" > 0"),
        "insert into \"T t\" values (1), (0), (0)",
        "insert into \"T t\" values (1)",
    );
    check(
        table,
        &index("(c text_pattern_ops) where \"A\" > 0"),
        "insert into \"T t\" values (1, 'a'), (0, 'a')",
        "insert into \"T t\" values (1, 'a')",
    );
    let table = "create collation blind (provider = icu, locale = 'und-u-ks-level2',
       deterministic = false); create table t (c text)";
    if has_icu() {
        check(
            table,
            &format!("{table}; create unique index on t (c collate blind)"),
            "insert into t values ('a'), ('b')",
            "insert into t values ('A')",
        );
    } else {
        eprintln!("not checked: this build of PostgreSQL has no ICU, so no such collation");
    }
    let parts = "create table t (a int, b int) partition by range (a);
       create table p partition of t for values from (0) to (10);
       create table q partition of t for values from (10) to (20)";
    check(
        parts,
        &format!("{parts}; create unique index on t (a, b)"),
        "insert into t values (1, 1), (11, 1)",
        "insert into t values (11, 1)",
    );
}

#[test]
fn counts_what_checks_do_not_allow() {
    let table = "create type pair as (x int, y int); create table t (a int, b text, p pair)";
    let add = |what: &str| format!("{table}; alter table t add {what}");
    check(
        table,
        &add("check (a > 0 and b <> 'it''s')"),
        "insert into t values (1, 'x'), (null, null)",
        "insert into t values (0)",
    );
    let valid = add("constraint k check (a > 0)");
    let invalid = add("constraint k check (a > 0) not valid");
    check(&invalid, &valid, "insert into t values (1)", "{t} insert into t values (0)");
    check(
        table,
        "create type pair as (x int, y int); create table t (a int, b text, p pair not null)",
        "insert into t (p) values (row(null, null))",
        "insert into t (a) values (1)",
    );
    let children = "create table t (a int); create table child () inherits (t)";
    check(
        children,
        &format!("{children}; alter table t add check (a > 0) no inherit"),
        "insert into child values (0)",
        "insert into t values (0)",
    );
    check(
        children,
        "create table t (a int not null); create table child () inherits (t)",
        "insert into child values (0)",
        "insert into child values (null)",
    );
    check(
        "create table t ()",
        "create table t (a int not null)",
        "",
        "insert into t default values",
    );
    let domain = "create domain d as int not null; create table t ()";
    check(domain, &format!("{domain}; alter table t add d d"), "", "insert into t default values");
}

#[test]
fn counts_what_foreign_keys_do_not_allow() {
    let tables =
        "create table o (x int, y bigint, primary key (x, y)); create table t (a int, b int)";
    let add =
        |what: &str| format!("{tables}; alter table t add foreign key (a, b) references o {what}");
    check(
        tables,
        &add(""),
        "insert into o values (1, 1); insert into t values (1, 1), (7, null), (null, null)",
        "insert into t values (1, 2)",
    );
    check(
        tables,
        &add("match full"),
        "insert into o values (1, 1); insert into t values (1, 1), (null, null)",
        "insert into t values (1, null)",
    );
    check(
        tables,
        &add("match full"),
        "insert into o values (1, 1); insert into t values (1, 1)",
        "insert into t values (2, 1)",
    );
    let parts = "create table o (x int primary key) partition by range (x);
       create table op partition of o for values from (0) to (10);
       create table t (a int) partition by range (a);
       create table tp partition of t for values from (0) to (10)";
    check(
        parts,
        &format!("{parts}; alter table t add foreign key (a) references o"),
        "insert into o values (1); insert into t values (1)",
        "insert into t values (2)",
    );
}

#[test]
fn counts_what_excludes_each_other() {
    let table = "create table t (a int4range, b int, c bool)";
    check(
        table,
        &format!("{table}; alter table t add exclude using gist (a with &&) where (c)"),
        "insert into t values ('[1,3)', 1, true), ('[3,5)', 1, true), ('[1,9)', 1, false)",
        "insert into t values ('[2,4)', 1, true)",
    );
}

#[test]
fn counts_what_types_do_not_hold() {
    let column = |name: &str| format!("create table t (c {name})");
    let check = |old: &str, new: &str, fine: &str, bad: &str| {
        let rows = |it: &str| format!("insert into t values {it}");
        check(&column(old), &column(new), &rows(fine), &rows(bad));
    };
    check("text", "varchar(3)", "('abc'), ('ab     '), (null)", "('abcd')");
    check("text", "char(3)", "('abc'), ('abc  ')", "('abcd')");
    check("int", "varchar(3)", "(123), (-99)", "(-123)");
    check("bigint", "int", "(2147483647), (-2147483648), (null)", "(2147483648)");
    check("int", "smallint", "(32767), (-32768)", "(-32769)");
    check("numeric", "int", "(2147483647.4), (-2147483648.4)", "(2147483647.5)");
    check("numeric", "int", "(0)", "('NaN')");
    check("float8", "bigint", "(9223372036854774784), (-9223372036854775808)", "('NaN'), (1e19)");
    check("real", "smallint", "(32767.4), (0.5)", "(32767.6)");
    check("numeric", "numeric(4,1)", "(999.94), ('NaN'), (-999.9)", "(999.95)");
    check("bigint", "numeric(3)", "(999), (-999)", "(1000)");
    if major() >= 16 {
        check("text", "int", "('12'), (null)", "('x')");
        check("text", "uuid", "('6ecd8c99-4036-403d-bf84-cf8400f67836')", "('x')");
    }
}

#[test]
fn counts_labels_that_are_gone() {
    let types = |labels: &str| {
        format!("create type e as enum ({labels}); create table t (e e, l e[] default '{{}}')")
    };
    check(
        &types("'a', 'it''s', 'c'"),
        &types("'it''s', 'a'"),
        "insert into t values ('a', '{a,it''s}'), (null, '{null}')",
        "insert into t values ('a', '{a,c}')",
    );
    check(
        "create table t (e text)",
        "create type e as enum ('a'); create table t (e e)",
        "insert into t values ('a'), (null)",
        "insert into t values ('b')",
    );
}

#[test]
fn counts_values_of_domains() {
    let types = |more: &str| {
        format!(
            "create domain d as int {more}; create domain over_d as d;
             create table t (d d); create table u (o over_d)"
        )
    };
    let bad = "insert into u values (0)";
    check(&types(""), &types("check (value > 0)"), "insert into t values (1), (null)", bad);
    check(
        &types(""),
        &types("not null"),
        "insert into t values (1)",
        "insert into u values (null)",
    );
}

#[test]
fn counts_what_partitions_do_not_hold() {
    let check = |by: &str, bound: &str, fine: &str, bad: &str| {
        let old = format!("create table t (a int) partition by {by} (a); create table p (a int)");
        let new = format!("{old}; alter table t attach partition p {bound}");
        check(&old, &new, fine, bad);
    };
    let into = |it: &str| format!("insert into p values {it}");
    check("range", "for values from (0) to (9)", &into("(0), (8)"), &into("(9)"));
    check("list", "for values in (1, 2)", &into("(1)"), &into("(null)"));
    let hashed = "for values with (modulus 1, remainder 0)";
    check("hash", hashed, &into("(1), (2)"), "");
    let tree = "create table t (a int) partition by list (a);
       create table rest partition of t default";
    check_tree(
        tree,
        &format!("{tree}; create table one partition of t for values in (1)"),
        "insert into t values (2)",
        "insert into t values (1)",
    );
}

fn check_tree(old: &str, new: &str, fine: &str, bad: &str) {
    check(old, new, fine, bad);
}

/// Both with the rows that are fine, and with some more.
fn check(old: &str, new: &str, fine: &str, bad: &str) {
    let (old, new) = (database(old), database(new));
    let plan = prove_up(&old, &new, &Options::default()).unwrap();
    old.psql(fine).unwrap();
    let text = format!("{plan}\n{fine}\n{bad}");
    assert_eq!(in_the_way(&old, &plan), None, "{text}");
    if bad.is_empty() {
        return;
    }
    let old = match bad.strip_prefix("{t} ") {
        None => old.psql(bad).map(|_| old).unwrap(),
        // A constraint that is not valid holds for new rows.
        Some(bad) => {
            let definition = old
                .psql(
                    "select pg_get_constraintdef(oid) from pg_constraint
                where conname = 'k'",
                )
                .unwrap();
            old.psql(&format!(
                "alter table t drop constraint k; {bad};
                alter table t add constraint k {definition}"
            ))
            .unwrap();
            old
        }
    };
    assert!(in_the_way(&old, &plan).is_some(), "{text}");
}

/// The statement that fails, as the probe predicted.
fn in_the_way(database: &Database<'_>, plan: &Plan) -> Option<String> {
    let mut before = String::from("set search_path = pg_catalog;");
    for it in &plan.statements {
        let ask = |sql: &str| database.psql(&format!("begin; {before} {sql}; rollback"));
        let count = |probe: &Probe| match probe {
            Probe::Query(sql) => ask(sql).unwrap().trim().parse::<u64>().unwrap(),
            Probe::None(why) => panic!("{it}: {why}"),
        };
        let counts = it.hazards.iter().map(|it| match it {
            Hazard::MayFail(_, probe) => count(probe),
            _ => 0,
        });
        let predicted = counts.sum::<u64>() > 0;
        let failed = ask(&it.sql).err();
        assert_eq!(predicted, failed.is_some(), "{it}\n{failed:?}");
        if failed.is_some() {
            return Some(it.sql.clone());
        }
        let _ = write!(before, "{};", it.sql);
    }
    None
}

fn database(sql: &str) -> Database<'static> {
    let database = Server::shared().unwrap().database().unwrap();
    database.execute(sql).unwrap();
    database
}

/// Not every build of PostgreSQL has it. From 16 on the catalog lists a collation of ICU all the
/// same.
fn has_icu() -> bool {
    database("").execute("create collation tried (provider = icu, locale = 'und')").is_ok()
}

fn major() -> u32 {
    Server::shared().unwrap().version().major()
}
