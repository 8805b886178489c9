//! A release that is taken back: the older program, the database of the newer one, and both on a
//! protected database. And what a dry run writes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Error, ErrorKind, Migrator, Protect, Report, Target};
use upfront_scratch::{Database, Server};
use upfront_tests::{ask, database, owned, pool, server};

type Files = Vec<(String, String)>;

/// Thirteen migrations, each with its down side; the twelfth breaks older programs.
fn thirteen() -> Files {
    let of = |it: usize| {
        let mark = if it == 12 { "-- upfront:breaking\n\n" } else { "" };
        let name = format!("202601{it:02}000000_table_{it}.sql");
        let up = format!(
            "{mark}CREATE TABLE t_{it} (id bigint PRIMARY KEY, note text);\nCREATE INDEX t_{it}_note \
             ON t_{it} (note);\n"
        );
        let down = format!("DROP TABLE t_{it};\n");
        [(name.clone(), up), (format!("down/{name}"), down)]
    };
    (1..=13).flat_map(of).collect()
}

fn program(database: &Database<'_>, files: &[(String, String)]) -> Migrator {
    Migrator::new(owned(files), pool(&database.url(), 4))
}

fn schema(database: &Database<'_>) -> String {
    let mut dump = server().bin("pg_dump");
    let output = dump.args(["-s", "-N", "upfront", "-d", &database.url()]).output().unwrap();
    let dump = String::from_utf8(output.stdout).unwrap();
    assert!(dump.contains("dump complete"), "{dump}");
    dump.lines().filter(|it| !it.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

/// What `psql` makes of the first ten.
fn schema_at_ten(files: &Files) -> String {
    let database = database();
    for (_, text) in files.iter().filter(|(name, _)| !name.starts_with("down/")).take(10) {
        database.psql(text).unwrap();
    }
    schema(&database)
}

#[tokio::test]
async fn an_older_release_refuses_what_is_breaking_and_takes_it_back() {
    let (database, files) = (database(), thirteen());
    program(&database, &files).up().await.unwrap();
    let older = program(&database, &files[..20]);
    let err = older.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::NewerDatabase, "{err}");
    let report = older.down(Target::ToEmbedded).await.unwrap();
    assert_eq!(report.rolled_back.len(), 3);
    assert_eq!(schema(&database), schema_at_ten(&files));
    assert!(older.up().await.unwrap().is_unchanged());
    assert_eq!(program(&database, &files).up().await.unwrap().applied.len(), 3);
}

#[tokio::test]
async fn an_older_release_boots_on_what_is_not_breaking() {
    let (database, mut files) = (database(), thirteen());
    files[22].1 = files[22].1.replace("-- upfront:breaking\n\n", "");
    program(&database, &files).up().await.unwrap();
    let report = program(&database, &files[..20]).up().await.unwrap();
    assert_eq!(report.ahead.len(), 3);
}

async fn approved(it: &Migrator, target: Target) -> Result<Report, Error> {
    let mut plan = it.plan_down(target).await?;
    let digest = plan.digest.clone();
    plan.approve(digest);
    it.apply(&plan).await
}

#[tokio::test]
async fn on_a_protected_database_the_newer_release_does_not_bring_it_back() {
    let (database, files) = (database(), thirteen());
    let (newer, older) = (program(&database, &files), program(&database, &files[..20]));
    newer.protect(Protect::Set).await.unwrap();
    newer.up().await.unwrap();
    assert!(older.down(Target::ToEmbedded).await.unwrap_err().kind() == ErrorKind::Protected);
    approved(&older, Target::ToEmbedded).await.unwrap();
    older.up().await.unwrap();
    let err = newer.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Held, "{err}");
    assert_eq!(schema(&database), schema_at_ten(&files));
    let held = ["20260111000000", "20260112000000", "20260113000000"].map(str::to_owned);
    newer.release(&held).await.unwrap();
    assert_eq!(newer.up().await.unwrap().applied.len(), 3);
}

/// The statements of a log, as they were sent.
fn statements(log: &str) -> Vec<String> {
    let parts = log.split("LOG:  statement: ").skip(1);
    // Lines after the first are indented; the next entry's prefix ends the last one.
    let sent = |it: &str| {
        let lines: Vec<_> = it.split_inclusive('\n').collect();
        let more = lines.iter().skip(1).take_while(|it| it.starts_with('\t'));
        lines[0].to_owned() + &more.map(|it| &it[1..]).collect::<String>()
    };
    parts.map(sent).collect()
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_prints_what_then_runs_byte_for_byte() {
    let server = Server::builder().setting("log_statement", "all").start().unwrap();
    let database = server.database().unwrap();
    let mut files = thirteen();
    let odd = "-- Grüße, \"quoted\"\n\nDROP TABLE t_13; -- behind\n\n/* end */\n";
    files[25].1 = odd.to_owned();
    let it = program(&database, &files);
    let (wal, mark) =
        ("SELECT pg_snapshot_xmax(pg_current_snapshot())", server.log_position().unwrap());
    let before = ask(&database.url(), wal).await;
    let up = it.plan_up().await.unwrap();
    let nothing = it.plan_down(Target::All).await.unwrap();
    assert!(nothing.is_empty());
    assert_eq!(ask(&database.url(), wal).await, before);
    check_only_read(&statements(&server.log_since(mark).unwrap()));
    let mark = server.log_position().unwrap();
    it.up().await.unwrap();
    let ran = statements(&server.log_since(mark).unwrap());
    for step in &up.steps {
        assert!(ran.iter().any(|it| it.starts_with(&step.sql)), "{}", step.sql);
    }

    for target in [Target::Steps(1), Target::Steps(3), Target::To("20260104000000".into())] {
        let (mark, before) = (server.log_position().unwrap(), ask(&database.url(), wal).await);
        let plan = it.plan_down(target.clone()).await.unwrap();
        check_only_read(&statements(&server.log_since(mark).unwrap()));
        assert_eq!(ask(&database.url(), wal).await, before, "nobody took a transaction id");
        let mark = server.log_position().unwrap();
        it.down(target).await.unwrap();
        let ran = statements(&server.log_since(mark).unwrap());
        for step in &plan.steps {
            assert!(ran.iter().any(|it| it.starts_with(&step.sql)), "{} in {ran:#?}", step.sql);
        }
        let printed = plan.to_string();
        assert!(plan.steps.iter().all(|it| printed.contains(it.sql.trim_end_matches('\n'))));
    }
}

fn check_only_read(statements: &[String]) {
    let begins = [
        "SELECT ",
        "SET TRANSACTION READ ONLY;",
        "BEGIN ISOLATION LEVEL READ COMMITTED;SELECT ",
        "ROLLBACK",
    ];
    let writes = ["CREATE ", "INSERT ", "UPDATE ", "DELETE ", "DROP ", "ALTER ", "LOCK "];
    for it in statements {
        // The lock of every `SELECT`.
        let it = &match it.split_once(";LOCK ") {
            Some((start, rest)) => {
                let (_, rest) = rest.split_once(" IN ACCESS SHARE MODE;").unwrap();
                format!("{start};{rest}")
            }
            None => it.clone(),
        };
        assert!(begins.iter().any(|begin| it.starts_with(begin)), "{it}");
        assert!(writes.iter().all(|write| !it.contains(write)), "{it}");
    }
}
