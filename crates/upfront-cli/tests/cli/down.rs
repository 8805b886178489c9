//! `down`, and what a protected database asks for.

use upfront_directory::Directory;
use upfront_scratch::Database;

use crate::place::{Place, database, shows};

const A: (&str, &str) = ("migrations/1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("migrations/down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("migrations/2_b.sql", "ALTER TABLE a ADD COLUMN name text;\n");
const B_DOWN: (&str, &str) =
    ("migrations/down/2_b.sql", "-- undo it\n\nALTER TABLE a DROP COLUMN name;\n");
const C: (&str, &str) =
    ("migrations/3_c.sql", "-- upfront:irreversible the rows are gone\n\nDELETE FROM a;\n");

/// A database that has these migrations, and the folder.
fn applied<'a>(files: &[(&str, &str)]) -> (Database<'a>, Place) {
    let database = database();
    let it = Place::on(&database, files);
    it.run("hash");
    let shown = it.run("up");
    assert!(shown.starts_with("exit code 0"), "{shown}");
    (database, it)
}

/// The digest that a dry run prints.
fn digest(text: &str) -> String {
    let (_, rest) = text.split_once("-- plan ").unwrap();
    rest[..64].to_owned()
}

#[test]
fn rolls_back_what_is_empty_without_asking() {
    let (database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    shows!("a_dry_run", it.run("down --dry-run"));
    shows!("a_dry_run_as_json", it.run("down --to 1 --dry-run --format json"));
    assert!(it.run("check").starts_with("exit code 0"), "nothing was done");
    shows!("down", it.run("down"));
    shows!("down_as_json", it.run("down --steps 1 --format json"));
    assert_eq!(database.psql("select to_regclass('a') is null").unwrap(), "t\n");
    shows!("the_log_of_a_rollback", it.run("log -n 2 --oneline"));
    assert!(it.run("up").contains("applied 2 migrations up to 2"));
    assert!(it.run("down --to 1_a").contains("rolled back 1 migration, 2 in"));
}

#[test]
fn data_are_lost_only_when_that_is_accepted() {
    let (database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    database.execute("insert into a select i, 'x' from generate_series(1, 1234) i").unwrap();
    shows!("a_dry_run_that_loses_data", it.run("down --steps 2 --dry-run"));
    shows!("data_loss", it.run("down --steps 2"));
    shows!("data_loss_as_json", it.run("down --steps 2 --format json"));
    assert!(it.run("check").starts_with("exit code 0"), "nothing was done");
    shows!("data_loss_that_is_accepted", it.run("down --steps 2 --allow data-loss"));
    shows!("the_log_of_what_was_lost", it.run("log -n 1"));
    shows!("nothing_else_can_be_allowed", it.run("down --allow anything"));
    shows!("up_has_nothing_to_allow", it.run("up --allow data-loss"));
}

#[test]
fn targets_that_are_none() {
    let (_database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    shows!("steps_beyond_the_first", it.run("down --steps 3"));
    shows!("an_unknown_version", it.run("down --to 7"));
    shows!("steps_and_a_version", it.run("down --steps 1 --to 1"));
    shows!("no_steps", it.run("down --steps 0"));
    it.write("migrations/3_c.sql", "SELECT 1;\n");
    it.run("hash");
    shows!("a_version_that_is_not_applied", it.run("down --to 3"));
}

#[test]
fn what_has_no_way_back_is_known_before() {
    let (_database, it) = applied(&[A, B, B_DOWN, C]);
    shows!("no_way_back", it.run("down --steps 3"));
    assert!(it.run("check").starts_with("exit code 0"), "nothing was done");
}

#[test]
fn what_is_held_does_not_come_back() {
    let (_database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    // A time that is broken over two lines looks like another one.
    let it = it.variable("COLUMNS", "120");
    assert!(it.run("down --hold").starts_with("exit code 0"));
    shows!("up_of_what_is_held", it.run("up"));
    shows!("status_of_what_is_held", it.run("status"));
}

#[test]
fn a_protected_database_wants_the_digest_of_a_plan() {
    let (_database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    it.run("protect");
    shows!("a_dry_run_of_a_protected_database", it.run("down --dry-run"));
    shows!("a_protected_database", it.run("down"));
    let approved = digest(&it.run("down --dry-run"));
    shows!("another_plan_s_approval", it.run(&format!("down --steps 2 --approve {approved}")));
    shows!("an_approved_rollback", it.run(&format!("down --approve {approved}")));
    shows!("the_log_of_an_approval", it.run("log -n 1"));
    shows!("an_approval_that_was_used", it.run(&format!("down --approve {approved}")));

    it.write("migrations/3_c.sql", "CREATE TABLE c ();\n");
    it.write("migrations/2_b.sql", "ALTER TABLE a ADD COLUMN other text;\n");
    it.run("hash");
    shows!("up_of_a_protected_database", it.run("up"));
    let approved = digest(&it.run("up --dry-run"));
    let shown = it.run(&format!("up --approve {approved}"));
    assert!(shown.contains("applied 2 migrations up to 3"), "{shown}");
    assert!(it.run("up").contains("nothing to apply"), "nothing needs no approval");
}

#[test]
fn an_environment_is_protected_by_its_settings_too() {
    let database = database();
    let settings = "[env.prod]\nurl = \"${DATABASE_URL}\"\nprotected = true\n";
    let it = Place::on(&database, &[A, A_DOWN, ("upfront.toml", settings)]);
    it.run("hash");
    shows!("up_of_a_protected_environment", it.run("up --env prod"));
    let approved = digest(&it.run("up --dry-run"));
    shows!("an_approved_up", it.run(&format!("up --approve {approved}")));
    shows!("down_of_a_protected_environment", it.run("down"));
    assert!(it.run("status").contains("1 applied"));
}

/// The way in which a migration that nobody wants any more goes.
#[test]
fn a_migration_is_removed_by_down_delete_and_hash() {
    let (database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    it.run("down --steps 1");
    it.remove("migrations/2_b.sql");
    shows!("a_file_is_gone_and_the_sum_is_not", it.run("status"));
    it.remove("migrations/down/2_b.sql");
    it.run("hash");
    assert!(it.run("check").starts_with("exit code 0"));
    assert!(it.run("up").contains("nothing to apply"));
    assert!(Directory::read(it.path("migrations")).unwrap().warnings().is_empty(), "the build too");
    let columns = "select count(*) from pg_attribute where attrelid = 'a'::regclass and attnum > 0 \
                   and not attisdropped";
    assert_eq!(database.psql(columns).unwrap(), "1\n");
}

/// Deleted while it is applied: the newest is ahead, an older one is missing.
#[test]
fn a_file_that_was_deleted_while_it_is_applied_is_told() {
    let (_database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    it.remove("migrations/2_b.sql");
    it.remove("migrations/down/2_b.sql");
    it.run("hash");
    shows!("the_newest_was_deleted_status", it.run("status"));
    shows!("the_newest_was_deleted_up", it.run("up"));
    assert!(it.run("down").starts_with("exit code 0"), "by what the database has stored");
    assert!(it.run("check").starts_with("exit code 0"));
    let (_database, it) = applied(&[A, A_DOWN, B, B_DOWN]);
    it.remove("migrations/1_a.sql");
    it.remove("migrations/down/1_a.sql");
    it.run("hash");
    shows!("an_older_one_was_deleted_status", it.run("status"));
    shows!("an_older_one_was_deleted_up", it.run("up"));
}
