//! A service built with the feature `dev`: what Cargo compiles, what the program holds, and when
//! nothing is built at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

use upfront_tests::{Service, database};

const A: &str = "CREATE TABLE a (id bigint);\n";
const B: &str = "CREATE TABLE b (id bigint);\n";

fn service(name: &str) -> Service {
    let service = Service::new(env!("CARGO_TARGET_TMPDIR"), name);
    service.write("migrations/1_a.sql", A);
    service
}

/// A repository of its own, in which nothing is committed.
fn init(service: &Service) {
    let mut command = std::process::Command::new("git");
    command.args(["init", "--quiet"]).current_dir(service.folder());
    assert!(command.status().unwrap().success());
}

fn holds(program: &[u8], text: &str) -> bool {
    program.windows(text.len()).any(|it| it == text.as_bytes())
}

#[test]
fn a_new_file_is_applied_at_the_next_start_and_cargo_compiles_nothing() {
    let service = service("upfront-test-live").with("--features=dev");
    let database = database();
    let url = database.url();
    init(&service);
    service.builds();
    assert_eq!(service.runs(&url), "a");
    service.write("migrations/2_b.sql", B);
    assert_eq!(service.runs(&url), "b");
    service.write("migrations/3_c.sql", "CREATE TABLE c (id bigint);\n");
    let built = service.builds();
    assert!(!built.contains("Compiling"), "{built}");
    assert_eq!(service.runs(&url), "c");
    service.write("migrations/down/3_c.sql", "DROP TABLE c;\n");
    service.write("migrations/3_c.sql", "CREATE TABLE c (id integer);\n");
    let built = service.builds();
    assert!(!built.contains("Compiling"), "{built}");
    assert_eq!(service.runs(&url), "c", "an edited one is replaced");
    service.write("migrations/4_d.sql", "CREATE TABLE d (id bigint);\nCOMMIT;\n");
    insta::assert_snapshot!("a_mistake_at_the_start", service.runs(&url));
    fs::rename(service.folder().join("migrations"), service.folder().join("moved")).unwrap();
    let said = service.runs(&url).replace(service.folder().to_str().unwrap(), "/home/me/service");
    insta::assert_snapshot!("a_directory_that_is_gone", said);
}

#[test]
fn without_the_feature_the_program_holds_nothing_of_it() {
    let with = service("upfront-test-with-dev").with("--features=dev");
    let without = service("upfront-test-without-dev");
    let check = |service: &Service, expected: bool| {
        service.builds();
        let program = fs::read(service.program()).unwrap();
        let directory = service.folder().join("migrations");
        let texts = ["Migrator::dev", "git's HEAD", "ls-tree", "GIT_NO_LAZY_FETCH"];
        for it in texts.into_iter().chain(directory.to_str()) {
            assert_eq!(holds(&program, it), expected, "{it}");
        }
        assert!(holds(&program, "CREATE TABLE a"));
    };
    check(&with, true);
    check(&without, false);
}

#[test]
fn a_release_build_with_the_feature_is_an_ordinary_one() {
    let service = service("upfront-test-release").with("--features=dev").with("--release");
    let database = database();
    let url = database.url();
    service.builds();
    let program = fs::read(service.program()).unwrap();
    let directory = service.folder().join("migrations");
    assert!(!holds(&program, directory.to_str().unwrap()));
    service.write("migrations/2_b.sql", B);
    assert_eq!(service.runs(&url), "a", "it applies what is embedded");
    service.builds();
    assert_eq!(service.runs(&url), "b", "Cargo follows the directory");
}

#[test]
fn the_feature_alone_changes_nothing() {
    let service = service("upfront-test-unified").with("--features=dev");
    let main = fs::read_to_string(service.folder().join("src/main.rs")).unwrap();
    service.write("src/main.rs", main.replace("Migrator::dev", "Migrator::new"));
    service.write("build.rs", "fn main() { upfront_build::embed(\"migrations\"); }\n");
    let database = database();
    let url = database.url();
    service.builds();
    service.write("migrations/2_b.sql", B);
    assert_eq!(service.runs(&url), "a", "it applies what is embedded");
    service.builds();
    assert_eq!(service.runs(&url), "b", "Cargo follows the directory");
}

#[test]
fn a_sum_that_is_behind_does_not_stop_the_work() {
    let service = service("upfront-test-draft").with("--features=dev");
    let database = database();
    let url = database.url();
    upfront_directory::write_sums(&service.folder().join("migrations")).unwrap();
    service.write("migrations/2_b.sql", B);
    service.builds();
    assert_eq!(service.runs(&url), "a b");
    init(&service);
    service.write("migrations/2_b.sql", "CREATE TABLE b (id integer);\n");
    let service = service.set("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    let said = service.runs(&url);
    assert!(said.contains("git cannot tell: detected dubious ownership in repository"), "{said}");
}
