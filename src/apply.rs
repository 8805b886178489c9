//! A migration in its own transaction: two messages, of which the second carries the body.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio_postgres::error::{DbError, SqlState};

use crate::{
    Event, Result,
    backoff::Backoff,
    embedded::{Class, Migration, Side, Statement},
    error::{Cause, Error, Failure, Kind, Remains},
    event::Holder,
    excerpt::Excerpt,
    lock::{self, Begun, Transaction},
    plan::Step,
    prologue::{Extent, own_role, role, timeouts},
    revisions::{ESCAPED, PINNED},
    session::{self, Session, Stopped},
    work::Work,
};

const APPLYING: &str = "applying a migration";

/// How a step went.
pub(crate) enum Ran {
    /// With the transaction of the next step, where one was asked for.
    Committed { begun: Option<Begun>, took: Duration },
    /// A lock or a deadlock was in the way, and the pause is over: plan again.
    Again,
}

/// How often each migration met a lock.
pub(crate) struct Tries(HashMap<&'static str, (u32, Backoff)>);

impl Tries {
    pub(crate) fn new() -> Self {
        Self(HashMap::new())
    }

    fn of(&self, it: &Migration) -> u32 {
        self.0.get(it.version).map_or(1, |(tries, _)| *tries)
    }

    fn count(&mut self, it: &Migration) -> (u32, &Backoff) {
        let (tries, backoff) = self.0.entry(it.version).or_insert_with(|| (0, Backoff::new()));
        *tries += 1;
        (*tries, backoff)
    }
}

/// The limits of a file that has its own, for a transaction that began without knowing it.
pub(crate) fn own_limits(work: &Work<'_>, step: &Step) -> Option<String> {
    let side = &step.runs?.up;
    side.lock_timeout_ms.or(side.statement_timeout_ms)?;
    let calls = timeouts(work.settings, Some(side))
        .map(|(name, it)| format!("pg_catalog.set_config('{name}','{it}',true)"));
    Some(format!("SELECT {}", calls.join(",")))
}

/// Sends the body, its row, the commit and the beginning of the next transaction.
///
/// The body stands first, so that the server's error positions are the file's; it is lexed under
/// the settings that the message before it pinned. Deferred constraints are checked while the
/// body's search path and role are still set, as triggers of its own may need them.
pub(crate) async fn run(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
    step: &Step,
    next: Option<&Step>,
    place: (usize, usize),
    tries: &mut Tries,
) -> Result<Ran> {
    let it = step.migration();
    work.tell(&started(it, place));
    let message = message(work, session, transaction, step, next);
    let statements = step.runs.map_or(0, |it| it.up.statements.len());
    let told = |done: usize| {
        if done <= statements {
            let version = it.version.to_owned();
            work.tell(&Event::Statement { version, ordinal: done, of: statements });
        }
    };
    let since = Instant::now();
    match session::run(session.client(), &message, told).await {
        Ok(answer) => {
            let took = since.elapsed();
            work.tell(&finished(it, took));
            let begun = match next {
                Some(_) => Some(lock::begun(&answer).ok_or(Kind::Unexpected { doing: APPLYING })?),
                None => None,
            };
            Ok(Ran::Committed { begun, took })
        }
        Err(stopped) => {
            judge(work, session, transaction, step, stopped, since.elapsed(), tries).await
        }
    }
}

pub(crate) fn started(it: &Migration, (ordinal, of): (usize, usize)) -> Event {
    Event::Started { version: it.version.into(), name: it.name.into(), ordinal, of }
}

pub(crate) fn finished(it: &Migration, duration: Duration) -> Event {
    Event::Finished { version: it.version.into(), name: it.name.into(), duration }
}

/// Removes what a migration leaves in its session beside settings, and what the next one, or the
/// next client of a pooler, must not find: a temporary table stands before a real one of its name.
///
/// Prepared statements go where the migration may have made some; a pooler keeps its own.
pub(crate) fn leave_nothing(side: Option<&Side>) -> &'static str {
    let prepares = |it: &Side| it.statements.iter().any(|it| it.class == Class::Session);
    match side.is_some_and(prepares) {
        true => "DEALLOCATE ALL;CLOSE ALL;UNLISTEN *;DISCARD TEMP;DISCARD SEQUENCES;",
        false => "CLOSE ALL;UNLISTEN *;DISCARD TEMP;DISCARD SEQUENCES;",
    }
}

fn message(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
    step: &Step,
    next: Option<&Step>,
) -> String {
    let body = step.runs.map_or("", |it| it.up.body());
    let role = role(work.settings, Extent::Transaction);
    let record = work.revisions.record(step, transaction);
    let next = next.map(|it| lock::begin(work, session, it.runs.map(|it| &it.up)));
    let next = next.unwrap_or_default();
    let nothing = leave_nothing(step.runs.map(|it| &it.up));
    format!(
        "{body}\n;SET CONSTRAINTS ALL IMMEDIATE;{nothing}RESET ALL;RESET ROLE;{role}SET LOCAL \
         client_encoding TO 'UTF8';SET LOCAL search_path TO pg_catalog, pg_temp;{record}COMMIT;{next}"
    )
}

/// What an error means: try again, or which error it is. The transaction is rolled back.
async fn judge(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
    step: &Step,
    stopped: Stopped,
    took: Duration,
    tries: &mut Tries,
) -> Result<Ran> {
    let it = step.migration();
    let Some(err) = stopped.err.as_db_error().filter(|_| !session::is_lost(&stopped.err)) else {
        return Err(Kind::Lost { migration: it.title(), source: stopped.err }.into());
    };
    let nothing = leave_nothing(step.runs.map(|it| &it.up));
    session.ask("rolling a migration back", &format!("ROLLBACK;{nothing}")).await?;
    match fate(work, session, transaction, step, err).await? {
        Fate::RolledBack => {}
        Fate::Committed => {
            work.tell(&finished(it, took));
            return Ok(Ran::Committed { begun: None, took });
        }
        Fate::Escaped => {
            return Err(Kind::Escaped { migration: it.title(), path: it.up.path }.into());
        }
    }
    if is_contention(err.code()) && pause(work, session, it, err.code().code(), tries).await {
        return Ok(Ran::Again);
    }
    if is_denied(work, it, &stopped, err) {
        return Err(work.denied("recording a migration", &stopped.err, session));
    }
    if stopped.completed > it.up.statements.len() {
        let doing = "recording a migration, which was rolled back";
        return Err(Kind::Server { doing, source: stopped.err }.into());
    }
    let err = failure(it, &it.up, &stopped, err, tries.of(it));
    note(work, session, it, &err).await;
    Err(err)
}

/// Is it upfront's tables that the role may not touch?
fn is_denied(work: &Work<'_>, it: &Migration, stopped: &Stopped, err: &DbError) -> bool {
    let ours = work.own || stopped.completed > it.up.statements.len();
    ours && *err.code() == SqlState::INSUFFICIENT_PRIVILEGE
}

/// Pauses before another try, and says whom to look at; `false` once the limit is over.
pub(crate) async fn pause(
    work: &Work<'_>,
    session: &Session,
    it: &Migration,
    code: &str,
    tries: &mut Tries,
) -> bool {
    let (attempt, backoff) = tries.count(it);
    if backoff.waited() >= work.settings.wait_timeout {
        return false;
    }
    let pause = backoff.next();
    let blockers = blockers(session).await;
    let (version, code) = (it.version.into(), code.into());
    work.tell(&Event::Retrying { version, attempt, pause, code, blockers });
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
enum Fate {
    RolledBack,
    /// It is recorded; what failed is the beginning of the next one.
    Committed,
    /// The body ended it.
    Escaped,
}

/// The fence says that the body ended the transaction; or it is committed, and has its row or not.
async fn fate(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
    step: &Step,
    err: &DbError,
) -> Result<Fate> {
    if err.message().contains(ESCAPED) {
        return Ok(Fate::Escaped);
    }
    let sql = format!(
        "SELECT pg_catalog.pg_xact_status('{}'::pg_catalog.xid8) AS upfront_status",
        transaction.xid
    );
    let answer = session.ask("asking what became of a transaction", &sql).await?;
    if answer.row("upfront_status").and_then(|it| it.get(0)) != Some("committed") {
        return Ok(Fate::RolledBack);
    }
    let sql = work.revisions.is_recorded(step);
    let answer = session.ask("asking whether a migration is recorded", &sql).await?;
    Ok(match answer.row("upfront_recorded").and_then(|it| it.get(0)) {
        Some("t") => Fate::Committed,
        _ => Fate::Escaped,
    })
}

fn failure(
    it: &'static Migration,
    side: &'static Side,
    stopped: &Stopped,
    err: &DbError,
    attempts: u32,
) -> Error {
    let statement = side.statements.get(stopped.completed);
    let excerpt = match (statement, stopped.completed) {
        (None, 1..) => Excerpt::end(side),
        _ => Excerpt::of(side, statement, 0, err),
    };
    let cause = Cause::of(err, is_secret(side, statement, err));
    let migration = it.title();
    Kind::Failed(Failure { migration, excerpt, cause, remains: Remains::Nothing, attempts }).into()
}

/// A syntax error anywhere in the file is found before its first statement runs, and quotes what
/// it found.
pub(crate) fn is_secret(side: &Side, statement: Option<&Statement>, err: &DbError) -> bool {
    match statement {
        Some(it) if *err.code() != SqlState::SYNTAX_ERROR => it.secret,
        _ => side.statements.iter().any(|it| it.secret),
    }
}

/// Leaves a row in the log about a failure. The failure is what counts: where the row cannot be
/// written, a warning must do.
pub(crate) async fn note(work: &Work<'_>, session: &Session, it: &Migration, err: &Error) {
    let Kind::Failed(Failure { cause, .. }) = err.kind() else { return };
    let sql = work.revisions.record_failure(it, cause.code.code(), &cause.message);
    if work.own {
        return;
    }
    let sql = format!("BEGIN;{}{sql};COMMIT", own_role(work.settings, &session.facts));
    if let Err(err) = session::ask(session.client(), &sql).await {
        tracing::warn!(error = %err, "a failed migration could not be noted in upfront's log");
    }
}

/// The oldest transactions that hold a lock on a table: one of them is likely in the way.
///
/// Which table it was, the server does not say; who may not see them gets an empty list.
async fn blockers(session: &Session) -> Vec<Holder> {
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
        .filter_map(lock::holder)
        .collect()
}
