//! Where a schema may come from.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::Path;

use upfront_schema::{Options, Owners, Scope, Source, compare, diff};
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

/// As the server names the keys of tables that are made one after the other.
#[test]
fn loads_tables_that_refer_to_each_other() {
    let server = Server::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sql = "create table a (id int primary key, b int references b, \"Other\" int not null
                 constraint mine references b (id) on delete cascade deferrable references c);
               create table b (id int primary key, a int, c int check (c > 0),
                 foreign key (a) references a, foreign key (a) references c);
               create table c (id int primary key references a);
               create view v as select a.id from a join b using (id) join c using (id);";
    write(folder.path(), "schema.sql", sql);
    let built = Source::Sql(folder.path().to_owned()).load(server, &Scope::default()).unwrap();
    let expected = server.database().unwrap();
    expected
        .execute(
            "create table a (id int primary key, b int, \"Other\" int not null);
             create table b (id int primary key, a int, c int check (c > 0));
             create table c (id int primary key);
             alter table a add constraint a_b_fkey foreign key (b) references b;
             alter table a add constraint mine foreign key (\"Other\") references b (id)
               on delete cascade deferrable;
             alter table a add constraint \"a_Other_fkey\" foreign key (\"Other\") references c;
             alter table b add constraint b_a_fkey foreign key (a) references a;
             alter table b add constraint b_a_fkey1 foreign key (a) references c;
             alter table c add constraint c_id_fkey foreign key (id) references a;
             create view v as select a.id from a join b using (id) join c using (id);",
        )
        .unwrap();
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

/// As a `pg_dump` of 17 writes it for a server of 15.20.
#[test]
fn loads_a_dump_of_a_newer_server() {
    let server = Server::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dump = "\\restrict abc\nSET transaction_timeout = 0;\nSET no_such_setting_timeout = 0;\n\
                create table a (i int, b text) with (pg_mark='1', fillfactor='50');\n\
                ALTER TABLE ONLY a ALTER COLUMN i SET (pg_attver=22, n_distinct=5);\n\
                ALTER TABLE ONLY a ALTER COLUMN b SET (pg_attver=22);\n\
                create index on a (i) with (pg_mark='1');\n\\unrestrict abc\n";
    let load = |dump: &str| {
        write(folder.path(), "dump.sql", dump);
        Source::Sql(folder.path().join("dump.sql")).load(server, &Scope::default())
    };
    let error = load(dump).unwrap_err().to_string();
    assert!(error.contains("dump.sql:3:") && error.contains("no_such_setting_timeout"), "{error}");
    let built = load(&dump.replace("SET no_such_setting_timeout = 0;", "")).unwrap();
    let expected = server.database().unwrap();
    let sql = "create table a (i int, b text) with (fillfactor = 50); create index on a (i);
               alter table a alter i set (n_distinct = 5)";
    expected.execute(sql).unwrap();
    assert_eq!(compare(&built, &expected, &Scope::default()).unwrap(), []);
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn reads_no_missing_rows_into_a_dump() {
    let server = Server::shared().unwrap();
    let (there, dumped) = (server.database().unwrap(), server.database().unwrap());
    there.psql("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a").unwrap();
    dumped.psql("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a WITH NO DATA").unwrap();
    let scope = Scope { owners: Owners::LeftOut, ..Scope::default() };
    assert_eq!(compare(&there, &dumped, &scope).unwrap(), []);
    assert_ne!(compare(&there, &dumped, &Scope::default()).unwrap(), []);
}
