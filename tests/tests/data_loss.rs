//! Rollbacks that delete data: counted, refused, and accepted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use upfront::{ErrorKind, Migrator, Target};
use upfront_scratch::Database;
use upfront_tests::{Gate, ask, builder, connect, database, migrator, until};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint PRIMARY KEY, email text);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

const C: (&str, &str) =
    ("3_c.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY b_email ON b (email);\n");

const D: (&str, &str) = ("4_d.sql", "ALTER TABLE b ADD COLUMN name text;\n");
const D_DOWN: (&str, &str) = ("down/4_d.sql", "ALTER TABLE b DROP COLUMN name;\n");

async fn versions(database: &Database<'_>) -> String {
    let sql = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions WHERE app = \
               'main'";
    ask(&database.url(), sql).await
}

#[tokio::test]
async fn rows_are_not_lost_unless_somebody_agreed() {
    let database = database();
    let it = migrator(&database.url(), &[A, A_DOWN, B, B_DOWN, D, D_DOWN]);
    it.up().await.unwrap();
    let rows = "INSERT INTO a VALUES (1), (2); INSERT INTO b SELECT i, NULL, nullif(i % 2, 0) FROM \
                generate_series(1, 1500) i";
    database.execute(rows).unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss);
    insta::with_settings!({filters => vec![(r"\d+ kB", "[size]")]}, {
        insta::assert_snapshot!("data_loss", err);
    });
    assert_eq!(versions(&database).await, "1 2 4");
    let mut plan = it.plan_down(Target::To("1".into())).await.unwrap();
    assert!(plan.loses_data());
    assert_eq!(plan.steps[0].losses[0].values, Some(750));
    assert_eq!(plan.steps[1].losses[0].rows, Some(1500));
    plan.accept_data_loss(true);
    it.apply(&plan).await.unwrap();
    let lost = "SELECT login, split_part(lost, ',', 1) || split_part(lost, ',', 2) FROM upfront.log \
                WHERE direction = 'down' ORDER BY id";
    let told = "postgres|line 1: column b.name: 750 values 1500 bytes\npostgres|line 1: table b: \
                1500 rows";
    assert_eq!(ask(&database.url(), lost).await, told);
    database.execute("DELETE FROM a").unwrap();
    it.down(Target::All).await.unwrap();
}

/// Rows that a rollback itself creates are not counted as lost by its next step.
#[tokio::test]
async fn a_row_that_comes_while_it_runs_is_not_lost() {
    let database = database();
    let fills = (
        "down/3_c.sql",
        "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY b_email;\nINSERT INTO b VALUES (1);\n",
    );
    let it = migrator(&database.url(), &[A, A_DOWN, B, B_DOWN, C, fills]);
    it.up().await.unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss, "{err}");
    assert_eq!(versions(&database).await, "1 2");
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM b").await, "1");
}

/// Applies one migration, puts rows in, and rolls it back: that is refused, with this loss.
async fn check_loss(up: &str, rows: &str, down: &str, expected: &str) {
    let database = database();
    let it = migrator(&database.url(), &[("1_a.sql", up), ("down/1_a.sql", down)]);
    it.up().await.unwrap();
    database.execute(rows).unwrap();
    let text = refusal(&it, down).await;
    assert!(text.contains(expected), "{down}: {text}");
}

async fn refusal(it: &Migrator, down: &str) -> String {
    let Err(err) = it.down(Target::All).await else { panic!("rolled back: {down}") };
    assert!(err.kind() == ErrorKind::DataLoss, "{down}: {err}");
    err.to_string()
}

#[tokio::test]
async fn a_name_that_was_moved_is_not_taken_for_what_it_was() {
    const UNKNOWN: &str = "may lose data: its effect is unknown from the text";
    let two = "CREATE SCHEMA s;\nCREATE TABLE s.t (id int);\nCREATE TABLE t (id int);\n";
    let row = "INSERT INTO s.t VALUES (1)";
    for path in ["SET LOCAL search_path TO s", "SELECT set_config('search_path', 's', true)"] {
        check_loss(two, row, &format!("{path};\nDROP TABLE t;\n"), UNKNOWN).await;
    }
    let only = "CREATE SCHEMA s;\nCREATE TABLE s.t (id int);\n";
    check_loss(only, row, "SET LOCAL search_path TO s;\nDROP TABLE t;\n", UNKNOWN).await;
    check_loss(
        "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n",
        "INSERT INTO b VALUES (1)",
        "ALTER TABLE a RENAME TO c;\nALTER TABLE b RENAME TO a;\nDROP TABLE a;\n",
        UNKNOWN,
    )
    .await;
    check_loss(
        "CREATE TABLE t (x int, y int);\n",
        "INSERT INTO t VALUES (1, NULL)",
        "ALTER TABLE t RENAME y TO z;\nALTER TABLE t RENAME x TO y;\nALTER TABLE t DROP COLUMN y;\n",
        UNKNOWN,
    )
    .await;
    check_loss(
        "CREATE TABLE p (id int) PARTITION BY LIST (id);\nCREATE TABLE q (id int);\n",
        "INSERT INTO q VALUES (1)",
        "ALTER TABLE p ATTACH PARTITION q DEFAULT;\nDROP TABLE p;\n",
        UNKNOWN,
    )
    .await;
    let unicode = "CREATE TABLE U&\"d\\0061t\" (id int);\n";
    check_loss(unicode, "INSERT INTO dat VALUES (1)", "DROP TABLE U&\"d\\0061t\";\n", UNKNOWN)
        .await;
}

#[tokio::test]
async fn a_function_that_fills_a_table_may_lose_data() {
    let up = "CREATE TABLE a (x int);\nCREATE TABLE b (n int);\nCREATE FUNCTION purge() RETURNS int \
              LANGUAGE sql AS 'DELETE FROM a; SELECT 1';\n";
    for down in ["INSERT INTO b SELECT purge();\n", "CREATE TABLE c AS SELECT purge();\n"] {
        check_loss(up, "INSERT INTO a VALUES (1)", down, "may lose data: its effect is unknown")
            .await;
    }
}

#[tokio::test]
async fn what_goes_with_an_object_is_counted() {
    let kind = "CREATE TYPE e AS ENUM ('a');\n";
    for (up, rows, down, expected) in [
        (
            "CREATE TABLE t (id int);\nCREATE VIEW v AS SELECT * FROM t;\n",
            "INSERT INTO t VALUES (1)",
            "DELETE FROM v;\n",
            "rows of v: not a table: what is behind it is unknown",
        ),
        (
            "CREATE DOMAIN d AS e;\nCREATE TABLE t (x d);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP TYPE e CASCADE;\n",
            "type e: 1 value",
        ),
        (
            "CREATE TYPE p AS (m e, n int);\nCREATE TABLE t (x p);\n",
            "INSERT INTO t VALUES ('(a,1)')",
            "DROP TYPE e CASCADE;\n",
            "type e: 1 value",
        ),
        (
            "CREATE TYPE p AS (m int, n int);\nCREATE TABLE t OF p;\n",
            "INSERT INTO t VALUES (1, 2)",
            "ALTER TYPE p DROP ATTRIBUTE n CASCADE;\n",
            "type p: 1 row",
        ),
        (
            "CREATE SCHEMA s;\nCREATE TYPE s.f AS ENUM ('a');\nCREATE TABLE t (x s.f);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 0 rows, 1 value",
        ),
        (
            "CREATE SCHEMA s;\nCREATE TABLE s.p (id int) PARTITION BY LIST (id);\nCREATE TABLE q \
             PARTITION OF s.p DEFAULT;\n",
            "INSERT INTO q VALUES (1)",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 1 row",
        ),
        (
            "CREATE SCHEMA s;\nCREATE EXTENSION citext SCHEMA s;\nCREATE TABLE t (x s.citext);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 0 rows, 1 value",
        ),
        (
            "CREATE TABLE t (id int PRIMARY KEY);\nCREATE TABLE c (id int REFERENCES t ON DELETE \
             CASCADE);\n",
            "INSERT INTO t VALUES (1);INSERT INTO c VALUES (1), (1)",
            "DELETE FROM t;\n",
            "deleting them deletes rows of public.c too",
        ),
    ] {
        check_loss(&format!("{kind}{up}"), rows, down, expected).await;
    }
    let long = "c".repeat(80);
    let up = format!("CREATE TABLE t (x int, {long} int);\n");
    let down = format!("ALTER TABLE t DROP COLUMN {long};\n");
    check_loss(&up, "INSERT INTO t VALUES (1, 2)", &down, "1 value").await;
}

/// The owner of a schema may drop what is another's, and may not lock it.
#[tokio::test]
async fn a_table_that_may_be_dropped_and_not_locked_is_rolled_back() {
    let database = database();
    let role = format!("r_{}", database.name());
    let roles = format!(
        "CREATE ROLE {role}; GRANT CREATE ON DATABASE {} TO {role}; CREATE SCHEMA s AUTHORIZATION \
         {role}; CREATE TABLE s.t (id int)",
        database.name()
    );
    database.execute(&roles).unwrap();
    let files = [("1_a.sql", "SELECT 1;\n"), ("down/1_a.sql", "DROP TABLE s.t;\n")];
    let it = builder(&database.url(), &files).role(role.as_str()).build().unwrap();
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    assert!(plan.loses_data());
    let done = it.apply(plan.accept_data_loss(true)).await;
    database.execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).unwrap();
    assert_eq!(done.unwrap().rolled_back.len(), 1);
}

/// A table that an earlier step recreates is not reported as absent.
#[tokio::test]
async fn a_plan_counts_a_table_that_an_earlier_step_recreates() {
    let database = database();
    let files = [
        A,
        A_DOWN,
        ("2_b.sql", "ALTER TABLE a RENAME TO b;\n"),
        ("down/2_b.sql", "ALTER TABLE b RENAME TO a;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    database.execute("INSERT INTO b VALUES (1)").unwrap();
    assert!(it.plan_down(Target::All).await.unwrap().loses_data());
    assert!(it.down(Target::All).await.unwrap_err().kind() == ErrorKind::DataLoss);
}

#[tokio::test]
async fn a_loss_that_turns_up_half_way_says_what_was_done() {
    let database = database();
    let files = [
        ("1_a.sql", "CREATE TABLE a (id bigint);\n"),
        A_DOWN,
        ("2_b.sql", "CREATE INDEX i ON a (id);\n"),
        (
            "down/2_b.sql",
            "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\nINSERT INTO a VALUES (1);\n",
        ),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss);
    insta::assert_snapshot!("a_loss_half_way", err);
}

/// Rows that come while an index is dropped are not lost with the table behind it.
#[tokio::test]
async fn a_row_that_comes_while_a_rollback_runs_is_not_lost() {
    let database = database();
    let files = [
        A,
        ("2_b.sql", "CREATE TABLE b (id bigint);\nCREATE INDEX i ON a (id);\n"),
        ("down/2_b.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\nDROP TABLE b;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    let gate = Gate::before("DROP INDEX", &database);
    let down = tokio::spawn(async move { it.down(Target::Steps(1)).await });
    gate.reached().await;
    database.execute("INSERT INTO b VALUES (1)").unwrap();
    gate.open();
    let err = down.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss, "{err}");
    insta::assert_snapshot!("a_loss_within_a_step", err);
    let it = migrator(&database.url(), &files);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::DataLoss, "a boot asks nobody");
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM b").await, "1");
    let mut plan = it.plan_down(Target::Steps(1)).await.unwrap();
    assert_eq!(it.apply(plan.accept_data_loss(true)).await.unwrap().rolled_back.len(), 1);
}

/// Consent covers rows that are locked while they are deleted.
#[tokio::test]
async fn a_cancelled_wait_for_a_table_is_no_loss() {
    let database = database();
    let it = builder(&database.url(), &[A, A_DOWN]).lock_timeout(Duration::from_secs(30));
    let it = it.build().unwrap();
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    plan.accept_data_loss(true);
    let reader = connect(&database.url()).await;
    reader.batch_execute("BEGIN; LOCK TABLE a IN ACCESS SHARE MODE").await.unwrap();
    let down = tokio::spawn(async move { it.apply(&plan).await });
    let waits = "FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted";
    until(&database.url(), &format!("SELECT count(*) {waits}"), "1").await;
    ask(&database.url(), &format!("SELECT pg_cancel_backend(pid) {waits}")).await;
    let err = down.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
    assert_eq!(err.server_error().unwrap().sqlstate, "57014", "{err}");
    assert_eq!(versions(&database).await, "1");
}
