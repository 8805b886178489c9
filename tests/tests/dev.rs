//! Dev auto-apply: what a start does about a directory that somebody works on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use upfront::ErrorKind;
use upfront::{
    __embedded::{Embedded, Live},
    Error, Event, Migrations, Migrator, Report, Target,
};
use upfront_scratch::Database;
use upfront_tests::{Events, ask, database, pool};

const A: &str = "CREATE TABLE a (id bigint);\n";
const B: &str = "CREATE TABLE b (id bigint);\n";
const C: &str = "CREATE TABLE c (id bigint);\n";

/// A directory of migrations in a folder of its own, and a database to work with.
struct Work {
    folder: TempDir,
    database: Database<'static>,
}

impl Work {
    fn without_git() -> Self {
        let it = Self { folder: tempfile::tempdir().unwrap(), database: database() };
        it.write("1_a.sql", A);
        it.write("down/1_a.sql", "DROP TABLE a;\n");
        it
    }

    /// The first migration is committed.
    fn new() -> Self {
        let it = Self::without_git();
        it.git("init -b main");
        it.commit();
        it
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("migrations")
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.directory().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Writes an up side that makes the table, and its down side.
    fn table(&self, version: &str, columns: &str) {
        let (_, name) = version.split_once('_').unwrap();
        self.write(&format!("{version}.sql"), &format!("CREATE TABLE {name} ({columns});\n"));
        self.write(&format!("down/{version}.sql"), &format!("DROP TABLE {name};\n"));
    }

    fn remove(&self, version: &str) {
        fs::remove_file(self.directory().join(format!("{version}.sql"))).unwrap();
        let _ = fs::remove_file(self.directory().join(format!("down/{version}.sql")));
    }

    fn git(&self, arguments: &str) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.folder.path());
        command.args(["-c", "user.name=n", "-c", "user.email=e", "-c", "core.hooksPath=/none"]);
        command.args(["-c", "commit.gpgsign=false"]).args(arguments.split(' '));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "git {arguments}");
    }

    fn commit(&self) {
        self.git("add .");
        self.git("commit -m it");
    }

    fn migrations(&self) -> Migrations {
        let empty = upfront_directory::encode("migrations", &[]).leak();
        let empty = Box::leak(Box::new(Embedded::new(empty)));
        let directory = self.directory().to_str().unwrap().to_owned().leak();
        Migrations::from_live(Box::leak(Box::new(Live::new(directory, empty))))
    }

    fn migrator(&self) -> Migrator {
        Migrator::dev(self.migrations(), pool(&self.database.url(), 4))
    }

    /// A start of the program.
    async fn start(&self) -> Result<Report, Error> {
        self.migrator().up().await
    }

    async fn ask(&self, sql: &str) -> String {
        ask(&self.database.url(), sql).await
    }

    /// The columns of a table, with their types.
    async fn columns(&self, table: &str) -> String {
        self.ask(&format!(
            "SELECT coalesce(string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY \
             attnum), '') FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0"
        ))
        .await
    }

    async fn versions(&self) -> String {
        let sql = "SELECT string_agg(version || '_' || name, ' ' ORDER BY version) FROM \
                   upfront.revisions WHERE app = 'main'";
        self.ask(sql).await
    }
}

fn said(report: &Report) -> String {
    let rolled_back = report.rolled_back.iter().map(|it| format!("-{}_{}", it.version, it.name));
    let applied = report.applied.iter().map(|it| format!("+{}_{}", it.version, it.name));
    rolled_back.chain(applied).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_new_file_is_applied_at_the_next_start() {
    let it = Work::new();
    assert_eq!(said(&it.start().await.unwrap()), "+1_a");
    it.write("2_b.sql", B);
    let migrator = it.migrator();
    assert_eq!(said(&migrator.up().await.unwrap()), "+2_b");
    it.write("3_c.sql", C);
    assert_eq!(said(&migrator.up().await.unwrap()), "+3_c");
    assert!(migrator.up().await.unwrap().is_unchanged());
    assert!(migrator.check().await.is_ok(), "the other verbs see the directory, too");
}

#[tokio::test]
async fn an_edited_file_is_replaced() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id bigint, name text");
    let events = Events::default();
    let migrator = Migrator::builder(it.migrations(), pool(&it.database.url(), 1))
        .on_event(events.listener())
        .dev(true)
        .build()
        .unwrap();
    let report = migrator.up().await.unwrap();
    assert_eq!(said(&report), "-2_b +2_b");
    let line = report.to_string();
    assert!(line.starts_with("rolled back 1 migration, 2, applied 1 migration up to 2"));
    assert_eq!(it.columns("b").await, "id bigint, name text");
    let told = events.told().into_iter().find_map(|it| match it {
        Event::Outdated { version, why, .. } => Some(format!("{version}: {why}")),
        _ => None,
    });
    assert_eq!(told.unwrap(), "2: its file changed");
    let log = "SELECT string_agg(direction || ' ' || outcome, ', ' ORDER BY id) FROM upfront.log \
               WHERE app = 'main' AND version = '2'";
    assert_eq!(it.ask(log).await, "up applied, down reverted, up applied");
    assert!(it.start().await.unwrap().is_unchanged());
}

#[tokio::test]
async fn what_came_after_an_edited_file_goes_and_comes_with_it() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.table("3_c", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id integer");
    it.write("4_d.sql", "CREATE TABLE d (id bigint);\n");
    assert_eq!(said(&it.start().await.unwrap()), "-3_c -2_b +2_b +3_c +4_d");
    assert_eq!(it.columns("b").await, "id integer");
}

#[tokio::test]
async fn it_goes_down_by_the_down_side_that_was_stored() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.write("2_b.sql", "CREATE TABLE bees (id bigint);\n");
    it.write("down/2_b.sql", "DROP TABLE bees;\n");
    assert_eq!(said(&it.start().await.unwrap()), "-2_b +2_b");
    assert_eq!(it.columns("b").await + &it.columns("bees").await, "id bigint");
}

#[tokio::test]
async fn rows_are_not_lost() {
    let it = Work::new();
    it.table("2_b", "id bigint, name text");
    it.table("3_c", "id bigint");
    it.start().await.unwrap();
    it.database.psql("INSERT INTO b SELECT 1, 'x' FROM generate_series(1, 3)").unwrap();
    it.table("2_b", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::DataLoss);
    insta::assert_snapshot!("rows_that_would_be_lost", err);
    assert_eq!(it.versions().await, "1_a 2_b 3_c");
    assert_eq!(it.ask("SELECT count(*) FROM b").await, "3");
    it.database.psql("DELETE FROM b").unwrap();
    assert_eq!(said(&it.start().await.unwrap()), "-3_c -2_b +2_b +3_c");
}

#[tokio::test]
async fn a_committed_file_stays() {
    let it = Work::new();
    it.start().await.unwrap();
    it.table("1_a", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Edited);
    insta::assert_snapshot!("an_edited_file_that_is_committed", err);
    it.table("1_a", "id bigint");
    it.table("2_b", "id bigint");
    it.table("3_c", "id bigint");
    it.start().await.unwrap();
    it.git("add migrations/3_c.sql migrations/down/3_c.sql");
    it.git("commit -m third");
    it.table("2_b", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Edited);
    insta::assert_snapshot!("a_committed_file_after_an_edited_one", err);
    assert_eq!(it.versions().await, "1_a 2_b 3_c");
}

#[tokio::test]
async fn the_unknown_head_of_another_branch_goes() {
    let it = Work::new();
    it.git("switch -c other");
    it.table("2_b", "id bigint");
    it.table("4_d", "id bigint");
    it.commit();
    assert_eq!(said(&it.start().await.unwrap()), "+1_a +2_b +4_d");
    it.git("switch main");
    let report = it.start().await.unwrap();
    assert_eq!(said(&report), "-4_d -2_b");
    assert!(report.ahead.is_empty());
    it.git("switch other");
    it.start().await.unwrap();
    it.git("switch main");
    it.table("3_c", "id bigint");
    it.commit();
    assert_eq!(said(&it.start().await.unwrap()), "-4_d -2_b +3_c");
    assert_eq!(it.versions().await, "1_a 3_c");
}

#[tokio::test]
async fn a_deleted_or_renamed_file_is_gone_and_a_committed_one_is_ahead() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.remove("2_b");
    it.table("2_bees", "id bigint");
    assert_eq!(said(&it.start().await.unwrap()), "-2_b +2_bees");
    it.remove("2_bees");
    assert_eq!(said(&it.start().await.unwrap()), "-2_bees");
    it.remove("1_a");
    let report = it.start().await.unwrap();
    assert_eq!((said(&report).as_str(), report.ahead.join(" ").as_str()), ("", "1_a"));
}

#[tokio::test]
async fn an_older_file_of_somebody_else_comes_in_before_ones_own() {
    let it = Work::new();
    it.table("3_c", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id bigint");
    it.git("add migrations/2_b.sql");
    it.git("commit -m second");
    assert_eq!(said(&it.start().await.unwrap()), "-3_c +2_b +3_c");
}

#[tokio::test]
async fn without_git_everything_counts_as_committed() {
    let it = Work::without_git();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Edited);
    insta::assert_snapshot!("an_edited_file_without_git", err);
    it.remove("2_b");
    assert_eq!(it.start().await.unwrap().ahead, ["2_b"]);
    it.write("3_c.sql", C);
    assert!(it.start().await.unwrap_err().kind() == ErrorKind::Missing);
}

#[tokio::test]
async fn a_sum_that_is_behind_is_a_warning_where_nothing_is_committed() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    upfront_directory::write_sums(&it.directory()).unwrap();
    it.git("add migrations/atlas.sum");
    it.git("commit -m sum");
    it.table("2_b", "id integer");
    it.table("3_c", "id bigint");
    assert_eq!(said(&it.start().await.unwrap()), "+1_a +2_b +3_c");
    it.remove("2_b");
    assert_eq!(said(&it.start().await.unwrap()), "-3_c -2_b +3_c");
    it.table("1_a", "id integer");
    insta::assert_snapshot!("a_committed_file_against_the_sum", it.start().await.unwrap_err());
    it.write("atlas.sum", "h1:x\n<<<<<<< HEAD\n");
    insta::assert_snapshot!("a_sum_in_conflict", it.start().await.unwrap_err());
}

#[tokio::test]
async fn a_mistake_in_a_file_leaves_everything_as_it_is() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.write("2_b.sql", "-- upfront:braking\n\nCREATE TABLE b (id integer);\n");
    insta::assert_snapshot!("a_mistake_in_a_file", it.start().await.unwrap_err());
    assert_eq!(it.columns("b").await, "id bigint");
    it.write("2_b.sql", "CREATE TABLE b (id integr);\n");
    assert!(it.start().await.unwrap_err().kind() == ErrorKind::MigrationFailed);
    assert_eq!(it.versions().await, "1_a");
    it.table("2_b", "id integer");
    assert_eq!(said(&it.start().await.unwrap()), "+2_b");
}

#[tokio::test]
async fn without_a_way_back_nothing_is_done() {
    let it = Work::new();
    it.write("2_b.sql", B);
    it.write(
        "3_c.sql",
        "-- upfront:irreversible nobody knows how\n\nCREATE TABLE c (id bigint);\n",
    );
    it.start().await.unwrap();
    it.write("2_b.sql", "CREATE TABLE b (id integer);\n");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Irreversible);
    insta::assert_snapshot!("no_way_back", err);
    assert_eq!(it.versions().await, "1_a 2_b 3_c");
}

#[tokio::test]
async fn a_down_side_that_was_missing_may_be_added() {
    let it = Work::new();
    it.write("2_b.sql", B);
    it.start().await.unwrap();
    it.write("2_b.sql", "CREATE TABLE b (id integer);\n");
    assert!(it.start().await.unwrap_err().kind() == ErrorKind::Irreversible);
    it.write("down/2_b.sql", "DROP TABLE b;\n");
    assert_eq!(said(&it.start().await.unwrap()), "-2_b +2_b");
    assert_eq!(it.columns("b").await, "id integer");
}

#[tokio::test]
async fn a_stored_down_side_that_fails() {
    let it = Work::new();
    it.write("2_b.sql", B);
    it.write("down/2_b.sql", "DROP TABLE bees;\n");
    it.start().await.unwrap();
    it.table("2_b", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::MigrationFailed);
    insta::assert_snapshot!("a_stored_down_side_that_fails", err);
    it.write("2_b.sql", B);
    it.migrator().down(Target::Steps(1)).await.unwrap();
    it.table("2_b", "id integer");
    assert_eq!(said(&it.start().await.unwrap()), "+2_b");
}

#[tokio::test]
async fn a_protected_database_is_left_alone() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    let protect = "INSERT INTO upfront.protection (system_identifier, database) SELECT \
                   system_identifier::text, (SELECT oid FROM pg_database WHERE datname = \
                   current_database()) FROM pg_control_system()";
    it.database.psql(protect).unwrap();
    assert!(it.start().await.unwrap().is_unchanged());
    it.write("3_c.sql", C);
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Protected);
    insta::assert_snapshot!("a_new_file_on_a_protected_database", err);
    it.table("2_b", "id integer");
    let err = it.start().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Protected);
    insta::assert_snapshot!("an_edited_file_on_a_protected_database", err);
    assert_eq!(it.versions().await, "1_a 2_b");
    fs::remove_file(it.directory().join("3_c.sql")).unwrap();
    it.table("2_b", "id bigint");
    it.write("3_c.sql", C);
    let released = Migrator::new(it.migrations(), pool(&it.database.url(), 1));
    assert_eq!(said(&released.up().await.unwrap()), "+3_c", "that is the deployment");
}

#[tokio::test]
async fn holds_do_not_count() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    let migrator = it.migrator();
    let mut plan = migrator.plan_down(Target::Steps(1)).await.unwrap();
    plan.hold(true);
    migrator.apply(&plan).await.unwrap();
    let released = Migrator::new(it.migrations(), pool(&it.database.url(), 1));
    assert!(released.up().await.unwrap_err().kind() == ErrorKind::Held);
    assert_eq!(said(&it.start().await.unwrap()), "+2_b");
    it.table("2_b", "id integer");
    assert_eq!(said(&it.start().await.unwrap()), "-2_b +2_b");
    assert_eq!(it.ask("SELECT count(*) FROM upfront.holds").await, "1", "none was made");
}

#[tokio::test]
async fn outside_a_transaction_too() {
    let it = Work::new();
    it.table("2_b", "id bigint, name text");
    let index = |column: &str| {
        let create = format!("CREATE INDEX CONCURRENTLY b_index ON b ({column});\n");
        it.write("3_c.sql", &format!("-- atlas:txmode none\n\n{create}"));
    };
    it.write("down/3_c.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY b_index;\n");
    index("id");
    it.start().await.unwrap();
    index("name");
    assert_eq!(said(&it.start().await.unwrap()), "-3_c +3_c");
    let defined = it.ask("SELECT pg_get_indexdef('b_index'::regclass)").await;
    assert!(defined.ends_with("(name)"), "{defined}");
}

#[tokio::test]
async fn two_programs_at_once_do_it_once() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id integer");
    let (one, other) = tokio::join!(it.start(), it.start());
    let mut said = [said(&one.unwrap()), said(&other.unwrap())];
    said.sort();
    assert_eq!(said.concat().matches("-2_b").count(), 1, "{said:?}");
    assert_eq!(said.concat().matches("+2_b").count(), 1, "{said:?}");
    assert_eq!(it.columns("b").await, "id integer");
}

#[tokio::test]
async fn only_dev_rolls_back() {
    let it = Work::new();
    it.table("2_b", "id bigint");
    it.start().await.unwrap();
    it.table("2_b", "id integer");
    let released = Migrator::new(it.migrations(), pool(&it.database.url(), 1));
    let err = released.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Edited);
    assert!(!err.to_string().contains("dev:"), "{err}");
    assert_eq!(it.columns("b").await, "id bigint");
}

#[tokio::test]
async fn a_program_that_left_its_directory() {
    let it = Work::new();
    it.start().await.unwrap();
    let (there, moved) = (it.directory(), it.folder.path().join("moved"));
    fs::rename(&there, moved).unwrap();
    assert!(it.start().await.is_err());
    let compiled = Migrator::new(it.migrations(), pool(&it.database.url(), 1));
    assert_eq!(compiled.up().await.unwrap().ahead, ["1_a"], "it knows what was built in");
}

#[tokio::test]
async fn migrations_without_a_directory() {
    let pool = pool("postgres://nobody@127.0.0.1:1/none", 1);
    let it = Migrator::dev(upfront_tests::migrations(&[("1_a.sql", A)]), pool);
    let err = it.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::InvalidSetting);
    insta::assert_snapshot!(err);
}

#[tokio::test]
async fn a_start_with_nothing_to_do_is_quick_and_leaves_git_alone() {
    let it = Work::new();
    it.start().await.unwrap();
    fs::write(it.folder.path().join(".git/HEAD"), "no head").unwrap();
    let since = std::time::Instant::now();
    assert!(it.start().await.unwrap().is_unchanged());
    assert!(since.elapsed() < Duration::from_secs(5));
    assert!(Path::new(&it.directory()).exists());
}
