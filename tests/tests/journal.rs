//! Migrations outside a transaction: exactly once, or a named stop.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tokio::task::JoinSet;
use upfront::{ErrorKind, Migrator, NewerDatabase, Report, State, Target};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{Gate, ask, builder, commands, database, migrator, resolve, server, until};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");
const ROWS: &str = "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM a";
const STEPS: &str = "SELECT count(*) FROM upfront.steps";

/// Boots at the same time; what each of them reports.
async fn herd(
    boots: usize,
    migrator: impl Fn() -> Migrator,
) -> Vec<Result<Report, upfront::Error>> {
    let mut herd = JoinSet::new();
    for _ in 0..boots {
        let migrator = migrator();
        herd.spawn(async move { migrator.up().await });
    }
    herd.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_releases_the_lock_is_a_named_stop() {
    let releases = "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); END $$;\n";
    let rest = "INSERT INTO a VALUES (1);\nVACUUM a;\nINSERT INTO a SELECT 2 FROM pg_sleep(0.3);\n\
                INSERT INTO a VALUES (3);\n";
    let text = format!("-- atlas:txmode none\n\n{releases}{rest}");
    let database = database();
    let files = [A, ("2_b.sql", text.as_str())];
    let boot = || migrator(&database.url(), &files);
    migrator(&database.url(), &[A]).up().await.unwrap();
    let errors: Vec<_> = herd(6, boot).await.into_iter().map(Result::unwrap_err).collect();
    assert!(
        errors
            .iter()
            .all(|it| it.kind() == ErrorKind::LockLost || it.kind() == ErrorKind::PartiallyApplied),
        "{errors:?}"
    );
    let lost = errors.iter().find(|it| it.kind() == ErrorKind::LockLost).unwrap().to_string();
    assert_eq!(ask(&database.url(), ROWS).await, "");
    let pid: String =
        lost.split_once("(pid ").unwrap().1.chars().take_while(char::is_ascii_digit).collect();
    insta::assert_snapshot!(lost.replace(&format!("(pid {pid})"), "(pid PID)"));

    resolve(&boot(), commands(&lost)[0]).await;
    assert_eq!(boot().up().await.unwrap().applied.len(), 1);
    assert_eq!(ask(&database.url(), ROWS).await, "1 2 3");
    assert_eq!(ask(&database.url(), STEPS).await, "0");
}

/// Releases the lock where no build can see it.
const RELEASE: &str = "CREATE FUNCTION release() RETURNS void LANGUAGE sql AS 'SELECT \
                       pg_advisory_unlock_all()'";

/// What shares a transaction with its row is protected by that transaction's own lock; whoever comes
/// in afterwards goes on behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_releases_the_lock_runs_once() {
    let text = "-- atlas:txmode none\n\nINSERT INTO a VALUES (1);\nSELECT release();\nINSERT INTO a \
                SELECT 2 FROM pg_sleep(0.2);\nVACUUM a;\nINSERT INTO a VALUES (3);\n";
    let database = database();
    database.execute(RELEASE).unwrap();
    let files = [A, ("2_b.sql", text)];
    migrator(&database.url(), &[A]).up().await.unwrap();
    for _ in 0..3 {
        for it in herd(4, || migrator(&database.url(), &files)).await {
            if let Err(err) = it {
                assert!(err.kind() == ErrorKind::LockLost, "{err}");
            }
        }
    }
    assert_eq!(ask(&database.url(), ROWS).await, "1 2 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_releases_the_lock_runs_once() {
    let down = "-- atlas:txmode none\n\nSELECT release();\nINSERT INTO a SELECT 1 FROM \
                pg_sleep(0.2);\nVACUUM a;\nINSERT INTO a VALUES (2);\n";
    let files = [A, ("2_b.sql", "SELECT 1;\n"), ("down/2_b.sql", down)];
    let database = database();
    database.execute(RELEASE).unwrap();
    migrator(&database.url(), &files).up().await.unwrap();
    for _ in 0..3 {
        let migrator = migrator(&database.url(), &files);
        let mut plan = migrator.plan_down(Target::To("1".into())).await.unwrap();
        plan.accept_data_loss(true);
        let mut herd = JoinSet::new();
        for _ in 0..3 {
            let (migrator, plan) = (migrator.clone(), plan.clone());
            herd.spawn(async move { migrator.apply(&plan).await });
        }
        for it in herd.join_all().await {
            if let Err(err) = it {
                assert!(
                    err.kind() == ErrorKind::LockLost || err.kind() == ErrorKind::StalePlan,
                    "{err}"
                );
            }
        }
    }
    assert_eq!(ask(&database.url(), ROWS).await, "1 2");
    assert_eq!(ask(&database.url(), STEPS).await, "0");
}

/// The lock is at one server connection, and the next statement runs at another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_of_transactions_that_is_called_one_of_sessions_is_a_named_stop() {
    let text = "-- atlas:txmode none\n\nINSERT INTO a VALUES (1);\nVACUUM a;\nINSERT INTO a SELECT 2 \
                FROM pg_sleep(0.2);\nCALL work();\nINSERT INTO a VALUES (4);\n";
    for _ in 0..4 {
        let database = database();
        let pooler = Pooler::start(server(), PoolMode::Transaction, 3).unwrap();
        let work = "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (3); \
                    COMMIT; PERFORM pg_sleep(0.2); END $$";
        migrator(&database.url(), &[A]).up().await.unwrap();
        database.execute(work).unwrap();
        let files = [A, ("2_b.sql", text)];
        let url = pooler.url(database.name());
        let boot = || {
            let builder = builder(&url, &files).session_pooler(true);
            builder.wait_timeout(Duration::from_secs(2)).build().unwrap()
        };
        let ended = herd(5, boot).await;
        let rows = ask(&database.url(), ROWS).await;
        let once = ["", "1", "1 2", "1 2 3", "1 2 3 4"];
        assert!(once.contains(&rows.as_str()), "{rows}: {ended:?}");
        for it in ended {
            if let Err(err) = it {
                assert!(
                    err.kind() == ErrorKind::LockLost
                        || err.kind() == ErrorKind::PartiallyApplied
                        || err.kind() == ErrorKind::Timeout,
                    "{err}"
                );
            }
        }
    }
}

/// A row that is not there afterwards was not written, whatever the server said.
#[tokio::test]
async fn a_row_of_the_journal_that_is_swallowed_stops() {
    for event in ["INSERT", "UPDATE"] {
        let database = database();
        let work = "CREATE PROCEDURE work() LANGUAGE sql AS 'SELECT 1';\
                    CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; \
                    END'";
        database.execute(work).unwrap();
        let text = format!(
            "-- atlas:txmode none\n\nCREATE TRIGGER swallow BEFORE {event} ON upfront.steps FOR EACH ROW \
             EXECUTE FUNCTION swallow();\nCALL work();\n"
        );
        let err = migrator(&database.url(), &[A, ("2_b.sql", &text)]).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::Untrusted, "{event}: {err}");
        let versions = "SELECT string_agg(version, ' ') FROM upfront.revisions WHERE app = 'main'";
        assert_eq!(ask(&database.url(), versions).await, "1");
    }
}

/// Fails at its second statement, and leaves a table.
const FAILS: &str = "CREATE TABLE b (id int);\nSELECT 1 / 0;\n";

#[tokio::test]
async fn every_program_knows_of_a_part_that_it_does_not_carry() {
    for head in ["-- atlas:txmode none\n\n", "-- atlas:txmode none\n-- upfront:breaking\n\n"] {
        let database = database();
        let url = database.url();
        let text = format!("{head}{FAILS}");
        let carries = [A, ("2_b.sql", text.as_str())];
        assert!(
            migrator(&url, &carries).up().await.unwrap_err().kind() == ErrorKind::MigrationFailed
        );
        let older = migrator(&url, &[A]);

        let status = older.status().await.unwrap();
        let entry = status.in_state(State::Partial).next().unwrap();
        assert_eq!((&*entry.version, &*entry.name), ("2", "b"), "{status}");
        assert!(!status.is_up_to_date());
        let refuses = builder(&url, &[A]).on_newer_database(NewerDatabase::Refuse).build().unwrap();
        assert!(refuses.up().await.unwrap_err().kind() == ErrorKind::NewerDatabase);
        if head.contains("breaking") {
            let err = older.up().await.unwrap_err();
            assert!(
                err.kind() == ErrorKind::NewerDatabase
                    && older.check().await.unwrap_err().kind() == ErrorKind::NewerDatabase,
                "{err}"
            );
            insta::assert_snapshot!("a_breaking_part", err);
            continue;
        }

        let err = older.check().await.unwrap_err();
        assert!(err.kind() == ErrorKind::PartiallyApplied, "{err}");
        insta::assert_snapshot!("a_part", err);
        let report = older.up().await.unwrap();
        assert_eq!(report.partially_applied, ["2_b"], "{report}");
        older.wait(Duration::from_secs(5)).await.unwrap();
        // What comes after the part would leave it out of order.
        let newer = migrator(&url, &[A, ("3_c.sql", "SELECT 1;\n")]);
        assert!(newer.up().await.unwrap_err().kind() == ErrorKind::PartiallyApplied);
        assert!(migrator(&url, &carries).check().await.unwrap_err().kind() == ErrorKind::Pending);

        database.psql("DROP TABLE b").unwrap();
        resolve(&older, commands(&err.to_string())[0]).await;
        older.check().await.unwrap();
        assert!(older.up().await.unwrap().partially_applied.is_empty());
    }
}

/// What another process is at is no part that was cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_runs_is_running() {
    let database = database();
    let url = database.url();
    let gate = Gate::shut(&database);
    let text = "-- atlas:txmode none\n\nINSERT INTO a VALUES (1);\nSELECT public.gate();\n";
    let files =
        [A, ("2_b.sql", text), ("down/2_b.sql", "SELECT 1;\n"), ("down/1_a.sql", "SELECT 1;\n")];
    let carries = migrator(&url, &files);
    let boot = tokio::spawn({
        let it = carries.clone();
        async move { it.up().await }
    });
    gate.reached().await;

    let status = carries.status().await.unwrap();
    let note = status.in_state(State::Running).next().unwrap().note.clone().unwrap();
    assert!(note.starts_with("running, by pid "), "{note}");
    let err = carries.check().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Pending, "{err}");
    let text = err.to_string();
    assert!(
        text.contains("2_b (running, by pid ") && text.ends_with("help: wait for it"),
        "{text}"
    );
    let plan = carries.plan_up().await.unwrap();
    assert!(plan.steps[0].warnings[0].starts_with("running, by pid "), "{plan}");
    let plan = carries.plan_down(Target::Steps(1)).await.unwrap();
    assert!(plan.warnings[0].contains("`2_b` is running, by pid "), "{plan}");

    let older = migrator(&url, &[A]);
    older.check().await.unwrap();
    assert!(older.up().await.unwrap().partially_applied.is_empty());
    assert_eq!(older.status().await.unwrap().in_state(State::Running).count(), 1);

    let down = tokio::spawn(async move { carries.down(Target::Steps(1)).await });
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND \
                 query LIKE '%pg_try_advisory_xact_lock%' AND state = 'idle'";
    until(&url, waits, "t").await;
    assert!(!down.is_finished() && !boot.is_finished());
    gate.open();
    assert_eq!(boot.await.unwrap().unwrap().applied.len(), 2);
    let err = down.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan, "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_another_process_runs_is_running() {
    let database = database();
    let url = database.url();
    let gate = Gate::shut(&database);
    let down = "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY a_id;\nSELECT public.gate();\n";
    let files = [A, ("2_b.sql", "CREATE INDEX a_id ON a (id);\n"), ("down/2_b.sql", down)];
    let carries = migrator(&url, &files);
    carries.up().await.unwrap();
    let mut plan = carries.plan_down(Target::Steps(1)).await.unwrap();
    plan.accept_data_loss(true);
    let rollback = tokio::spawn({
        let it = carries.clone();
        async move { it.apply(&plan).await }
    });
    gate.reached().await;
    let status = carries.status().await.unwrap();
    let note = status.in_state(State::Running).next().unwrap().note.clone().unwrap();
    assert!(note.starts_with("its rollback: running, by pid "), "{note}");
    let err = carries.check().await.unwrap_err().to_string();
    assert!(err.contains("its rollback is running, by pid "), "{err}");
    let plan = carries.plan_down(Target::Steps(1)).await.unwrap();
    assert!(plan.steps[0].warnings[0].starts_with("running, by pid "), "{plan}");
    gate.open();
    assert_eq!(rollback.await.unwrap().unwrap().rolled_back.len(), 1);
}

/// A file outside a transaction of statements that leave their letter in a table; `!` fails.
fn letters(text: &str) -> String {
    let statement = |it: &str| match it {
        "!" => "SELECT 1 / 0;\n".to_owned(),
        it => format!("INSERT INTO ran VALUES ('{it}');\n"),
    };
    let statements: String = text.split_whitespace().map(statement).collect();
    format!("-- atlas:txmode none\n\n{statements}")
}

/// Each command that the error prints is pasted as it is, and the next boot does what it says.
#[tokio::test]
async fn an_edited_file_is_told_commands_that_fit_it() {
    for (edited, expected) in [
        ("a x b c", ["a b c x", "a b c", "a a b b c x"].as_slice()),
        ("a y c", &["a b c y", "a b c", "a a b c y"]),
        ("b c", &["a b c", "a b b c"]),
        ("b a c", &["a b c", "a a b b c"]),
        ("a", &["a b", "a a b"]),
        ("x y c", &["a b c x y", "a b c", "a b c x y"]),
        ("s a b c", &["a b c s", "a b c", "a a b b c s"]),
    ] {
        let (database, text) = edited_after_a_failure(edited).await;
        drop(database);
        if edited == "a x b c" {
            insta::assert_snapshot!(text);
        }
        let after = letters(edited);
        let files = [("1_m.sql", after.as_str())];
        assert_eq!(commands(&text).len(), expected.len(), "{edited}: {text}");
        for (command, expected) in commands(&text).iter().zip(expected) {
            let (database, _) = edited_after_a_failure(edited).await;
            resolve(&migrator(&database.url(), &files), command).await;
            let report = migrator(&database.url(), &files).up().await;
            let report = report.unwrap_or_else(|err| panic!("{edited}, `{command}`: {err}"));
            assert_eq!(report.applied.len(), 1);
            let ran = "SELECT string_agg(letter, ' ' ORDER BY letter) FROM ran";
            assert_eq!(ask(&database.url(), ran).await, *expected, "{edited}, `{command}`");
            assert_eq!(ask(&database.url(), STEPS).await, "0");
        }
    }
}

/// A database on which `a b` ran and the rest failed, and what a boot with another text says.
async fn edited_after_a_failure(edited: &str) -> (Database<'static>, String) {
    let database = database();
    database.execute("CREATE TABLE ran (letter text)").unwrap();
    let before = letters("a b !");
    let err = migrator(&database.url(), &[("1_m.sql", &before)]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
    let after = letters(edited);
    let err = migrator(&database.url(), &[("1_m.sql", &after)]).up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::PartiallyApplied, "{edited}: {err}");
    (database, err.to_string())
}

/// The error of a boot, which must be a failed statement with this code.
async fn fails(database: &Database<'_>, files: &[(&str, &str)], code: &str) -> upfront::Error {
    let err = migrator(&database.url(), files).up().await.unwrap_err();
    let found = err.server_error().map(|it| it.sqlstate);
    assert!(err.kind() == ErrorKind::MigrationFailed && found.as_deref() == Some(code), "{err}");
    err
}

const VERSIONS: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions \
                        WHERE app = 'main'";

/// Some of the migration has run, and the file that would run now counts nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_does_not_fit_the_file_stops_by_name() {
    const T: (&str, &str) = ("1_t.sql", "CREATE TABLE t (id int);\n");
    const CALL: &str = "INSERT INTO t VALUES (1);\nCALL work();\n";
    const WORK: &str = "CREATE PROCEDURE work() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES \
                        (2); COMMIT; PERFORM 1 / 0; END $$";
    let head = "-- atlas:txmode none\n\n";
    for (failed, corrected, remains) in [
        // The head is gone: the whole file would run in a transaction.
        (
            format!("{head}INSERT INTO t VALUES (1);\nSELECT 1 / 0;\n"),
            "INSERT INTO t VALUES (1);\n",
            "1",
        ),
        (format!("{head}{CALL}"), "INSERT INTO t VALUES (1);\n", "1 2"),
        // The statement that may have run is gone.
        (format!("{head}{CALL}"), "-- atlas:txmode none\n\nINSERT INTO t VALUES (1);\n", "1 2"),
    ] {
        let database = database();
        database.execute(WORK).unwrap();
        let files = [T, ("2_b.sql", failed.as_str())];
        fails(&database, &files, "22012").await;
        let boot = || migrator(&database.url(), &[T, ("2_b.sql", corrected)]);
        let rows = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM t";
        for _ in 0..2 {
            let err = boot().up().await.unwrap_err();
            assert!(err.kind() == ErrorKind::PartiallyApplied, "{failed}{corrected}{err}");
            assert!(err.to_string().contains("`2_b`"), "{err}");
            assert_eq!(ask(&database.url(), rows).await, remains, "it ran twice");
        }
        assert_eq!(ask(&database.url(), VERSIONS).await, "1");
        let status = boot().status().await.unwrap();
        assert_eq!(status.in_state(upfront::State::Partial).count(), 1, "{status}");

        let err = boot().up().await.unwrap_err().to_string();
        for command in commands(&err) {
            let copy = database.copy().unwrap();
            resolve(&migrator(&copy.url(), &[T, ("2_b.sql", corrected)]), command).await;
            leads_on(&copy, &[T, ("2_b.sql", corrected)], command).await;
        }
    }
}

/// Runs further commands as the errors print them, the first each time, until a boot passes.
async fn leads_on(database: &Database<'_>, files: &[(&str, &str)], first: &str) {
    const ENOUGH: u32 = 5;
    for _ in 0..ENOUGH {
        let err = match migrator(&database.url(), files).up().await {
            Ok(report) => {
                assert_eq!(report.applied.len(), 1);
                assert_eq!(ask(&database.url(), STEPS).await, "0");
                assert!(migrator(&database.url(), files).up().await.unwrap().is_unchanged());
                return;
            }
            Err(err) => err.to_string(),
        };
        resolve(&migrator(&database.url(), files), commands(&err)[0]).await;
    }
    panic!("`{first}` leads nowhere");
}
