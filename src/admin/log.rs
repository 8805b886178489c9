//! What was done to the schema, when and by whom.

use std::time::{Duration, SystemTime};

use deadpool_postgres::Pool;
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::{
    Result,
    connection::session::{borrow, unless_silent, within},
    error::Details,
    execute::context::Context,
    migrator::Migrator,
};

/// A line of `upfront.log`: one try to change the schema, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogEntry {
    /// Its place in the log, which ascends.
    pub id: i64,
    /// When it was done, in UTC, as RFC 3339 has it.
    pub at: String,
    /// The migration's version; empty if the entry is about the database.
    pub version: String,
    /// The migration's name.
    pub name: String,
    /// `up` or `down`.
    pub direction: String,
    /// `applied`, `covered`, `baseline`, `failed`, `reverted`; `resolved`: a person recorded what
    /// became of a part of it; `protected`, `unprotected`: the mark of the database.
    pub outcome: String,
    /// The hash of the SQL.
    pub hash: String,
    /// How long it took, where it ran.
    #[serde(with = "crate::serde_duration::maybe")]
    pub duration: Option<Duration>,
    /// The digest of the plan that was approved, of a protected database.
    #[serde(default)]
    pub approval: Option<String>,
    /// What a rollback took away, where that was accepted.
    #[serde(default)]
    pub lost: Option<String>,
    /// The server's SQLSTATE, where it failed.
    pub sqlstate: Option<String>,
    /// What the server said, where it failed; otherwise why the entry was written.
    pub message: Option<String>,
    /// Who was logged in.
    pub login: String,
    /// As whom it was done.
    pub role: String,
    /// What the session called itself.
    pub application: String,
    /// From where the session came; `None` on a local socket.
    pub address: Option<String>,
    /// The host that the program ran on, by its own word.
    pub host: Option<String>,
    /// The program's release, by its own word.
    pub release: Option<String>,
    /// The server's version.
    pub server_version: String,
}

impl Migrator {
    /// What was done to the schema, when and by whom, newest first: what is in upfront's `log`, no
    /// more than `limit` entries, none older than `since`. Writes nothing and takes no lock.
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
    /// Names what the table has no outcome for.
    fn named(self) -> Self {
        let outcome = match (self.version.as_str(), self.direction.as_str(), &self.sqlstate) {
            ("", "up", _) => "protected",
            ("", _, _) => "unprotected",
            (_, _, None) if self.outcome == "failed" => "resolved",
            _ => return self,
        };
        Self { outcome: outcome.to_owned(), ..self }
    }
}

/// Since 1970.
fn seconds(it: SystemTime) -> f64 {
    it.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |it| it.as_secs_f64())
}
