//! What a review of the rollbacks found, each as it once went wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Migrator, Target};
use upfront_tests::{database, migrator};

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
    assert!(err.is_data_loss(), "{down}: {err}");
    err.to_string()
}

#[tokio::test]
async fn a_name_that_was_moved_is_not_taken_for_what_it_was() {
    const UNKNOWN: &str = "may lose data: nobody can tell from the text";
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
        check_loss(up, "INSERT INTO a VALUES (1)", down, "may lose data: nobody can tell").await;
    }
}
