//! `rm` and `resolve`: migrations that nobody wants any more, and those that were undone by hand.

use upfront_scratch::Database;

use crate::place::{Place, database, shows};

const SETTINGS: (&str, &str) =
    ("upfront.toml", "[env.dev]\nurl = \"${DATABASE_URL}\"\n[env.prod]\nurl = \"${PROD_URL}\"\n");
const A: (&str, &str) = ("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("migrations/down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("migrations/2_b.sql", "CREATE TABLE b (id bigint);\n");
const B_DOWN: (&str, &str) = ("migrations/down/2_b.sql", "DROP TABLE b;\n");
const C: (&str, &str) = ("migrations/3_c.sql", "CREATE TABLE c (id bigint);\n");

/// Two databases that have these migrations, and the folder.
fn applied<'a>(files: &[(&str, &str)]) -> ([Database<'a>; 2], Place) {
    let databases = [database(), database()];
    let it = Place::on(&databases[0], files).variable("PROD_URL", &databases[1].url());
    it.write(SETTINGS.0, SETTINGS.1);
    for command in ["hash", "up", "up --env prod"] {
        let shown = it.run(command);
        assert!(shown.starts_with("exit code 0"), "{shown}");
    }
    (databases, it)
}

fn tables(it: &Database<'_>) -> String {
    let sql = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = \
               'public'::regnamespace AND relkind = 'r'";
    it.psql(sql).unwrap().trim().to_owned()
}

/// Times are not the same each time.
fn timeless(shown: &str) -> String {
    let line = |it: &str| match it.split_once(" in ") {
        Some((before, _)) if it.starts_with("rolled back") || it.contains(": rolled back") => {
            format!("{before} in [time]")
        }
        _ => it.to_owned(),
    };
    shown.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_migration_is_rolled_back_and_its_files_are_deleted() {
    let ([dev, prod], it) = applied(&[A, A_DOWN, B, B_DOWN]);
    let files = it.files();
    let shown = it.run("rm 2 --dry-run");
    assert!(shown.contains("would delete migrations/down/2_b.sql"), "{shown}");
    assert_eq!((it.files(), tables(&dev).as_str()), (files, "a b"), "nothing was done");
    shows!("rm", timeless(&it.run("rm 2")));
    assert_eq!((tables(&dev).as_str(), tables(&prod).as_str()), ("a", "a b"));
    for command in ["hash --check", "check", "status", "up"] {
        assert!(it.run(command).starts_with("exit code 0"), "{command}");
    }
    // The files are deleted: the stored down script is left.
    let shown = it.run("rm 2 --env prod");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    assert_eq!(tables(&prod), "a");
    assert!(it.run("rm 2_b --env prod").starts_with("exit code 5"), "it is nowhere any more");
    shows!("rm_of_what_nobody_knows", it.run("rm 9"));
    assert_eq!(it.files().iter().filter(|it| it.contains(".sql")).count(), 2);
}

#[test]
fn each_step_alone_works_in_either_order() {
    let ([dev, prod], it) = applied(&[A, A_DOWN, B, B_DOWN, C]);
    let shown = it.run("rm 3 --format json");
    assert!(shown.starts_with("exit code 5"), "it has no down script: {shown}");
    dev.execute("DROP TABLE c").unwrap();
    shows!("rm_without_a_down_script", it.run("rm 3"));
    assert!(it.run("resolve 3_c --rolled-back").starts_with("exit code 0"));
    assert!(it.run("rm 3").starts_with("exit code 0"));
    // Down, then the files; on the other database the files first.
    assert!(it.run("down").contains("rolled back 1 migration"));
    it.remove("migrations/2_b.sql");
    it.remove("migrations/down/2_b.sql");
    assert!(it.run("hash").starts_with("exit code 0"));
    prod.execute("DROP TABLE c").unwrap();
    assert!(it.run("resolve 3 --rolled-back --env prod").starts_with("exit code 0"));
    assert!(it.run("down --env prod").contains("rolled back 1 migration"));
    assert_eq!((tables(&dev).as_str(), tables(&prod).as_str()), ("a", "a"));
    for command in ["check", "check --env prod"] {
        assert!(it.run(command).starts_with("exit code 0"), "{command}");
    }
}

#[test]
fn a_migration_in_the_middle_is_not_rolled_back_alone() {
    let ([dev, _], it) = applied(&[A, A_DOWN, B, B_DOWN, C]);
    shows!("rm_in_the_middle", it.run("rm 2"));
    assert_eq!(tables(&dev), "a b c");
    dev.execute("DROP TABLE b").unwrap();
    shows!("rm_of_the_files_alone", it.run("rm 2 --files-only"));
    shows!("up_without_a_file", it.run("up"));
    let shown = it.run("resolve 2 --rolled-back --dry-run");
    assert!(shown.contains("2_b would be recorded as rolled back (was applied)"), "{shown}");
    shows!("resolve", it.run("resolve 2 --rolled-back"));
    assert!(it.run("check").starts_with("exit code 0"));
    shows!("resolve_again", it.run("resolve 2 --rolled-back"));
    let shown = it.run("log -n 1");
    assert!(shown.contains("reverted 2_b") && shown.contains("note:    undone by hand"), "{shown}");
    assert!(shown.contains("upfront-cli "), "{shown}");
    shows!("resolve_needs_an_outcome", it.run("resolve 2"));
    assert!(it.run("resolve 2 --done").starts_with("exit code 2"));
    assert!(it.run("resolve --all --applied").starts_with("exit code 0"));
}

#[test]
fn consent_is_that_of_down() {
    let ([dev, _], it) = applied(&[A, A_DOWN, B, B_DOWN]);
    dev.execute("INSERT INTO b VALUES (1)").unwrap();
    shows!("rm_that_loses_data", it.run("rm 2"));
    assert!(it.run("protect").starts_with("exit code 0"));
    let shown = it.run("rm 2 --allow data-loss");
    assert!(shown.starts_with("exit code 5") && shown.contains("--approve "), "{shown}");
    assert_eq!((tables(&dev).as_str(), it.files().len()), ("a b", 7));
    let shown = it.run("resolve 2 --rolled-back");
    assert!(
        shown.starts_with("exit code 5") && shown.contains("resolve 2 --rolled-back --approve ")
    );
    let plan = it.run("rm 2 --dry-run");
    let (_, digest) = plan.split_once("-- plan ").unwrap();
    let shown = it.run(&format!("rm 2 --allow data-loss --approve {}", &digest[..8]));
    assert!(shown.starts_with("exit code 0"), "{shown}");
    assert_eq!(tables(&dev), "a");
}

#[test]
fn without_a_database_the_files_alone_can_be_deleted() {
    let it = Place::with(&[A, A_DOWN, B, B_DOWN]);
    assert!(it.run("hash").starts_with("exit code 0"));
    shows!("rm_without_a_database", it.run("rm 2"));
    let shown = it.run("rm 2 --url postgres://u@127.0.0.1:1/d");
    assert!(shown.starts_with("exit code 7") && shown.contains("--files-only"), "{shown}");
    assert!(it.run("rm 2 --files-only").starts_with("exit code 0"));
    assert!(it.run("hash --check").starts_with("exit code 0"));
    assert!(!it.files().iter().any(|it| it.contains("2_b")));
}

#[test]
fn a_checkpoint_that_comes_later_is_pointed_out() {
    let checkpoint = ("migrations/3_c.sql", "-- atlas:checkpoint\n\nCREATE TABLE a (id bigint);\n");
    let it = Place::with(&[A, A_DOWN, checkpoint]);
    assert!(it.run("hash").starts_with("exit code 0"));
    let shown = it.run("rm 1 --files-only");
    assert!(shown.starts_with("exit code 0") && shown.contains("checkpoint `3_c`"), "{shown}");
}
