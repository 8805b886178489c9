//! What a review of the rollbacks found, each as it once went wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use tokio::time::timeout;
use upfront::{ErrorKind, Migrator, Protect, State, Target};
use upfront_scratch::{Database, PoolMode, Pooler};
use upfront_tests::{
    Gate, ask, builder, connect, database, migrations, migrator, pool, server, until,
};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

/// Applies one migration, puts rows in, and rolls it back: that is refused, with this loss.
async fn check_loss(up: &str, rows: &str, down: &str, expected: &str) {
    let database = database();
    let it = migrator(&database.url(), &[("1_a.sql", up), ("down/1_a.sql", down)]);
    it.up().await.unwrap();
    database.execute(rows).unwrap();
    let text = refusal(&it, down).await;
    assert!(text.contains(expected), "{down}: {text}");
}

async fn refusal(it: &Migrator, down: &str) -> String {
    let Err(err) = it.down(Target::All).await else { panic!("rolled back: {down}") };
    assert!(err.kind() == ErrorKind::DataLoss, "{down}: {err}");
    err.to_string()
}

#[tokio::test]
async fn a_name_that_was_moved_is_not_taken_for_what_it_was() {
    const UNKNOWN: &str = "may lose data: nobody can tell from the text";
    let two = "CREATE SCHEMA s;\nCREATE TABLE s.t (id int);\nCREATE TABLE t (id int);\n";
    let row = "INSERT INTO s.t VALUES (1)";
    for path in ["SET LOCAL search_path TO s", "SELECT set_config('search_path', 's', true)"] {
        check_loss(two, row, &format!("{path};\nDROP TABLE t;\n"), UNKNOWN).await;
    }
    let only = "CREATE SCHEMA s;\nCREATE TABLE s.t (id int);\n";
    check_loss(only, row, "SET LOCAL search_path TO s;\nDROP TABLE t;\n", UNKNOWN).await;
    check_loss(
        "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n",
        "INSERT INTO b VALUES (1)",
        "ALTER TABLE a RENAME TO c;\nALTER TABLE b RENAME TO a;\nDROP TABLE a;\n",
        UNKNOWN,
    )
    .await;
    check_loss(
        "CREATE TABLE t (x int, y int);\n",
        "INSERT INTO t VALUES (1, NULL)",
        "ALTER TABLE t RENAME y TO z;\nALTER TABLE t RENAME x TO y;\nALTER TABLE t DROP COLUMN y;\n",
        UNKNOWN,
    )
    .await;
    check_loss(
        "CREATE TABLE p (id int) PARTITION BY LIST (id);\nCREATE TABLE q (id int);\n",
        "INSERT INTO q VALUES (1)",
        "ALTER TABLE p ATTACH PARTITION q DEFAULT;\nDROP TABLE p;\n",
        UNKNOWN,
    )
    .await;
    let unicode = "CREATE TABLE U&\"d\\0061t\" (id int);\n";
    check_loss(unicode, "INSERT INTO dat VALUES (1)", "DROP TABLE U&\"d\\0061t\";\n", UNKNOWN)
        .await;
}

#[tokio::test]
async fn a_function_that_fills_a_table_may_lose_data() {
    let up = "CREATE TABLE a (x int);\nCREATE TABLE b (n int);\nCREATE FUNCTION purge() RETURNS int \
              LANGUAGE sql AS 'DELETE FROM a; SELECT 1';\n";
    for down in ["INSERT INTO b SELECT purge();\n", "CREATE TABLE c AS SELECT purge();\n"] {
        check_loss(up, "INSERT INTO a VALUES (1)", down, "may lose data: nobody can tell").await;
    }
}

#[tokio::test]
async fn what_goes_with_an_object_is_counted() {
    let kind = "CREATE TYPE e AS ENUM ('a');\n";
    for (up, rows, down, expected) in [
        (
            "CREATE TABLE t (id int);\nCREATE VIEW v AS SELECT * FROM t;\n",
            "INSERT INTO t VALUES (1)",
            "DELETE FROM v;\n",
            "rows of v: it is no table: nobody can tell what is behind it",
        ),
        (
            "CREATE DOMAIN d AS e;\nCREATE TABLE t (x d);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP TYPE e CASCADE;\n",
            "type e: 1 value",
        ),
        (
            "CREATE TYPE p AS (m e, n int);\nCREATE TABLE t (x p);\n",
            "INSERT INTO t VALUES ('(a,1)')",
            "DROP TYPE e CASCADE;\n",
            "type e: 1 value",
        ),
        (
            "CREATE TYPE p AS (m int, n int);\nCREATE TABLE t OF p;\n",
            "INSERT INTO t VALUES (1, 2)",
            "ALTER TYPE p DROP ATTRIBUTE n CASCADE;\n",
            "type p: 1 row",
        ),
        (
            "CREATE SCHEMA s;\nCREATE TYPE s.f AS ENUM ('a');\nCREATE TABLE t (x s.f);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 0 rows, 1 value",
        ),
        (
            "CREATE SCHEMA s;\nCREATE TABLE s.p (id int) PARTITION BY LIST (id);\nCREATE TABLE q \
             PARTITION OF s.p DEFAULT;\n",
            "INSERT INTO q VALUES (1)",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 1 row",
        ),
        (
            "CREATE SCHEMA s;\nCREATE EXTENSION citext SCHEMA s;\nCREATE TABLE t (x s.citext);\n",
            "INSERT INTO t VALUES ('a')",
            "DROP SCHEMA s CASCADE;\n",
            "schema s: 0 rows, 1 value",
        ),
        (
            "CREATE TABLE t (id int PRIMARY KEY);\nCREATE TABLE c (id int REFERENCES t ON DELETE \
             CASCADE);\n",
            "INSERT INTO t VALUES (1);INSERT INTO c VALUES (1), (1)",
            "DELETE FROM t;\n",
            "deleting them deletes rows of public.c too",
        ),
    ] {
        check_loss(&format!("{kind}{up}"), rows, down, expected).await;
    }
    let long = "c".repeat(80);
    let up = format!("CREATE TABLE t (x int, {long} int);\n");
    let down = format!("ALTER TABLE t DROP COLUMN {long};\n");
    check_loss(&up, "INSERT INTO t VALUES (1, 2)", &down, "1 value").await;
}

/// A connection that goes back to its pool in the middle of a count is of use to the next one.
#[tokio::test]
async fn a_dropped_plan_leaves_no_transaction_in_the_pool() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    let other = connect(&database.url()).await;
    other.simple_query("BEGIN; LOCK TABLE a IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let pool = pool(&database.url(), 1);
    let it = Migrator::builder(migrations(&files), pool.clone());
    let it = it.lock_timeout(Duration::from_secs(30)).build().unwrap();
    let plan = timeout(Duration::from_millis(300), it.plan_down(Target::All)).await;
    assert!(plan.is_err(), "it waits for the table");
    pool.get().await.unwrap().simple_query("SELECT 1").await.unwrap();
}

/// The owner of a schema may drop what is another's, and may not lock it.
#[tokio::test]
async fn a_table_that_may_be_dropped_and_not_locked_is_rolled_back() {
    let database = database();
    let role = format!("r_{}", database.name());
    let roles = format!(
        "CREATE ROLE {role}; GRANT CREATE ON DATABASE {} TO {role}; CREATE SCHEMA s AUTHORIZATION \
         {role}; CREATE TABLE s.t (id int)",
        database.name()
    );
    database.execute(&roles).unwrap();
    let files = [("1_a.sql", "SELECT 1;\n"), ("down/1_a.sql", "DROP TABLE s.t;\n")];
    let it = builder(&database.url(), &files).role(&role).build().unwrap();
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::All).await.unwrap();
    assert!(plan.loses_data());
    let done = it.apply(plan.accept_data_loss()).await;
    database.execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).unwrap();
    assert_eq!(done.unwrap().rolled_back.len(), 1);
}

/// What a step before brings back is not said to be nothing.
#[tokio::test]
async fn a_plan_does_not_take_for_gone_what_an_earlier_step_brings_back() {
    let database = database();
    let files = [
        A,
        A_DOWN,
        ("2_b.sql", "ALTER TABLE a RENAME TO b;\n"),
        ("down/2_b.sql", "ALTER TABLE b RENAME TO a;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    database.execute("INSERT INTO b VALUES (1)").unwrap();
    assert!(it.plan_down(Target::All).await.unwrap().loses_data());
    assert!(it.down(Target::All).await.unwrap_err().kind() == ErrorKind::DataLoss);
}

/// The second of two steps finds constraints deferred as it would alone.
#[tokio::test]
async fn a_step_after_another_finds_deferred_constraints_deferred() {
    let database = database();
    let files = [
        (
            "1_a.sql",
            "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (id int REFERENCES p DEFERRABLE \
             INITIALLY DEFERRED);\n",
        ),
        ("2_b.sql", "SELECT 1;\n"),
        ("down/2_b.sql", "INSERT INTO c VALUES (1);\nINSERT INTO p VALUES (1);\n"),
        ("3_c.sql", "SELECT 1;\n"),
        ("down/3_c.sql", "SELECT 2;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    assert_eq!(it.down(Target::Steps(2)).await.unwrap().rolled_back.len(), 2);
}

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

#[tokio::test]
async fn a_loss_that_turns_up_half_way_says_what_was_done() {
    let database = database();
    let files = [
        A,
        A_DOWN,
        ("2_b.sql", "CREATE INDEX i ON a (id);\n"),
        (
            "down/2_b.sql",
            "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\nINSERT INTO a VALUES (1);\n",
        ),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    let err = it.down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss);
    insta::assert_snapshot!("a_loss_half_way", err);
}

/// Rows that come while an index is dropped are not lost with the table behind it.
#[tokio::test]
async fn a_row_that_comes_while_a_rollback_runs_is_not_lost() {
    let database = database();
    let files = [
        A,
        ("2_b.sql", "CREATE TABLE b (id bigint);\nCREATE INDEX i ON a (id);\n"),
        ("down/2_b.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\nDROP TABLE b;\n"),
    ];
    let it = migrator(&database.url(), &files);
    it.up().await.unwrap();
    let gate = Gate::before("DROP INDEX", &database);
    let down = tokio::spawn(async move { it.down(Target::Steps(1)).await });
    gate.reached().await;
    database.execute("INSERT INTO b VALUES (1)").unwrap();
    gate.open();
    let err = down.await.unwrap().unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss, "{err}");
    insta::assert_snapshot!("a_loss_within_a_step", err);
    let it = migrator(&database.url(), &files);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::DataLoss, "a boot asks nobody");
    assert_eq!(ask(&database.url(), "SELECT count(*) FROM b").await, "1");
    let mut plan = it.plan_down(Target::Steps(1)).await.unwrap();
    assert_eq!(it.apply(plan.accept_data_loss()).await.unwrap().rolled_back.len(), 1);
}

/// The program that accepts an older text, and the one that carries it, are both held.
#[tokio::test]
async fn a_hold_is_of_the_text_that_was_applied() {
    let database = database();
    let older = [A, A_DOWN, B, B_DOWN];
    migrator(&database.url(), &older).up().await.unwrap();
    let hash = "SELECT hash FROM upfront.revisions WHERE app = 'main' AND version = '2'";
    let hash = ask(&database.url(), hash).await;
    let text = format!("-- upfront:accepts {hash}\n\n{} -- b\n", B.1.trim());
    let newer = [A, A_DOWN, (B.0, text.as_str()), B_DOWN];
    let it = migrator(&database.url(), &newer);
    let mut plan = it.plan_down(Target::Steps(1)).await.unwrap();
    it.apply(plan.hold()).await.unwrap();
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Held);
    assert_eq!(it.status().await.unwrap().in_state(State::Held).count(), 1);
    assert!(migrator(&database.url(), &older).up().await.unwrap_err().kind() == ErrorKind::Held);
}

/// The hash is that of the text, and what is sent is the text with other delimiters.
#[tokio::test]
async fn a_stored_body_that_was_changed_is_refused() {
    let database = database();
    let down = ("down/2_b.sql", "-- atlas:delimiter -- ende\n\nDROP TABLE b\n-- ende\n");
    migrator(&database.url(), &[A, A_DOWN, B, down]).up().await.unwrap();
    let older = migrator(&database.url(), &[A, A_DOWN]);
    for change in ["replace(down_body, 'b', 'a')", "'DROP TABLE a'"] {
        let change =
            format!("UPDATE upfront.revisions SET down_body = {change} WHERE version = '2'");
        database.execute(&change).unwrap();
        let err = older.down(Target::ToEmbedded).await.unwrap_err();
        assert!(err.kind() == ErrorKind::Tampered, "{err}");
    }
}

/// As a program of before the rollbacks has left it.
const FIRST_TABLES: &str = "DROP TABLE upfront.holds, upfront.protection, upfront.apps, \
     upfront.targets; DROP FUNCTION upfront.guard_app CASCADE; ALTER TABLE upfront.steps DROP COLUMN \
     name, DROP COLUMN breaking; ALTER TABLE upfront.log DROP COLUMN approval, DROP COLUMN lost; ALTER TABLE upfront.revisions DROP COLUMN down_body, \
     DROP COLUMN down_lock_timeout, DROP COLUMN down_statement_timeout, DROP COLUMN checkpoint, \
     DROP COLUMN rollback_accepted, DROP COLUMN rollback_approval, DROP COLUMN rollback_lost; \
     DELETE FROM upfront.revisions WHERE app = 'upfront' AND version > '20261123000000'; DELETE \
     FROM upfront.log WHERE app = 'upfront' AND version > '20261123000000'";

#[tokio::test]
async fn tables_of_the_first_version_are_enough_to_plan_and_to_roll_back() {
    let database = database();
    let files = [A, A_DOWN, B, B_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    database.execute(FIRST_TABLES).unwrap();
    let older = migrator(&database.url(), &files[..2]);
    assert_eq!(older.status().await.unwrap().in_state(State::Ahead).count(), 1);
    older.check().await.unwrap();
    let plan = older.plan_down(Target::ToEmbedded).await.unwrap();
    assert_eq!(older.apply(&plan).await.unwrap().rolled_back.len(), 1);
    database.execute(FIRST_TABLES).unwrap();
    assert!(older.protection().await.unwrap().is_none());
    assert!(older.protect(Protect::Set).await.unwrap().is_some());
}

/// Whoever does not own upfront's tables is told what lets it bring them to a new version.
#[tokio::test]
async fn a_role_that_does_not_own_the_tables_is_told_what_it_lacks() {
    for owner_is_superuser in [true, false] {
        let database = database();
        let files = [A, A_DOWN, B, B_DOWN];
        migrator(&database.url(), &files[..2]).up().await.unwrap();
        database.execute(FIRST_TABLES).unwrap();
        let (role, owner) = (format!("r_{}", database.name()), format!("o_{}", database.name()));
        let mut sql = format!(
            "CREATE ROLE {role}; CREATE ROLE {owner}; GRANT CREATE ON SCHEMA public TO {role}; GRANT \
             USAGE ON SCHEMA upfront TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES \
             IN SCHEMA upfront TO {role};"
        );
        if !owner_is_superuser {
            let tables = ["SCHEMA upfront", "TABLE upfront.revisions", "TABLE upfront.log"];
            let tables = tables.iter().chain(&["TABLE upfront.steps"]);
            sql.extend(tables.map(|it| format!("ALTER {it} OWNER TO {owner};")));
        }
        database.execute(&sql).unwrap();
        let it =
            builder(&database.url(), &files).role(&role).trusted_owner(&owner).build().unwrap();
        let err = it.up().await.unwrap_err().to_string();
        let (_, grants) = err.split_once("as an owner, run").unwrap();
        database.execute(grants).unwrap();
        let done = it.up().await;
        let roles = format!("DROP OWNED BY {role}, {owner} CASCADE; DROP ROLE {role}, {owner}");
        database.execute(&roles).unwrap();
        assert_eq!(done.unwrap().applied.len(), 1, "{err}");
    }
}

#[tokio::test]
async fn a_rollback_on_a_read_only_database_says_so() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    let read_only =
        format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name());
    database.execute(&read_only).unwrap();
    let err = migrator(&database.url(), &files).down(Target::All).await.unwrap_err();
    assert!(err.kind() == ErrorKind::ReadOnly);
    insta::assert_snapshot!("read_only", err);
}

/// An application's connection may have a temporary table of the name.
#[tokio::test]
async fn a_temporary_table_of_the_session_is_not_taken_for_the_real_one() {
    let database = database();
    let files = [A, A_DOWN];
    migrator(&database.url(), &files).up().await.unwrap();
    database.execute("INSERT INTO a VALUES (1)").unwrap();
    let pool = pool(&database.url(), 1);
    let shadow = "CREATE TEMP TABLE a (id int)";
    pool.get().await.unwrap().simple_query(shadow).await.unwrap();
    let it = Migrator::new(migrations(&files), pool.clone());
    let mut plan = it.plan_down(Target::All).await.unwrap();
    assert!(plan.loses_data());
    it.apply(plan.accept_data_loss()).await.unwrap();
    assert_eq!(ask(&database.url(), "SELECT to_regclass('a') IS NULL").await, "t");
}
