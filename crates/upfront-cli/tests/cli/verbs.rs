//! The verbs on a database.

use std::process::Stdio;

use crate::place::{Place, database, shows};

const A: (&str, &str) =
    ("migrations/20260101000000_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const DOWN: (&str, &str) = ("migrations/down/20260101000000_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = (
    "migrations/20260102000000_a_name_that_is_so_long_that_it_takes_more_than_one_line.sql",
    "-- what b is for\nCREATE TABLE b (id bigint);\n",
);
const C: (&str, &str) = (
    "migrations/20260103000000_c.sql",
    "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY b_id ON b (id);\n",
);

fn hashed(it: Place) -> Place {
    assert!(it.run("hash").starts_with("exit code 0"));
    it
}

#[test]
fn a_database_from_nothing_to_up_to_date() {
    let database = database();
    let it = hashed(Place::on(&database, &[A, DOWN, B, C]));
    shows!("status_of_an_empty_database", it.run("status"));
    assert!(it.run("status --exit-code").starts_with("exit code 3"));
    shows!("check_where_something_is_pending", it.run("check"));
    shows!("check_as_json", it.run("check --format json"));
    shows!("a_dry_run", it.run("up --dry-run"));
    let output = |text: String| text.split("--- errors").next().unwrap().to_owned();
    assert_eq!(it.run("plan"), output(it.run("up --dry-run")));
    shows!("a_plan_as_json", it.run("plan --format json"));
    let founded = "select count(*) from pg_namespace where nspname = 'upfront'";
    assert_eq!(database.psql(founded).unwrap(), "0\n", "nothing was written");
    shows!("a_log_of_nothing", it.run("log"));
    shows!("up", it.run("up"));
    shows!("up_again", it.run("up"));
    shows!("check_where_all_is_settled", it.run("check"));
    shows!("status_where_all_is_settled", it.run("status"));
    assert!(it.run("status --exit-code").starts_with("exit code 0"));
    shows!("status_as_json", it.run("status --format json"));
    shows!("log", it.run("log"));
    shows!("log_in_lines", it.run("log --oneline"));
    shows!("log_as_json", it.run("log -n 1 --format json"));
    assert!(it.run_in("", &["log", "--since", "1 hour ago"]).contains("20260101000000_a"));
    assert!(it.run("log --since 2099-01-01").contains("nothing is logged"));
    shows!("log_since_nonsense", it.run("log --since lately"));
}

#[test]
fn the_log_can_be_read_without_a_folder() {
    let database = database();
    hashed(Place::on(&database, &[A])).run("up");
    let shown = Place::on(&database, &[]).run("log --oneline");
    assert!(shown.contains("20260101000000_a"), "{shown}");
    shows!("status_without_a_folder", Place::on(&database, &[]).run("status"));
}

#[test]
fn a_report_as_json() {
    let database = database();
    let it = hashed(Place::on(&database, &[A]));
    shows!("up_as_json", it.run("up --format json"));
}

#[test]
fn a_migration_that_fails() {
    let database = database();
    let it = hashed(Place::on(&database, &[A, (C.0, "SELECT 1;\nSELECT nme\n  FROM a;\n")]));
    shows!("up_that_fails", it.run("up"));
    shows!("up_that_fails_as_json", it.run("up --format json"));
    shows!("the_log_of_a_failure", it.run("log -n 1"));
}

#[test]
fn a_history_that_diverged() {
    let database = database();
    hashed(Place::on(&database, &[A, B, C])).run("up");
    let it = hashed(Place::on(&database, &[(A.0, "CREATE TABLE a ();\n"), C]));
    shows!("status_of_what_diverged", it.run("status"));
    shows!("check_of_what_diverged", it.run("check"));
    assert!(it.run("up").starts_with("exit code 4"));
    assert!(it.run("status --exit-code").starts_with("exit code 4"));
    let behind = hashed(Place::on(&database, &[A]));
    shows!("status_of_what_is_ahead", behind.run("status"));
    shows!("up_on_what_is_ahead", behind.run("up"));
}

#[test]
fn another_tools_history_is_refused() {
    let database = database();
    let table = "create table _sqlx_migrations (version bigint, description text, installed_on \
                 timestamptz, success boolean, checksum bytea); create table alembic_version \
                 (version_num text)";
    database.execute(table).unwrap();
    let it = hashed(Place::on(&database, &[A]));
    shows!("another_tool_s_history", it.run("up"));
    assert!(it.run("up --dry-run").starts_with("exit code 5"), "the same");
    shows!("status_beside_another_tool_s_history", it.run("status"));
    let settings = "[env.dev]\nurl = \"${DATABASE_URL}\"\n";
    it.write(
        "upfront.toml",
        &format!("{settings}[foreign]\nignore = [\"public._sqlx_migrations\"]\n"),
    );
    shows!("one_of_two_histories_is_ignored", it.run("up"));
    it.write(
        "upfront.toml",
        "ignore_foreign_history = true\n[env.dev]\nurl = \"${DATABASE_URL}\"\n",
    );
    assert!(it.run("up").starts_with("exit code 0"));
}

#[test]
fn an_empty_folder_is_no_mistake() {
    let database = database();
    let it = Place::on(&database, &[("migrations/.gitattributes", "")]);
    shows!("status_of_an_empty_folder", it.run("status"));
}

#[test]
fn whoever_waits_says_for_whom() {
    let database = database();
    let slow = (A.0, "CREATE TABLE a ();\nSELECT pg_sleep(1.5);\n");
    let it = hashed(Place::on(&database, &[slow]));
    let mut first =
        it.command("", &["up"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_under_way = "select count(*) from pg_stat_activity where query like '%pg_sleep(1.5)%' \
                        and pid <> pg_backend_pid() and datname = current_database()";
    while database.psql(is_under_way).unwrap() != "1\n" {
        assert!(first.try_wait().unwrap().is_none(), "it ended before anybody could wait for it");
    }
    let second = it.run("up");
    assert!(first.wait().unwrap().success());
    assert!(second.contains("waiting for pid ") && second.contains("after waiting"), "{second}");
    assert_eq!(second.matches("waiting for").count(), 1, "it is reported once: {second}");
    assert!(second.contains("nothing to apply"), "{second}");
}

#[test]
fn verbose_tells_what_is_done() {
    let database = database();
    let shown = hashed(Place::on(&database, &[A])).run("up -v");
    assert!(shown.contains("INFO") && shown.contains("migration applied"), "{shown}");
}
