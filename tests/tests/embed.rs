//! A service as its author has it: what Cargo builds, when it builds anew, and what it says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use upfront_tests::{Service, database};

fn service(name: &str) -> Service {
    Service::new(env!("CARGO_TARGET_TMPDIR"), name)
}

#[test]
fn a_service_carries_what_its_directory_has_and_needs_no_file() {
    let service = service("upfront-test-follows");
    let database = database();
    let url = database.url();
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
    assert!(service.builds().contains("this folder has no `atlas.sum`"));
    assert_eq!(service.runs(&url), "a");
    service.write("migrations/2_b.sql", "CREATE TABLE b (id bigint);\n");
    service.write("migrations/down/2_b.sql", "DROP TABLE b;\n");
    service.builds();
    assert_eq!(service.runs(&url), "b");
    let down = "select down_sql from upfront.revisions where version = '2' and app = 'main'";
    assert_eq!(database.psql(down).unwrap().trim(), "DROP TABLE b;");
    service.write("migrations/2_b.sql", "CREATE TABLE b (id integer);\n");
    service.builds();
    assert!(service.runs(&url).contains("migration `2_b` was changed after it was applied"));
    service.remove("migrations/2_b.sql");
    service.remove("migrations/down/2_b.sql");
    service.builds();
    assert_eq!(service.runs(&url), "", "the newest was deleted: the database is ahead");
    fs::remove_dir_all(service.folder().join("migrations")).unwrap();
    assert_eq!(service.runs(&url), "", "the program needs no file");
}

#[test]
fn a_mistake_is_an_error_of_the_build() {
    let service = service("upfront-test-mistakes");
    insta::assert_snapshot!("missing_directory", service.fails());
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\nCOMMIT;\n");
    service.write("migrations/1_b.sql", "-- atlas:txmode nome\n\nSELECT 1;\n");
    insta::assert_snapshot!("two_mistakes", service.fails());
    service.remove("migrations/1_b.sql");
    service.write("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
    service.write("migrations/atlas.sum", "h1:x\n<<<<<<< HEAD\n");
    insta::assert_snapshot!("conflict_in_atlas_sum", service.fails());
    service.remove("migrations/atlas.sum");
    service.builds();
    service.remove("migrations/1_a.sql");
    let empty = service.builds();
    assert!(empty.contains("warning: "), "{empty}");
}

#[test]
fn a_crate_that_embeds_nothing_is_told_so() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
