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
    shows!("mistakes_in_upfront_toml", shown.join("\n"));
}

#[test]
fn variables_that_are_not_set() {
    let it =
        with("dir = \"migrations\"\n\n[env.dev]\nurl = \"postgres://u:hunter2@${DB_HOST}/d\"\n");
    let shown = it.run("status");
    assert!(!shown.contains("hunter2"), "{shown}");
    shows!("a_variable_that_is_not_set", shown);
    let it = with("[env.dev]\nurl = \"postgres://${DB_HOST\"\n");
    shows!("a_variable_without_an_end", it.run("status"));
}

/// What a script gives whose variables are not set: another database or another history must not
/// be taken in its place.
#[test]
fn what_is_given_and_empty() {
    let database = database();
    // Where everything else would lead.
    let it = Place::on(&database, &[A]).variable("PGDATABASE", "postgres");
    let mut shown = Vec::new();
    for arguments in [
        "status --url=",
        "status --app=",
        "status --schema=",
        "status --env=",
        "status --dir=",
        "up --url= --app=",
        "check --schema --url=",
        "status --url=postgres://postgres@127.0.0.1/",
        "status --url=postgres://postgres@/d",
        "status --url=dbname=",
    ] {
        shown.push(it.run(arguments));
    }
    let unset = |name: &str| {
        let it = Place::with(&[A]).variable("PGHOST", "127.0.0.1").variable("PGUSER", "postgres");
        it.variable(name, "").run("status")
    };
    shown.extend(["DATABASE_URL", "PGDATABASE", "PGHOST", "PGUSER"].map(unset));
    let dotenv = Place::with(&[A, (".env", "DATABASE_URL=\n")]).variable("PGHOST", "127.0.0.1");
    shown.push(dotenv.run("status"));
    for settings in [
        "[env.dev]\nurl = \"\"\n",
        "[env.dev]\nurl = \"${X}\"\n",
        "[env.dev]\nurl = \"${Y}\"\n",
        "[env.dev]\nurl = \"${X:-}\"\n",
        "app = \"\"\n\n[env.dev]\nurl = \"postgres://h/d\"\n",
        "[env.dev]\nurl = \"postgres://h/d\"\nschema = \"${X:-}\"\n",
        "search_path = [\"\"]\n\n[env.dev]\nurl = \"postgres://h/d\"\n",
    ] {
        shown.push(with(settings).variable("X", "").variable("PGHOST", "127.0.0.1").run("status"));
    }
    for it in &shown {
        assert!(it.starts_with("exit code 8\n"), "{it}");
    }
    shows!("what_is_given_and_empty", shown.join("\n"));
}

/// Every verb that reads or writes the history does it in the schema that was named.
#[test]
fn the_schema_of_upfronts_own_tables() {
    let database = database();
    let it = Place::on(&database, &[A, ("migrations/down/1_a.sql", "DROP TABLE a;\n")]);
    it.run("hash");
    let exit = |arguments: &str| it.run(arguments).lines().next().unwrap().to_owned();
    for (arguments, code) in [
        ("check --schema history", 3),
        ("up --schema history", 0),
        ("check --schema history", 0),
        ("--schema history check", 0),
        ("status --exit-code --schema history", 0),
        ("log --schema history", 0),
        ("protect --schema history", 0),
        ("protect --remove --yes --schema history", 0),
        ("down --schema history", 0),
        ("check --schema history", 3),
        ("baseline 1 --unchecked --schema history", 0),
    ] {
        assert_eq!(
            exit(arguments),
            format!("exit code {code}"),
            "{arguments}: {}",
            it.run(arguments)
        );
    }
    let schemas = "select string_agg(nspname, ' ') from pg_namespace where nspname ~ '^(up|hi)'";
    assert_eq!(database.psql(schemas).unwrap().trim(), "history");
}

#[test]
fn environments_that_are_not_there() {
    let two = "[env.staging]\nurl = \"postgres://s/d\"\n\n[env.prod]\nurl = \"postgres://p/d\"\n";
    shows!("an_environment_that_is_not_there", with(two).run("status --env test"));
    shows!("several_environments_and_no_dev", with(two).run("status"));
    shows!("an_environment_without_a_url", with("[env.dev]\napp = \"x\"\n").run("status"));
    shows!("an_environment_without_a_file", Place::with(&[A]).run("status --env prod"));
    shows!("a_file_without_environments", with("dir = \"migrations\"\n").run("status --env prod"));
    shows!("no_database_at_all", Place::with(&[A]).run("status"));
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
    shows!("from_below", it.run_in("src/deep", &["up"]));
    shows!("another_environment", it.run_in("src", &["status", "--env", "ci"]));
    shows!("another_app", it.run("status --app other"));
    let apps = database.psql("select app from migrator.revisions where app <> 'upfront'").unwrap();
    assert_eq!(apps, "billing\n");
    it.write("sql/main/1_a.sql", "COMMIT;\n");
    it.run("hash");
    shows!("a_mistake_seen_from_below", it.run_in("src/deep", &["status"]));
    it.write("upfront.toml", "nonsense = 1\n");
    shows!("a_mistake_in_the_settings_seen_from_below", it.run_in("src/deep", &["status"]));
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
    shows!("a_file_of_variables_that_is_none", shown);
}

#[test]
fn settings_that_make_no_sense() {
    let database = database();
    let it = Place::on(
        &database,
        &[A, ("upfront.toml", "app = \"upfront\"\n[env.dev]\nurl = \"${DATABASE_URL}\"\n")],
    );
    it.run("hash");
    shows!("an_app_that_is_reserved", it.run("status"));
}
