//! What a program can read without parsing a text: fields of errors, reports, events and sets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, SystemTime};

use upfront::{
    Digest, Direction, ErrorKind, Event, Migrations, Migrator, Outcome, Protect, Report, Target,
};
use upfront_tests::{Events, builder, database, migrations, migrator, pool};

type File = (&'static str, &'static str);

const A: File = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const B: File = ("2_b.sql", "CREATE TABLE b (id bigint);\n");
const C: File = ("3_c.sql", "CREATE TABLE c (id nothing);\n");
const DOWN: [File; 2] =
    [("down/1_a.sql", "DROP TABLE nowhere;\n"), ("down/2_b.sql", "DROP TABLE b;\n")];
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none";

fn applied(report: &Report) -> Vec<&str> {
    report.applied.iter().map(|it| it.version.as_str()).collect()
}

#[tokio::test]
async fn an_error_has_the_report_of_what_was_done_before_it() {
    let database = database();
    let it = migrator(&database.url(), &[A, B, C]);
    let err = it.up().await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MigrationFailed);
    assert_eq!(err.version(), Some("3"));
    let report = err.report().unwrap();
    assert_eq!(applied(report), ["1", "2"]);
    assert!(report.took > Duration::ZERO);
    let err = it.up().await.unwrap_err();
    assert_eq!(applied(err.report().unwrap()), [""; 0]);
    assert!(it.check().await.unwrap_err().report().is_none());
}

#[tokio::test]
async fn an_error_has_the_report_of_what_was_rolled_back_before_it() {
    let database = database();
    let stepwise = ("2_b.sql", "-- atlas:txmode none\n\nCREATE TABLE b (id bigint);\n");
    let down = ("down/2_b.sql", "-- atlas:txmode none\n\nDROP TABLE b;\n");
    let it = migrator(&database.url(), &[A, stepwise, DOWN[0], down]);
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    let err = it.apply(plan.accept_data_loss(true)).await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::MigrationFailed);
    let rolled_back = &err.report().unwrap().rolled_back;
    assert_eq!(rolled_back.iter().map(|it| it.version.as_str()).collect::<Vec<_>>(), ["2"]);
}

#[tokio::test]
async fn applies_up_to_a_version() {
    let database = database();
    let it = migrator(&database.url(), &[A, B, ("3_c.sql", "CREATE TABLE c (id bigint);\n")]);
    assert_eq!(applied(&it.up_to("1_a").await.unwrap()), ["1"]);
    assert_eq!(it.check().await.unwrap_err().pending(), ["2_b", "3_c"]);
    let err = it.up_to("4").await.unwrap_err();
    assert_eq!(err.kind(), ErrorKind::InvalidTarget);
    insta::assert_snapshot!("up_to_an_unknown_version", err);
    assert_eq!(applied(&it.up_to("2").await.unwrap()), ["2"]);
    assert!(it.up_to("1").await.unwrap().is_unchanged());
    assert_eq!(applied(&it.up().await.unwrap()), ["3"]);
}

#[tokio::test]
async fn warns_of_a_program_without_migrations() {
    let database = database();
    let events = Events::default();
    let text = upfront_directory::encode("migrations", &[]).leak();
    let empty = Box::leak(Box::new(upfront::__embedded::Embedded::new(text)));
    let empty = Migrations::from_static(empty);
    assert!(empty.is_empty());
    let it = Migrator::builder(empty, pool(&database.url(), 1)).on_event(events.listener());
    assert!(it.build().unwrap().up().await.unwrap().is_unchanged());
    assert_eq!(events.told(), [Event::NoMigrations]);
}

#[test]
fn a_set_lists_its_migrations() {
    let files =
        [A, ("2_b.sql", "-- atlas:txmode none\n\nVACUUM;\n"), ("down/1_a.sql", "DROP TABLE a;\n")];
    let it = migrations(&files);
    it.validate().unwrap();
    assert_eq!((it.len(), it.is_empty()), (2, false));
    assert_eq!(it.to_string(), "1_a\n2_b");
    let all: Vec<_> = it.iter().collect();
    assert_eq!((all[0].version, all[0].name, all[0].checksum.len()), ("1", "a", 64));
    assert!(all[0].transactional && all[0].has_down);
    assert!(!all[1].transactional && !all[1].has_down);
    let broken = migrations(&[("1_a.sql", "COMMIT;\n")]);
    assert_eq!(broken.validate().unwrap_err().kind(), ErrorKind::InvalidMigrations);
    assert_eq!((broken.len(), broken.iter().count()), (0, 0));
}

#[tokio::test]
async fn events_and_reports_are_values() {
    let database = database();
    let events = Events::default();
    let it = builder(&database.url(), &[A]).on_event(events.listener()).build().unwrap();
    let report = it.up().await.unwrap();
    assert_eq!(report.clone(), report);
    let json = serde_json::to_value(events.told()).unwrap();
    assert_eq!(json[0]["event"], "started");
    assert_eq!(json[0]["direction"], "up");
    assert!(json.as_array().unwrap().last().unwrap()["duration"].is_f64(), "{json}");
}

#[tokio::test]
async fn the_log_has_typed_values() {
    let database = database();
    let it = migrator(&database.url(), &[A]);
    let before = SystemTime::now() - Duration::from_secs(60);
    it.up().await.unwrap();
    let mark = it.protect(Protect::Set).await.unwrap().unwrap();
    let digest: Digest = mark.digest.as_str()[..12].parse().unwrap();
    it.protect_approved(Protect::Remove, &digest).await.unwrap();
    let entries = it.log(None, None).await.unwrap();
    let found: Vec<_> = entries.iter().map(|it| (it.direction, it.outcome)).collect();
    let expected = [
        (Direction::Down, Outcome::Unprotected),
        (Direction::Up, Outcome::Protected),
        (Direction::Up, Outcome::Applied),
    ];
    assert_eq!(found, expected);
    assert_eq!(entries[0].approval, Some(mark.digest));
    assert!(entries.iter().all(|it| it.at > before) && mark.at > before);
    let applied_at = it.status().await.unwrap().entries[0].applied_at.unwrap();
    assert!(applied_at > before && applied_at < SystemTime::now() + Duration::from_secs(60));
}

#[test]
fn settings_can_be_unset() {
    let it = Migrator::builder(migrations(&[A]), pool(NOWHERE, 1));
    let it = it.role("owner").statement_timeout(Duration::from_secs(1)).release("1.0");
    let it = it.role(None).statement_timeout(None).release(None).session_pooler(true);
    let settings = format!("{:?}", it.session_pooler(false).build().unwrap());
    for unset in ["role: None", "statement_timeout: None", "release: None", "session_pooler: false"]
    {
        assert!(settings.contains(unset), "{settings}");
    }
}
