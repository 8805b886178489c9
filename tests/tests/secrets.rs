//! Passwords and other secrets in migrations are in no error, log, event or plan; what stands
//! beside them is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use deadpool_postgres::{Manager, ManagerConfig, Pool};
use tokio_postgres::NoTls;
use tracing_subscriber::util::SubscriberInitExt;
use upfront::{Error, ErrorKind, Migrator, Target};
use upfront_scratch::Database;
use upfront_tests::{Events, ask, database, migrator};

/// What programs log, at the finest level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// All that is said of a boot which fails: the error, the log of both kinds, events, plans.
struct Said {
    err: Error,
    all: String,
}

/// A pool that passes on what migrations raise.
fn hearing(database: &Database<'_>) -> Pool {
    let connector = upfront::Connector::new(NoTls);
    let config = database.url().parse().unwrap();
    let manager = Manager::from_connect(config, connector, ManagerConfig::default());
    Pool::builder(manager).max_size(4).build().unwrap()
}

async fn said(database: &Database<'_>, files: &[(&str, &str)]) -> Said {
    let (log, events) = (Log::default(), Events::default());
    let writer = log.clone();
    let _logs = tracing_subscriber::fmt()
        // The driver logs what it sends.
        .with_env_filter("trace,tokio_postgres=info")
        .with_writer(move || writer.clone())
        .finish()
        .set_default();
    let pool = hearing(database);
    let migrations = upfront_tests::migrations(files);
    let migrator = Migrator::builder(migrations, pool).on_event(events.listener()).build().unwrap();
    let plan = migrator.plan_up().await.unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    let err = migrator.up().await.unwrap_err();
    let rows = ask(&database.url(), "SELECT string_agg(l::text, '') FROM upfront.log l").await;
    let status = migrator.status().await.unwrap();
    let events = events.told();
    let log = log.text();
    let all =
        format!("{plan}\n{plan:?}\n{json}\n{err}\n{err:?}\n{rows}\n{status}\n{events:?}\n{log}");
    Said { err, all }
}

const OUTSIDE: &str = "-- atlas:txmode none\n\n";
const SECRET: &str = "S3CRET";

/// Runs a file behind another one, in a transaction and outside of one.
async fn check(first: &str, text: &str, shown: &[&str]) {
    let text = text
        .replace("'S3CRET'", "'S3CRET-and-more-of-it-than-anybody-shows-of-rows-in-messages-64'");
    for head in ["", OUTSIDE] {
        let database = database();
        let (first, text) = (format!("{first}\n"), format!("{head}{text}\n"));
        let files = [("1_a.sql", first.as_str()), ("2_b.sql", text.as_str())];
        let Said { err, all } = said(&database, &files).await;
        assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
        assert!(!all.to_uppercase().contains(SECRET), "{text}\n{all}");
        for it in shown {
            assert!(err.to_string().contains(it), "`{it}` is missing: {err}");
        }
    }
}

const USERS: &str =
    "CREATE TABLE users (name text, password text UNIQUE, CHECK (length(password) <> 3));";

#[tokio::test]
async fn a_statement_that_holds_a_secret_fails() {
    for (text, shown) in [
        ("ALTER ROLE upfront_x PASSWORD 'S3CRET';", "role \"upfront_x\" does not exist"),
        ("ALTER ROLE upfront_x PASSWORD S3CRET;", "PASSWORD ***;"),
        ("CREATE ROLE upfront_x PASSWORD 'S3CRET' NOSUCH;", "option \"nosuch\""),
        (
            "CREATE USER MAPPING FOR postgres SERVER x OPTIONS (user 'a', password 'S3CRET');",
            "\"x\" does not",
        ),
        (
            "CREATE SUBSCRIPTION x CONNECTION 'host=h password=S3CRET' PUBLICATION p WITH (connect = false, nosuch);",
            "nosuch",
        ),
        (
            "SELECT dblink_connect('postgres://a:S3CRET@h/d');",
            "function dblink_connect(unknown) does not exist",
        ),
        ("SELECT crypt('S3CRET', 'x');", "does not exist"),
        ("SELECT pgp_sym_encrypt('x', 'S3CRET');", "does not exist"),
        ("SELECT set_config('app.jwt_secret', 'S3CRET', 1);", "does not exist"),
        (
            "INSERT INTO users (name, password) VALUES ('a', 'S3CRET'), ('b', 'S3CRET');",
            "duplicate key",
        ),
        (
            "INSERT INTO users (name, password) VALUES ('a', 'S3CRET'), ('b', 'abc');",
            "violates check constraint",
        ),
        ("UPDATE users SET password = 'S3CRET' WHERE nosuch;", "column \"nosuch\" does not exist"),
    ] {
        check(USERS, text, &[shown]).await;
    }
}

#[tokio::test]
async fn a_body_that_holds_a_secret_fails() {
    for (body, shown) in [
        (
            "EXECUTE format('ALTER ROLE upfront_x PASSWORD %L', 'S3CRET');",
            "role \"upfront_x\" does not exist",
        ),
        ("EXECUTE format('ALTER ROLE upfront_x PASSWORD %s', 'S3CRET');", "failed at"),
        ("EXECUTE 'ALTER ROLE upfront_x PASSWORD ' || quote_literal('S3CRET');", "does not exist"),
        ("EXECUTE 'ALTER ROLE upfront_x PASSWORD ''S3CRET''';", "does not exist"),
        ("RAISE EXCEPTION 'the password is %', 'S3CRET';", "P0001"),
        (
            "RAISE EXCEPTION USING message = 'password: S3CRET', detail = 'password=S3CRET', hint = 'postgres://a:S3CRET@h';",
            "P0001",
        ),
        (
            "PERFORM set_config('app.password', 'S3CRET', true); RAISE EXCEPTION '%', current_setting('app.password');",
            "P0001",
        ),
        ("INSERT INTO users (password) VALUES ('S3CRET'), ('S3CRET');", "duplicate key"),
        (
            "CREATE USER MAPPING FOR postgres SERVER x OPTIONS (whatever 'S3CRET');",
            "\"x\" does not exist",
        ),
    ] {
        check(USERS, &format!("DO $$BEGIN {body} END$$;"), &[shown]).await;
        check(USERS, &format!("DO $$\nBEGIN\n  {body}\nEND\n$$;"), &[shown]).await;
    }
    let variable = "DO $$DECLARE x text := 'S3CRET'; BEGIN RAISE NOTICE 'password=%', x; RAISE EXCEPTION '% and %', x, lower(x); END$$;";
    check("SELECT 1;", variable, &["P0001"]).await;
}

/// The server quotes the body of a function that another file made.
#[tokio::test]
async fn a_function_of_another_file_holds_a_secret() {
    let makes = |body: &str| {
        format!("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN {body} END$$;")
    };
    for body in [
        "ALTER ROLE upfront_x PASSWORD 'S3CRET';",
        "EXECUTE 'ALTER ROLE upfront_x PASSWORD ''S3CRET''';",
        "EXECUTE format('ALTER ROLE upfront_x PASSWORD %L', 'S3CRET');",
    ] {
        check(&makes(body), "SELECT f();", &["role \"upfront_x\" does not exist", "SELECT f();"])
            .await;
    }
    let body = "RAISE EXCEPTION 'the password is %', 'S3CRET';";
    check(&makes(body), "SELECT f();", &["the password is ***", "SELECT f();"]).await;
    let first = "CREATE TABLE users (password text); INSERT INTO users (password) VALUES ('S3CRET'), ('S3CRET');";
    check(first, "CREATE UNIQUE INDEX ON users (password);", &["could not create unique index"])
        .await;
}

#[tokio::test]
async fn what_stands_beside_a_secret_is_shown() {
    let role = "DO $$BEGIN EXECUTE format('COMMENT ON SCHEMA public IS %L; -- PASSWORD %L', 'x', 'S3CRET'); END$$;";
    for fails in [
        "SELEC 1;",
        "SELECT nope FROM pg_class;",
        "SELECT 1 / 0;",
        "CREATE TABLE a (password int, x nosuch);",
    ] {
        check("SELECT 1;", &format!("{role}\n{fails}"), &[fails]).await;
        check("SELECT 1;", &format!("{fails}\n{role}"), &[fails]).await;
        check("SELECT 1;", &format!("{role} {fails}"), &[fails, "PASSWORD %L', '***'"]).await;
    }
    let database = database();
    let text = format!("{role}\n\nSELEC 1;\n");
    let err = migrator(&database.url(), &[("1_a.sql", &text)]).up().await.unwrap_err();
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn a_down_side_holds_a_secret() {
    let database = database();
    let down = "DO $$BEGIN EXECUTE format('ALTER ROLE upfront_x PASSWORD %L', 'S3CRET'); END$$;\n";
    let files = [("1_a.sql", "SELECT 1;\n"), ("down/1_a.sql", down)];
    let with_files = migrator(&database.url(), &files);
    with_files.up().await.unwrap();
    // Once with the file, and once with what the database has stored.
    for it in [
        with_files,
        Migrator::new(
            upfront_tests::migrations(&[("0_z.sql", "SELECT 1;\n")]),
            upfront_tests::pool(&database.url(), 2),
        ),
    ] {
        let mut plan = it.plan_down(Target::Steps(1)).await.unwrap();
        plan.accept_data_loss(true);
        let json = serde_json::to_string(&plan).unwrap();
        let err = it.apply(&plan).await.unwrap_err();
        let all = format!("{plan}{plan:?}{json}{err}{err:?}");
        assert!(!all.contains(SECRET), "{all}");
        assert!(err.to_string().contains("role \"upfront_x\" does not exist"), "{err}");
    }
}

#[tokio::test]
async fn a_plan_shows_secrets_when_asked_to() {
    let database = database();
    let text = "CREATE TABLE a (id int);\nALTER ROLE upfront_x PASSWORD 'S3CRET';\n";
    let migrator = migrator(&database.url(), &[("1_a.sql", text)]);
    let mut plan = migrator.plan_up().await.unwrap();
    let digest = plan.digest.clone();
    assert!(plan.to_string().ends_with("-- secrets are shown as ***\nCREATE TABLE a (id int);\nALTER ROLE upfront_x PASSWORD '***';"), "{plan}");
    assert_eq!(plan.steps[0].sql, text);
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["steps"][0]["redacted"], true);
    assert_eq!(json["steps"][0]["sql"], text.replace(SECRET, "***"));
    plan.show_secrets(true);
    assert!(plan.to_string().ends_with(text.trim_end()), "{plan}");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["steps"][0]["redacted"], false);
    assert_eq!(json["steps"][0]["sql"], text);
    assert_eq!(plan.digest, digest);
}

/// Before a statement stands what makes its file transactional or not.
const HEADS: [&str; 2] = ["", "-- atlas:txmode none\n\n"];

/// The errors and the status of a program whose files differ from those that were applied.
async fn errors_and_status(database: &Database<'_>, files: &[(&str, &str)]) -> String {
    let migrator = migrator(&database.url(), files);
    let up = migrator.up().await.unwrap_err();
    let check = migrator.check().await.unwrap_err();
    let status = migrator.status().await.unwrap();
    format!("{up}\n{up:?}\n{check}\n{status}")
}

#[tokio::test]
async fn a_password_is_in_no_diff() {
    let database = database();
    let role = format!("{}_svc", database.name());
    let without = format!("CREATE ROLE {role} LOGIN;\n");
    let one = format!("CREATE ROLE {role} LOGIN PASSWORD 'hunter2';\n");
    let two = format!("CREATE ROLE {role} LOGIN\n  PASSWORD 'hunter3';\n");
    for (applied, edited) in [(&one, &without), (&without, &one), (&one, &two), (&two, &without)] {
        let database = self::database();
        database.execute(&format!("DROP ROLE IF EXISTS {role}")).unwrap();
        migrator(&database.url(), &[("1_a.sql", applied.as_str())]).up().await.unwrap();
        let said = errors_and_status(&database, &[("1_a.sql", edited)]).await;
        assert!(said.contains("was changed after it was applied"), "{said}");
        assert!(!said.contains("hunter"), "{applied}{edited}{said}");
    }
}

#[tokio::test]
async fn a_password_is_in_no_line_of_another_statement() {
    for fails in ["SELECT nope FROM pg_class", "SELEC 1", "SELECT 1 / 0"] {
        for head in HEADS {
            let database = database();
            let role = format!("{}_svc", database.name());
            let text = format!("{head}CREATE ROLE {role} PASSWORD 'hunter2'; {fails};\n");
            let err = migrator(&database.url(), &[("1_a.sql", &text)]).up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
            assert!(!format!("{err} {err:?}").contains("hunter2"), "{text}{err}");
            let log = ask(&database.url(), "SELECT message FROM upfront.log").await;
            assert!(!log.contains("hunter2"), "{text}{log}");
            database.execute(&format!("DROP ROLE IF EXISTS {role}")).unwrap();
        }
    }
}
