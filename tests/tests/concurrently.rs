//! Indexes and partitions changed with `CONCURRENTLY` that fail or are interrupted.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use tokio::task::yield_now;
use upfront::{ErrorKind, State};
use upfront_scratch::Database;
use upfront_tests::{Gate, ask, builder, connect, database, migrator, until};

const VERSIONS: &str = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions \
                        WHERE app = 'main'";

const STEPS: &str = "SELECT count(*) FROM upfront.steps";
const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");

const INDEXES: &str = "SELECT string_agg(format('%s %s', relname, indisvalid), ' ' ORDER BY relname) FROM \
                       pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = \
                       'a'::regclass";

const OIDS: &str =
    "SELECT string_agg(indexrelid::text, ' ') FROM pg_index WHERE indrelid = 'a'::regclass";

/// The error of a boot, which must be a failed statement with this code.
async fn fails(database: &Database<'_>, files: &[(&str, &str)], code: &str) -> upfront::Error {
    let err = migrator(&database.url(), files).up().await.unwrap_err();
    let found = err.server_error().map(|it| it.sqlstate);
    assert!(err.kind() == ErrorKind::MigrationFailed && found.as_deref() == Some(code), "{err}");
    err
}

/// Boots until the statement stands before the gate, and drops the boot there; one that ends
/// before that will do as well.
async fn cut_off(database: &Database<'_>, gate: &Gate<'_>, files: &[(&str, &str)]) {
    let migrator = migrator(&database.url(), files);
    let boot = tokio::spawn(async move { migrator.up().await });
    while !boot.is_finished() && ask(&database.url(), Gate::HOW_MANY).await != "1" {
        yield_now().await;
    }
    boot.abort();
    let _ = boot.await;
    gate.open();
}

/// An index of that name is there, and it is not what the migration would make.
#[tokio::test]
async fn an_index_of_somebody_else_is_not_taken_for_ours() {
    const T: (&str, &str) =
        ("1_t.sql", "CREATE TABLE t (a int, b int);\nCREATE INDEX idx ON t (a);\n");
    let index = "-- atlas:txmode none\n\nCREATE UNIQUE INDEX CONCURRENTLY idx ON t (b);\n";
    let files = [T, ("2_idx.sql", index)];
    for killed in [false, true] {
        let database = database();
        migrator(&database.url(), &files[..1]).up().await.unwrap();
        if killed {
            let gate = Gate::before("CREATE INDEX", &database);
            cut_off(&database, &gate, &files).await;
        }
        for _ in 0..3 {
            fails(&database, &files, "42P07").await;
            assert_eq!(ask(&database.url(), STEPS).await, "0");
        }
        assert_eq!(ask(&database.url(), VERSIONS).await, "1");
        let unique = "SELECT indisunique FROM pg_index WHERE indexrelid = 'idx'::regclass";
        assert_eq!(ask(&database.url(), unique).await, "f");
        database.execute("DROP INDEX idx").unwrap();
        assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
        assert_eq!(ask(&database.url(), unique).await, "t");
    }
}

/// Nothing is in its way, and nobody records that it was built.
#[tokio::test]
async fn an_index_of_ours_that_was_built_unnoticed_is_recorded() {
    let database = database();
    database.execute("CREATE TABLE t (id int)").unwrap();
    let files = [("1_i.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY idx ON t (id);\n")];
    let gate = Gate::before("CREATE INDEX", &database);
    cut_off(&database, &gate, &files).await;
    let valid = "SELECT coalesce((SELECT indisvalid FROM pg_index WHERE indexrelid = \
                 to_regclass('idx')), false)";
    let gone = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                application_name = 'upfront'";
    until(&database.url(), gone, "0").await;
    if ask(&database.url(), valid).await == "f" {
        // The server noticed first that its client was gone.
        database.execute("CREATE INDEX CONCURRENTLY idx ON t (id)").unwrap();
    }
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    assert_eq!(ask(&database.url(), valid).await, "t");
}

#[tokio::test]
async fn dropping_an_index_that_never_was_is_an_error_each_time() {
    let files = [("1_i.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY typo;\n")];
    for killed in [false, true] {
        let database = database();
        if killed {
            let gate = Gate::before("DROP INDEX", &database);
            cut_off(&database, &gate, &files).await;
        }
        for _ in 0..3 {
            fails(&database, &files, "42704").await;
            assert_eq!(ask(&database.url(), STEPS).await, "0");
        }
    }
}

/// Cancels what the boot's session does, once it has come half way.
async fn cancelled(database: &Database<'_>, files: &[(&str, &str)], blocker: &str, half: &str) {
    let other = connect(&database.url()).await;
    other.batch_execute(&format!("BEGIN; {blocker}")).await.unwrap();
    let migrator = migrator(&database.url(), files);
    let boot = tokio::spawn(async move { migrator.up().await });
    until(&database.url(), half, "t").await;
    let cancel = "SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity WHERE \
                  datname = current_database() AND application_name = 'upfront'";
    assert_eq!(ask(&database.url(), cancel).await, "1");
    let err = boot.await.unwrap().unwrap_err();
    assert_eq!(err.server_error().unwrap().sqlstate, "57014", "{err}");
    other.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn a_detach_that_was_cancelled_half_way_is_finalized() {
    let database = database();
    let tables = "CREATE TABLE parts (id int) PARTITION BY LIST (id);\
                  CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)";
    database.execute(tables).unwrap();
    let text = "-- atlas:txmode none\n\nALTER TABLE parts DETACH PARTITION part CONCURRENTLY;\n";
    let files = [("1_detach.sql", text)];
    let half = "SELECT EXISTS (SELECT FROM pg_inherits WHERE inhdetachpending)";
    cancelled(&database, &files, "SELECT count(*) FROM parts", half).await;
    assert_eq!(ask(&database.url(), half).await, "t");
    assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
    let attached = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'parts'::regclass";
    assert_eq!(ask(&database.url(), attached).await, "0");
    assert_eq!(ask(&database.url(), STEPS).await, "0");
}

#[tokio::test]
async fn a_reindex_that_was_cancelled_leaves_nothing() {
    for statement in ["REINDEX INDEX CONCURRENTLY idx", "REINDEX TABLE CONCURRENTLY t"] {
        let database = database();
        database.execute("CREATE TABLE t (id int); CREATE INDEX idx ON t (id)").unwrap();
        let text = format!("-- atlas:txmode none\n\n{statement};\n");
        let files = [("1_reindex.sql", text.as_str())];
        let half = "SELECT EXISTS (SELECT FROM pg_class WHERE relname ~ '_ccnew')";
        cancelled(&database, &files, "INSERT INTO t VALUES (1)", half).await;
        assert_eq!(migrator(&database.url(), &files).up().await.unwrap().applied.len(), 1);
        let indexes = "SELECT string_agg(format('%s %s', relname, indisvalid), ', ') FROM pg_index \
                       JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = 't'::regclass";
        assert_eq!(ask(&database.url(), indexes).await, "idx t", "{statement}");
        assert_eq!(ask(&database.url(), STEPS).await, "0");
    }
}

/// A database whose table `a` has a value twice.
async fn with_duplicates() -> Database<'static> {
    let database = database();
    migrator(&database.url(), &[A]).up().await.unwrap();
    database.execute("INSERT INTO a VALUES (7), (7), (8), (NULL), (NULL)").unwrap();
    database
}

#[tokio::test]
async fn an_index_on_duplicates_is_built_once_until_they_are_gone() {
    for name in ["a_u ", ""] {
        let database = with_duplicates().await;
        let url = database.url();
        let text =
            format!("-- atlas:txmode none\n\nCREATE UNIQUE INDEX CONCURRENTLY {name}ON a (id);\n");
        let files = [A, ("2_b.sql", text.as_str())];
        let err = migrator(&url, &files).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
        let before = ask(&url, OIDS).await;
        let status = migrator(&url, &files).status().await.unwrap();
        let note = status.in_state(State::Partial).next().unwrap().note.clone().unwrap();
        assert!(note.contains("the invalid index public.a_"), "{note}");
        assert!(
            migrator(&url, &[A]).check().await.unwrap_err().kind() == ErrorKind::PartiallyApplied
        );
        for _ in 0..3 {
            let again = migrator(&url, &files).up().await.unwrap_err();
            assert_eq!(again.server_error().unwrap().sqlstate, "23505", "{again}");
            if !name.is_empty() {
                insta::assert_snapshot!("duplicates", err);
                insta::assert_snapshot!("duplicates_again", again);
            }
            assert_eq!(ask(&url, OIDS).await, before, "it was built again");
        }
        database.execute("DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)").unwrap();
        assert_eq!(migrator(&url, &files).up().await.unwrap().applied.len(), 1);
        let name = if name.is_empty() { "a_id_idx" } else { "a_u" };
        assert_eq!(ask(&url, INDEXES).await, format!("{name} t"));
        assert_eq!(ask(&url, STEPS).await, "0");
    }
}

/// A file may be corrected after a failure, and what the failed statement left goes with it.
#[tokio::test]
async fn a_corrected_index_needs_no_command() {
    let head = "-- atlas:txmode none\n\n";
    for (corrected, indexes) in [
        ("CREATE INDEX CONCURRENTLY a_u ON a (id);\n", "a_u t"),
        ("CREATE INDEX CONCURRENTLY other ON a (id);\n", "other t"),
        ("SELECT 1;\n", ""),
        ("VACUUM a;\n", ""),
        ("SET work_mem = '1MB';\n", ""),
    ] {
        let database = with_duplicates().await;
        let text = format!("{head}CREATE UNIQUE INDEX CONCURRENTLY a_u ON a (id);\n");
        let err = migrator(&database.url(), &[A, ("2_b.sql", &text)]).up().await.unwrap_err();
        assert!(err.kind() == ErrorKind::MigrationFailed, "{err}");
        let text = format!("{head}{corrected}");
        let report = migrator(&database.url(), &[A, ("2_b.sql", &text)]).up().await;
        assert_eq!(report.unwrap_or_else(|err| panic!("{corrected}{err}")).applied.len(), 1);
        assert_eq!(ask(&database.url(), INDEXES).await, indexes, "{corrected}");
        assert_eq!(ask(&database.url(), STEPS).await, "0");
    }
}

/// A build that fails for another reason waits longer each time, and not once its rest is dropped.
#[tokio::test]
async fn a_build_that_fails_again_and_again_pauses() {
    let database = with_duplicates().await;
    let text = "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_i ON a ((1 / (id - 7)));\n";
    let files = [A, ("2_b.sql", text)];
    let boot =
        || builder(&database.url(), &files).wait_timeout(Duration::from_secs(2)).build().unwrap();
    let timed = async || {
        let since = Instant::now();
        let err = boot().up().await.unwrap_err();
        assert_eq!(err.server_error().unwrap().sqlstate, "22012", "{err}");
        since.elapsed()
    };
    timed().await;
    let paused = timed().await;
    assert!(paused > Duration::from_millis(900), "{paused:?}");
    database.psql("DROP INDEX CONCURRENTLY a_i").unwrap();
    let dropped = timed().await;
    assert!(dropped < paused, "{dropped:?}, {paused:?}");
}
