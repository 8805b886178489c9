//! What applying and rolling back have in common: taking the lock, and trying again.

use std::collections::HashSet;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::{
    Direction, Event, Report, Result,
    connection::{
        backoff::Backoff,
        locked::Transaction,
        server_info::WriteAccess,
        session::{self, Session},
    },
    embedded::Migration,
    error::{Details, Error},
    execute::{
        context::{Context, is_missing},
        execution::Execution,
        lock::{self, LockAttempt, Wait},
        metadata_tables, transaction,
    },
    history::{
        revisions::HistorySummary,
        trust::{self, Access},
    },
    plan::{pending, rows::UnknownMigration},
};

/// Connections that died on the way.
#[derive(Default)]
pub(crate) struct ReconnectPolicy {
    /// Migrations that were running when one died.
    pub(crate) bodies: HashSet<(String, Direction)>,
    pub(crate) protocol: u32,
    pub(crate) backoff: Option<Backoff>,
    /// How many migrations were done when the last one died.
    pub(crate) done: usize,
    /// A server took writes before.
    pub(crate) had_primary: bool,
}

impl ReconnectPolicy {
    /// Takes note that the server is a primary.
    pub(crate) fn met_primary(&mut self) {
        self.had_primary = true;
    }

    /// Pauses before the next attempt, or gives the error back.
    ///
    /// A migration may be what kills the server: it gets one more try and no third. After a
    /// fail-over the first server that answers may be a standby still.
    pub(crate) async fn again(
        &mut self,
        err: Error,
        context: &Context<'_>,
        report: &Report,
    ) -> Result<()> {
        if report.done() > std::mem::replace(&mut self.done, report.done()) {
            (self.protocol, self.backoff) = (0, None);
        }
        match err.details() {
            Details::Server { source, .. } if is_protocol(source) && self.protocol < 3 => {
                self.protocol += 1;
            }
            Details::Server { source, .. } if session::is_lost(source) && !is_protocol(source) => {}
            Details::ConnectionLost { migration, direction, .. } => {
                if !self.bodies.insert((migration.to_string(), *direction)) {
                    return Err(err);
                }
            }
            Details::Connect(PoolError::Backend(_)) if self.backoff.is_some() => {}
            Details::ReadOnly { standby: true, .. } if self.had_primary => {}
            _ => return Err(err),
        }
        let backoff = self.backoff.get_or_insert_with(Backoff::new);
        if backoff.waited() >= context.settings.wait_timeout {
            return Err(err);
        }
        let pause = backoff.next();
        context.notify(&Event::Reconnecting { pause });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// PgBouncer gives this code both to a server that went away and to what it never will pass.
pub(crate) fn is_protocol(err: &tokio_postgres::Error) -> bool {
    err.code() == Some(&SqlState::PROTOCOL_VIOLATION)
}

pub(crate) fn refuse_read_only(
    session: &Session,
    direction: Option<Direction>,
    migrations: Vec<String>,
) -> Result<()> {
    let standby = match session.facts.writes {
        WriteAccess::Allowed => return Ok(()),
        WriteAccess::ReadOnly => false,
        WriteAccess::Standby => true,
    };
    Err(Details::ReadOnly { direction, migrations, standby }.into())
}

pub(crate) fn refuse_stepwise_on_pooler(
    context: &Context<'_>,
    session: &Session,
    mut subjects: impl Iterator<Item = Execution>,
) -> Result<()> {
    if !session.facts.pooled || context.settings.session_pooler {
        return Ok(());
    }
    match subjects.find(|it| it.side.is_some_and(|it| !it.transactional)) {
        Some(it) => Err(Details::Pooler { migration: it.it.named(), path: it.path() }.into()),
        None => Ok(()),
    }
}

/// Somebody has locked upfront's own tables: no reason to give up before the limit.
pub(crate) async fn retry_on_contention(
    err: Error,
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
) -> Result<()> {
    let contention = match err.details() {
        Details::Server { source, .. } => source.code().is_some_and(transaction::is_contention),
        _ => false,
    };
    if !contention || wait.waited() >= context.settings.wait_timeout {
        return Err(err);
    }
    session.roll_back("ending a transaction").await?;
    wait.pause(context, session).await
}

/// The span of one migration. None of its fields may be one of the boot's span, or of those that
/// log formats have themselves: `name`, `level`, `target`, `message`, `timestamp`.
///
/// A span is there whenever its warnings are: they name neither app nor migration.
pub(crate) fn span(context: &Context<'_>, it: &Migration) -> tracing::Span {
    match context.is_metadata {
        true => tracing::debug_span!("upfront.tables", version = it.version, migration = it.name),
        false => {
            tracing::warn_span!("upfront.migration", version = it.version, migration = it.name)
        }
    }
}

/// Until when somebody waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitMode {
    /// Until it is there, or the leader has applied everything.
    UntilUpToDate,
    /// Until it is there.
    UntilLocked,
}

/// Waits for the lock, whatever other processes do meanwhile.
pub(crate) async fn lock(
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
) -> Result<Transaction> {
    let transaction = begin(context, session, wait, report, WaitMode::UntilLocked).await?;
    Ok(transaction.expect("`UntilLocked` returns with the lock"))
}

/// Waits for the lock; `None` where the leader has applied everything meanwhile.
pub(crate) async fn begin(
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
    until: WaitMode,
) -> Result<Option<Transaction>> {
    let message = lock::begin(context, session);
    let doing = "asking for the migration lock";
    let (mut waiting, mut founded) = (false, false);
    loop {
        session.set_open(true);
        let answer = match session::ask(session.client(), &message).await {
            Ok(it) => it,
            Err(source) => {
                refuse_untrusted(context, session, &source).await?;
                return Err(begin_failed(context, session, doing, source));
            }
        };
        let begun = match context.is_metadata {
            true => metadata_tables::begun(context, session, &answer).await?,
            false => lock::begun(&answer),
        };
        match begun.ok_or(Details::Unexpected { doing })? {
            LockAttempt::Locked(it) => {
                if waiting {
                    report.waited(wait.waited(), wait.holder());
                }
                return Ok(Some(it));
            }
            LockAttempt::Busy => {}
        }
        if !std::mem::replace(&mut waiting, true) {
            wait.restart();
        }
        session.roll_back("ending a transaction").await?;
        loop {
            if until == WaitMode::UntilUpToDate
                && let Some(ahead) = up_to_date(context, session, &mut founded).await?
            {
                report.waited(wait.waited(), wait.holder());
                report.set_ahead(&ahead);
                return Ok(None);
            }
            wait.pause(context, session).await?;
            if lock::is_free(context, session).await? {
                break;
            }
        }
    }
}

/// Was it the check of upfront's own tables that failed? The transaction is rolled back then.
pub(crate) async fn refuse_untrusted(
    context: &Context<'_>,
    session: &Session,
    source: &tokio_postgres::Error,
) -> Result<()> {
    if !trust::is_doubt(source) {
        return Ok(());
    }
    session.roll_back("ending a transaction").await?;
    context.revisions.trust.diagnose(session.client(), Access::Write).await
}

pub(crate) fn begin_failed(
    context: &Context<'_>,
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
                context.role_denied(&source, session)
            } else {
                context.denied(doing, &source, session)
            }
        }
        _ => Details::Server { doing, source }.into(),
    }
}

/// Is the database up to date by the leader's work? As long as there are no tables, that is looked up in
/// the catalog: each look at a missing table would be an error in the server's log.
pub(crate) async fn up_to_date(
    context: &Context<'_>,
    session: &Session,
    founded: &mut bool,
) -> Result<Option<Vec<UnknownMigration>>> {
    let doing = "looking at the revision table";
    if !*founded {
        let answer = session.ask(doing, &context.revisions.exists()).await?;
        *founded = answer.row("upfront_exists").and_then(|it| it.get(2)) == Some("t");
        if !*founded {
            return Ok(None);
        }
    }
    let look = context.revisions.guarded(&context.revisions.look(context.set));
    let answer = match session.within(session::ask(session.client(), &look)).await? {
        Ok(it) => it,
        Err(it) if is_missing(&it) => return Ok(None),
        Err(source) => return Err(Details::Server { doing, source }.into()),
    };
    let look = HistorySummary::of(context.set, &answer);
    Ok(look
        .filter(|it| {
            it.is_up_to_date()
                && pending::refused(context.settings.on_newer_database, &it.ahead).is_empty()
        })
        .map(|it| it.ahead))
}
