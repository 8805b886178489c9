//! Connections: borrowed for a look, taken for good before anything is locked or written.

use std::{
    error::Error as StdError,
    io, iter,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deadpool_postgres::{ClientWrapper, Object, Pool, PoolError, TimeoutType};
use futures_util::TryStreamExt;
use postgres_protocol::escape::escape_literal;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{
    Client, SimpleColumn as Column, SimpleQueryMessage, SimpleQueryRow,
    error::{DbError, SqlState},
};

use crate::{
    Result,
    connection::{
        answer::Answer,
        backend_key::{BackendKey, announced_key},
        backoff::Backoff,
        connector::Hearing,
        server_info::{ServerInfo, WriteAccess},
        session_settings::{dead_link, set_config},
        sql::PINNED,
    },
    error::{Details, Error, Silence},
    event::LockHolder,
};

/// Borrows a connection, within a limit.
///
/// A server that is starting, or has no connection left, is waited for; one that is not there, or
/// turns the user away, is an error at once.
pub(crate) async fn borrow(pool: &Pool, limit: Duration) -> Result<Object> {
    let since = Instant::now();
    let backoff = Backoff::new();
    let mut busy = None;
    loop {
        let left = limit.saturating_sub(since.elapsed());
        let err = match timeout(left, pool.get()).await {
            Ok(Ok(it)) => return Ok(it),
            Ok(Err(err)) => Some(err),
            Err(_) => None,
        };
        match err {
            Some(err) if is_busy(&err) && since.elapsed() < limit => busy = Some(err),
            err => return Err(no_connection(pool, err, busy, since.elapsed()).into()),
        }
        sleep(backoff.next().min(limit.saturating_sub(since.elapsed()))).await;
    }
}

/// Why there is no connection. A server that turned us away until the limit was over has answered:
/// that the last try was cut off says nothing.
fn no_connection(
    pool: &Pool,
    err: Option<PoolError>,
    busy: Option<PoolError>,
    waited: Duration,
) -> Details {
    let is_full = pool.status().size >= pool.status().max_size;
    match (err, busy) {
        (None | Some(PoolError::Timeout(_)), Some(busy)) => Details::Connect(busy),
        (Some(PoolError::Timeout(TimeoutType::Wait)), None) => Details::Exhausted { waited },
        (None, None) if is_full => Details::Exhausted { waited },
        (None | Some(PoolError::Timeout(_)), None) => Details::Unreachable { waited },
        (Some(err), _) => Details::Connect(err),
    }
}

fn is_busy(err: &PoolError) -> bool {
    let PoolError::Backend(err) = err else { return false };
    err.code().is_some_and(|it| {
        *it == SqlState::TOO_MANY_CONNECTIONS || *it == SqlState::CANNOT_CONNECT_NOW
    })
}

/// Is the connection gone, so that another may do better?
pub(crate) fn is_lost(err: &tokio_postgres::Error) -> bool {
    match err.code() {
        Some(it) => {
            it.code().starts_with("08")
                || [
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                ]
                .contains(it)
        }
        None => err.is_closed() || err.source().is_some_and(<dyn StdError>::is::<io::Error>),
    }
}

/// Waits for an answer, within a limit: a query of a table that somebody has locked waits for ever.
///
/// # Errors
///
/// The limit is over. The query is still under way, so the connection must not go back to a pool.
pub(crate) async fn within<T>(limit: Duration, answer: impl Future<Output = T>) -> Result<T> {
    let silence = Silence::Unknown;
    timeout(limit, answer).await.map_err(|_| Details::Silent { waited: limit, silence }.into())
}

/// Says why there was no answer, if that is what an error is about: a locked table and a dead link
/// look alike from here, and another connection may tell them apart.
async fn diagnosed(err: Error, pool: Option<&Pool>, client: &Client) -> Error {
    let Details::Silent { waited, .. } = err.details() else { return err };
    let (Some(pool), Some(key)) = (pool, announced_key(client).await) else { return err };
    let silence = silence(pool, key).await;
    Details::Silent { waited: *waited, silence }.into()
}

async fn silence(pool: &Pool, key: BackendKey) -> Silence {
    const PATIENCE: Duration = Duration::from_secs(5);
    let asking = async {
        let other = pool.get().await.ok()?;
        let answer = ask(&other, &what_it_does(key)).await.ok()?;
        let (own, _) = announced_key(&other).await?;
        Some(read_silence(&answer, own))
    };
    match timeout(PATIENCE, asking).await {
        Ok(it) => it.unwrap_or(Silence::Unknown),
        Err(_) if pool.status().size >= pool.status().max_size => Silence::Unknown,
        Err(_) => Silence::Server,
    }
}

/// What the process of another connection does, and who is in its way.
fn what_it_does((pid, _): BackendKey) -> String {
    format!(
        "{PINNED}SELECT pg_backend_pid() AS upfront_backend, s.pid, s.state, s.wait_event_type FROM \
         (SELECT) it LEFT JOIN pg_stat_activity s ON s.pid = {pid};SELECT a.pid AS upfront_pid, \
         coalesce(a.application_name, ''), host(a.client_addr), extract(epoch FROM \
         clock_timestamp() - a.xact_start) FROM unnest(pg_blocking_pids({pid})) b JOIN \
         pg_stat_activity a ON a.pid = b"
    )
}

/// `own` is the process id that the asking connection was given. Behind a pooler neither of the two
/// ids is a process of the server.
fn read_silence(answer: &Answer, own: i32) -> Silence {
    let Some(row) = answer.row("upfront_backend") else { return Silence::Unknown };
    if row.get(0) != Some(own.to_string().as_str()) {
        return Silence::Unknown;
    }
    match (row.get(1), row.get(2), row.get(3)) {
        (None, ..) => Silence::Link,
        (_, Some("active"), Some("Lock")) => {
            let is_holder = |it: &&SimpleQueryRow| {
                it.columns().first().map(Column::name) == Some("upfront_pid")
            };
            let rows = answer.rows.iter().filter(is_holder);
            Silence::Locked(rows.filter_map(holder).collect())
        }
        (_, Some("active") | None, _) => Silence::Unknown,
        (_, Some(_), _) => Silence::Link,
    }
}

/// Gives a connection back to its pool, unless its query is still under way.
pub(crate) async fn unless_silent<T>(client: Object, answer: Result<Result<T>>) -> Result<T> {
    match answer {
        Ok(it) => it,
        Err(err) => {
            let pool = Object::pool(&client);
            let client = Object::take(client);
            Err(Box::pin(diagnosed(err, pool.as_ref(), &client)).await)
        }
    }
}

/// A message that ended in an error.
#[derive(Debug)]
pub(crate) struct ScriptError {
    /// How many statements had completed.
    pub(crate) completed: usize,
    /// The byte of the body at which the message that stopped begins.
    pub(crate) sent_from: usize,
    pub(crate) err: tokio_postgres::Error,
    /// The driver takes each answer for that of the request before, so that the connection is of no
    /// use any more.
    pub(crate) out_of_step: bool,
}

impl ScriptError {
    pub(crate) fn new(err: tokio_postgres::Error) -> Self {
        Self { completed: 0, sent_from: 0, err, out_of_step: false }
    }
}

/// Sends a message of our own by the simple protocol, which every pooler passes.
pub(crate) async fn ask(client: &Client, sql: &str) -> Result<Answer, tokio_postgres::Error> {
    let rows = client.simple_query(sql).await?.into_iter().filter_map(|it| match it {
        SimpleQueryMessage::Row(it) => Some(it),
        _ => None,
    });
    Ok(Answer { rows: rows.collect(), completed: 0 })
}

/// Sends a message that holds a migration, and reports each statement that completes.
pub(crate) async fn run(
    client: &Client,
    sql: &str,
    mut completed: impl FnMut(usize),
) -> Result<Answer, ScriptError> {
    let mut answer = Answer::default();
    let stopped = |completed: usize| move |err| ScriptError { completed, ..ScriptError::new(err) };
    let mut messages = pin!(client.simple_query_raw(sql).await.map_err(stopped(0))?);
    while let Some(it) = messages.try_next().await.map_err(stopped(answer.completed))? {
        match it {
            SimpleQueryMessage::CommandComplete(_) => {
                answer.completed += 1;
                completed(answer.completed);
            }
            SimpleQueryMessage::Row(it) if is_ours(&it) => answer.rows.push(it),
            _ => {}
        }
    }
    Ok(answer)
}

fn is_ours(row: &SimpleQueryRow) -> bool {
    row.columns().first().is_some_and(|it| it.name().starts_with("upfront_"))
}

/// A connection that left the pool: it closes when it is dropped, and with it go its lock, its
/// transaction and its settings, after success, an error, a panic or a cancelled future alike.
pub(crate) struct Session {
    client: ClientWrapper,
    /// Where it is from, for a question about it.
    pool: Pool,
    pub(crate) facts: ServerInfo,
    /// How long an answer to a question of our own may take.
    limit: Duration,
    key: Option<BackendKey>,
    /// A transaction is open. The server warns of the end of one that is not, and of a client that
    /// vanishes in the middle of one.
    open: AtomicBool,
}

const FACTS: &str = "SELECT pg_catalog.pg_backend_pid(), \
     pg_catalog.current_setting('server_version_num'), \
     pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(), \
     pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_database(), \
     SESSION_USER, CURRENT_USER, pg_catalog.version(), \
     pg_catalog.current_setting('server_encoding')";

/// Servers on some systems cannot, and say so: then a session that died is noticed later.
///
/// It lasts for this statement alone, so that it passes through a pooler; a migration sets it again.
const CHECK_CONNECTION: &str =
    "SELECT pg_catalog.set_config('client_connection_check_interval', '2s', true)";

/// A process that waits is idle between two queries, and the holder of the lock must
/// not keep it where its link is dead. And the program that lent the connection may have left a
/// temporary table, which stands before a real one of its name.
fn make_ours(facts: &ServerInfo) -> String {
    let settings = iter::once(("idle_session_timeout", "0")).chain(dead_link(facts));
    let calls = settings.map(|(name, it)| set_config(name, &escape_literal(it), false));
    let calls = calls.collect::<Vec<_>>().join(",");
    format!("SELECT pg_catalog.concat({calls});DISCARD TEMP")
}

impl Session {
    /// Takes a connection out of the pool for good.
    pub(crate) async fn take(pool: &Pool, limit: Duration) -> Result<Self> {
        let client = Object::take(borrow(pool, limit).await?);
        let doing = "asking what server it is";
        let answer =
            ask(&client, FACTS).await.map_err(|source| Details::Server { doing, source })?;
        let row = answer.rows.first().ok_or(Details::Unexpected { doing })?;
        let text = |at| row.get(at).unwrap_or_default();
        let version = text(1).parse().map_err(|_| Details::Unexpected { doing })?;
        if version < 140_000 {
            return Err(Details::OldServer { version: text(2).to_owned() }.into());
        }
        let key = announced_key(&client).await;
        let facts = ServerInfo {
            pooled: key.is_none_or(|(pid, _)| pid.to_string() != text(0)),
            version,
            writes: match (text(3), text(4)) {
                ("t", _) => WriteAccess::Standby,
                (_, "on") => WriteAccess::ReadOnly,
                _ => WriteAccess::Allowed,
            },
            database: text(5).to_owned(),
            login: text(6).to_owned(),
            role: text(7).to_owned(),
            encoding: text(9).to_owned(),
            checks_connection: ask(&client, CHECK_CONNECTION).await.is_ok(),
            // `PostgreSQL 18.1 on x86_64-pc-linux-gnu, …`
            limits_acknowledgement: text(8).contains("linux"),
        };
        if !facts.pooled {
            let sql = make_ours(&facts);
            ask(&client, &sql).await.map_err(|source| Details::Server { doing, source })?;
        }
        let pool = pool.clone();
        Ok(Self { client, pool, facts, limit, key, open: AtomicBool::new(false) })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Notes whether a transaction is open after what was sent.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.open.store(is_open, Ordering::Relaxed);
    }

    /// Ends a transaction, if one is open.
    pub(crate) async fn roll_back(&self, doing: &'static str) -> Result<()> {
        if self.open.swap(false, Ordering::Relaxed) {
            self.ask(doing, "ROLLBACK").await?;
        }
        Ok(())
    }

    /// Commits the transaction that is open.
    pub(crate) async fn commit(&self, doing: &'static str) -> Result<()> {
        self.set_open(false);
        self.ask(doing, "COMMIT").await.map(drop)
    }

    /// Closes the connection after an error as after success: not in the middle of a transaction,
    /// which the server would log.
    pub(crate) async fn close<T>(self, done: Result<T>) -> Result<T> {
        const PATIENCE: Duration = Duration::from_secs(1);
        if done.is_err() && !self.client.is_closed() {
            let _ = timeout(PATIENCE, self.roll_back("ending a transaction")).await;
        }
        done
    }

    /// Has what the server raises passed on while the value lives, if the pool uses a
    /// [`Connector`](crate::Connector).
    pub(crate) fn hear(
        &self,
        listener: impl Fn(&DbError) + Send + Sync + 'static,
    ) -> Option<Hearing> {
        Some(Hearing::start(self.key?, listener))
    }

    /// Waits for the answer to a question of our own.
    pub(crate) async fn within<T>(&self, answer: impl Future<Output = T>) -> Result<T> {
        match within(self.limit, answer).await {
            Ok(it) => Ok(it),
            Err(err) => Err(Box::pin(diagnosed(err, Some(&self.pool), &self.client)).await),
        }
    }

    /// Sends a message of our own.
    pub(crate) async fn ask(&self, doing: &'static str, sql: &str) -> Result<Answer> {
        let answer = self.within(ask(&self.client, sql)).await?;
        answer.map_err(|source| Error::from(Details::Server { doing, source }))
    }
}

/// Reads a row of pid, application, address and age in seconds.
pub(crate) fn holder(row: &tokio_postgres::SimpleQueryRow) -> Option<LockHolder> {
    let age: Option<f64> = row.get(3).and_then(|it| it.parse().ok());
    Some(LockHolder {
        pid: row.get(0)?.parse().ok()?,
        application: row.get(1).unwrap_or_default().to_owned(),
        address: row.get(2).and_then(|it| it.parse().ok()),
        age: age.map(|it| Duration::from_secs_f64(it.max(0.0))),
    })
}
