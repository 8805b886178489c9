//! Protected databases: what needs an approval, what is held, and what a copy says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use upfront::{Digest, ErrorKind, Protect, State, Target};
use upfront_scratch::Database;
use upfront_tests::{ask, builder, database, migrator, server, until};

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id bigint);\n");
const A_DOWN: (&str, &str) = ("down/1_a.sql", "DROP TABLE a;\n");
const B: (&str, &str) = ("2_b.sql", "CREATE TABLE b (id bigint);\n");
const B_DOWN: (&str, &str) = ("down/2_b.sql", "DROP TABLE b;\n");

const C: (&str, &str) =
    ("3_c.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON b (id);\n");

const C_DOWN: (&str, &str) =
    ("down/3_c.sql", "-- atlas:txmode none\n\nDROP INDEX CONCURRENTLY i;\n");

const ALL: [(&str, &str); 6] = [A, A_DOWN, B, B_DOWN, C, C_DOWN];

async fn versions(database: &Database<'_>) -> String {
    let sql = "SELECT string_agg(version, ' ' ORDER BY version) FROM upfront.revisions WHERE app = \
               'main'";
    ask(&database.url(), sql).await
}

#[tokio::test]
async fn a_released_service_boots_and_whoever_rolls_back_needs_an_approval() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    let mark = it.protect(Protect::Set).await.unwrap().unwrap();
    assert_eq!((mark.by.as_str(), mark.copied), ("postgres", false));
    it.up().await.unwrap();
    let older = migrator(&database.url(), &ALL[..2]);
    let err = older.down(Target::ToEmbedded).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Protected);
    let digests = [("[0-9a-f]{64}", "[digest]")];
    insta::with_settings!({filters => digests}, { insta::assert_snapshot!("protected", err); });
    let mut plan = older.plan_down(Target::ToEmbedded).await.unwrap();
    assert!(plan.protected);
    assert!(older.apply(&plan).await.unwrap_err().kind() == ErrorKind::Protected);
    assert_eq!(versions(&database).await, "1 2 3");
    let digest = plan.digest.clone();
    let err = digest.as_str()[..7].parse::<Digest>().unwrap_err().to_string();
    assert!(err.contains("8 to 64 hexadecimal digits"), "{err}");
    plan.approve(digest.as_str()[..8].parse::<Digest>().unwrap());
    older.apply(&plan).await.unwrap();
    assert!(
        older.apply(&plan).await.unwrap_err().kind() == ErrorKind::StalePlan,
        "an approval is good for one run"
    );
    assert_eq!(versions(&database).await, "1");
    let approved = "SELECT count(*), count(DISTINCT approval) FROM upfront.log WHERE direction = \
                    'down' AND approval IS NOT NULL";
    assert_eq!(ask(&database.url(), approved).await, "2|1");
    let logged = "SELECT DISTINCT approval FROM upfront.log WHERE approval IS NOT NULL";
    assert_eq!(ask(&database.url(), logged).await, digest.as_str(), "the log has all digits");
    older.up().await.unwrap();
}

#[tokio::test]
async fn the_mark_is_in_the_log_of_every_app() {
    let database = database();
    let it = migrator(&database.url(), &ALL[..2]);
    it.up().await.unwrap();
    it.protect(Protect::Set).await.unwrap();
    it.protect(Protect::Set).await.unwrap();
    let plan = it.plan_down(Target::Steps(1)).await.unwrap();
    let status = it.status().await.unwrap();
    let mark = status.protection.clone().unwrap();
    assert!(status.to_string().contains("\nprotected by postgres at "), "{status}");
    let other = "a".repeat(64);
    let err = it.protect_approved(Protect::Remove, &other.parse().unwrap()).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan, "{err}");
    assert_eq!(
        it.protect_approved(Protect::Remove, &mark.digest.as_str()[..8].parse().unwrap())
            .await
            .unwrap(),
        None
    );
    assert_eq!(it.protect(Protect::Remove).await.unwrap(), None, "twice is once");
    let other = builder(&database.url(), &ALL[..2]).app("other").build().unwrap();
    for it in [&it, &other] {
        let entries = it.log(Some(2), None).await.unwrap();
        let outcomes: Vec<_> = entries.iter().map(|it| it.outcome.to_string()).collect();
        assert_eq!(outcomes, ["unprotected", "protected"]);
        assert_eq!(entries[0].approval.as_ref(), Some(&mark.digest));
        assert!(entries.iter().all(|it| it.version.is_empty() && it.login == "postgres"));
    }
    // It is no change of the schema.
    assert_eq!(it.plan_down(Target::Steps(1)).await.unwrap().digest, plan.digest);
    assert!(it.up().await.unwrap().is_unchanged());
    assert!(other.check().await.unwrap_err().kind() == ErrorKind::Pending);
}

#[tokio::test]
async fn what_was_rolled_back_comes_back_once_it_is_released_or_another_one() {
    let database = database();
    let it = migrator(&database.url(), &ALL);
    it.up().await.unwrap();
    let mut plan = it.plan_down(Target::To("1".into())).await.unwrap();
    plan.hold(true);
    it.apply(&plan).await.unwrap();
    let err = it.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Held);
    let times = [(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]")];
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("held", err); });
    for err in [it.check().await.unwrap_err(), it.plan_up().await.unwrap_err()] {
        assert!(err.kind() == ErrorKind::Held);
    }
    let status = it.status().await.unwrap();
    assert_eq!(status.in_state(State::Held).count(), 2);
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("held_status", status); });
    let err = it.release(&["9".into(), "2".into()]).await.unwrap_err();
    assert!(err.kind() == ErrorKind::InvalidTarget);
    insta::assert_snapshot!("not_held", err);
    let released = it.release(&["2_b".into()]).await.unwrap();
    assert_eq!(released.len(), 1);
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Held, "3 is held still");
    assert_eq!(versions(&database).await, "1");
    let changed = ("3_c.sql", "CREATE INDEX other ON b (id);\n");
    migrator(&database.url(), &[A, A_DOWN, B, B_DOWN, changed]).up().await.unwrap();
    assert_eq!(versions(&database).await, "1 2 3");
    assert!(it.release(&["2".into()]).await.unwrap_err().kind() == ErrorKind::InvalidTarget);
}

#[tokio::test]
async fn an_approval_is_stale_once_somebody_else_has_migrated() {
    let database = database();
    let it = migrator(&database.url(), &ALL[..4]);
    it.protect(Protect::Set).await.unwrap();
    let mut up = it.plan_up().await.unwrap();
    assert!(it.apply(&up).await.unwrap_err().kind() == ErrorKind::Protected);
    let digest = up.digest.clone();
    up.approve(digest.clone());
    assert_eq!(it.apply(&up).await.unwrap().applied.len(), 2);
    let mut down = it.plan_down(Target::Steps(1)).await.unwrap();
    let digest = down.digest.clone();
    down.approve(digest.clone());
    migrator(&database.url(), &ALL).up().await.unwrap();
    let err = it.apply(&down).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan);
    insta::assert_snapshot!("somebody_else_has_migrated", err);
    let mut now = migrator(&database.url(), &ALL).plan_down(Target::Steps(1)).await.unwrap();
    now.approve(digest.clone());
    let err = migrator(&database.url(), &ALL).apply(&now).await.unwrap_err();
    assert!(err.kind() == ErrorKind::StalePlan);
    assert_eq!(versions(&database).await, "1 2 3");
}

#[tokio::test]
async fn a_copy_of_a_protected_database_says_so() {
    let database = database();
    let it = migrator(&database.url(), &ALL[..4]);
    it.up().await.unwrap();
    it.protect(Protect::Set).await.unwrap();
    assert!(!it.protect(Protect::Set).await.unwrap().unwrap().copied, "twice is once");
    let name = format!("{}_copy", database.name());
    let create = format!("CREATE DATABASE {name} TEMPLATE {}", database.name());
    drop(it);
    let sessions =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database.name());
    until(&server().url("postgres"), &sessions, "0").await;
    server().psql("postgres", &create).unwrap();
    let url = server().url(&name);
    let copy = migrator(&url, &ALL[..4]);
    assert!(copy.protection().await.unwrap().unwrap().copied);
    let times = [(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "[time]"), ("[0-9a-f]{64}", "[digest]")];
    let err = copy.protect(Protect::Set).await.unwrap_err();
    assert!(err.kind() == ErrorKind::CopiedMark);
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("a_copied_mark", err); });
    let plan = copy.plan_down(Target::Steps(1)).await.unwrap();
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("a_copy_s_plan", plan); });
    let err = copy.down(Target::Steps(1)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Protected);
    insta::with_settings!({filters => times}, { insta::assert_snapshot!("a_copy_refused", err); });
    assert!(!copy.protect(Protect::Renew).await.unwrap().unwrap().copied);
    assert!(copy.down(Target::Steps(1)).await.unwrap_err().kind() == ErrorKind::Protected);
    assert_eq!(copy.protect(Protect::Remove).await.unwrap(), None);
    copy.down(Target::Steps(1)).await.unwrap();
    drop(copy);
    server().psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
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
    it.apply(plan.hold(true)).await.unwrap();
    assert!(it.up().await.unwrap_err().kind() == ErrorKind::Held);
    assert_eq!(it.status().await.unwrap().in_state(State::Held).count(), 1);
    assert!(migrator(&database.url(), &older).up().await.unwrap_err().kind() == ErrorKind::Held);
}
