//! Where a database stands, for people and for programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{ErrorKind, State, Target};
use upfront_tests::{builder, database, migrator};

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
    assert!(err.kind() == ErrorKind::MigrationFailed);
    let fixed = "update upfront.revisions set applied_at = '2026-01-05 10:00:00+00'";
    database.execute(fixed).unwrap();
    let edited = (B.0, "CREATE TABLE b (id integer);\n");
    let later = ("20260105000000_later.sql", "SELECT 1;\n");
    let status = migrator(&database.url(), &[A, edited, C, CALL, later]).status().await.unwrap();
    assert!(!status.is_up_to_date());
    assert_eq!(status.in_state(State::Partial).count(), 1);
    insta::assert_snapshot!("every_state", status);
    insta::assert_snapshot!("every_state_as_json", serde_json::to_string_pretty(&status).unwrap());
    let older = migrator(&database.url(), &[A, B]).status().await.unwrap();
    assert!(!older.is_up_to_date());
    insta::assert_snapshot!("ahead", older);
    let plan = migrator(&database.url(), &[A, B, C, CALL, later]).plan_up().await.unwrap();
    let json = serde_json::to_string_pretty(&plan).unwrap();
    insta::with_settings!({filters => [("[0-9a-f]{64}", "[digest]")]}, {
        insta::assert_snapshot!("plan", plan);
        insta::assert_snapshot!("plan_as_json", json);
    });
}

/// Which migrations can be rolled back, by which script and why not, is known without a plan.
#[tokio::test]
async fn what_can_be_rolled_back_is_shown() {
    let database = database();
    let down = ("down/20260101000000_a.sql", "DROP TABLE a;\n");
    let irreversible =
        ("20260103000000_c.sql", "-- upfront:irreversible the rows are gone\n\nSELECT 1;\n");
    let nothing = ("20260104000000_n.sql", "SELECT 1;\n");
    let nothing_down = ("down/20260104000000_n.sql", "-- upfront:nothing-to-undo it reads\n");
    let all = [A, down, B, irreversible, nothing, nothing_down];
    let it = migrator(&database.url(), &all);
    let shown = |status: &upfront::Status| {
        let down = |it: &upfront::Entry| {
            let down = it.down.as_ref().unwrap();
            let reason = down.reason.as_deref().unwrap_or_default();
            format!("{} {} {:?} {reason}", it.name, down.possible, down.script)
        };
        status.entries.iter().map(down).collect::<Vec<_>>()
    };
    let by_program = [
        "a true Program ",
        "b false Nothing no down script",
        "c false Nothing irreversible: the rows are gone",
        "n true Program ",
    ];
    assert_eq!(shown(&it.status().await.unwrap()), by_program);
    it.up().await.unwrap();
    assert_eq!(shown(&it.status().await.unwrap()), by_program);
    // A program without them has the stored ones.
    let stored = by_program.map(|it| it.replace("Program", "Stored"));
    let older = migrator(&database.url(), &[A, down]);
    let status = older.status().await.unwrap();
    assert_eq!(shown(&status)[0], by_program[0]);
    assert_eq!(shown(&status)[1..], stored[1..]);
    assert!(older.plan_down(Target::Steps(1)).await.is_ok());
    assert!(older.plan_down(Target::Steps(2)).await.unwrap_err().kind() == ErrorKind::Irreversible);
}

#[tokio::test]
async fn apps_and_schemas_of_the_database_are_shown() {
    let database = database();
    database.execute("CREATE SCHEMA shop").unwrap();
    let it = |app: &str| builder(&database.url(), &[A, B]).app(app);
    it("main").build().unwrap().up().await.unwrap();
    it("shop").search_path(["shop"]).build().unwrap().up().await.unwrap();
    let third = [("1_t.sql", "SELECT 1;\n")];
    builder(&database.url(), &third)
        .app("third")
        .schema("ops")
        .build()
        .unwrap()
        .up()
        .await
        .unwrap();
    let status = it("main").build().unwrap().status().await.unwrap();
    let apps: Vec<_> =
        status.apps.iter().map(|it| (&*it.name, it.applied, &*it.schemas[0])).collect();
    assert_eq!(apps, [("main", 2, "public"), ("shop", 2, "shop")]);
    assert_eq!(status.history_schemas, ["ops", "upfront"]);
    let text = status.to_string();
    let line = "\nother app shop: 2 applied up to 20260102000000, in schema shop\nschemas with upfront's \
                tables: ops, upfront\n";
    assert!(text.contains(line), "{text}");
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
