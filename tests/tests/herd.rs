//! Many that boot at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use tokio::task::yield_now;
use upfront::{ErrorKind, Event, Migrator};
use upfront_scratch::Database;
use upfront_tests::{
    Boot, Events, Gate, ask, builder, database, migrations, migrator, owned, pool, server, tables,
    until,
};

const BOOT: &str = env!("CARGO_BIN_EXE_boot");

type Files = Vec<(String, String)>;

/// Boots so many processes at once, none of which may fail; how many migrations each applied.
fn herd(database: &Database<'_>, files: &Files, processes: usize) -> Vec<usize> {
    let boot = Boot::new(BOOT, &database.url(), files).with("WAIT_MS", "120000");
    let started: Vec<_> = (0..processes).map(|_| boot.start()).collect();
    started.into_iter().map(|it| applied(&it.end().unwrap())).collect()
}

/// Reads what the program printed.
fn applied(report: &str) -> usize {
    let count = report.lines().find_map(|it| it.strip_prefix("versions: "));
    count.unwrap().parse().unwrap()
}

async fn check_once(database: &Database<'_>, count: usize) {
    let expected = count.to_string();
    for sql in [
        "SELECT count(*) FROM upfront.revisions WHERE app = 'main'",
        "SELECT count(*) FROM upfront.log WHERE app = 'main' AND outcome = 'applied'",
        "SELECT count(DISTINCT version) FROM upfront.log WHERE app = 'main'",
    ] {
        assert_eq!(ask(&database.url(), sql).await, expected, "`{sql}`");
    }
    let once = "SELECT count(*) FROM upfront.log WHERE outcome <> 'applied'";
    assert_eq!(ask(&database.url(), once).await, "0");
}

#[tokio::test]
async fn sixty_four_processes_apply_each_migration_once() {
    let database = database();
    let since = Instant::now();
    let applied = herd(&database, &tables(100), 64);
    println!("64 processes, 100 migrations: {:?}", since.elapsed());
    assert_eq!(applied.iter().sum::<usize>(), 100);
    check_once(&database, 100).await;
    let made = "SELECT count(*) FROM pg_tables WHERE tablename ~ '^t_[0-9]+$'";
    assert_eq!(ask(&database.url(), made).await, "100");

    // And once more, with nothing to do: each asks once.
    let name = database.name();
    database.execute(&format!("ALTER DATABASE {name} SET log_statement = 'all'")).unwrap();
    let mark = server().log_position().unwrap();
    let applied = herd(&database, &tables(100), 64);
    assert_eq!(applied.iter().sum::<usize>(), 0);
    let (log, ours) = (server().log_since(mark).unwrap(), format!("@{name}/"));
    let statements = log.lines().filter(|it| it.contains(&ours) && it.contains("statement: "));
    assert_eq!(statements.count(), 64);
}

#[tokio::test]
async fn sixty_four_processes_build_an_index_concurrently() {
    let database = database();
    let mark = server().log_position().unwrap();
    let mut files = tables(100);
    for at in [30, 60, 90] {
        files[at].1 = format!(
            "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i_{at} ON t_{at} (name);\nCREATE \
             UNIQUE INDEX CONCURRENTLY IF NOT EXISTS u_{at} ON t_{at} (name);\n"
        );
    }
    let since = Instant::now();
    let applied = herd(&database, &files, 64);
    println!("64 processes, 100 migrations, 6 indexes: {:?}", since.elapsed());
    assert_eq!(applied.iter().sum::<usize>(), 100);
    check_once(&database, 100).await;
    let valid = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE \
                 indisvalid AND relname ~ '^[iu]_[0-9]+$'";
    assert_eq!(ask(&database.url(), valid).await, "6");
    let ours = format!("@{}/", database.name());
    let log = server().log_since(mark).unwrap();
    let deadlocks = log.lines().filter(|it| it.contains("deadlock detected") && it.contains(&ours));
    assert_eq!(deadlocks.count(), 0, "{log}");
}

/// More processes than the role may have connections: they take turns.
#[tokio::test]
async fn a_herd_shares_few_connections() {
    let database = database();
    let role = format!("few_{}", database.name());
    database.execute(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 3")).unwrap();
    let name = database.name();
    database.execute(&format!("ALTER DATABASE {name} OWNER TO {role}")).unwrap();
    let url = database.url().replacen("postgres@", &format!("{role}@"), 1);
    let boot = Boot::new(BOOT, &url, &tables(20)).with("WAIT_MS", "60000");
    let started: Vec<_> = (0..16).map(|_| boot.start()).collect();
    let reports = started.into_iter().map(|it| it.end().unwrap());
    assert_eq!(reports.map(|it| applied(&it)).sum::<usize>(), 20);
    check_once(&database, 20).await;
}

const SLOW: (&str, &str) =
    ("1_slow.sql", "CREATE TABLE slow (id int);\nSELECT pg_sleep(seconds) FROM pace;\n");

const SLEEPS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                      wait_event = 'PgSleep'";

/// A database in which [`SLOW`] sleeps for so long.
fn paced(seconds: f64) -> Database<'static> {
    let database = database();
    let pace = "CREATE TABLE pace (seconds float8); INSERT INTO pace VALUES";
    database.execute(&format!("{pace} ({seconds})")).unwrap();
    database
}

fn named(url: &str, application: &str) -> String {
    format!("{url}?application_name={application}")
}

#[tokio::test]
async fn a_waiter_names_the_holder() {
    let database = paced(60.0);
    let leader = migrator(&named(&database.url(), "orders-7"), &[SLOW]);
    let leader = tokio::spawn(async move { leader.up().await });
    until(&database.url(), SLEEPS, "1").await;
    let pid = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event \
               = 'PgSleep'";
    let pid = ask(&database.url(), pid).await;

    let events = Events::default();
    let waiter = builder(&database.url(), &[SLOW])
        .wait_timeout(Duration::from_millis(300))
        .on_event(events.listener())
        .build()
        .unwrap();
    let err = waiter.up().await.unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout, "{err}");
    let text = err.to_string();
    for part in [
        &format!("pid {pid}, application `orders-7`"),
        "lock of app `main`",
        "pg_terminate_backend",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let holder = events.told().into_iter().find_map(|it| match it {
        Event::Waiting { holder, .. } => holder,
        _ => None,
    });
    let holder = holder.unwrap();
    assert_eq!(holder.pid.to_string(), pid);
    assert_eq!(holder.application, "orders-7");

    let err = waiter.wait(Duration::from_millis(300)).await.unwrap_err();
    assert!(err.kind() == ErrorKind::Timeout && !err.pending().is_empty(), "{err}");
    assert!(err.to_string().contains(&format!("pid {pid}, application `orders-7`")), "{err}");
    leader.abort();
}

/// Who waits is done as soon as the leader is, and says for whom it waited.
#[tokio::test]
async fn a_waiter_is_done_with_the_leader() {
    let database = paced(1.0);
    let leader = migrator(&named(&database.url(), "leader"), &[SLOW]);
    let leader = tokio::spawn(async move { leader.up().await.map(|it| (it, Instant::now())) });
    until(&database.url(), SLEEPS, "1").await;
    let waiter = migrator(&database.url(), &[SLOW]).up().await.unwrap();
    let done = Instant::now();
    let (led, since) = leader.await.unwrap().unwrap();
    assert_eq!((led.applied.len(), waiter.applied.len()), (1, 0));
    assert_eq!(waiter.waited_for.as_ref().unwrap().application, "leader");
    assert!(waiter.waited > Duration::ZERO && waiter.to_string().contains("leader"), "{waiter}");
    let late = done.saturating_duration_since(since);
    assert!(late < Duration::from_millis(600), "{late:?} after the leader");
}

/// A waiter outside a transaction waits for the same lock, and blocks nobody who builds an index.
#[tokio::test]
async fn waiters_do_not_hold_up_an_index() {
    let database = database();
    database.execute("CREATE TABLE big AS SELECT i FROM generate_series(1, 1000) i").unwrap();
    let index =
        ("1_index.sql", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY big_i ON big (i);\n");
    // A writer keeps the index from being built, until all of the herd wait.
    let client = upfront_tests::connect(&database.url()).await;
    client.batch_execute("BEGIN; INSERT INTO big VALUES (0)").await.unwrap();
    let boots: Vec<_> = (0..6)
        .map(|_| {
            let events = Events::default();
            let boot = builder(&database.url(), &[index]).on_event(events.listener());
            let boot = boot.build().unwrap();
            (events, tokio::spawn(async move { boot.up().await }))
        })
        .collect();
    let building =
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE relid = 'big'::regclass";
    until(&database.url(), building, "1").await;
    let waiting = || {
        let waits = |it: &Events| it.told().iter().any(|it| matches!(it, Event::Waiting { .. }));
        boots.iter().filter(|(it, _)| waits(it)).count()
    };
    let since = Instant::now();
    while waiting() < 5 {
        assert!(since.elapsed() < Duration::from_secs(30), "{} wait", waiting());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.batch_execute("COMMIT").await.unwrap();
    let mut applied = 0;
    for (_, boot) in boots {
        applied += boot.await.unwrap().unwrap().applied.len();
    }
    assert_eq!(applied, 1);
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'big_i'::regclass";
    assert_eq!(ask(&database.url(), valid).await, "t");
}

#[tokio::test]
async fn two_apps_make_the_tables_of_one_database() {
    const ROUNDS: usize = 25;
    for round in 0..ROUNDS {
        let database = database();
        let boot = |app: &'static str| {
            let sql = format!("CREATE TABLE {app} (id int);\n");
            let files = owned(&[("1_a.sql".to_owned(), sql)]);
            let pool = pool(&database.url(), 2);
            tokio::spawn(async move {
                Migrator::builder(files, pool).app(app).build().unwrap().up().await
            })
        };
        let (one, two) = (boot("shop"), boot("billing"));
        for boot in [one, two] {
            let report = boot.await.unwrap().unwrap_or_else(|err| panic!("round {round}: {err}"));
            assert_eq!(report.applied.len(), 1);
        }
        let rows = "SELECT string_agg(app, ' ' ORDER BY app) FROM upfront.revisions";
        assert_eq!(ask(&database.url(), rows).await, "billing shop upfront upfront upfront");
    }
}

/// A rolling deployment: some know one migration more than the others.
#[tokio::test]
async fn old_and_new_programs_race() {
    let (old, new) = (tables(5), tables(6));
    for _ in 0..5 {
        let database = database();
        let boots: Vec<_> = [&old, &new, &old, &new, &new, &old]
            .map(|it| Boot::new(BOOT, &database.url(), it))
            .iter()
            .map(Boot::start)
            .collect();
        let reports = boots.into_iter().map(|it| it.end().unwrap());
        assert_eq!(reports.map(|it| applied(&it)).sum::<usize>(), 6);
        check_once(&database, 6).await;
        let report = Migrator::new(owned(&old), pool(&database.url(), 1)).up().await.unwrap();
        assert_eq!(report.ahead, ["00000000000006_table_6"]);
    }
}

/// Nobody who has nothing to do asks for the lock, and so nobody waits for who holds it.
#[tokio::test]
async fn a_settled_program_waits_for_nobody() {
    let database = database();
    let files = [("0_a.sql", "CREATE TABLE a (id int);\n")];
    database.execute("CREATE TABLE pace AS SELECT 60.0::float8 AS seconds").unwrap();
    migrator(&database.url(), &files).up().await.unwrap();
    let newer = Migrator::new(migrations(&[files[0], SLOW]), pool(&database.url(), 2));
    let newer = tokio::spawn(async move { newer.up().await });
    until(&database.url(), SLEEPS, "1").await;
    let older = migrator(&database.url(), &files).up().await.unwrap();
    assert!(older.is_unchanged() && older.waited == Duration::ZERO, "{older}");
    newer.abort();
}

const A: (&str, &str) = ("1_a.sql", "CREATE TABLE a (id int);\n");

/// Its pauses are longer than the server lets a session idle.
#[tokio::test]
async fn a_boot_that_waits_is_not_taken_for_an_idle_session() {
    let database = database();
    let gate = Gate::shut(&database);
    let name = database.name();
    let idle = format!("ALTER DATABASE {name} SET idle_session_timeout = '200ms'");
    database.execute(&idle).unwrap();
    let waits = format!("{}{}", A.1, Gate::WAIT);
    let files = [(A.0, waits.as_str())];
    let leader = migrator(&database.url(), &files);
    let leader = tokio::spawn(async move { leader.up().await });
    gate.reached().await;
    let events = Events::default();
    let waiter = builder(&database.url(), &files).on_event(events.listener()).build().unwrap();
    let waiter = tokio::spawn(async move { waiter.up().await });
    // A line appears every five seconds; before the second one, the pauses are half a second long.
    let told = || events.told().iter().filter(|it| matches!(it, Event::Waiting { .. })).count();
    while told() < 2 {
        assert!(!waiter.is_finished(), "{:?}", waiter.await.unwrap());
        yield_now().await;
    }
    gate.open();
    assert_eq!(leader.await.unwrap().unwrap().applied.len(), 1);
    waiter.await.unwrap().unwrap();
    let reconnecting = |it: &Event| matches!(it, Event::Reconnecting { .. });
    assert!(!events.told().iter().any(reconnecting), "{:?}", events.told());
}
