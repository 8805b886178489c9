//! What must be true of a database once the faults are over and an undisturbed migrator ran.

use std::time::Duration;

use crate::{
    database::{self, Connection},
    failure::Result,
    migrate::{self, Order, Verb},
    process::{End, Outcome},
    scenario::Scenario,
    snapshot::{Contents, History},
};

/// The end state of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// As psql leaves it.
    pub(crate) contents: Contents,
    /// As an undisturbed migrator leaves it.
    pub(crate) history: History,
}

/// A process that was killed keeps its session until the server notices: its own interval and the
/// end of the statement.
const SESSIONS_END: Duration = Duration::from_secs(10);

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND \
                        backend_type = 'client backend' AND pid <> pg_backend_pid()";

const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT \
                     oid FROM pg_database WHERE datname = current_database())";

/// How many errors an undisturbed migrator may return, each with commands that lead on.
const RESOLUTIONS: u32 = 3;

/// Runs an undisturbed migrator to its end, and the commands that its errors offer.
///
/// # Errors
///
/// It stops with an error that offers no command, or with more than a few of them.
pub(crate) async fn finish(scenario: &Scenario, order: &Order, url: &str) -> Result<()> {
    for _ in 0..=RESOLUTIONS {
        match migrate::run(order, url, |_| {}).await {
            Ok(_) => return Ok(()),
            Err(err) if err.kind() == upfront::ErrorKind::PartiallyApplied => {
                resolve(scenario, order, url, &err.to_string()).await?;
            }
            Err(err) => return Err(format!("the next migrator stops: {err}").into()),
        }
    }
    Err("the next migrator still stops after the commands that it offers".into())
}

/// Runs the command that fits what the interrupted statement did.
async fn resolve(scenario: &Scenario, order: &Order, url: &str, text: &str) -> Result<()> {
    let question = scenario.took_effect.ok_or_else(|| format!("no outcome is unknown: {text}"))?;
    let took_effect = database::ask(url, question).await? == "t";
    let way = if took_effect { "--done" } else { "--not-done" };
    let commands = upfront_tests::commands(text);
    let command = commands.iter().find(|it| it.ends_with(way));
    let command = command.ok_or_else(|| format!("no command ends in `{way}`: {text}"))?;
    let order = Order { verb: Verb::Up, ..order.clone() };
    let migrator = migrate::migrator(&order, url, |_| {})?;
    upfront_tests::resolve(&migrator, command).await;
    Ok(())
}

/// Compares a database with the end state.
///
/// # Errors
///
/// Any difference.
pub(crate) async fn check(order: &Order, url: &str, expected: &Expected) -> Result<()> {
    let database = Connection::open(url).await?;
    nobody_is_left(&database).await?;
    if let Some(it) = Contents::read(&database).await?.difference(&expected.contents) {
        return Err(format!("the database differs from what psql makes:\n{it}").into());
    }
    if let Some(it) = History::read(&database).await?.difference(&expected.history) {
        return Err(format!("the history differs from that of an undisturbed run:\n{it}").into());
    }
    nothing_is_left(&database).await?;
    drop(database);
    nothing_to_do(order, url).await
}

/// Compares the schema alone with the end state, where rows and history depend on chance.
///
/// # Errors
///
/// Any difference.
pub(crate) async fn check_schema(order: &Order, url: &str, expected: &Expected) -> Result<()> {
    let database = Connection::open(url).await?;
    nobody_is_left(&database).await?;
    if let Some(it) = Contents::read(&database).await?.schema_difference(&expected.contents) {
        return Err(format!("the schema differs from what psql makes:\n{it}").into());
    }
    nothing_is_left(&database).await?;
    drop(database);
    nothing_to_do(order, url).await
}

pub(crate) async fn nobody_is_left(database: &Connection) -> Result<()> {
    database.until(SESSIONS, "0", SESSIONS_END).await.map_err(|_| "a session is left")?;
    database.until(LOCKS, "0", SESSIONS_END).await.map_err(|_| "an advisory lock is left")?;
    Ok(())
}

async fn nothing_is_left(database: &Connection) -> Result<()> {
    for (sql, what) in [
        ("SELECT count(*) FROM upfront.steps", "rows of the journal are left"),
        (
            "SELECT count(*) FROM upfront.revisions WHERE chain ~ '^0+$'",
            "a rollback counts as under way",
        ),
        ("SELECT count(*) FROM upfront.holds WHERE released_at IS NULL", "a migration is held"),
        (
            "SELECT count(*) FROM pg_index WHERE NOT indisvalid OR NOT indisready",
            "an index is invalid",
        ),
        (
            "SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()",
            "a prepared transaction is left",
        ),
    ] {
        let count = database.ask(sql).await?;
        if count != "0" {
            return Err(format!("{what}: {count}").into());
        }
    }
    Ok(())
}

async fn nothing_to_do(order: &Order, url: &str) -> Result<()> {
    let changed = migrate::run(order, url, |_| {}).await.map_err(|err| format!("again: {err}"))?;
    match changed {
        0 => Ok(()),
        _ => Err(format!("a boot with nothing to do changed {changed} migrations").into()),
    }
}

/// Compares what a disturbed process printed with what the database has, before any other
/// migrator runs.
///
/// # Errors
///
/// It reported what is not so, or ended without a named error.
pub(crate) async fn believe(outcome: &Outcome, url: &str) -> Result<()> {
    match &outcome.end {
        End::Crashed(how) => return Err(format!("the migrator crashed: {how}").into()),
        End::Failed { kind, text } if is_wrong(kind) => {
            return Err(format!("the migrator's error is of kind `{kind}`: {text}").into());
        }
        _ => {}
    }
    if outcome.applied.is_empty() && outcome.rolled_back.is_empty() {
        return Ok(());
    }
    let database = Connection::open(url).await?;
    let logged = "SELECT version FROM upfront.log WHERE outcome IN";
    let applied = format!("{logged} ('applied', 'covered', 'baseline')");
    let rolled_back = format!("{logged} ('reverted')");
    for (versions, sql) in [(&outcome.applied, applied), (&outcome.rolled_back, rolled_back)] {
        let recorded = database.ask(&sql).await?;
        let is_recorded = |it: &&String| recorded.lines().any(|line| line == it.as_str());
        if let Some(it) = versions.iter().find(|it| !is_recorded(it)) {
            return Err(format!("the migrator reported {it} as done, and it is not").into());
        }
    }
    Ok(())
}

/// Kinds that accuse somebody else, or an answer that nobody understood: no fault of these suites
/// leads to them.
fn is_wrong(kind: &str) -> bool {
    const WRONG: [&str; 14] = [
        "edited",
        "missing",
        "out_of_order",
        "tampered",
        "newer_database",
        "untrusted",
        "pooler",
        "foreign_history",
        "duplicate_history",
        "schema_replaced",
        "held",
        "copied_mark",
        "unexpected_answer",
        "transaction_ended",
    ];
    WRONG.contains(&kind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

    use upfront_scratch::Server;

    use super::{believe, check, finish};
    use crate::{
        arena::{Arena, Prepared, Trial},
        database::{Connection, ask},
        process::{End, Outcome},
        scenario,
    };

    /// SQL that does what a faulty migrator would do, and words of the complaint.
    const MISTAKES: [(&str, &str); 14] = [
        ("DELETE FROM upfront.revisions WHERE version = '3'", "history"),
        ("UPDATE upfront.revisions SET kind = 'covered' WHERE version = '3'", "history"),
        ("DELETE FROM upfront.log WHERE version = '3'", "history"),
        (
            "INSERT INTO upfront.log (app, version, name, direction, outcome, hash) SELECT app, \
             version, name, direction, outcome, hash FROM upfront.log WHERE version = '3'",
            "history",
        ),
        (
            "INSERT INTO upfront.steps (app, version, direction, ordinal, hash) VALUES ('main', '3', \
             'up', 1, 'x')",
            "journal",
        ),
        ("UPDATE upfront.revisions SET chain = repeat('0', 64) WHERE version = '3'", "history"),
        ("INSERT INTO ran VALUES (6)", "psql"),
        ("DELETE FROM ran WHERE step = 6", "psql"),
        (
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'users_name'::regclass",
            "psql",
        ),
        ("DROP INDEX users_name", "psql"),
        ("CREATE INDEX users_name_ccnew ON users (name)", "psql"),
        ("ALTER TYPE mood ADD VALUE 'unknown'", "psql"),
        ("ALTER TABLE users ALTER name SET NOT NULL", "psql"),
        ("CREATE TABLE left_over ()", "psql"),
    ];

    async fn on_finished(test: impl AsyncFn(&Trial<'_>)) {
        let arena = Arena::start(Server::builder()).unwrap();
        let prepared = arena.prepare(scenario::named("outside").unwrap()).await.unwrap();
        let trial = Trial::start(&arena, &prepared).await.unwrap();
        let Prepared { scenario, order, .. } = &*prepared;
        finish(scenario, order, &trial.url()).await.unwrap();
        test(&trial).await;
        trial.end().await;
    }

    async fn complaint(trial: &Trial<'_>) -> String {
        let Prepared { order, expected, .. } = trial.prepared;
        match check(order, &trial.url(), expected).await {
            Ok(()) => "nothing".to_owned(),
            Err(err) => err.to_string(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_seeded_mistake_is_caught() {
        let arena = Arena::start(Server::builder()).unwrap();
        let prepared = arena.prepare(scenario::named("outside").unwrap()).await.unwrap();
        for (mistake, words) in MISTAKES {
            let trial = Trial::start(&arena, &prepared).await.unwrap();
            trial.finish().await.unwrap();
            let guards = "ALTER TABLE upfront.revisions DISABLE TRIGGER ALL; ALTER TABLE upfront.log \
                          DISABLE TRIGGER ALL; ALTER TABLE upfront.steps DISABLE TRIGGER ALL";
            ask(&trial.url(), guards).await.unwrap();
            ask(&trial.url(), mistake).await.unwrap();
            let complaint = complaint(&trial).await;
            assert!(complaint.contains(words), "`{mistake}`: {complaint}");
            trial.end().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_that_is_left_is_caught() {
        on_finished(async |trial| {
            let left = Connection::open(&trial.url()).await.unwrap();
            left.ask("SELECT pg_advisory_lock(1)").await.unwrap();
            assert_eq!(complaint(trial).await, "a session is left");
            drop(left);
            assert_eq!(complaint(trial).await, "nothing");
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_report_that_is_not_true_is_caught() {
        on_finished(async |trial| {
            let outcome = |applied: &str, end| Outcome {
                applied: vec![applied.to_owned()],
                ..Outcome::silent(end)
            };
            believe(&outcome("3", End::Done), &trial.url()).await.unwrap();
            let err = believe(&outcome("4", End::Killed), &trial.url()).await.unwrap_err();
            assert!(err.to_string().contains("reported 4"), "{err}");
            let crash = End::Crashed("a panic".into());
            believe(&outcome("3", crash), &trial.url()).await.unwrap_err();
            let wrong = End::Failed { kind: "tampered".into(), text: String::new() };
            believe(&outcome("3", wrong), &trial.url()).await.unwrap_err();
        })
        .await;
    }
}
