//! Rows and tables of upfront that were deleted by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::ErrorKind;
use upfront_tests::{ask, database, migrator};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id int);\n");
const C: (&str, &str) = ("3_c.sql", "CREATE TABLE c (id int);\n");

const VERSIONS: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions \
                        WHERE app = 'main'";

#[tokio::test]
async fn rows_deleted_by_hand_are_told_as_deleted() {
    for (gone, titles) in [
        ("version < '3'", &["1_a", "2_b"][..]),
        ("version = '1'", &["1_a"]),
        ("version IN ('2', '3')", &["2_b", "3_c"]),
        ("version = '3'", &["3_c"]),
        ("true", &["1_a", "2_b", "3_c"]),
    ] {
        let database = database();
        let migrator = migrator(&database.url(), &[A, B, C]);
        migrator.up().await.unwrap();
        let delete = format!("DELETE FROM upfront.revisions WHERE app = 'main' AND {gone}");
        database.execute(&delete).unwrap();
        let errors = [migrator.up().await.unwrap_err(), migrator.check().await.unwrap_err()];
        for err in errors {
            assert!(
                err.kind() == ErrorKind::Tampered && err.kind() != ErrorKind::OutOfOrder,
                "{gone}: {err}"
            );
            for it in titles {
                let told = format!("the row of migration `{it}` was deleted");
                assert!(err.to_string().contains(&told), "{gone}: {err}");
            }
        }
    }
}

#[tokio::test]
async fn a_migration_whose_row_was_deleted_does_not_run_again() {
    let database = database();
    let insert = ("2_b.sql", "INSERT INTO a VALUES (1);\n");
    migrator(&database.url(), &[A, insert]).up().await.unwrap();
    database.execute("DELETE FROM upfront.revisions WHERE version = '2'").unwrap();
    for files in [&[A, insert][..], &[A, insert, C]] {
        let err = migrator(&database.url(), files).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Tampered, "{err}");
        assert!(err.to_string().contains("`2_b`"), "{err}");
    }
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "1");
    assert_eq!(ask(&database.url(), VERSIONS).await, "1");
}

/// They are not taken for tables of an older version, which have no rows to read.
#[tokio::test]
async fn dropped_tables_are_no_empty_history() {
    let database = database();
    let it = migrator(&database.url(), &[A]);
    it.up().await.unwrap();
    database.execute("DROP TABLE upfront.targets, upfront.steps, upfront.log").unwrap();
    for err in [
        it.check().await.unwrap_err(),
        it.plan_up().await.unwrap_err(),
        it.status().await.unwrap_err(),
        it.log(None, None).await.unwrap_err(),
    ] {
        assert!(err.to_string().contains("does not exist"), "{err}");
    }
}

/// Whether a migration was cut off can no longer be determined.
#[tokio::test]
async fn without_the_journal_nothing_is_called_up_to_date() {
    let database = database();
    let settled = migrator(&database.url(), &[A]);
    settled.up().await.unwrap();
    database.execute("DROP TABLE upfront.steps").unwrap();
    for err in [
        settled.up().await.unwrap_err(),
        settled.check().await.unwrap_err(),
        settled.plan_up().await.unwrap_err(),
        settled.status().await.unwrap_err(),
    ] {
        assert!(err.to_string().contains("\"upfront.steps\" does not exist"), "{err}");
    }

    let behind = migrator(&database.url(), &[A, B]);
    let said = [
        format!("{:?}", behind.check().await.unwrap_err()),
        behind.plan_up().await.map_or_else(|err| err.to_string(), |it| it.to_string()),
        behind.up().await.map_or_else(|err| err.to_string(), |it| it.to_string()),
    ];
    for it in said {
        assert!(!it.contains("1_a"), "{it}");
    }
    assert_eq!(
        ask(&database.url(), "SELECT count(*) FROM pg_tables WHERE tablename = 'a'").await,
        "1"
    );
}

#[tokio::test]
async fn without_the_log_the_error_says_that_recording_failed() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    database.execute("DROP TABLE upfront.log").unwrap();
    let err = migrator(&database.url(), &[A, B]).up().await.unwrap_err();
    let text = err.to_string();
    assert!(text.contains("upfront.log") && !text.contains("2_b.sql:1"), "{text}");
    let nothing = "SELECT to_regclass('public.b') IS NULL";
    assert_eq!(ask(&database.url(), nothing).await, "t");
    assert_eq!(ask(&database.url(), VERSIONS).await, "1");
}
