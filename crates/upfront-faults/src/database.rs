//! Questions to a server, as psql would ask them.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tokio::{task::JoinHandle, time::sleep};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, error::SqlState};

use crate::failure::Result;

/// A connection of the harness.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Connects, also to a server that recovers or starts.
    ///
    /// # Errors
    ///
    /// The server refuses, or does not start.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let since = Instant::now();
        let (client, connection) = loop {
            match tokio_postgres::connect(url, NoTls).await {
                Ok(it) => break it,
                Err(err) if is_starting(&err) && since.elapsed() < START => {
                    sleep(Duration::from_millis(20)).await;
                }
                Err(err) => return Err(described(&err, "connecting").into()),
            }
        };
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(Self { client, driver })
    }

    /// What the SQL returns, as psql prints it: `|` between columns, one line a row.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub(crate) async fn ask(&self, sql: &str) -> Result<String> {
        let answer = self.client.simple_query(sql).await.map_err(|err| described(&err, sql))?;
        let line = |it: &SimpleQueryMessage| match it {
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|at| row.get(at).unwrap_or_default());
                Some(values.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        };
        Ok(answer.iter().filter_map(line).collect::<Vec<_>>().join("\n"))
    }

    /// Asks until the answer is the expected one.
    ///
    /// # Errors
    ///
    /// It is another one until the limit, or the server refuses.
    pub(crate) async fn until(&self, sql: &str, expected: &str, limit: Duration) -> Result<()> {
        let since = Instant::now();
        loop {
            let answer = self.ask(sql).await?;
            if answer == expected {
                return Ok(());
            }
            if since.elapsed() > limit {
                return Err(format!("`{sql}` is `{answer}`, not `{expected}`").into());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// How long a server may take to recover.
const START: Duration = Duration::from_secs(60);

fn is_starting(err: &tokio_postgres::Error) -> bool {
    let code = err.code().map(SqlState::code);
    // Without a code there was no answer.
    code.is_none_or(|it| it == "57P03")
}

/// An error of the driver alone prints as `db error`.
fn described(err: &tokio_postgres::Error, sql: &str) -> String {
    let reason = err.as_db_error().map_or_else(|| err.to_string(), ToString::to_string);
    format!("{reason}, in `{sql}`")
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What one question returns, over a connection of its own.
///
/// # Errors
///
/// The server refuses.
pub(crate) async fn ask(url: &str, sql: &str) -> Result<String> {
    Connection::open(url).await?.ask(sql).await
}

/// Creates a database as a copy of another one; its name.
///
/// # Errors
///
/// The server refuses, for instance because somebody is connected to the other one.
pub(crate) async fn create(maintenance: &str, template: &str) -> Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("point_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
    ask(maintenance, &sql).await?;
    Ok(name)
}

/// Drops a database with the connections to it.
///
/// # Errors
///
/// The server refuses.
pub(crate) async fn remove(maintenance: &str, name: &str) -> Result<()> {
    ask(maintenance, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.map(drop)
}
