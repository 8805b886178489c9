//! `upfront.toml`, `.env` and the command line.

use crate::place::{Place, database, shows};

const A: (&str, &str) = ("migrations/1_a.sql", "CREATE TABLE a ();\n");

/// What `status` says with this `upfront.toml`.
fn with(settings: &str) -> Place {
    Place::with(&[A, ("upfront.toml", settings)])
}

#[test]
fn mistakes_in_the_file_have_a_place() {
    let shown = [
        "[env.dev]\nurl = \"postgres://h/d\"\nportected = true\n",
        "directory = \"x\"\n",
        "[env.dev]\nurl = 1\n",
        "lock_timeout = \"soon\"\n",
        "session_pooler = \"yes\"\n",
        "search_path = \"public\"\n",
        "env = 1\n",
        "[env.dev\n",
        "dir = \"a\"\ndir = \"b\"\n",
    ]
    .map(|it| with(it).run("status"));
    shows!("mistakes in upfront.toml", shown.join("\n"));
}

#[test]
fn variables_that_are_not_set() {
    let it =
        with("dir = \"migrations\"\n\n[env.dev]\nurl = \"postgres://u:hunter2@${DB_HOST}/d\"\n");
    let shown = it.run("status");
    assert!(!shown.contains("hunter2"), "{shown}");
    shows!("a variable that is not set", shown);
    let it = with("[env.dev]\nurl = \"postgres://${DB_HOST\"\n");
    shows!("a variable without an end", it.run("status"));
}

#[test]
fn environments_that_are_not_there() {
    let two = "[env.staging]\nurl = \"postgres://s/d\"\n\n[env.prod]\nurl = \"postgres://p/d\"\n";
    shows!("an environment that is not there", with(two).run("status --env test"));
    shows!("several environments and no dev", with(two).run("status"));
    shows!("an environment without a url", with("[env.dev]\napp = \"x\"\n").run("status"));
    shows!("an environment without a file", Place::with(&[A]).run("status --env prod"));
    shows!("a file without environments", with("dir = \"migrations\"\n").run("status --env prod"));
    shows!("no database at all", Place::with(&[A]).run("status"));
}

#[test]
fn the_file_is_found_from_below_and_says_what_counts() {
    let database = database();
    let settings = "dir = \"sql/${SET:-main}\"\napp = \"billing\"\nschema = \"${SCHEMA}\"\n\
                    lock_timeout = \"50ms\"\nsearch_path = [\"public\"]\n\n\
                    [env.dev]\nurl = \"${DATABASE_URL}\"\n\n[env.ci]\nurl = \"${DATABASE_URL}\"\napp = \"ci\"\n";
    let it = Place::on(
        &database,
        &[
            ("upfront.toml", settings),
            (".env", "SCHEMA=migrator\nDATABASE_URL='not this one'\n"),
            ("sql/main/1_a.sql", "CREATE TABLE a ();\n"),
            ("src/deep/x.rs", ""),
        ],
    );
    it.run("hash");
    shows!("from below", it.run_in("src/deep", &["up"]));
    shows!("another environment", it.run_in("src", &["status", "--env", "ci"]));
    shows!("another app", it.run("status --app other"));
    let apps = database.psql("select app from migrator.revisions where app <> 'upfront'").unwrap();
    assert_eq!(apps, "billing\n");
    it.write("sql/main/1_a.sql", "COMMIT;\n");
    it.run("hash");
    shows!("a mistake seen from below", it.run_in("src/deep", &["status"]));
    it.write("upfront.toml", "nonsense = 1\n");
    shows!("a mistake in the settings seen from below", it.run_in("src/deep", &["status"]));
}

#[test]
fn a_url_needs_no_environment() {
    let database = database();
    let it = with("[env.a]\nurl = \"${NOT_SET}\"\n[env.b]\nurl = \"${NOT_SET}\"\n");
    it.run("hash");
    let shown = it.run_in("", &["status", "--url", &database.url()]);
    assert!(shown.contains("app main: 0 applied, 1 pending"), "{shown}");
}

#[test]
fn a_dot_env_that_is_none() {
    let it = Place::with(&[A, (".env", "A=1\npassword hunter2\n")]);
    let shown = it.run("status");
    assert!(!shown.contains("hunter2"), "{shown}");
    shows!("a file of variables that is none", shown);
}

#[test]
fn settings_that_make_no_sense() {
    let database = database();
    let it = Place::on(
        &database,
        &[A, ("upfront.toml", "app = \"upfront\"\n[env.dev]\nurl = \"${DATABASE_URL}\"\n")],
    );
    it.run("hash");
    shows!("an app that is reserved", it.run("status"));
}
