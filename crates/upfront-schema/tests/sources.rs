//! Where a schema may come from.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::Path;

use upfront_schema::{Options, Scope, Source, compare, diff};
use upfront_scratch::Server;

const TABLES: &str = "create table a (i int primary key); create view v as select i from a;";

#[test]
fn reads_a_database_and_leaves_it_alone() {
    let server = Server::shared().unwrap();
    let live = server.database().unwrap();
    live.execute(TABLES).unwrap();
    live.execute("create schema upfront; create table upfront.revisions (i int)").unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "schema.sql", TABLES);
    let from: Source = live.url().parse().unwrap();
    let to = Source::Sql(folder.path().to_owned());
    let plan = diff(server, &from, &to, &Options::default()).unwrap();
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(live.psql("select count(*) from upfront.revisions").unwrap(), "0\n");
}

#[test]
fn loads_a_folder_in_whatever_order() {
    let server = Server::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.sql", "create view v as select i from a;");
    fs::create_dir(folder.path().join("deep")).unwrap();
    write(&folder.path().join("deep"), "b.sql", "create table a (i int primary key);");
    write(folder.path(), "c.txt", "no SQL");
    let built = Source::Sql(folder.path().to_owned()).load(server, &Scope::default()).unwrap();
    let expected = server.database().unwrap();
    expected.execute(TABLES).unwrap();
    assert_eq!(compare(&built, &expected, &Scope::default()).unwrap(), []);
}

#[test]
fn replays_migrations() {
    let server = Server::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "1_a.sql", "create table a (i int primary key);\n");
    write(folder.path(), "2_v.sql", "create view v as select i from a;\n");
    upfront_directory::write_sums(folder.path()).unwrap();
    let source: Source = folder.path().to_str().unwrap().parse().unwrap();
    assert!(matches!(source, Source::Migrations(_)));
    let built = source.load(server, &Scope::default()).unwrap();
    let expected = server.database().unwrap();
    expected.execute(TABLES).unwrap();
    assert_eq!(compare(&built, &expected, &Scope::default()).unwrap(), []);
}

#[test]
fn passes_over_what_pg_dump_writes_for_psql() {
    let server = Server::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dump = "\\restrict abc\nSET client_encoding = 'LATIN1';\nBEGIN;\ncreate table a (i int);\n\
                COPY a (i) FROM stdin;\n1\n\\.\nCOMMIT;\n\\unrestrict abc\n";
    write(folder.path(), "dump.sql", dump);
    let built = Source::Sql(folder.path().join("dump.sql")).load(server, &Scope::default());
    assert_eq!(built.unwrap().psql("select count(*) from a").unwrap(), "0\n");
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}
