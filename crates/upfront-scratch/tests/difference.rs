//! Whether two databases have one schema.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use upfront_scratch::{DiffFilter, Server, installs};

const SCHEMA: &str = "create extension if not exists plpgsql; create type mood as enum ('sad'); \
                      create table users (id bigint primary key, name text not null); create \
                      index users_name on users (name); create view names as select name from \
                      users; create function f() returns int language sql as 'select 1'";

#[test]
fn the_order_of_things_is_no_difference() {
    let server = Server::shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    one.execute("create table a (i int); create table z (i int); create index zz on a (i)")
        .unwrap();
    two.execute("create table z (i int); create table a (i int); create index zz on a (i)")
        .unwrap();
    assert_eq!(one.difference(&two.url(), &DiffFilter::default()).unwrap(), None);
}

#[test]
fn owners_and_privileges_are_no_difference() {
    let server = Server::start().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    one.execute(SCHEMA).unwrap();
    two.execute(SCHEMA).unwrap();
    let other = "create role somebody; alter table users owner to somebody; grant select on users to \
                 public; alter default privileges grant select on tables to somebody; alter schema \
                 public owner to somebody; grant all on schema public to somebody";
    two.execute(other).unwrap();
    two.execute("insert into users values (1, 'x')").unwrap();
    assert_eq!(one.difference(&two.url(), &DiffFilter::default()).unwrap(), None);
}

/// As a 15.20 sets them for each column.
#[test]
fn options_of_the_server_are_no_difference() {
    let server = Server::shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    let sql = "alter table users alter name set (n_distinct = 5)";
    one.execute(&format!("{SCHEMA}; {sql}")).unwrap();
    two.execute(&format!("{SCHEMA}; {sql}")).unwrap();
    let mark = "set allow_system_table_mods = on; update pg_attribute set attoptions =
                array_prepend('pg_mark=' || attnum, attoptions)
                where attrelid = 'users'::regclass and attnum > 0;
                update pg_class set reloptions = '{pg_mark=1}' where relname ~ '^(users|names)'";
    two.psql(mark).unwrap();
    assert_eq!(one.difference(&two.url(), &DiffFilter::default()).unwrap(), None);
    assert_eq!(one.schema().unwrap(), two.schema().unwrap());
}

#[test]
fn shows_what_differs() {
    let server = Server::shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    one.execute(SCHEMA).unwrap();
    two.execute(SCHEMA).unwrap();
    one.execute("create table only_here (i int)").unwrap();
    two.execute("alter table users add extra int; alter type mood add value 'ok'").unwrap();
    let difference = one.difference(&two.url(), &DiffFilter::default()).unwrap().unwrap();
    assert_eq!(
        difference,
        "\
TABLE public.only_here
@@ -1,3 +0,0 @@
-CREATE TABLE public.only_here (
-    i integer
-);
TABLE public.users
@@ -1,4 +1,5 @@
 CREATE TABLE public.users (
     id bigint NOT NULL,
-    name text NOT NULL
+    name text NOT NULL,
+    extra integer
 );
TYPE public.mood
@@ -1,3 +1,4 @@
 CREATE TYPE public.mood AS ENUM (
-    'sad'
+    'sad',
+    'ok'
 );
"
    );
}

#[test]
fn leaves_out_what_it_is_told_to() {
    let server = Server::shared().unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    let more = r#"create schema "odd "" *"; create table "odd "" *".t (); create schema other; create
                  table other.history (id serial); create table history ()"#;
    two.execute(more).unwrap();
    let without = DiffFilter { schemas: &["odd \" *", "other"], tables: &["history"] };
    assert_eq!(one.difference(&two.url(), &without).unwrap(), None);
    let without = DiffFilter { schemas: &["o*"], tables: &["history", "history_id_seq"] };
    let difference = one.difference(&two.url(), &without).unwrap().unwrap();
    assert!(difference.contains("SCHEMA other") && !difference.contains("history"), "{difference}");
}

#[test]
fn no_password_of_the_other_is_shown() {
    let server = Server::builder()
        .listen_tcp()
        .hba("host all secretive 127.0.0.1/32 scram-sha-256")
        .start()
        .unwrap();
    let (one, two) = (server.database().unwrap(), server.database().unwrap());
    one.execute("create role secretive login password 'p@ss%word'").unwrap();
    let url = |password: &str| {
        let (port, name) = (server.tcp_port().unwrap(), two.name());
        format!("postgres://secretive:{password}@127.0.0.1:{port}/{name}")
    };
    assert_eq!(one.difference(&url("p%40ss%25word"), &DiffFilter::default()).unwrap(), None);
    let err = one.difference(&url("hunter2"), &DiffFilter::default()).unwrap_err();
    assert!(!format!("{err:?}").contains("hunter2"), "{err:?}");

    let mapping = "create extension postgres_fdw; create server s foreign data wrapper \
                   postgres_fdw; create user mapping for public server s options (password 'hunter2')";
    if two.execute(mapping).is_ok() {
        let difference = one.difference(&two.url(), &DiffFilter::default()).unwrap().unwrap();
        assert!(difference.contains("USER MAPPING"), "{difference}");
        assert!(!difference.contains("hunter2"), "{difference}");
    }
}

#[test]
fn other_major_versions_are_refused() {
    let mut majors: Vec<_> = installs().iter().map(|it| it.version().major()).collect();
    majors.sort_unstable();
    majors.dedup();
    let [older, .., newer] = majors[..] else { return };
    let start = |major| Server::builder().major(major).start().unwrap();
    let (older, newer) = (start(older), start(newer));
    let (one, two) = (older.database().unwrap(), newer.database().unwrap());
    for (one, two) in [(&one, &two), (&two, &one)] {
        let err = one.difference(&two.url(), &DiffFilter::default()).unwrap_err();
        assert!(err.is_major_mismatch(), "{err}");
    }
}
