//! The log: every attempt to change the schema, with its author and outcome.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use deadpool_postgres::Pool;
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::{
    Digest, Direction, Result,
    connection::session::{borrow, unless_silent, within},
    error::Details,
    execute::context::Context,
    migrator::Migrator,
};

/// A row of `upfront.log`: one attempt to change the schema, with its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// Its ascending number.
    pub id: i64,
    /// When it was done; as RFC 3339 in JSON.
    #[serde(with = "crate::plan::moment::serde_rfc3339")]
    pub at: SystemTime,
    /// The migration's version; empty if the entry is about the database.
    pub version: String,
    /// The migration's name.
    pub name: String,
    /// Whether it was applied or rolled back.
    pub direction: Direction,
    /// The outcome.
    pub outcome: Outcome,
    /// The hash of the SQL.
    pub hash: String,
    /// How long it took, if it ran.
    #[serde(with = "crate::serde_duration::maybe")]
    pub duration: Option<Duration>,
    /// The digest of the approved plan, on a protected database.
    #[serde(default)]
    pub approval: Option<Digest>,
    /// The data that a rollback deleted, if that was accepted.
    #[serde(default)]
    pub lost: Option<String>,
    /// The server's SQLSTATE, if it failed.
    pub sqlstate: Option<String>,
    /// The server's message, if it failed; otherwise the reason for the entry.
    pub message: Option<String>,
    /// The login role.
    pub login: String,
    /// The role that ran it.
    pub role: String,
    /// The application name of the session.
    pub application: String,
    /// The address of the client; `None` on a local socket.
    pub address: Option<String>,
    /// The host of the program, as the program reported it.
    pub host: Option<String>,
    /// The release of the program, as the program reported it.
    pub release: Option<String>,
    /// The server's version.
    pub server_version: String,
}

/// The outcome of an attempt to change the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The migration was applied.
    Applied,
    /// The migration was recorded without running: a checkpoint, or a migration below one.
    Covered,
    /// The migration was recorded by `adopt` or `baseline`.
    Baseline,
    /// The migration failed.
    Failed,
    /// The migration was rolled back.
    Reverted,
    /// The outcome of a part of the migration was recorded by hand.
    Resolved,
    /// The database was marked as protected.
    Protected,
    /// The mark of a protected database was removed.
    Unprotected,
}

impl Migrator {
    /// Returns the entries of upfront's log, newest first: at most `limit` entries, and only those
    /// since a moment. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn log(
        &self,
        limit: Option<u32>,
        since: Option<SystemTime>,
    ) -> Result<Vec<LogEntry>> {
        let context = Context::new(self.set()?, &self.settings);
        read(&context, &self.pool, limit, since).instrument(self.span("log")).await
    }
}

/// Reads the log, newest first.
async fn read(
    context: &Context<'_>,
    pool: &Pool,
    limit: Option<u32>,
    since: Option<SystemTime>,
) -> Result<Vec<LogEntry>> {
    let patience = context.settings.wait_timeout;
    let client = borrow(pool, patience).await?;
    let sql = context.revisions.log(limit, since.map(seconds));
    let answer = within(patience, context.read(&client, &sql)).await;
    let answer = unless_silent(client, answer).await?;
    let Some(answer) = answer.answer("reading the log")? else { return Ok(Vec::new()) };
    let rows = answer.rows.iter().filter(|it| it.columns()[0].name() == "upfront_log");
    let entry = |it: &tokio_postgres::SimpleQueryRow| {
        serde_json::from_str(it.get(0)?).ok().map(LogEntry::named)
    };
    let entries: Option<Vec<_>> = rows.map(entry).collect();
    entries.ok_or_else(|| Details::Unexpected { doing: "reading the log" }.into())
}

impl LogEntry {
    /// Names the outcomes that the table writes with other words.
    fn named(self) -> Self {
        let outcome = match (self.version.as_str(), self.direction, &self.sqlstate) {
            ("", Direction::Up, _) => Outcome::Protected,
            ("", Direction::Down, _) => Outcome::Unprotected,
            (_, _, None) if self.outcome == Outcome::Failed => Outcome::Resolved,
            _ => return self,
        };
        Self { outcome, ..self }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::Covered => "covered",
            Self::Baseline => "baseline",
            Self::Failed => "failed",
            Self::Reverted => "reverted",
            Self::Resolved => "resolved",
            Self::Protected => "protected",
            Self::Unprotected => "unprotected",
        })
    }
}

/// Since 1970.
fn seconds(it: SystemTime) -> f64 {
    it.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64())
}
