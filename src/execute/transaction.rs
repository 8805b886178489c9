//! A migration in its own transaction: two messages, of which the second carries the body.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::time::timeout;
use tokio_postgres::error::{DbError, SqlState};

use crate::{
    Direction, Event, Result,
    connection::{
        backoff::Backoff,
        locked::Transaction,
        session::{self, ScriptError, Session},
        session_settings::{SettingScope, own_role, role, target, timeouts},
        sql::PINNED,
    },
    embedded::{Migration, Side},
    error::{
        Cause, Details, Error, Failure, Remains, distrust::Meddling, excerpt::Excerpt, locate,
        secrets,
    },
    event::{LockHolder, milliseconds},
    execute::{
        context::Context,
        execution::Execution,
        existing,
        lock::{self, LockAttempt},
        send,
    },
    history::{revisions::ESCAPED, trust::Access},
    plan::pending::Step,
};

const APPLYING: &str = "applying a migration";

/// How a step went.
pub(crate) enum StepOutcome {
    /// With the transaction of the next step, where one was asked for.
    Committed { begun: Option<LockAttempt>, took: Duration },
    /// A lock or a deadlock was in the way, and the pause is over: plan again.
    Again,
}

/// How often each migration met a lock.
pub(crate) struct Tries(HashMap<&'static str, Attempts>);

/// The tries of one migration.
struct Attempts {
    count: u32,
    backoff: Backoff,
    /// When the wait was logged last.
    logged: Option<Instant>,
}

impl Attempts {
    /// Is it time to log that the migration waits? At once, and then at most every five seconds.
    fn is_due(&mut self) -> bool {
        const EVERY: Duration = Duration::from_secs(5);
        let is_due = self.logged.is_none_or(|it| it.elapsed() >= EVERY);
        if is_due {
            self.logged = Some(Instant::now());
        }
        is_due
    }
}

impl Tries {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    fn of(&self, it: &Migration) -> u32 {
        self.0.get(it.version).map_or(1, |it| it.count)
    }

    fn count(&mut self, it: &Migration) -> &mut Attempts {
        let first = || Attempts { count: 0, backoff: Backoff::new(), logged: None };
        let attempts = self.0.entry(it.version).or_insert_with(first);
        attempts.count += 1;
        attempts
    }

    /// Was the migration tried before?
    fn has(&self, it: &Migration) -> bool {
        self.0.contains_key(it.version)
    }
}

/// The limits of a file that has its own, for a transaction that began without knowing it.
pub(crate) fn own_limits(context: &Context<'_>, side: Option<&Side>) -> Option<String> {
    let side = side?;
    side.lock_timeout_ms.or(side.statement_timeout_ms)?;
    let calls = timeouts(context.settings, Some(side))
        .map(|(name, it)| format!("pg_catalog.set_config('{name}','{it}',true)"));
    Some(format!("SELECT {}", calls.join(",")))
}

/// A step, and the transaction in which it runs.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) step: &'a Step,
    /// The step whose transaction begins behind the commit of this one.
    pub(crate) next: Option<&'a Step>,
    /// Its place among all that this call runs, and how many those are.
    pub(crate) place: (usize, usize),
}

/// Sends the body, its row, the commit and the beginning of the next transaction.
///
/// The body stands first, so that the server's error positions are the file's; it is lexed under
/// the settings that the message before it pinned. Deferred constraints are checked while the
/// body's search path and role are still set, as triggers of its own may need them.
pub(crate) async fn run(
    context: &Context<'_>,
    session: &Session,
    turn: Turn<'_>,
    tries: &mut Tries,
) -> Result<StepOutcome> {
    let Turn { transaction, step, next, place } = turn;
    let subject = Execution::from(step);
    context.notify(&started(subject, place));
    let behind = |sent| {
        let closed = closed(context, subject, &context.revisions.record(step, transaction, sent));
        let next_begins =
            next.map(|it| lock::begin_next(context, session, it.runs.map(|it| &it.up)));
        format!("{closed}COMMIT;{}", next_begins.unwrap_or_default())
    };
    let since = Instant::now();
    let sending = Box::pin(send::send(context, session, subject, behind));
    match announced(context, subject.it, tries, sending).await {
        Ok(answer) => {
            session.set_open(next.is_some());
            let took = since.elapsed();
            context.notify(&finished(subject, took));
            let begun = match next {
                Some(_) => {
                    Some(lock::begun(&answer).ok_or(Details::Unexpected { doing: APPLYING })?)
                }
                None => None,
            };
            Ok(StepOutcome::Committed { begun, took })
        }
        Err(stopped) => {
            let recorded = context.revisions.is_recorded(step);
            let recorded = Some(recorded.as_str());
            let stopped = Stopped { transaction, subject, err: stopped, recorded };
            match judge(context, session, stopped, tries).await? {
                FailureOutcome::Again => Ok(StepOutcome::Again),
                FailureOutcome::Committed => {
                    let took = since.elapsed();
                    context.notify(&finished(subject, took));
                    Ok(StepOutcome::Committed { begun: None, took })
                }
            }
        }
    }
}

/// Logs that a migration runs, if it takes longer than a second; only of its first try.
pub(crate) async fn announced<T>(
    context: &Context<'_>,
    it: &Migration,
    tries: &Tries,
    mut run: impl Future<Output = T> + Unpin,
) -> T {
    const LONG: Duration = Duration::from_secs(1);
    if context.is_metadata || tries.has(it) {
        return run.await;
    }
    if let Ok(done) = timeout(LONG, &mut run).await {
        return done;
    }
    tracing::info!(elapsed_ms = milliseconds(LONG), "migration is running");
    run.await
}

pub(crate) fn started(subject: Execution, (ordinal, of): (usize, usize)) -> Event {
    let Execution { it, direction, .. } = subject;
    Event::Started { version: it.version.into(), name: it.name.into(), direction, ordinal, of }
}

pub(crate) fn finished(subject: Execution, duration: Duration) -> Event {
    let Execution { it, direction, .. } = subject;
    Event::Finished { version: it.version.into(), name: it.name.into(), direction, duration }
}

/// Removes what a migration leaves in its session beside settings, and what the next one, or the
/// next client of a pooler, must not find: a temporary table stands before a real one of its name.
///
/// Prepared statements go where the migration may have made some; a pooler keeps its own.
pub(crate) fn discard_session_state(side: Option<&Side>) -> &'static str {
    match side.is_some_and(|it| it.any().session) {
        true => "DEALLOCATE ALL;CLOSE ALL;UNLISTEN *;DISCARD TEMP;DISCARD SEQUENCES;",
        false => "CLOSE ALL;UNLISTEN *;DISCARD TEMP;DISCARD SEQUENCES;",
    }
}

/// What stands behind a body: it takes its traces out of the session and records it.
pub(crate) fn closed(context: &Context<'_>, subject: Execution, record: &str) -> String {
    let role = role(context.settings, SettingScope::Transaction);
    let nothing = discard_session_state(subject.side);
    let target = match (subject.direction, context.is_metadata) {
        (Direction::Up, false) => target(context.settings, SettingScope::Transaction),
        _ => String::new(),
    };
    format!(
        "\n;SET CONSTRAINTS ALL IMMEDIATE;{nothing}RESET ALL;RESET ROLE;{role}{target}SET LOCAL \
         client_encoding TO 'UTF8';SET LOCAL search_path TO pg_catalog, pg_temp;{record}"
    )
}

/// What became of a transaction that stopped, where that is no error.
pub(crate) enum FailureOutcome {
    /// Contention was in the way, and the pause is over: plan again.
    Again,
    /// It is committed and recorded; what failed came behind it.
    Committed,
}

/// A transaction that stopped at an error.
pub(crate) struct Stopped<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) subject: Execution,
    pub(crate) err: ScriptError,
    /// Asks whether the step is recorded all the same; `None` if it cannot be.
    pub(crate) recorded: Option<&'a str>,
}

/// What an error means: try again, or which error it is. The transaction is rolled back.
pub(crate) async fn judge(
    context: &Context<'_>,
    session: &Session,
    stopped: Stopped<'_>,
    tries: &mut Tries,
) -> Result<FailureOutcome> {
    let Stopped { transaction, subject, err: stopped, recorded } = stopped;
    let Execution { it, direction, .. } = subject;
    let (migration, path) = (it.named(), subject.path());
    let Some(err) = stopped.err.as_db_error().filter(|_| !session::is_lost(&stopped.err)) else {
        return Err(Details::ConnectionLost { migration, direction, source: stopped.err }.into());
    };
    session.set_open(false);
    if err.message().contains(ESCAPED) {
        // Whether a transaction is open is the body's secret. The connection closes.
        return Err(Details::Escaped { migration, direction, path }.into());
    }
    if stopped.out_of_step {
        // Nothing can be asked on this connection any more; it closes, and the server rolls back.
        if is_contention(err.code()) {
            let source = stopped.err;
            return Err(Details::ConnectionLost { migration, direction, source }.into());
        }
        let failure = failure(context, subject, &stopped, err);
        return Err(Details::Failed(Failure { attempts: tries.of(it), ..failure }).into());
    }
    let nothing = discard_session_state(subject.side);
    session.ask("rolling a migration back", &format!("ROLLBACK;{nothing}")).await?;
    if let Some(how) = Meddling::of(err.message()) {
        // What somebody else attached to the tables is still there; what the body did is not.
        context.revisions.trust.diagnose(session.client(), Access::Write).await?;
        return Err(Details::Meddled { migration, direction, path, how }.into());
    }
    match fate(session, transaction, recorded).await? {
        TransactionOutcome::RolledBack => {}
        TransactionOutcome::Committed => return Ok(FailureOutcome::Committed),
        TransactionOutcome::Escaped => {
            return Err(Details::Escaped { migration, direction, path }.into());
        }
    }
    if is_contention(err.code()) && pause(context, session, it, err.code().code(), tries).await {
        return Ok(FailureOutcome::Again);
    }
    if is_denied(context, subject, &stopped, err) {
        return Err(context.writing_denied("recording a migration", &stopped.err, session).await);
    }
    if stopped.completed > subject.count() {
        let doing = "recording a migration, which was rolled back";
        return Err(Details::Server { doing, source: stopped.err }.into());
    }
    let advice = existing::advice(context, session, direction, err).await;
    let failure = failure(context, subject, &stopped, err);
    let err = Details::Failed(Failure { attempts: tries.of(it), advice, ..failure }).into();
    note(context, session, subject, &err).await;
    Err(err)
}

/// Is it upfront's tables that the role may not touch?
fn is_denied(
    context: &Context<'_>,
    subject: Execution,
    stopped: &ScriptError,
    err: &DbError,
) -> bool {
    let ours = context.is_metadata || stopped.completed > subject.count();
    ours && *err.code() == SqlState::INSUFFICIENT_PRIVILEGE
}

/// Pauses before another try, and says whom to look at; `false` once the limit is over.
pub(crate) async fn pause(
    context: &Context<'_>,
    session: &Session,
    it: &Migration,
    code: &str,
    tries: &mut Tries,
) -> bool {
    let attempts = tries.count(it);
    let (attempt, waited) = (attempts.count, attempts.backoff.waited());
    if waited >= context.settings.wait_timeout {
        return false;
    }
    let pause = attempts.backoff.next();
    let blockers = blockers(session).await;
    let (version, code) = (it.version.into(), code.into());
    let event = Event::Retrying { version, attempt, waited, pause, code, blockers };
    if attempts.is_due() {
        event.trace(context.is_metadata);
    }
    context.emit(&event);
    tokio::time::sleep(pause).await;
    true
}

/// Contention passes: the same transaction may succeed a moment later.
pub(crate) fn is_contention(code: &SqlState) -> bool {
    [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .contains(code)
}

/// What became of a transaction whose message failed.
enum TransactionOutcome {
    RolledBack,
    /// It is recorded; what failed is the beginning of the next one.
    Committed,
    /// The body ended it.
    Escaped,
}

/// A transaction that is committed has its row, or the body ended it.
async fn fate(
    session: &Session,
    transaction: &Transaction,
    recorded: Option<&str>,
) -> Result<TransactionOutcome> {
    let sql = format!(
        "SELECT pg_catalog.pg_xact_status('{}'::pg_catalog.xid8) AS upfront_status",
        transaction.xid
    );
    let answer = session.ask("asking what became of a transaction", &sql).await?;
    if answer.row("upfront_status").and_then(|it| it.get(0)) != Some("committed") {
        return Ok(TransactionOutcome::RolledBack);
    }
    let Some(sql) = recorded else { return Ok(TransactionOutcome::Escaped) };
    let answer = session.ask("asking whether a migration is recorded", sql).await?;
    Ok(match answer.row("upfront_recorded").and_then(|it| it.get(0)) {
        Some("t") => TransactionOutcome::Committed,
        _ => TransactionOutcome::Escaped,
    })
}

fn failure(
    context: &Context<'_>,
    subject: Execution,
    stopped: &ScriptError,
    err: &DbError,
) -> Failure {
    let Execution { it, direction, .. } = subject;
    let side = subject.side.unwrap_or(&it.up);
    // A syntax error anywhere in the file is found before its first statement runs.
    let at = locate::named(side, stopped.sent_from, err).and_then(|at| side.statement_at(at));
    let next = || subject.side.and_then(|it| it.statements().get(stopped.completed));
    let statement = at.or_else(next);
    let excerpt = match (statement, stopped.completed) {
        (None, 1..) => Excerpt::end(side),
        _ => Excerpt::of(side, statement, stopped.sent_from, err),
    };
    let cause = Cause::of(err, &secrets::known(context.set, side, statement), statement);
    Failure::new(it.named(), direction, excerpt, cause, Remains::Nothing)
}

/// Leaves a row in the log about a failure. The failure is what counts: where the row cannot be
/// written, a warning must do.
pub(crate) async fn note(
    context: &Context<'_>,
    session: &Session,
    subject: Execution,
    err: &Error,
) {
    let Details::Failed(Failure { cause, .. }) = err.details() else { return };
    let Execution { it, direction, .. } = subject;
    let (code, message) = (cause.code.code(), &cause.message);
    let sql = context.revisions.record_failure(it, direction, code, message);
    if context.is_metadata {
        return;
    }
    let sql = format!("BEGIN;{}{sql};COMMIT", own_role(context.settings, &session.facts));
    if let Err(ScriptError { completed, err, .. }) =
        session::run(session.client(), &sql, |_| {}).await
    {
        if completed > 0 {
            let _ = session::ask(session.client(), "ROLLBACK").await;
        }
        tracing::warn!(error = %err, "a failed migration could not be noted in upfront's log");
    }
}

/// The oldest transactions that hold a lock on a table: one of them is likely in the way.
///
/// Which table it was, the server does not say; who may not see them gets an empty list.
async fn blockers(session: &Session) -> Vec<LockHolder> {
    let sql = format!(
        "{PINNED}SELECT a.pid AS upfront_pid, coalesce(a.application_name, ''), \
         host(a.client_addr), extract(epoch FROM clock_timestamp() - a.xact_start) FROM \
         pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND \
         a.xact_start IS NOT NULL AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND \
         l.granted AND l.locktype = 'relation' AND l.relation >= 16384) ORDER BY a.xact_start \
         LIMIT 3"
    );
    let answer = session::ask(session.client(), &sql).await.unwrap_or_default();
    answer
        .rows
        .iter()
        .filter(|it| it.columns().first().is_some_and(|it| it.name() == "upfront_pid"))
        .filter_map(session::holder)
        .collect()
}
