//! Boots that may not write: on a standby, in a read-only session, and without rights.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{sync::LazyLock, time::Duration};

use upfront::{Error, ErrorKind, Migrator, Target};
use upfront_scratch::{Database, Server};
use upfront_tests::{ask, builder, database, migrations, migrator, pool};

static PRIMARY: LazyLock<Server> = LazyLock::new(|| Server::start().unwrap());

static STANDBY: LazyLock<Server> = LazyLock::new(|| PRIMARY.standby().unwrap());

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");

/// A database of the primary, and its URL at the standby, which has it too.
fn replicated() -> (Database<'static>, String) {
    let database = PRIMARY.database().unwrap();
    let url = STANDBY.url(database.name());
    STANDBY.wait_caught_up(&PRIMARY).unwrap();
    (database, url)
}

#[tokio::test]
async fn a_standby_boots_warm_and_refuses_what_is_pending() {
    let (database, url) = replicated();
    let mark = STANDBY.log_position().unwrap();
    let err = migrator(&url, &[A, B]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly, "{err}");
    insta::assert_snapshot!(err, @r"
    migrations are pending, and this server is a standby; nothing was tried
      pending: 1_a
      pending: 2_b
      help: run `up` against the primary; here, `wait` for its replay
    ");
    assert!(migrator(&url, &[A]).check().await.unwrap_err().kind() == ErrorKind::Pending);
    let log = STANDBY.log_since(mark).unwrap();
    assert!(!log.contains("read-only") && !log.contains("recovery"), "{log}");

    migrator(&database.url(), &[A]).up().await.unwrap();
    STANDBY.wait_caught_up(&PRIMARY).unwrap();
    assert!(migrator(&url, &[A]).up().await.unwrap().is_unchanged());
    migrator(&url, &[A]).check().await.unwrap();
    assert!(migrator(&url, &[A]).status().await.unwrap().is_up_to_date());
    assert!(migrator(&url, &[A, B]).up().await.unwrap_err().kind() == ErrorKind::ReadOnly);
}

#[tokio::test]
async fn waiting_on_a_standby_ends_with_the_replay() {
    let (database, url) = replicated();
    let files = [A, B];
    let waiter = migrator(&url, &files);
    STANDBY.psql("postgres", "SELECT pg_wal_replay_pause()").unwrap();
    migrator(&database.url(), &files).up().await.unwrap();
    let err = waiter.wait(Duration::from_millis(300)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout && err.pending() == ["1_a", "2_b"], "{err}");
    let waiting = tokio::spawn(async move { waiter.wait(Duration::from_secs(30)).await });
    let looks = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid \
                 <> pg_backend_pid() AND query LIKE '%revisions%'";
    upfront_tests::until(&url, looks, "1").await;
    assert!(!waiting.is_finished());
    STANDBY.psql("postgres", "SELECT pg_wal_replay_resume()").unwrap();
    waiting.await.unwrap().unwrap();
    assert!(migrator(&url, &files).up().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn a_read_only_session_boots_warm_and_refuses_what_is_pending() {
    let database = database();
    let switch = |to: &str| {
        let name = database.name();
        database.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {to}"))
    };
    switch("on").unwrap();
    let err = migrator(&database.url(), &[A]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly, "{err}");
    insta::assert_snapshot!(err, @r"
    migrations are pending, and this session is read-only; nothing was tried
      pending: 1_a
      help: see `default_transaction_read_only` of the role and the database
    ");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = 'upfront'";
    assert_eq!(ask(&database.url(), schemas).await, "0");
    switch("off").unwrap_err();
    let off = "BEGIN READ WRITE; ALTER DATABASE";
    let name = database.name();
    let off = format!("{off} {name} SET default_transaction_read_only = off; COMMIT");
    ask(&database.url(), &off).await;
    migrator(&database.url(), &[A]).up().await.unwrap();
    switch("on").unwrap();
    assert!(migrator(&database.url(), &[A]).up().await.unwrap().is_unchanged());
    assert!(
        migrator(&database.url(), &[A, B]).up().await.unwrap_err().kind() == ErrorKind::ReadOnly
    );
}

/// A role that only this test has, and the URL with which it logs in.
fn login(database: &Database<'_>) -> (String, String) {
    let role = format!("Login {}", database.name());
    database.execute(&format!("CREATE ROLE \"{role}\" LOGIN")).unwrap();
    let encoded = role.replace(' ', "%20");
    (role, database.url().replacen("postgres@", &format!("{encoded}@"), 1))
}

/// Runs the `GRANT`s that an error prints.
fn grant(database: &Database<'_>, err: &Error) {
    assert!(err.kind() == ErrorKind::PermissionDenied, "{err}");
    assert_eq!(err.server_error().unwrap().sqlstate, "42501");
    let text = err.to_string();
    let (_, grants) = text.split_once("help: as an owner, run\n").unwrap();
    let is_known = |it: &str| it.starts_with("GRANT ") || it.starts_with("INSERT INTO ");
    assert!(grants.lines().all(|it| is_known(it.trim_start())), "{text}");
    database.psql(grants).unwrap();
}

#[tokio::test]
async fn a_reader_needs_usage_and_select() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    let (role, url) = login(&database);
    let reader = migrator(&url, &[A]);
    let err = reader.up().await.unwrap_err();
    let masked = err.to_string().replace(&role, "ROLE");
    insta::assert_snapshot!(masked, @r#"
    not allowed while looking at the revision table: permission denied for schema upfront (SQLSTATE 42501)
      help: as an owner, run
        GRANT USAGE ON SCHEMA "upfront" TO "ROLE";
        GRANT SELECT ON ALL TABLES IN SCHEMA "upfront" TO "ROLE";
    "#);
    for err in [
        reader.check().await.unwrap_err(),
        reader.wait(Duration::from_secs(5)).await.unwrap_err(),
        reader.status().await.unwrap_err(),
        reader.plan_up().await.unwrap_err(),
    ] {
        assert!(err.kind() == ErrorKind::PermissionDenied, "{err}");
    }
    grant(&database, &err);
    assert!(reader.up().await.unwrap().is_unchanged());
    reader.check().await.unwrap();
    reader.wait(Duration::from_secs(5)).await.unwrap();
    assert!(reader.status().await.unwrap().is_up_to_date());
    assert!(reader.plan_up().await.unwrap().steps.is_empty());
    let rights = "SELECT has_table_privilege(CURRENT_USER, 'upfront.revisions', 'INSERT')";
    assert_eq!(ask(&url, rights).await, "f");
}

#[tokio::test]
async fn a_founder_needs_to_create_the_schema() {
    let database = database();
    let (role, url) = login(&database);
    database.execute(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\"")).unwrap();
    let err = migrator(&url, &[A]).up().await.unwrap_err();
    let masked = err.to_string().replace(&role, "ROLE").replace(database.name(), "DATABASE");
    insta::assert_snapshot!(masked, @r#"
    not allowed while making upfront's own tables: permission denied for database DATABASE (SQLSTATE 42501)
      help: as an owner, run
        GRANT CREATE ON DATABASE "DATABASE" TO "ROLE";
    "#);
    let made = "SELECT count(*) FROM pg_tables WHERE tablename IN ('a', 'revisions')";
    assert_eq!(ask(&database.url(), made).await, "0");
    grant(&database, &err);
    assert_eq!(migrator(&url, &[A]).up().await.unwrap().applied.len(), 1);
}

/// The schema is there, and belongs to somebody else.
#[tokio::test]
async fn a_founder_needs_to_create_the_tables() {
    let database = database();
    let (role, url) = login(&database);
    database.execute(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\"")).unwrap();
    database.execute("CREATE SCHEMA upfront").unwrap();
    // First it may not even look, and then it may not make them.
    for needed in ["USAGE", "CREATE"] {
        let err = migrator(&url, &[A]).up().await.unwrap_err();
        assert!(err.to_string().contains(needed), "{err}");
        grant(&database, &err);
    }
    assert_eq!(migrator(&url, &[A]).up().await.unwrap().applied.len(), 1);
}

const INDEX: (&str, &str) =
    ("2_index.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n");

/// What the errors print, one after the other, is enough for another role to migrate.
#[tokio::test]
async fn a_second_owner_needs_to_write_rows() {
    for first in [A, INDEX] {
        let database = database();
        migrator(&database.url(), &[B]).up().await.unwrap();
        let (role, url) = login(&database);
        database.execute(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\"")).unwrap();
        if first == INDEX {
            database.execute("CREATE TABLE a (id int)").unwrap();
            database.execute(&format!("ALTER TABLE a OWNER TO \"{role}\"")).unwrap();
        }
        let second = builder(&url, &[first]).app("second").build().unwrap();
        let reader = second.up().await.unwrap_err();
        assert!(reader.to_string().contains("GRANT SELECT ON"), "{reader}");
        grant(&database, &reader);
        let writer = second.up().await.unwrap_err();
        assert!(writer.to_string().contains("INSERT"), "{writer}");
        let nothing = "SELECT (SELECT count(*) FROM upfront.revisions WHERE app = 'second') + \
                       (SELECT count(*) FROM upfront.steps) + (SELECT count(*) FROM pg_indexes \
                       WHERE indexname = 'a_id')";
        assert_eq!(ask(&database.url(), nothing).await, "0");
        grant(&database, &writer);
        assert_eq!(second.up().await.unwrap().applied.len(), 1);
        let owner = format!("SELECT tableowner = '{role}' FROM pg_tables WHERE tablename = 'a'");
        assert_eq!(ask(&database.url(), &owner).await, "t");
    }
}

/// Those of the documentation, run before the first boot.
#[tokio::test]
async fn the_grants_of_the_documentation_are_enough() {
    let database = database();
    migrator(&database.url(), &[B]).up().await.unwrap();
    let (role, url) = login(&database);
    let page = include_str!("../../docs/operations.md");
    let grants: Vec<_> = page
        .lines()
        .filter(|it| it.ends_with("TO billing;") || it.ends_with("('billing', 'billing');"))
        .map(|it| it.replace("TO billing", &format!("TO \"{role}\"")))
        .map(|it| it.replace(", 'billing')", &format!(", '{role}')")))
        .collect();
    assert_eq!(grants.len(), 5, "{page}");
    database.psql(&grants.join("\n")).unwrap();
    database.execute(&format!("GRANT CREATE ON SCHEMA public TO \"{role}\"")).unwrap();
    let builder = Migrator::builder(migrations(&[A, INDEX]), pool(&url, 1)).app("billing");
    assert_eq!(builder.build().unwrap().up().await.unwrap().applied.len(), 2);
}

#[tokio::test]
async fn a_login_that_may_not_take_the_role_is_told_the_grant() {
    let database = database();
    let roles = format!(
        "create role {0}_login login; create role {0}_owner; grant create on database \"{0}\" to \
         {0}_owner",
        database.name()
    );
    database.execute(&roles).unwrap();
    let login = format!("{}_login", database.name());
    let url = database.url().replace("postgres@", &format!("{login}@"));
    let files = [("1_a.sql", "CREATE TABLE upfront.a (id bigint);\n")];
    let role = format!("{}_owner", database.name());
    let migrator = || builder(&url, &files).role(role.as_str()).build().unwrap();
    let err = migrator().up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::PermissionDenied, "{err}");
    let text = err.to_string();
    let grant = text.lines().find(|it| it.trim_start().starts_with("GRANT ")).unwrap();
    database.execute(grant.trim()).unwrap();
    assert_eq!(migrator().up().await.unwrap().applied.len(), 1);
    let owned = format!("drop owned by {login}, {role} cascade; drop role {login}, {role}");
    database.execute(&owned).unwrap();
}

const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");

#[tokio::test]
async fn a_rollback_on_a_read_only_database_says_so() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    let read_only =
        format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name());
    database.execute(&read_only).unwrap();
    let err = migrator(&database.url(), &files).down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly);
    insta::assert_snapshot!("read_only", err);
}
