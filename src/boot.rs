//! A boot, from the first look to the last commit.

use std::time::Instant;

use deadpool_postgres::{Pool, PoolError};
use tokio_postgres::error::SqlState;
use tracing::Instrument;

use crate::{
    Event, Report, Result,
    apply::{self, Ran},
    backoff::Backoff,
    embedded::{Migration, Set},
    error::{Error, Kind},
    foreign,
    lock::{self, Begun, Transaction, Wait},
    own,
    plan::{self, Pending, Unknown, titles},
    revisions::{History, Journal, Look, history},
    session::{self, Session, Writes, borrow},
    settings::{OWN, Settings},
    stepwise,
    work::{View, Work},
};

/// Brings what is pending.
pub(crate) async fn up(pool: &Pool, set: &'static Set, settings: &Settings) -> Result<Report> {
    let work = Work::new(set, settings);
    let mut report = Report::new(&settings.app);
    let mut lost = Lost::default();
    let mut wait = Wait::new();
    let since = Instant::now();
    loop {
        match attempt(pool, &work, &mut report, &mut wait).await {
            Ok(()) => break,
            Err(err) => lost.again(err, &work).await?,
        }
    }
    report.took = since.elapsed();
    Ok(report)
}

/// Connections that died on the way.
#[derive(Default)]
struct Lost {
    bodies: u32,
    protocol: u32,
    backoff: Option<Backoff>,
}

impl Lost {
    /// Pauses before the next attempt, or gives the error back.
    ///
    /// A migration may be what kills the server: it gets one more try and no third.
    async fn again(&mut self, err: Error, work: &Work<'_>) -> Result<()> {
        match err.kind() {
            Kind::Server { source, .. } if is_protocol(source) && self.protocol < 3 => {
                self.protocol += 1;
            }
            Kind::Server { source, .. } if session::is_lost(source) && !is_protocol(source) => {}
            Kind::Lost { .. } if self.bodies == 0 => self.bodies += 1,
            Kind::Connect(PoolError::Backend(_)) if self.backoff.is_some() => {}
            _ => return Err(err),
        }
        let backoff = self.backoff.get_or_insert_with(Backoff::new);
        if backoff.waited() >= work.settings.wait_timeout {
            return Err(err);
        }
        let pause = backoff.next();
        work.tell(&Event::Reconnecting { pause });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// PgBouncer gives this code both to a server that went away and to what it never will pass.
fn is_protocol(err: &tokio_postgres::Error) -> bool {
    err.code() == Some(&SqlState::PROTOCOL_VIOLATION)
}

async fn attempt(pool: &Pool, work: &Work<'_>, report: &mut Report, wait: &mut Wait) -> Result<()> {
    let limit = work.settings.wait_timeout;
    let client = borrow(pool, limit).await?;
    let (client, view) = work.look_within(client, limit).await?;
    let (pending, own_tables) = match view {
        View::Settled(ahead) => {
            report.settle(&ahead);
            return Ok(());
        }
        View::Behind { pending, own_tables, .. } => (pending, own_tables),
    };
    drop(client);
    let session = Session::take(pool, work.settings.wait_timeout).await?;
    refuse_read_only(&session, &pending)?;
    refuse_pooler(work, &session, &pending)?;
    if !own_tables {
        let settings = own::settings(work.settings);
        let own = Work::own(own::set(), &settings);
        bring(&own, &session, &mut Report::new(OWN), &mut Wait::new()).await?;
    }
    bring(work, &session, report, wait).await
}

fn refuse_read_only(session: &Session, pending: &Pending) -> Result<()> {
    let standby = match session.facts.writes {
        Writes::Allowed => return Ok(()),
        Writes::ReadOnly => false,
        Writes::Standby => true,
    };
    Err(Kind::ReadOnly { pending: titles(&pending.steps), standby }.into())
}

fn refuse_pooler(work: &Work<'_>, session: &Session, pending: &Pending) -> Result<()> {
    if !session.facts.pooled || work.settings.session_pooler {
        return Ok(());
    }
    match pending.steps.iter().find(|it| it.is_stepwise()) {
        Some(it) => {
            let it = it.migration();
            Err(Kind::Pooler { migration: it.title(), path: it.up.path }.into())
        }
        None => Ok(()),
    }
}

/// Brings everything under the lock, and plans anew whenever the head moved.
pub(crate) async fn bring(
    work: &Work<'_>,
    session: &Session,
    report: &mut Report,
    wait: &mut Wait,
) -> Result<()> {
    let mut tries = apply::Tries::new();
    let mut blocked = None;
    loop {
        match round(work, session, report, wait, &mut tries).await {
            Ok(true) => return Ok(()),
            Ok(false) => blocked = None,
            Err(err) => {
                let since = blocked.get_or_insert_with(Wait::new);
                out_of_the_way(err, work, session, since).await?;
            }
        }
    }
}

/// Somebody has locked upfront's own tables: no reason to give up before the limit.
async fn out_of_the_way(
    err: Error,
    work: &Work<'_>,
    session: &Session,
    wait: &mut Wait,
) -> Result<()> {
    let contention = match err.kind() {
        Kind::Server { source, .. } => source.code().is_some_and(apply::is_contention),
        _ => false,
    };
    if !contention || wait.waited() >= work.settings.wait_timeout {
        return Err(err);
    }
    session.ask("ending a transaction", "ROLLBACK").await?;
    wait.pause(work, session).await
}

/// Takes the lock, plans, and applies what it can in one go; `true` once nothing is left.
async fn round(
    work: &Work<'_>,
    session: &Session,
    report: &mut Report,
    wait: &mut Wait,
    tries: &mut apply::Tries,
) -> Result<bool> {
    let Some(transaction) = begin(work, session, wait, report).await? else { return Ok(true) };
    let (pending, journal) = plan_under_lock(work, session, &transaction).await?;
    refuse_pooler(work, session, &pending)?;
    let Some(first) = pending.steps.first() else {
        session.ask("ending a transaction", "ROLLBACK").await?;
        report.settle(&pending.ahead);
        return Ok(true);
    };
    if transaction.head == plan::Head::start() && !work.own && !work.settings.ignore_foreign_history
    {
        foreign::refuse(session.client()).await?;
    }
    report.expect(&pending);
    if first.is_stepwise() {
        // The session's lock outlives the transaction, which may have stored down sides.
        lock::keep(work, session).await?;
        session.ask("ending a transaction", "COMMIT").await?;
        let span = span(first.migration());
        let run = stepwise::run(work, session, first, &journal, report, tries);
        run.instrument(span).await?;
        return Ok(false);
    }
    for it in pending.steps.iter().filter(|it| !it.is_stepwise()) {
        stepwise::refuse_begun(work, it.migration(), &journal)?;
    }
    if pending.steps.len() > 1 && !session.facts.pooled && !work.own {
        lock::keep(work, session).await?;
    }
    transactions(work, session, transaction, &pending, report, tries).await?;
    Ok(false)
}

fn span(it: &Migration) -> tracing::Span {
    tracing::info_span!(
        "upfront.migration",
        db.system.name = "postgresql",
        db.operation.name = "migrate",
        version = it.version,
        name = it.name,
    )
}

/// Waits for the lock; `None` where the leader has settled everything meanwhile.
async fn begin(
    work: &Work<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
) -> Result<Option<Transaction>> {
    let message = lock::begin(work, session, None);
    let doing = "asking for the migration lock";
    let mut waiting = false;
    loop {
        let answer = session::ask(session.client(), &message)
            .await
            .map_err(|source| begin_failed(work, session, doing, source))?;
        let begun = match work.own {
            true => own::begun(work, session, &answer).await?,
            false => lock::begun(&answer),
        };
        match begun.ok_or(Kind::Unexpected { doing })? {
            Begun::Locked(it) => {
                if waiting {
                    report.waited(wait);
                }
                return Ok(Some(it));
            }
            Begun::Busy => {}
        }
        if !std::mem::replace(&mut waiting, true) {
            wait.restart();
        }
        session.ask("ending a transaction", "ROLLBACK").await?;
        loop {
            if let Some(ahead) = settled(work, session).await? {
                report.waited(wait);
                report.settle(&ahead);
                return Ok(None);
            }
            wait.pause(work, session).await?;
            if lock::is_free(work, session).await? {
                break;
            }
        }
    }
}

fn begin_failed(
    work: &Work<'_>,
    session: &Session,
    doing: &'static str,
    source: tokio_postgres::Error,
) -> Error {
    match source.code() {
        Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
            // Of a setting that was refused; the server's words may be in any language.
            let role =
                source.as_db_error().and_then(|it| it.routine()) == Some("call_string_check_hook");
            if role {
                work.role_denied(&source, session)
            } else {
                work.denied(doing, &source, session)
            }
        }
        _ => Kind::Server { doing, source }.into(),
    }
}

/// Has the leader brought the database here?
async fn settled(work: &Work<'_>, session: &Session) -> Result<Option<Vec<Unknown>>> {
    let doing = "looking at the revision table";
    let look = work.revisions.look(work.set);
    let limit = work.settings.wait_timeout;
    let answer = match session::within(limit, session::ask(session.client(), &look)).await? {
        Ok(it) => it,
        Err(it) if it.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        Err(source) => return Err(Kind::Server { doing, source }.into()),
    };
    let look = Look::of(work.set, &answer);
    Ok(look
        .filter(|it| it.settled && plan::refused(work.settings.ahead, &it.ahead).is_empty())
        .map(|it| it.ahead))
}

async fn plan_under_lock(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
) -> Result<(Pending, Vec<Journal>)> {
    let doing = "reading the history";
    if work.own && transaction.head == plan::Head::start() {
        return Ok((work.plan(&History::default())?, Vec::new()));
    }
    let sql = format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", work.revisions.rows());
    let answer = session.ask(doing, &sql).await?;
    let history = history(&answer).ok_or(Kind::Unexpected { doing })?;
    let pending = work.plan(&history)?;
    let downs: String = pending.downs.iter().map(|it| work.revisions.store_down(it)).collect();
    if !downs.is_empty() && !pending.steps.is_empty() {
        session.ask("storing changed down sides", &downs).await?;
    }
    Ok((pending, history.journal))
}

/// Runs transactional steps one after the other, each message carrying the end of one and the
/// beginning of the next.
async fn transactions(
    work: &Work<'_>,
    session: &Session,
    mut transaction: Transaction,
    pending: &Pending,
    report: &mut Report,
    tries: &mut apply::Tries,
) -> Result<()> {
    let mut steps = pending.steps.iter().peekable();
    if let Some(sql) = steps.peek().and_then(|it| apply::own_limits(work, it)) {
        session.ask("setting a migration's limits", &sql).await?;
    }
    while let Some(step) = steps.next() {
        let next = steps.peek().copied().filter(|it| !it.is_stepwise());
        let place = report.place();
        let span = span(step.migration());
        let ran = apply::run(work, session, &transaction, step, next, place, tries);
        match ran.instrument(span).await? {
            Ran::Committed { begun, took } => {
                report.applied(step, took);
                match begun {
                    Some(Begun::Locked(it)) if it.head == step.to => transaction = it,
                    Some(_) => {
                        session.ask("ending a transaction", "ROLLBACK").await?;
                        return Ok(());
                    }
                    None => return Ok(()),
                }
            }
            Ran::Again => return Ok(()),
        }
    }
    Ok(())
}
