//! Down scripts that are stored in the database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{ErrorKind, Target};
use upfront_scratch::Database;
use upfront_tests::{ask, database, migrator, server};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint PRIMARY KEY);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint PRIMARY KEY, email text);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

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

#[tokio::test]
async fn a_stored_down_side_keeps_its_delimiter_and_its_limits() {
    let database = database();
    let delimited = (
        "down/2_b.sql",
        "-- atlas:delimiter -- ende\n-- upfront:lock-timeout 7s\n-- upfront:statement-timeout \
         1min\n\nINSERT INTO a SELECT setting::int FROM pg_settings WHERE name IN ('lock_timeout', \
         'statement_timeout');\n-- ende\nDROP TABLE b\n-- ende\n",
    );
    migrator(&database.url(), &[A, B, delimited]).up().await.unwrap();
    let mut older = migrator(&database.url(), &[A]).plan_down(Target::Steps(1)).await.unwrap();
    older.accept_data_loss(true);
    migrator(&database.url(), &[A]).apply(&older).await.unwrap();
    let seen = ask(&database.url(), "SELECT string_agg(id::text, ' ' ORDER BY id) FROM a").await;
    assert_eq!(seen, "7000 60000");
    assert_eq!(ask(&database.url(), "SELECT to_regclass('b') IS NULL").await, "t");
}

#[tokio::test]
async fn an_edited_file_is_rolled_back_with_what_was_stored() {
    let database = database();
    migrator(&database.url(), &[A, A_DOWN, B, B_DOWN]).up().await.unwrap();
    let edited = ("2_b.sql", "CREATE TABLE other ();\n");
    let edited_down = ("down/2_b.sql", "DROP TABLE other;\n");
    let it = migrator(&database.url(), &[A, A_DOWN, edited, edited_down]);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Edited);
    it.down(Target::Steps(1)).await.unwrap();
    it.up().await.unwrap();
    assert_eq!(schema(&database), schema_by_hand(&[A, edited]));
}

#[tokio::test]
async fn a_stored_down_side_that_was_changed_is_refused() {
    let database = database();
    migrator(&database.url(), &[A, A_DOWN, B, B_DOWN]).up().await.unwrap();
    let older = migrator(&database.url(), &[A]);
    let change = "UPDATE upfront.revisions SET down_sql = 'DROP TABLE a;' WHERE version = '2'";
    database.execute(change).unwrap();
    let err = older.down(Target::ToEmbedded).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Tampered);
    insta::assert_snapshot!("a_changed_down_side", err);
    let change = "UPDATE upfront.revisions SET hash = chain WHERE version = '2'";
    database.execute(change).unwrap();
    assert!(older.down(Target::ToEmbedded).await.unwrap_err().kind() == ErrorKind::Tampered);
    assert_eq!(versions(&database).await, "1 2");
}

#[tokio::test]
async fn a_down_script_without_a_statement_rolls_nothing_back() {
    let database = database();
    let empty = ("down/2_b.sql", "-- undo of b\n");
    let it = migrator(&database.url(), &[A, A_DOWN, B, empty]);
    it.up().await.unwrap();
    let err = it.down(Target::Steps(1)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Irreversible, "{err}");
    assert_eq!(versions(&database).await, "1 2");
    assert!(it.up().await.unwrap().is_unchanged());
    // As an earlier release has stored it.
    let stored = "UPDATE upfront.revisions SET down_sql = '-- undo of b', down_hash = \
                  encode(sha256('-- undo of b'), 'hex'), down_transactional = true, \
                  down_statements = '[]' WHERE version = '2'";
    database.execute(stored).unwrap();
    let err = migrator(&database.url(), &[A]).down(Target::ToEmbedded).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Irreversible, "{err}");
    insta::assert_snapshot!("a_stored_down_script_without_a_statement", err);
    assert_eq!(versions(&database).await, "1 2");
}

#[tokio::test]
async fn a_changed_down_side_is_stored_by_the_next_boot_that_writes() {
    let database = database();
    let down = |text| [A, ("down/1_a.sql", text)];
    migrator(&database.url(), &down("DROP TABLE a;\n")).up().await.unwrap();
    let changed = down("DROP TABLE IF EXISTS a;\n");
    let stored =
        "select down_sql from upfront.revisions where app = 'main' order by version limit 1";
    assert!(migrator(&database.url(), &changed).up().await.unwrap().is_unchanged());
    assert_eq!(database.psql(stored).unwrap().trim(), "DROP TABLE a;");
    let more = [changed[0], changed[1], ("2_b.sql", "CREATE TABLE b ();\n")];
    migrator(&database.url(), &more).up().await.unwrap();
    assert_eq!(database.psql(stored).unwrap().trim(), "DROP TABLE IF EXISTS a;");
}

#[tokio::test]
async fn a_changed_down_side_is_stored_beside_a_stepwise_migration() {
    let database = database();
    let down = |text| [A, ("down/1_a.sql", text)];
    migrator(&database.url(), &down("DROP TABLE a;\n")).up().await.unwrap();
    let [a, changed] = down("DROP TABLE IF EXISTS a;\n");
    let index = ("2_i.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n");
    migrator(&database.url(), &[a, changed, index]).up().await.unwrap();
    let stored = "SELECT down_sql FROM upfront.revisions WHERE app = 'main' AND version = '1'";
    assert_eq!(ask(&database.url(), stored).await.trim(), "DROP TABLE IF EXISTS a;");
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
