//! What a person knows of a migration, recorded without SQL in upfront's own tables.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use upfront::{
    Digest, Error, ErrorKind, Migrator, Protect, Resolution, Resolve, Resolved, State, Target,
};
use upfront_scratch::Database;
use upfront_tests::{ask, builder, commands, connect, database, migrator, resolve};

use Resolution::{Applied, RolledBack};

/// Migrations without down scripts, each of which makes a table.
const FILES: [(&str, &str); 5] = [
    ("1_m.sql", "CREATE TABLE t_1 ();\n"),
    ("2_m.sql", "CREATE TABLE t_2 ();\n"),
    ("3_m.sql", "CREATE TABLE t_3 ();\n"),
    ("4_m.sql", "CREATE TABLE t_4 ();\n"),
    ("5_m.sql", "CREATE TABLE t_5 ();\n"),
];

fn without(version: usize) -> Vec<(&'static str, &'static str)> {
    let mut files = FILES.to_vec();
    files.remove(version - 1);
    files
}

fn asked(version: &str, outcome: Resolution) -> Resolve {
    Resolve::Migration { version: version.to_owned(), outcome }
}

async fn record(it: &Migrator, version: &str, outcome: Resolution) -> Result<Resolved, Error> {
    let plan = it.plan_resolve(asked(version, outcome)).await?;
    it.resolve(&plan).await
}

async fn log(database: &Database<'_>) -> String {
    let sql = "SELECT concat_ws(' ', version, direction, outcome, message) FROM upfront.log WHERE app \
               = 'main' ORDER BY id DESC LIMIT 1";
    ask(&database.url(), sql).await
}

/// The program is up to date, and a migration on top of it comes and is the last.
async fn is_sound(database: &Database<'_>, files: &[(&str, &str)]) {
    let it = migrator(&database.url(), files);
    it.check().await.unwrap();
    assert!(it.up().await.unwrap().is_unchanged());
    assert!(it.status().await.unwrap().is_up_to_date());
    let mut more = files.to_vec();
    more.push(("9_m.sql", "CREATE TABLE t_9 ();\n"));
    let it = migrator(&database.url(), &more);
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
    it.check().await.unwrap();
}

#[tokio::test]
async fn a_deleted_migration_without_a_down_script_is_undone_by_hand_wherever_it_is() {
    for version in 1..=5 {
        let database = database();
        migrator(&database.url(), &FILES).up().await.unwrap();
        let files = without(version);
        let it = migrator(&database.url(), &files);
        let told = match version {
            5 => it.down(Target::Steps(1)).await.unwrap_err(),
            _ => it.up().await.unwrap_err(),
        };
        database.execute(&format!("DROP TABLE t_{version}")).unwrap();
        let told = told.to_string();
        let command = commands(&told).into_iter().next_back().unwrap();
        let resolved = resolve(&it, command).await;
        assert!(resolved.recorded && resolved.changes.len() == 1);
        let logged = log(&database).await;
        let expected = format!("{version} down reverted undone by hand; recorded by upfront ");
        assert!(logged.starts_with(&expected), "{logged}");
        assert!(record(&it, &version.to_string(), RolledBack).await.unwrap().is_empty());
        is_sound(&database, &files).await;
    }
}

#[tokio::test]
async fn a_row_that_was_deleted_comes_back_or_stays_away() {
    for version in 1..=5 {
        for outcome in [Applied, RolledBack] {
            let database = database();
            migrator(&database.url(), &FILES).up().await.unwrap();
            let delete = format!("DELETE FROM upfront.revisions WHERE version = '{version}'");
            database.execute(&delete).unwrap();
            let files = if outcome == Applied { FILES.to_vec() } else { without(version) };
            let it = migrator(&database.url(), &files);
            record(&it, &format!("{version}_m"), outcome).await.unwrap();
            is_sound(&database, &files).await;
        }
    }
    // Several, one after the other.
    let database = database();
    let it = migrator(&database.url(), &FILES);
    it.up().await.unwrap();
    database.execute("DELETE FROM upfront.revisions WHERE version IN ('2', '3')").unwrap();
    for _ in 0..2 {
        let err = it.up().await.unwrap_err().to_string();
        resolve(&it, commands(&err)[0]).await;
    }
    is_sound(&database, &FILES).await;
}

#[tokio::test]
async fn a_migration_below_the_newest_that_was_applied_by_hand_is_recorded_there() {
    let database = database();
    migrator(&database.url(), &without(3)).up().await.unwrap();
    let it = migrator(&database.url(), &FILES);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::OutOfOrder);
    database.execute(FILES[2].1).unwrap();
    let plan = it.plan_resolve(asked("3", Applied)).await.unwrap();
    let digests = [("[0-9a-f]{64}", "[digest]")];
    insta::with_settings!({filters => digests}, {
        insta::assert_snapshot!("a_plan", plan);
        insta::assert_snapshot!("a_plan_as_json", serde_json::to_string_pretty(&plan).unwrap());
    });
    it.resolve(&plan).await.unwrap();
    let logged = log(&database).await;
    assert!(logged.starts_with("3 up baseline done by hand; "), "{logged}");
    is_sound(&database, &FILES).await;
}

#[tokio::test]
async fn what_would_leave_no_history_is_refused() {
    let database = database();
    let it = migrator(&database.url(), &FILES);
    migrator(&database.url(), &FILES[..3]).up().await.unwrap();
    // The program carries it, and later ones are applied.
    let err = record(&it, "2", RolledBack).await.unwrap_err();
    assert!(err.kind() == ErrorKind::InvalidTarget);
    insta::assert_snapshot!("still_carried", err);
    let err = record(&it, "5", Applied).await.unwrap_err();
    insta::assert_snapshot!("older_migrations_are_pending", err);
    let err = record(&migrator(&database.url(), &FILES[1..]), "0", Applied).await.unwrap_err();
    insta::assert_snapshot!("an_unknown_version", err);
    let statement = Resolve::Statement { version: "2".into(), statement: 1, outcome: Applied };
    let err = it.plan_resolve(statement).await.unwrap_err();
    insta::assert_snapshot!("not_partially_applied", err);
    let edited = [FILES[0], FILES[1], ("3_m.sql", "CREATE TABLE t_3 (id int);\n")];
    let edited = migrator(&database.url(), &edited);
    assert!(record(&edited, "3", Applied).await.unwrap_err().kind() == ErrorKind::Edited);
    // Rows that were changed are not chained again.
    database.execute("UPDATE upfront.revisions SET name = 'n' WHERE version = '1'").unwrap();
    let err = record(&migrator(&database.url(), &without(2)), "2", RolledBack).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Tampered, "{err}");
    assert_eq!(
        ask(&database.url(), "SELECT count(*) FROM upfront.log WHERE message IS NOT NULL").await,
        "0"
    );
}

#[tokio::test]
async fn an_edited_migration_that_was_undone_is_applied_again() {
    let database = database();
    let it = migrator(&database.url(), &FILES[..2]);
    it.up().await.unwrap();
    let edited = [FILES[0], ("2_m.sql", "CREATE TABLE t_2 (id int);\n")];
    let it = migrator(&database.url(), &edited);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Edited);
    database.execute("DROP TABLE t_2").unwrap();
    record(&it, "2", RolledBack).await.unwrap();
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
    is_sound(&database, &edited).await;
}

const FAILS: (&str, &str) =
    ("2_m.sql", "-- atlas:txmode none\n\nCREATE TABLE b ();\nSELECT 1 / 0;\nCREATE TABLE c ();\n");

#[tokio::test]
async fn a_partially_applied_migration_is_settled_either_way() {
    for (outcome, by_hand) in [(Applied, "CREATE TABLE c ()"), (RolledBack, "DROP TABLE b")] {
        let database = database();
        let files = [FILES[0], FAILS];
        let it = migrator(&database.url(), &files);
        assert!(it.up().await.unwrap_err().kind() == ErrorKind::MigrationFailed);
        database.execute(by_hand).unwrap();
        record(&it, "2", outcome).await.unwrap();
        assert_eq!(ask(&database.url(), "SELECT count(*) FROM upfront.steps").await, "0");
        match outcome {
            Applied => is_sound(&database, &files).await,
            RolledBack => {
                let files = [FILES[0], ("2_m.sql", "CREATE TABLE b ();\n")];
                assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
            }
        }
    }
}

/// The row of a rollback that was cut off has no chain and counts as breaking.
#[tokio::test]
async fn a_rollback_that_was_cut_off_is_settled_either_way() {
    for breaking in ["", "-- upfront:breaking\n"] {
        for outcome in [Applied, RolledBack] {
            let database = database();
            let up = format!("{breaking}-- atlas:txmode none\n\nCREATE TABLE b ();\n");
            let down = "-- atlas:txmode none\n\nCREATE TABLE x ();\nSELECT 1 / 0;\n";
            let files = [FILES[0], ("2_m.sql", up.as_str()), ("down/2_m.sql", down)];
            let it = migrator(&database.url(), &files);
            it.up().await.unwrap();
            let mut plan = it.plan_down(Target::Steps(1)).await.unwrap();
            plan.accept_data_loss(true);
            assert!(it.apply(&plan).await.unwrap_err().kind() == ErrorKind::MigrationFailed);
            assert_eq!(it.status().await.unwrap().in_state(State::Partial).count(), 1);
            // By a program that does not carry it, too.
            let older = migrator(&database.url(), &files[..1]);
            let resolved = record(&older, "2", outcome).await.unwrap();
            assert_eq!(resolved.changes[0].before.to_string(), "partially rolled back");
            assert_eq!(ask(&database.url(), "SELECT count(*) FROM upfront.steps").await, "0");
            match outcome {
                Applied => {
                    is_sound(&database, &files).await;
                    let is_refused = older.up().await.is_err();
                    assert_eq!(is_refused, !breaking.is_empty());
                }
                RolledBack => is_sound(&database, &files[..1]).await,
            }
        }
    }
}

#[tokio::test]
async fn a_protected_database_wants_an_approval_and_holds() {
    let database = database();
    let it = migrator(&database.url(), &FILES[..2]);
    it.up().await.unwrap();
    it.protect(Protect::Set).await.unwrap();
    let mut plan = it.plan_resolve(asked("2", RolledBack)).await.unwrap();
    assert!(plan.protected);
    let err = it.resolve(&plan).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Protected);
    let digests = [("[0-9a-f]{64}", "[digest]")];
    insta::with_settings!({filters => digests}, { insta::assert_snapshot!("protected", err) });
    insta::assert_snapshot!("too_short", "0000000".parse::<Digest>().unwrap_err());
    plan.approve("00000000".parse::<Digest>().unwrap());
    assert!(it.resolve(&plan).await.unwrap_err().kind() == ErrorKind::StalePlan);
    let digest = plan.digest.clone();
    plan.approve(digest.as_str()[..8].parse::<Digest>().unwrap());
    it.resolve(&plan).await.unwrap();
    let approval = "SELECT approval FROM upfront.log ORDER BY id DESC LIMIT 1";
    assert_eq!(ask(&database.url(), approval).await, digest.as_str(), "the log has all of it");
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Held);
    let mut plan = it.plan_resolve(asked("2", Applied)).await.unwrap();
    let digest = plan.digest.clone();
    plan.approve(digest);
    it.resolve(&plan).await.unwrap();
    assert!(it.check().await.is_ok() && it.status().await.unwrap().is_up_to_date());
}

#[tokio::test]
async fn another_process_that_migrates_is_not_waited_for() {
    let database = database();
    let it = migrator(&database.url(), &FILES[..2]);
    it.up().await.unwrap();
    let plan = it.plan_resolve(asked("2", RolledBack)).await.unwrap();
    let other = connect(&database.url()).await;
    let lock = "SELECT pg_advisory_lock((('x' || encode(substr(sha256('upfront lock \
                v1\\000upfront\\000main'::bytea), 1, 8), 'hex'))::bit(64))::bigint)";
    other.simple_query(lock).await.unwrap();
    let since = Instant::now();
    let err = it.resolve(&plan).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout && err.to_string().contains("held by: pid "), "{err}");
    assert!(since.elapsed() < Duration::from_secs(10));
    drop(other);
    // A plan is good for the database as it was.
    migrator(&database.url(), &FILES[..3]).up().await.unwrap();
    let err = it.resolve(&plan).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan || err.kind() == ErrorKind::InvalidTarget, "{err}");
}

#[tokio::test]
async fn the_checks_of_all_writes_hold() {
    let database = database();
    let it = |app: &str| builder(&database.url(), &FILES[..2]).app(app).build().unwrap();
    it("billing").up().await.unwrap();
    let err = record(&it("biling"), "1", Applied).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DuplicateHistory, "{err}");
    let same = builder(&database.url(), &FILES[..2]).app("other").ignore_duplicate_history(true);
    record(&same.build().unwrap(), "1", Applied).await.unwrap();
    record(&it("billing"), "2", RolledBack).await.unwrap();
    let rows = "SELECT string_agg(app || version, ' ' ORDER BY app, version) FROM upfront.revisions \
                WHERE app <> 'upfront'";
    assert_eq!(ask(&database.url(), rows).await, "billing1 other1");
    let rule = "CREATE RULE r AS ON DELETE TO upfront.revisions DO INSTEAD NOTHING";
    database.execute(rule).unwrap();
    let err = record(&it("billing"), "1", RolledBack).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Untrusted, "{err}");
    assert_eq!(ask(&database.url(), rows).await, "billing1 other1");
}
