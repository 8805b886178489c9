//! What a service logs, as the JSON that its operators read.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use serde_json::Value;
use upfront::{Event, Migrator, Target};
use upfront_tests::{
    Events, JsonLog, Layout, builder, connect, database, migrations, migrator, pool,
};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const DOWN_A: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const SLOW: (&str, &str) = ("2_slow.sql", "SELECT pg_sleep(1.3);\n");
const DOWN_SLOW: (&str, &str) = ("down/2_slow.sql", "SELECT 1;\n");
const STEPS: (&str, &str) =
    ("3_steps.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON a (id);\nANALYZE a;\n");
const DOWN_STEPS: (&str, &str) =
    ("down/3_steps.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\n");

/// What log formats write themselves.
const TAKEN: [&str; 12] = [
    "name",
    "level",
    "target",
    "message",
    "timestamp",
    "span",
    "spans",
    "fields",
    "filename",
    "line_number",
    "threadName",
    "threadId",
];

fn keys(it: &Value) -> Vec<&str> {
    it.as_object().map(|it| it.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// The fields of an event without its message.
fn fields(line: &Value) -> Vec<&str> {
    keys(&line["fields"]).into_iter().filter(|it| *it != "message").collect()
}

fn check_line(line: &Value) {
    let mut seen = fields(line);
    for span in line["spans"].as_array().into_iter().flatten() {
        // The format's own `name` is the span's.
        let is_ours = |it: &&str| *it != "name";
        assert!(span["name"].as_str().unwrap().starts_with("upfront."), "{line}");
        seen.extend(keys(span).into_iter().filter(is_ours));
    }
    for key in &seen {
        assert!(!TAKEN.contains(key), "`{key}` is taken: {line}");
        assert_eq!(seen.iter().filter(|it| *it == key).count(), 1, "`{key}` is repeated: {line}");
        let is_time = ["duration", "waited", "pause", "busy", "elapsed"];
        if is_time.iter().any(|it| key.contains(it)) {
            assert!(key.ends_with("_ms"), "`{key}` has no unit: {line}");
            assert!(line["fields"][key].is_u64(), "`{key}` is no number: {line}");
        }
    }
}

/// The lines of a boot; those of reading the folder come before its span.
fn of_boots(log: &JsonLog) -> Vec<Value> {
    log.lines().into_iter().filter(|it| it["spans"].is_array()).collect()
}

fn messages(lines: &[Value], level: &str) -> Vec<String> {
    let message = |it: &Value| {
        let migration = it["span"]["migration"].as_str().unwrap_or_default();
        format!("{migration}: {}", it["fields"]["message"].as_str().unwrap())
    };
    lines.iter().filter(|it| it["level"] == level).map(message).collect()
}

async fn up_and_down(url: &str) {
    let files = [A, DOWN_A, SLOW, DOWN_SLOW, STEPS, DOWN_STEPS];
    let it = migrator(url, &files);
    it.up().await.unwrap();
    it.up().await.unwrap();
    let older = migrator(url, &[A]);
    older.up().await.unwrap();
    it.down(Target::All).await.unwrap();
    let broken = migrator(url, &[("1_broken.sql", "SELECT 1/0;\n")]);
    broken.up().await.unwrap_err();
}

#[tokio::test]
async fn each_line_is_json_that_no_parser_objects_to() {
    let database = database();
    let log = JsonLog::default();
    let guard = log.record("upfront=trace", Layout::Nested);
    up_and_down(&database.url()).await;
    drop(guard);
    let lines = log.lines();
    lines.iter().for_each(check_line);
    assert!(lines.len() > 10, "{lines:#?}");

    let flat = JsonLog::default();
    let guard = flat.record("upfront=trace", Layout::Flat);
    up_and_down(&upfront_tests::database().url()).await;
    drop(guard);
    assert!(flat.lines().len() > 10);
}

#[tokio::test]
async fn a_migration_is_one_line_and_two_if_it_takes_long() {
    let database = database();
    let log = JsonLog::default();
    let guard = log.record("upfront=info", Layout::Nested);
    let files = [A, DOWN_A, SLOW, DOWN_SLOW, STEPS, DOWN_STEPS];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    it.up().await.unwrap();
    it.down(Target::All).await.unwrap();
    drop(guard);
    let lines = of_boots(&log);
    let expected = [
        "a: migration applied",
        "slow: migration is running",
        "slow: migration applied",
        "steps: migration applied",
        "steps: migration rolled back",
        "slow: migration rolled back",
        "a: migration rolled back",
    ];
    assert_eq!(messages(&lines, "INFO"), expected);
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    let slow = &lines[2];
    assert_eq!((&slow["span"]["version"], &slow["spans"][0]["app"]), (&"2".into(), &"main".into()));
    assert!(slow["fields"]["duration_ms"].as_u64().unwrap() >= 1300, "{slow}");
}

#[tokio::test]
async fn a_wait_for_a_table_is_a_line_at_once_and_one_every_five_seconds() {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    let mut other = connect(&database.url()).await;
    let holding = other.transaction().await.unwrap();
    holding.batch_execute("SELECT * FROM a").await.unwrap();
    let alter = ("2_alter.sql", "ALTER TABLE a ADD COLUMN name text;\n");
    let it = builder(&database.url(), &[A, alter]).lock_timeout(Duration::from_millis(20));
    let it = it.build().unwrap();
    let log = JsonLog::default();
    let guard = log.record("upfront=info", Layout::Nested);
    let release = async {
        tokio::time::sleep(Duration::from_secs(6)).await;
        holding.rollback().await.unwrap();
    };
    let (report, ()) = tokio::join!(it.up(), release);
    drop(guard);
    assert_eq!(report.unwrap().applied.len(), 1);
    let lines = of_boots(&log);
    lines.iter().for_each(check_line);
    let waits: Vec<_> = lines.iter().filter(|it| it["level"] == "WARN").collect();
    assert_eq!(waits.len(), 2, "{lines:#?}");
    assert!(waits[0]["fields"]["waited_ms"].as_u64().unwrap() < 1000, "{}", waits[0]);
    assert!(waits[1]["fields"]["waited_ms"].as_u64().unwrap() >= 4900, "{}", waits[1]);
    assert!(waits[1]["fields"]["blocker_pid"].is_u64(), "{}", waits[1]);
    assert_eq!(waits[0]["span"]["migration"], "alter");
    assert_eq!(messages(&lines, "INFO"), ["alter: migration applied"]);
}

#[tokio::test]
async fn warnings_have_their_spans_where_nothing_else_is_logged() {
    let database = database();
    migrator(&database.url(), &[A, SLOW]).up().await.unwrap();
    let log = JsonLog::default();
    let guard = log.record("upfront=warn", Layout::Nested);
    let older = upfront::Migrator::new(migrations(&[A]), pool(&database.url(), 1));
    older.up().await.unwrap();
    drop(guard);
    let lines = of_boots(&log);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!(lines[0]["spans"][0]["app"], "main");
    assert_eq!(lines[0]["fields"]["migration"], "slow");
}

const RAISES: &str = "DO $$ BEGIN\n  RAISE NOTICE '50 %% done';\n  RAISE WARNING 'rows without an \
                      owner: 3';\n  RAISE DEBUG 'unseen';\nEND $$;\n";

/// A pool as the documentation advises it.
fn connector_pool(url: &str) -> deadpool_postgres::Pool {
    use deadpool_postgres::{Manager, ManagerConfig, Pool};
    let connector = upfront::Connector::new(tokio_postgres::NoTls);
    let config = url.parse().unwrap();
    let manager = Manager::from_connect(config, connector, ManagerConfig::default());
    Pool::builder(manager).max_size(2).build().unwrap()
}

#[tokio::test]
async fn what_a_migration_raises_is_logged_under_its_name() {
    let database = database();
    let (stepwise, secret) = (
        format!("-- atlas:txmode none\n\n{RAISES}"),
        format!("{RAISES}CREATE ROLE nobody_{} PASSWORD 'hunter2';\n", database.name()),
    );
    let down = format!("DROP TABLE a;\n{RAISES}");
    let in_one = format!("CREATE TABLE a (id bigint);\n{RAISES}");
    let files = [
        ("1_one.sql", in_one.as_str()),
        ("2_steps.sql", &stepwise),
        ("3_secret.sql", &secret),
        ("down/1_one.sql", &down),
        ("down/2_steps.sql", "SELECT 1;\n"),
        ("down/3_secret.sql", "SELECT 1;\n"),
    ];
    let events = Events::default();
    let it = Migrator::builder(migrations(&files), connector_pool(&database.url()))
        .on_event(events.listener())
        .build()
        .unwrap();
    let log = JsonLog::default();
    let guard = log.record("upfront=info", Layout::Nested);
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    it.apply(plan.accept_data_loss(true)).await.unwrap();
    drop(guard);
    let lines = of_boots(&log);
    lines.iter().for_each(check_line);
    assert!(!format!("{lines:?}").contains("hunter2"), "{lines:#?}");
    let expected = [
        "one: NOTICE: 50 % done".to_owned(),
        "one: migration applied".into(),
        "steps: NOTICE: 50 % done".into(),
        "steps: migration applied".into(),
        "secret: NOTICE: 50 % done".into(),
        "secret: migration applied".into(),
        "one: NOTICE: 50 % done".into(),
        "secret: migration rolled back".into(),
        "steps: migration rolled back".into(),
        "one: migration rolled back".into(),
    ];
    assert_eq!(messages(&lines, "INFO"), expected);
    let warning = "WARNING: rows without an owner: 3";
    let expected = [
        format!("one: {warning}"),
        format!("steps: {warning}"),
        format!("secret: {warning}"),
        format!("one: {warning}"),
    ];
    assert_eq!(messages(&lines, "WARN"), expected);
    let told = events.told().into_iter().filter_map(|it| match it {
        Event::Notice { version, severity, .. } => Some(format!("{version} {severity}")),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    let expected = ["1 NOTICE", "1 WARNING", "2 NOTICE", "2 WARNING", "3 NOTICE", "3 WARNING"];
    assert_eq!(told[..6], expected);
    assert_eq!(told[6..], ["1 NOTICE", "1 WARNING"]);
}

#[tokio::test]
async fn a_notice_arrives_while_its_statement_runs() {
    let database = database();
    let slow = "DO $$ BEGIN\n  RAISE NOTICE 'begun';\n  PERFORM pg_sleep(1.5);\nEND $$;\n";
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let it = Migrator::builder(migrations(&[("1_a.sql", slow)]), connector_pool(&database.url()))
        .on_event(move |it| drop(sender.send(it.clone())))
        .build()
        .unwrap();
    let since = std::time::Instant::now();
    let boot = tokio::spawn(async move { it.up().await });
    loop {
        if let Event::Notice { message, .. } = receiver.recv().await.unwrap() {
            assert_eq!(message, "begun");
            break;
        }
    }
    assert!(!boot.is_finished());
    boot.await.unwrap().unwrap();
    assert!(since.elapsed() > Duration::from_millis(1500));
}
