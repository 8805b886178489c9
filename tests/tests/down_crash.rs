//! Rollbacks that are killed, at every statement of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use upfront::{Error, ErrorKind, Migrator, Protect, Report, Target};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{Boot, Wire, ask, commands, database, migrator, resolve, server, until};

const BOOT: &str = env!("CARGO_BIN_EXE_boot");

/// Each down side says once what it undid, and each of its statements can be stopped at.
const HEAD: &str = "CREATE TABLE public.stops AS SELECT -1 AS at;\
     CREATE TABLE public.undone (step int);\
     CREATE FUNCTION public.stop(it int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
     WHILE (SELECT at = it FROM public.stops) LOOP PERFORM pg_sleep(0.01); END LOOP; END $$;";

type Files = Vec<(String, String)>;

/// Before each statement, and behind the last.
const STOPS: i32 = 5;

/// Four migrations, of which three are to be rolled back; `mode` is the head of their down sides.
fn files(modes: [&str; 3]) -> Files {
    let mut files = vec![
        ("1_a.sql".to_owned(), "CREATE TABLE t (id int, b int, c int);\n".to_owned()),
        ("down/1_a.sql".to_owned(), "DROP TABLE t;\n".to_owned()),
    ];
    for (mode, step) in modes.into_iter().zip(2_i32..) {
        let concurrently = if mode.is_empty() { "" } else { "CONCURRENTLY " };
        let up = format!(
            "CREATE INDEX i_{step} ON t (id);\nCREATE TABLE t_{step} (id int);\nALTER TABLE t ADD \
             COLUMN d_{step} int;\n"
        );
        let statements = [
            format!("ALTER TABLE t DROP COLUMN d_{step};\n"),
            format!("DROP INDEX {concurrently}i_{step};\n"),
            format!("DROP TABLE t_{step};\n"),
            format!("INSERT INTO public.undone VALUES ({step});\n"),
            String::new(),
        ];
        let stopped = |(at, it): (usize, &String)| format!("SELECT public.stop({step}{at});\n{it}");
        let statements: String = statements.iter().enumerate().map(stopped).collect();
        let down = format!("{mode}{statements}");
        files.push((format!("{step}_m.sql"), up));
        files.push((format!("down/{step}_m.sql"), down));
    }
    files
}

fn borrowed(files: &Files) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

async fn schema(database: &Database<'_>) -> String {
    let sql = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = \
               'public'::regnamespace AND relname ~ '^[it]_'";
    let columns = "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE \
                   attrelid = 't'::regclass AND attname ~ '^d_'";
    format!("{} / {}", ask(&database.url(), sql).await, ask(&database.url(), columns).await)
}

/// Kills a rollback to 1 where it stops.
async fn killed_at(stop: i32, files: &Files) -> Database<'static> {
    let database = server().template("down_crash", |it| it.execute(HEAD)).unwrap();
    migrator(&database.url(), &borrowed(files)).up().await.unwrap();
    // Whoever ends what was cut off relies on what was agreed to when it was begun.
    database
        .execute("INSERT INTO t_2 VALUES (1); INSERT INTO t_3 TABLE t_2; INSERT INTO t_4 TABLE t_2")
        .unwrap();
    database.execute(&format!("UPDATE public.stops SET at = {stop}")).unwrap();
    let url = format!("{}?application_name=boot", database.url());
    let boot = Boot::new(BOOT, &url, &borrowed(files)).with("DOWN_TO", "1").start();
    let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                  wait_event = 'PgSleep'";
    until(&database.url(), sleeps, "1").await;
    boot.kill();
    database.execute("UPDATE public.stops SET at = -1").unwrap();
    let alone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                 application_name = 'boot'";
    until(&database.url(), alone, "0").await;
    database
}

async fn down(it: &Migrator) -> Result<Report, Error> {
    let mut plan = it.plan_down(Target::To("1".into())).await?;
    it.apply(plan.accept_data_loss(true)).await
}

async fn check_gone(database: &Database<'_>, stop: i32) {
    let url = database.url();
    assert_eq!(schema(database).await, " / ", "killed at {stop}");
    let undone = "SELECT string_agg(step::text, ' ' ORDER BY step) FROM undone";
    assert_eq!(ask(&url, undone).await, "2 3 4", "killed at {stop}: each once");
    check_settled(database, "1").await;
}

async fn check_settled(database: &Database<'_>, versions: &str) {
    let url = database.url();
    let rows = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions WHERE app = \
                'main'";
    assert_eq!(ask(&url, rows).await, versions);
    assert_eq!(ask(&url, "SELECT count(*) FROM upfront.steps").await, "0");
    let odd = "SELECT count(*) FROM upfront.revisions WHERE chain ~ '^0+$'";
    assert_eq!(ask(&url, odd).await, "0");
}

/// The next `down` and the next `up`, after a kill at each statement.
async fn check_every_kill(modes: [&str; 3]) {
    let files = files(modes);
    for stop in [4, 3, 2].into_iter().flat_map(|step| 10 * step..10 * step + STOPS) {
        let database = killed_at(stop, &files).await;
        let it = migrator(&database.url(), &borrowed(&files));
        down(&it).await.unwrap_or_else(|err| panic!("killed at {stop}: {err}"));
        check_gone(&database, stop).await;

        let database = killed_at(stop, &files).await;
        let it = migrator(&database.url(), &borrowed(&files));
        it.up().await.unwrap_or_else(|err| panic!("killed at {stop}: {err}"));
        assert_eq!(schema(&database).await, "i_2 i_3 i_4 t_2 t_3 t_4 / d_2 d_3 d_4");
        check_settled(&database, "1 2 3 4").await;
        // What was undone was undone as a whole, and once.
        let (undone, reverted) = (
            "SELECT coalesce(string_agg(step::text, ' ' ORDER BY step), '') FROM undone",
            "SELECT coalesce(string_agg(version, ' ' ORDER BY version), '') FROM upfront.log WHERE \
             outcome = 'reverted'",
        );
        assert_eq!(ask(&database.url(), undone).await, ask(&database.url(), reverted).await);
        let untold = "SELECT count(*) FROM upfront.log WHERE outcome = 'reverted' AND \
                      coalesce(lost, '') !~ 'table t_.: 1 row'";
        assert_eq!(ask(&database.url(), untold).await, "0", "the log says what was lost");
        assert!(it.up().await.unwrap().is_unchanged());
    }
}

const NONE: &str = "-- atlas:txmode none\n\n";

#[tokio::test]
async fn a_rollback_in_a_transaction_that_was_killed_leaves_nothing() {
    check_every_kill(["", "", ""]).await;
}

#[tokio::test]
async fn a_rollback_outside_a_transaction_that_was_killed_goes_on() {
    check_every_kill([NONE, NONE, NONE]).await;
}

#[tokio::test]
async fn a_mixed_rollback_that_was_killed_goes_on() {
    check_every_kill(["", NONE, ""]).await;
}

/// Until it is done with, no program takes the migration for an applied one.
#[tokio::test]
async fn a_rollback_that_was_cut_off_is_seen_by_every_program() {
    let files = files([NONE, NONE, NONE]);
    let database = killed_at(41, &files).await;
    let it = migrator(&database.url(), &borrowed(&files));
    assert!(it.check().await.unwrap_err().kind() == ErrorKind::Pending);
    let times = [(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]"), ("[0-9a-f]{64}", "[digest]")];
    let status = it.status().await.unwrap();
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("cut_off_status", status); });
    let plan = it.plan_down(Target::To("1".into())).await.unwrap();
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("cut_off_plan", plan); });
    let borrowed = borrowed(&files);
    let older = migrator(&database.url(), &borrowed[..6]);
    assert!(older.check().await.is_err(), "a program that never knew it");
    let report = older.up().await.unwrap();
    insta::assert_snapshot!("cut_off_ended_by_an_older_program", took_out(&report.to_string()));
    check_settled(&database, "1 2 3").await;
    assert_eq!(schema(&database).await, "i_2 i_3 t_2 t_3 / d_2 d_3");
}

fn took_out(report: &str) -> String {
    report.split(" in ").next().unwrap().to_owned()
}

/// A process plans a rollback from what it reads in two messages. Between them another process
/// finishes the rollback that was cut off, and the row is gone.
#[tokio::test]
async fn a_plan_outlives_a_rollback_that_is_finished_meanwhile() {
    let files = files([NONE, NONE, NONE]);
    let database = killed_at(41, &files).await;
    let pooler = Pooler::start(server(), PoolMode::Session, 4).unwrap();
    let wire = Wire::to(pooler.tcp_port()).await;
    let slow = migrator(&wire.url("postgres", database.name()), &borrowed(&files));
    wire.delay(Duration::from_millis(800));
    let planning = tokio::spawn(async move { slow.plan_down(Target::To("1".into())).await });
    let has_read = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                    state = 'idle' AND query LIKE '%AS upfront_version%'";
    until(&database.url(), has_read, "1").await;
    down(&migrator(&database.url(), &borrowed(&files))).await.unwrap();
    assert!(planning.await.unwrap().unwrap().steps.is_empty());
}

/// A down side that cannot go on says so, and the next call goes on where it stopped.
#[tokio::test]
async fn a_rollback_that_fails_outside_a_transaction_says_how_far_it_came() {
    let database = database();
    let files = [
        ("1_a.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"),
        ("down/1_a.sql", "-- atlas:txmode none\n\nDROP TABLE a;\nDROP TABLE b;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    database.execute("CREATE VIEW v AS SELECT * FROM b").unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    insta::assert_snapshot!("a_failing_down_side_outside_a_transaction", err);
    let err = it.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed, "what was begun is to be ended first: {err}");
    database.execute("DROP VIEW v").unwrap();
    let report = it.down(Target::All).await.unwrap();
    assert_eq!(report.rolled_back.len(), 1);
    assert_eq!(it.up().await.unwrap().applied.len(), 1);
}

#[tokio::test]
async fn what_is_half_applied_is_not_rolled_back_under_it() {
    let database = database();
    let half = ("2_b.sql", "-- atlas:txmode none\n\nCREATE TABLE b ();\nSELECT 1 / 0;\n");
    let files = [("1_a.sql", "CREATE TABLE a ();\n"), ("down/1_a.sql", "DROP TABLE a;\n"), half];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap_err();
    let err = it.down(Target::Steps(1)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied);
    insta::assert_snapshot!("half_applied", err);
    database.execute("DROP TABLE b").unwrap();
    resolve(&it, commands(&err.to_string())[0]).await;
    it.down(Target::Steps(1)).await.unwrap();
}

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");

/// What was cut off is not ended through a pooler that would keep the lock.
#[tokio::test]
async fn a_rollback_that_was_cut_off_is_not_ended_through_a_pooler() {
    const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT \
                 oid FROM pg_database WHERE datname = current_database())";
    let database = database();
    let pooler = Pooler::start(server(), PoolMode::Transaction, 2).unwrap();
    let files = cut_off(&database).await;
    let it = migrator(&pooler.url(database.name()), &files);
    let err = it.up().await.unwrap_err();
    until(&database.url(), LOCKS, "0").await;
    assert!(err.to_string().contains("cannot go through a connection pooler"), "{err}");
    migrator(&database.url(), &files).up().await.unwrap();
}

/// Leaves the rollback of 2 cut off, with one of its statements done.
async fn cut_off(database: &Database<'_>) -> [(&'static str, &'static str); 4] {
    let files = [
        A,
        A_DOWN,
        ("2_b.sql", "CREATE TABLE b ();\nCREATE TABLE c ();\n"),
        ("down/2_b.sql", "-- atlas:txmode none\n\nDROP TABLE b;\nDROP TABLE c;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    database.execute("CREATE VIEW v AS SELECT FROM c").unwrap();
    assert!(it.down(Target::Steps(1)).await.unwrap_err().kind() == ErrorKind::MigrationFailed);
    database.execute("DROP VIEW v").unwrap();
    files
}

#[tokio::test]
async fn what_was_cut_off_is_named_wherever_it_stands() {
    let database = database();
    let files = cut_off(&database).await;
    let it = migrator(&database.url(), &files);
    let err = it.down(Target::To("2".into())).await.unwrap_err();
    insta::assert_snapshot!("cut_off_as_a_target", err);
    let older = migrator(&database.url(), &files[..2]);
    insta::assert_snapshot!("cut_off_check", older.check().await.unwrap_err());
    let waited = older.wait(Duration::ZERO).await.unwrap_err();
    assert!(waited.to_string().contains("2_b (its rollback was cut off)"), "{waited}");
    let plan = older.plan_up().await.unwrap();
    assert!(plan.to_string().contains("the rollback of `2_b` was cut off"), "{plan}");
}

/// The plan is compared before the rollback is ended, and not with what that has left.
#[tokio::test]
async fn a_plan_up_ends_what_was_cut_off_and_runs() {
    let database = database();
    let files = cut_off(&database).await;
    let it = migrator(&database.url(), &files);
    it.protect(Protect::Set).await.unwrap();
    let mut plan = it.plan_up().await.unwrap();
    assert!(it.apply(&plan).await.unwrap_err().kind() == ErrorKind::Protected);
    let odd = "SELECT count(*) FROM upfront.revisions WHERE chain ~ '^0+$'";
    assert_eq!(ask(&database.url(), odd).await, "1", "nothing was ended without approval");
    let digest = plan.digest.clone();
    let report = it.apply(plan.approve(digest)).await.unwrap();
    assert_eq!((report.rolled_back.len(), report.applied.len()), (1, 1));
}
