//! Where a database stands, for people and for programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::State;
use upfront_tests::{database, migrator};

const A: (&str, &str) = ("20260101000000_a.sql", "CREATE TABLE a (id bigint);\n");
const B: (&str, &str) = ("20260102000000_b.sql", "CREATE TABLE b (id bigint);\n");
const C: (&str, &str) = ("20260103000000_c.sql", "-- upfront:breaking\n\nCREATE TABLE c ();\n");
const CALL: (&str, &str) = (
    "20260104000000_call.sql",
    "-- atlas:txmode none\n\nVACUUM;\nCALL nothing();\nCREATE INDEX CONCURRENTLY i ON a (id);\n",
);

#[tokio::test]
async fn every_state_is_told() {
    let database = database();
    migrator(&database.url(), &[A, B, C]).up().await.unwrap();
    let err = migrator(&database.url(), &[A, B, C, CALL]).up().await.unwrap_err();
    assert!(err.is_failed());
    let fixed = "update upfront.revisions set applied_at = '2026-01-05 10:00:00+00'";
    database.execute(fixed).unwrap();
    let edited = (B.0, "CREATE TABLE b (id integer);\n");
    let later = ("20260105000000_later.sql", "SELECT 1;\n");
    let status = migrator(&database.url(), &[A, edited, C, CALL, later]).status().await.unwrap();
    assert!(!status.is_settled());
    assert_eq!(status.in_state(State::Partial).count(), 1);
    insta::assert_snapshot!("every state", status);
    insta::assert_snapshot!("every state as JSON", serde_json::to_string_pretty(&status).unwrap());
    let older = migrator(&database.url(), &[A, B]).status().await.unwrap();
    assert!(!older.is_settled());
    insta::assert_snapshot!("ahead", older);
    let plan = migrator(&database.url(), &[A, B, C, CALL, later]).plan_up().await.unwrap();
    let json = serde_json::to_string_pretty(&plan).unwrap();
    insta::with_settings!({filters => [("[0-9a-f]{64}", "[digest]")]}, {
        insta::assert_snapshot!("plan", plan);
        insta::assert_snapshot!("plan as JSON", json);
    });
}

#[tokio::test]
async fn looking_changes_nothing() {
    let database = database();
    let it = migrator(&database.url(), &[A, B]);
    it.plan_up().await.unwrap();
    it.status().await.unwrap();
    it.check().await.unwrap_err();
    let made = "select count(*) from pg_class where relnamespace = 'public'::regnamespace or \
                relnamespace = to_regnamespace('upfront')";
    assert_eq!(database.psql(made).unwrap().trim(), "0");
}
