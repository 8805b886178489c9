//! Made-up rows: which tables take them, and what is noticed of them afterwards.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_schema::{Rows, SampleKind, SampleRows, Scope, SequenceStates, Violations};
use upfront_scratch::{Database, Server};

#[test]
fn finds_rows_for_odd_tables() {
    let database = database(
        "create type mood as enum ('sad', 'ok');
         create type pair as (x int, m mood);
         create domain email as text check (value like '%@%');
         create domain code as varchar(4) check (length(value) = 4) not null;
         create table \"Odd t\" (id int generated always as identity, \"select\" code, e email not null,
           m mood not null unique, p pair not null, ps pair[] not null, r int4range not null,
           d daterange not null, t tstzrange not null, point point not null, box box not null,
           bits bit(3) not null, net cidr not null, lsn pg_lsn not null, twice int
           generated always as (1 + 1) stored, primary key (\"select\", m));
         create table checked (a int check (a > 100 and a < 103), b text check (b in ('x', 'y')),
           c text not null check (length(c) >= 20), s int not null, t int not null, check (s > t),
           at timestamptz not null check (at > '2030-01-01'));
         create table parts (at date not null, n int) partition by range (at);
         create table part partition of parts for values from ('2024-01-01') to ('2024-02-01');
         create table one_row (one bool primary key default true check (one));
         create table parent (a int, b text, primary key (a, b));
         create table child (b text not null, a int not null, foreign key (a, b) references parent);
         create table itself (id serial primary key, up int references itself);
         create function no() returns trigger language plpgsql as 'begin raise ''no''; end';
         create table never (i int); create trigger no before insert on never
           for each row execute function no();",
    );
    let seeded = SampleRows::fill(&database, SampleKind::Mixed, &Scope::default()).unwrap();
    let without: Vec<_> = seeded.without.iter().map(|it| (&*it.table, &*it.sqlstate)).collect();
    assert_eq!((seeded.tables, without), (7, vec![("public.never", "P0001")]));
    let count = |table: &str| database.psql(&format!("select count(*) from {table}")).unwrap();
    let counts = ["\"Odd t\"", "checked", "parts", "one_row", "child", "itself"].map(count);
    assert_eq!(counts, ["2\n", "2\n", "2\n", "1\n", "2\n", "2\n"]);
}

#[test]
fn names_the_rows_that_are_others() {
    let check = |table: &str, change: &str, expected: &[&str]| {
        let database = database(&format!("{table}; insert into t values (1, 'a'), (2, null)"));
        let read = || Rows::read(&database, &Scope::default()).unwrap();
        let before = read();
        database.execute(change).unwrap();
        assert_eq!(before.changed(&read()), expected, "{change}");
    };
    let table = "create table t (id int primary key, \"N\" text)";
    check(table, "alter table t rename \"N\" to n; alter table t rename to u", &[]);
    check(table, "alter table t alter id type bigint, add x int default 1", &[]);
    check(
        table,
        "alter table t alter id type bigint; update t set \"N\" = 'b' where id = 1",
        &["public.t: rows are others"],
    );
    let swapped = "update t set \"N\" = case id when 2 then 'a' end";
    check(
        table,
        swapped,
        &["public.t, where id is 1: \"N\" is another", "public.t, where id is 2: \"N\" is another"],
    );
    check(
        table,
        "delete from t where id = 1; insert into t values (3)",
        &["public.t, where id is 1: the row is gone", "public.t, where id is 3: the row is new"],
    );
    check(
        "create table t (id int, n text unique)",
        "update t set id = 7 where n is null",
        &["public.t, where n is NULL: id is another"],
    );
    check(
        "create table t (id int, n text)",
        swapped.replace("\"N\"", "n").as_str(),
        &["public.t: rows are others"],
    );
    let generated =
        "create table t (id int primary key, n text, x int generated always as (id) stored)";
    check(generated, "alter table t drop x, add x int generated always as (id + 1) stored", &[]);
}

#[test]
fn a_way_back_may_restore() {
    let check = |up: &str, down: &str, expected: &[&str]| {
        let database = database(
            "create table t (id int primary key, n text); insert into t values (1, 'a'), (2, 'b')",
        );
        let read = || Rows::read(&database, &Scope::default()).unwrap();
        let first = read();
        database.execute(up).unwrap();
        let second = read();
        database.execute(down).unwrap();
        assert_eq!(second.not_restored(&first, &read()), expected, "{up}; {down}");
    };
    let row = "insert into t values (3, 'c')";
    check(row, "delete from t where id = 3", &[]);
    check(row, "delete from t where id > 1", &["public.t, where id is 2: the row is gone"]);
    check("update t set n = 'x'", "update t set n = case id when 1 then 'a' else 'b' end", &[]);
    check(
        "update t set n = 'x' where id = 1",
        "update t set n = 'y' where id = 1",
        &["public.t, where id is 1: n is another"],
    );
    check("delete from t where id = 1", "insert into t values (1, 'a')", &[]);
    check("select 1", row, &["public.t, where id is 3: the row is new"]);
}

#[test]
fn notices_sequences_that_go_back() {
    let database = database(
        "create table t (id serial primary key, n text); create sequence free increment -2;
         create table u (id int primary key generated by default as identity, s int not null check (s > 0))",
    );
    SampleRows::fill(&database, SampleKind::Full, &Scope::default()).unwrap();
    let read = || SequenceStates::read(&database, &Scope::default()).unwrap();
    let before = read();
    assert_eq!(before.failing().count(), 0);
    let later = read();
    assert_eq!((before.behind(&later), before.colliding(&later)), (vec![], vec![]));
    database.execute("select setval('t_id_seq', 1); select setval('free', -1, false)").unwrap();
    let back = read();
    // The next value of `free`, if it descends, becomes smaller.
    assert_eq!(before.behind(&back), ["public.t_id_seq", "public.free"]);
    assert_eq!(before.colliding(&back), ["public.t (t_pkey)"]);
    database.execute("alter table u add check (s < 0) not valid").unwrap();
    assert_eq!(read().failing().collect::<Vec<_>>(), [("public.u", "23514")]);
}

#[test]
fn shorter_steps_go_on_too() {
    let database = database("create sequence s increment 3; select nextval('s'), nextval('s')");
    let read = || SequenceStates::read(&database, &Scope::default()).unwrap();
    let before = read();
    database.execute("alter sequence s increment 1").unwrap();
    assert_eq!(before.behind(&read()), Vec::<String>::new());
    database.execute("select setval('s', 4, false)").unwrap();
    assert_eq!(before.behind(&read()), ["public.s"]);
}

fn database(sql: &str) -> Database<'static> {
    let database = Server::shared().unwrap().database().unwrap();
    database.execute(sql).unwrap();
    database
}

#[test]
fn finds_rows_that_a_table_rejects() {
    let scope = Scope::default();
    let database = Server::shared().unwrap().database().unwrap();
    let keys = "ALTER TABLE t ADD CONSTRAINT id PRIMARY KEY (id), ADD CONSTRAINT e UNIQUE (e), \
                ADD CONSTRAINT low CHECK (n > 0), ALTER n SET NOT NULL, \
                ADD CONSTRAINT other FOREIGN KEY (o) REFERENCES other";
    database.execute("CREATE TABLE other (id int PRIMARY KEY)").unwrap();
    database.execute("CREATE TABLE t (id int, e text, n int, o int)").unwrap();
    database.execute(keys).unwrap();
    SampleRows::fill(&database, SampleKind::Full, &scope).unwrap();
    let violations = Violations::find(&database, &scope).unwrap();
    let words = |all: &std::collections::BTreeSet<usize>| {
        let mut all: Vec<_> = all.iter().map(|it| violations.words(*it)).collect();
        all.sort();
        all
    };
    let before = violations.rejected(&database).unwrap();
    assert_eq!(
        words(&before),
        [
            "public.other accepts a row that NOT NULL of id rejects",
            "public.other accepts a row that other_pkey rejects",
            "public.t accepts a row that NOT NULL of id rejects",
            "public.t accepts a row that NOT NULL of n rejects",
            "public.t accepts a row that e rejects",
            "public.t accepts a row that id rejects",
            "public.t accepts a row that low rejects",
            "public.t accepts a row that other rejects",
        ]
    );
    assert_eq!(words(&violations.accepted(&database).unwrap()), [""; 0]);
    database.execute("ALTER TABLE t DROP CONSTRAINT e, DROP CONSTRAINT low").unwrap();
    let accepted = violations.accepted(&database).unwrap();
    assert_eq!(
        words(&accepted),
        ["public.t accepts a row that e rejects", "public.t accepts a row that low rejects"]
    );
}
