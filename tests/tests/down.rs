//! Rolling back: how far, with what, and what is refused before anything runs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Direction, Error, ErrorKind, Plan, Target};
use upfront_scratch::Database;
use upfront_tests::{ask, database, migrator, server};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint PRIMARY KEY, email text);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

const C: (&str, &str) =
    ("3_c.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY b_email ON b (email);\n");

const C_DOWN: (&str, &str) =
    ("down/3_c.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY b_email;\n");

const D: (&str, &str) = ("4_d.sql", "ALTER TABLE b ADD COLUMN name text;\n");
const D_DOWN: (&str, &str) = ("down/4_d.sql", "ALTER TABLE b DROP COLUMN name;\n");
const ALL: [(&str, &str); 8] = [A, A_DOWN, B, B_DOWN, C, C_DOWN, D, D_DOWN];

/// What `psql` makes of the same files, up to the last that is to be there.
fn schema_by_hand(files: &[(&str, &str)]) -> String {
    let database = database();
    for (_, text) in files {
        database.psql(text).unwrap();
    }
    schema(&database)
}

fn schema(database: &Database<'_>) -> String {
    let mut dump = server().bin("pg_dump");
    let output = dump.args(["-s", "-N", "upfront", "-d", &database.url()]).output().unwrap();
    let dump = String::from_utf8(output.stdout).unwrap();
    assert!(dump.contains("dump complete"), "{dump}");
    dump.lines().filter(|it| !it.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

async fn versions(database: &Database<'_>) -> String {
    let sql = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions WHERE app = \
               'main'";
    ask(&database.url(), sql).await
}

fn names(plan: &Plan) -> String {
    plan.steps.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn every_step_down_leaves_the_schema_of_the_files_below() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    it.up().await.unwrap();
    for (target, left, files) in [
        (Target::Steps(1), "1 2 3", &[A, B, C][..]),
        (Target::To("1".into()), "1", &[A]),
        (Target::All, "", &[]),
    ] {
        let plan = it.plan_down(target.clone()).await.unwrap();
        let report = it.down(target).await.unwrap();
        assert_eq!(plan.direction, Direction::Down);
        let done: Vec<_> = report.rolled_back.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(done.join(" "), names(&plan));
        assert_eq!(versions(&database).await, left);
        assert_eq!(schema(&database), schema_by_hand(files), "{left}");
        it.up().await.unwrap();
        assert_eq!(schema(&database), schema_by_hand(&[A, B, C, D]));
    }
    let log = "SELECT string_agg(version || ' ' || direction || ' ' || outcome, ', ' ORDER BY id) \
               FROM upfront.log WHERE app = 'main' AND id > 7";
    assert!(ask(&database.url(), log).await.starts_with("4 down reverted, 4 up applied, 4 down"));
}

#[tokio::test]
async fn several_transactional_steps_are_one_transaction() {
    let database = database();
    let broken = ("down/2_b.sql", "DROP TABLE nothing;\n");
    let it = migrator(&database.url(), &[A, A_DOWN, B, broken, D, D_DOWN]);
    it.up().await.unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed);
    insta::assert_snapshot!("a_failing_down_side", err);
    assert_eq!(versions(&database).await, "1 2 4", "4 was not rolled back alone");
    let log =
        "SELECT version, direction, outcome, sqlstate FROM upfront.log ORDER BY id DESC LIMIT 1";
    assert_eq!(ask(&database.url(), log).await, "2|down|failed|42P01");
}

#[tokio::test]
async fn an_older_program_rolls_back_what_it_does_not_know() {
    let database = database();
    let breaking = ("4_d.sql", "-- upfront:breaking\n\nALTER TABLE b ADD COLUMN name text;\n");
    let newer = [A, A_DOWN, B, B_DOWN, C, C_DOWN, breaking, D_DOWN];
    migrator(&database.url(), &newer).up().await.unwrap();
    let older = migrator(&database.url(), &[A, A_DOWN, B, B_DOWN]);
    assert!(older.up().await.unwrap_err().kind() == ErrorKind::NewerDatabase);
    let plan = older.plan_down(Target::ToEmbedded).await.unwrap();
    assert_eq!(names(&plan), "d c");
    assert_eq!(plan.steps[1].sql, C_DOWN.1);
    let report = older.down(Target::ToEmbedded).await.unwrap();
    assert_eq!(report.rolled_back.len(), 2);
    assert_eq!(schema(&database), schema_by_hand(&[A, B]));
    assert!(older.up().await.unwrap().is_unchanged());
    assert!(older.down(Target::ToEmbedded).await.unwrap().is_unchanged());
}

#[tokio::test]
async fn a_down_script_may_say_that_there_is_nothing_to_undo() {
    let database = database();
    let up = ("2_b.sql", "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING;\n");
    let down = ("down/2_b.sql", "-- upfront:nothing-to-undo the row may stay\n");
    let it = migrator(&database.url(), &[A, A_DOWN, up, down]);
    for by in [&[A, A_DOWN, up, down][..], &[A]] {
        it.up().await.unwrap();
        migrator(&database.url(), by).down(Target::To("1".into())).await.unwrap();
        assert_eq!(versions(&database).await, "1");
    }
    it.up().await.unwrap();
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM a").await, "1");
}

#[tokio::test]
async fn a_target_that_leads_nowhere_is_refused() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    let refused = |name: &str, err: &Error| {
        assert!(err.kind() == ErrorKind::InvalidTarget, "{err}");
        insta::assert_snapshot!(name.to_owned(), err);
    };
    refused("nothing_is_applied", &it.down(Target::Steps(2)).await.unwrap_err());
    assert!(it.down(Target::All).await.unwrap().is_unchanged());
    let made = "select count(*) from pg_namespace where nspname = 'upfront'";
    assert_eq!(database.psql(made).unwrap().trim(), "0", "a refusal makes no tables");
    migrator(&database.url(), &ALL[..4]).up().await.unwrap();
    refused("steps_beyond_the_first", &it.down(Target::Steps(3)).await.unwrap_err());
    refused("not_applied", &it.down(Target::To("4".into())).await.unwrap_err());
    refused("unknown_version", &it.down(Target::To("9".into())).await.unwrap_err());
    let empty = migrator(&database.url(), &[]).down(Target::ToEmbedded).await.unwrap_err();
    assert!(empty.to_string().contains("holds no migration"), "{empty}");
    assert!(it.down(Target::To("2_b".into())).await.unwrap().is_unchanged(), "by its name");
    assert!(it.down(Target::Steps(0)).await.unwrap().is_unchanged());
    assert_eq!(versions(&database).await, "1 2");
}

#[tokio::test]
async fn what_has_no_way_back_is_known_before_anything_runs() {
    let database = database();
    let never = ("3_c.sql", "-- upfront:irreversible the rows are gone\n\nSELECT 1;\n");
    let it = migrator(&database.url(), &[A, A_DOWN, B, never, D, D_DOWN]);
    it.up().await.unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Irreversible);
    insta::assert_snapshot!("no_way_back", err);
    let older = migrator(&database.url(), &[A]).down(Target::ToEmbedded).await.unwrap_err();
    assert!(older.kind() == ErrorKind::Irreversible);
    assert_eq!(versions(&database).await, "1 2 3 4");
    it.down(Target::Steps(1)).await.unwrap();
    // A down side may be added at any time: the next boot that writes stores it.
    let repaired = [A, A_DOWN, B, B_DOWN, ("3_c.sql", never.1), D, D_DOWN];
    migrator(&database.url(), &repaired).up().await.unwrap();
    let stored = "SELECT down_sql FROM upfront.revisions WHERE version = '2' AND app = 'main'";
    assert_eq!(ask(&database.url(), stored).await.trim(), "DROP TABLE b;");
}

#[tokio::test]
async fn a_row_that_comes_after_the_plan_is_not_lost() {
    let database = database();
    let it = migrator(&database.url(), &[A, A_DOWN, B, B_DOWN, C, C_DOWN]);
    it.up().await.unwrap();
    let plan = it.plan_down(Target::All).await.unwrap();
    assert!(!plan.loses_data());
    database.execute("INSERT INTO b VALUES (1)").unwrap();
    let err = it.apply(&plan).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss, "{err}");
    assert_eq!(versions(&database).await, "1 2 3", "all is known before the first of them");
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM b").await, "1");
}

#[tokio::test]
async fn a_plan_runs_once_and_on_what_it_was_made_for() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    let up = it.plan_up().await.unwrap();
    assert_eq!(it.apply(&up).await.unwrap().applied.len(), 4);
    let err = it.apply(&up).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan);
    let digests = [("[0-9a-f]{64}", "[digest]")];
    insta::with_settings!({filters => digests}, { insta::assert_snapshot!("stale_settled", err); });
    let down = it.plan_down(Target::Steps(1)).await.unwrap();
    it.apply(&down).await.unwrap();
    let err = it.apply(&down).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan);
    it.up().await.unwrap();
    let err = it.apply(&down).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan, "the same steps, and another history");
    insta::with_settings!({filters => digests}, { insta::assert_snapshot!("stale", err); });
    let mut wrong = it.plan_down(Target::Steps(1)).await.unwrap();
    wrong.approve(down.digest);
    let err = it.apply(&wrong).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan);
    insta::with_settings!({filters => digests}, {
        insta::assert_snapshot!("another_plan_s_approval", err);
    });
    assert_eq!(versions(&database).await, "1 2 3 4");
}

#[tokio::test]
async fn a_plan_prints_the_sql_that_runs_byte_for_byte_and_changes_nothing() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    it.up().await.unwrap();
    database.execute("INSERT INTO b VALUES (1, 'a@b.c')").unwrap();
    let xid = "SELECT pg_snapshot_xmax(pg_current_snapshot())";
    let before = ask(&database.url(), xid).await;
    let plan = it.plan_down(Target::All).await.unwrap();
    assert_eq!(ask(&database.url(), xid).await, before, "nobody took a transaction id");
    for (step, (_, text)) in plan.steps.iter().zip([D_DOWN, C_DOWN, B_DOWN, A_DOWN]) {
        assert_eq!(step.sql, text);
    }
    let filters = [("[0-9a-f]{64}", "[digest]"), (r"\d+ kB", "[size]")];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!("plan", plan); });
    let json = serde_json::to_string_pretty(&plan).unwrap();
    let filters = [("[0-9a-f]{64}", "[digest]"), (r#""bytes": \d+"#, r#""bytes": [bytes]"#)];
    insta::with_settings!({filters => filters}, { insta::assert_snapshot!("plan_as_json", json); });
}

#[tokio::test]
async fn a_crowd_rolls_back_once() {
    let database = database();
    migrator(&database.url(), &ALL).up().await.unwrap();
    let url = database.url();
    let boots: Vec<_> = (0..8)
        .map(|_| {
            let it = migrator(&url, &[A, A_DOWN, B, B_DOWN]);
            tokio::spawn(async move {
                let report = it.down(Target::ToEmbedded).await?;
                it.up().await?;
                Ok::<_, Error>(report.rolled_back.len())
            })
        })
        .collect();
    let mut done = 0;
    for it in boots {
        done += it.await.unwrap().unwrap();
    }
    assert_eq!(done, 2);
    assert_eq!(versions(&database).await, "1 2");
}

#[tokio::test]
async fn going_down_past_a_checkpoint_undoes_what_it_stands_for() {
    let checkpoint = (
        "3_all.sql",
        "-- atlas:checkpoint\n\nCREATE TABLE a (id bigint PRIMARY KEY);\nCREATE TABLE b (id bigint PRIMARY KEY, email text);\n",
    );
    let files = [A, A_DOWN, B, B_DOWN, checkpoint, D, D_DOWN];
    let (fresh, old) = (database(), database());
    migrator(&old.url(), &[A, A_DOWN, B, B_DOWN]).up().await.unwrap();
    for database in [&fresh, &old] {
        let it = migrator(&database.url(), &files);
        it.up().await.unwrap();
        it.down(Target::Steps(2)).await.unwrap();
        assert_eq!(schema(database), schema_by_hand(&[A, B]));
        it.up().await.unwrap();
        it.down(Target::To("1".into())).await.unwrap();
        assert_eq!(schema(database), schema_by_hand(&[A]));
        it.up().await.unwrap();
        assert_eq!(versions(database).await, "1 2 3 4");
        assert_eq!(schema(database), schema_by_hand(&[A, B, D]));
    }
}
