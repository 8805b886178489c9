//! The migration lock: asked for again and again, never waited for inside a statement.
//!
//! A waiting statement holds a snapshot, and `CREATE INDEX CONCURRENTLY` waits for every snapshot:
//! the two would wait for each other.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::{
    Event, Result,
    connection::{
        answer::Answer,
        backoff::Backoff,
        locked::{SessionLock, Transaction},
        session::{self, Session, holder},
        session_settings::{SettingScope, prologue},
    },
    embedded::Side,
    error::Details,
    event::LockHolder,
    execute::context::Context,
    history::other_tools,
    plan::rows::Head,
};

/// The answer to a request for the lock.
#[derive(Debug)]
pub(crate) enum LockAttempt {
    Locked(Transaction),
    /// Somebody else has it; our transaction is still open.
    Busy,
}

/// The message that begins a transaction, sets what a migration finds set, asks for the lock and
/// reads the head. Simple protocol and read committed: the head is read with a snapshot taken
/// after the lock.
pub(crate) fn begin(context: &Context<'_>, session: &Session) -> String {
    let head = match context.is_metadata {
        true => context.revisions.exists(),
        false => context.revisions.trust.owner_fence() + &context.revisions.head(),
    };
    begin_with(context, session, None, &head)
}

/// The same behind a migration that is recorded: upfront's own tables are there by then.
pub(crate) fn begin_next(context: &Context<'_>, session: &Session, side: Option<&Side>) -> String {
    begin_with(context, session, side, &context.revisions.head())
}

fn begin_with(context: &Context<'_>, session: &Session, side: Option<&Side>, head: &str) -> String {
    let prologue = prologue(context.settings, &session.facts, side, SettingScope::Transaction);
    let lock = context.revisions.try_lock();
    // For the search for other tools' histories before upfront's own tables are made.
    let path = match context.is_metadata {
        true => other_tools::capture_path(context.settings.program_path.as_deref()),
        false => String::new(),
    };
    format!("BEGIN ISOLATION LEVEL READ COMMITTED;{path}{prologue}{lock}{head}")
}

/// Could the lock be had? A tenth of what [`begin`] costs, for a crowd that asks again and again.
pub(crate) async fn is_free(context: &Context<'_>, session: &Session) -> Result<bool> {
    let doing = "asking for the migration lock";
    let answer = session.ask(doing, &context.revisions.probe_lock()).await?;
    let row = answer.row("upfront_locked").ok_or(Details::Unexpected { doing })?;
    Ok(row.get(0) == Some("t"))
}

/// Keeps the lock that the transaction has for the transactions after it: somebody of a crowd
/// would take it in between, and every new leader begins with cold caches.
pub(crate) async fn hold_session_lock(
    context: &Context<'_>,
    session: &Session,
) -> Result<SessionLock> {
    let doing = "keeping the migration lock";
    let answer = session.ask(doing, &context.revisions.try_session_lock()).await?;
    let row = answer.row("upfront_locked").filter(|it| it.get(0) == Some("t"));
    let lock = row.and_then(|it| {
        let since = it.get(2).and_then(|it| it.parse().ok());
        Some(SessionLock { pid: it.get(1)?.parse().ok()?, since })
    });
    lock.ok_or(Details::Unexpected { doing }.into())
}

/// Reads the answer of [`begin`].
pub(crate) fn begun(answer: &Answer) -> Option<LockAttempt> {
    let row = answer.row("upfront_locked")?;
    if row.get(0)? != "t" {
        return Some(LockAttempt::Busy);
    }
    let head = head(answer);
    let text = |at| row.get(at).map(str::to_owned);
    Some(LockAttempt::Locked(Transaction { xid: text(1)?, login: text(2)?, role: text(3)?, head }))
}

/// The newest row, or the start of every history.
pub(crate) fn head(answer: &Answer) -> Head {
    answer.row("upfront_head").map_or_else(Head::start, |it| Head {
        version: it.get(0).unwrap_or_default().to_owned(),
        chain: it.get(1).unwrap_or_default().to_owned(),
    })
}

/// Waiting for the lock.
#[derive(Debug)]
pub(crate) struct Wait {
    backoff: Backoff,
    asked: Option<Instant>,
    holder: Option<LockHolder>,
}

impl Wait {
    pub(crate) fn new() -> Self {
        Self { backoff: Backoff::new(), asked: None, holder: None }
    }

    /// Starts again: what came before was work.
    pub(crate) fn restart(&mut self) {
        *self = Self::new();
    }

    /// How long this took so far.
    pub(crate) fn waited(&self) -> Duration {
        self.backoff.waited()
    }

    pub(crate) fn holder(&self) -> Option<&LockHolder> {
        self.holder.as_ref()
    }

    /// Pauses with no transaction open; from time to time asks who it is that we wait for.
    ///
    /// # Errors
    ///
    /// The limit is over.
    pub(crate) async fn pause(&mut self, context: &Context<'_>, session: &Session) -> Result<()> {
        self.name_holder(context, session.client()).await;
        let limit = context.settings.wait_timeout;
        if self.waited() >= limit {
            let (app, waited) = (context.app.to_owned(), self.waited());
            return Err(Details::Wait { app, waited, holder: self.holder.take() }.into());
        }
        self.sleep(limit.saturating_sub(self.waited())).await;
        Ok(())
    }

    /// Asks from time to time which process holds the lock, and reports it. Not to know is no error.
    pub(crate) async fn name_holder(&mut self, context: &Context<'_>, client: &Client) {
        const FIRST: Duration = Duration::from_millis(500);
        const EVERY: Duration = Duration::from_secs(5);
        let due = match self.asked {
            Some(it) => it.elapsed() >= EVERY,
            // The answer goes through all locks of the server: not for a wait of a moment.
            None => self.waited() >= FIRST.min(context.settings.wait_timeout / 2),
        };
        if !due {
            return;
        }
        self.asked = Some(Instant::now());
        let answer = session::ask(client, &context.revisions.holder()).await.unwrap_or_default();
        self.holder = answer.row("upfront_pid").and_then(holder).or(self.holder.take());
        context.notify(&Event::Waiting { holder: self.holder.clone(), waited: self.waited() });
    }

    /// Sleeps until the next look, and not past the limit.
    pub(crate) async fn sleep(&self, limit: Duration) {
        sleep(self.backoff.next().min(limit)).await;
    }
}
