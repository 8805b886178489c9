//! Connections for a pool that notice a dead link, and pass on what migrations raise.

use std::{
    collections::HashMap,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Error, Socket,
    error::{DbError, Severity},
    tls::{MakeTlsConnect, TlsConnect},
};

use crate::connection::backend_key::{BackendKey, announced_key};

/// Makes the connections of a pool, in place of deadpool's own.
///
/// Two things are better with it. What a migration raises (`RAISE NOTICE`, `WARNING`) is logged
/// under the migration's name, and is an [`Event::Notice`](crate::Event::Notice); otherwise the
/// driver logs it as `tokio_postgres::connection`, without a name and always at INFO. And a link
/// that swallows everything is noticed within a minute: where the configuration leaves them at
/// their defaults, keepalives begin after 30 s, and data that is not acknowledged closes the
/// connection after 20 s.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use deadpool_postgres::{Manager, ManagerConfig, Pool};
/// use tokio_postgres::{Config, NoTls};
///
/// let config: Config = "postgres://app@db/shop".parse()?;
/// let connector = upfront::Connector::new(NoTls);
/// let manager = Manager::from_connect(config, connector, ManagerConfig::default());
/// let pool = Pool::builder(manager).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Connector<T> {
    tls: T,
}

impl<T> Connector<T> {
    /// Returns a connector that uses `tls`, such as [`NoTls`](tokio_postgres::NoTls).
    pub fn new(tls: T) -> Self {
        Self { tls }
    }
}

impl<T> fmt::Debug for Connector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl<T> Connect for Connector<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let (config, tls) = (guarded(config), self.tls.clone());
        Box::pin(async move {
            let (client, connection) = config.connect(tls).await?;
            let key = announced_key(&client).await;
            Ok((client, tokio::spawn(drive(connection, key))))
        })
    }
}

/// With limits that notice a dead link, where the configuration leaves them at their defaults.
fn guarded(config: &Config) -> Config {
    const DRIVERS_IDLE: Duration = Duration::from_secs(2 * 60 * 60);
    let mut guarded = config.clone();
    if config.get_keepalives_idle() == DRIVERS_IDLE {
        guarded.keepalives_idle(Duration::from_secs(30));
    }
    if config.get_keepalives_interval().is_none() {
        guarded.keepalives_interval(Duration::from_secs(10));
    }
    if config.get_keepalives_retries().is_none() {
        guarded.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        guarded.tcp_user_timeout(Duration::from_secs(20));
    }
    guarded
}

/// Runs a connection to its end.
async fn drive<S, T>(mut connection: Connection<S, T>, key: Option<BackendKey>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match message {
            Ok(AsyncMessage::Notice(it)) => pass_on(key, &it),
            Ok(_) => {}
            Err(err) => {
                tracing::warn!(error = %err, "a connection ended");
                return;
            }
        }
    }
}

fn pass_on(key: Option<BackendKey>, notice: &DbError) {
    let listener = key.and_then(|it| listeners().get(&it).cloned());
    if let Some(listener) = listener {
        return listener(notice);
    }
    // The program's own query raised it: logged as the driver does.
    let message = upfront_redact::redact_message(notice.message());
    tracing::info!("{}: {message}", severity(notice));
}

/// The severity in English, whatever the server's language is.
pub(crate) fn severity(notice: &DbError) -> &str {
    match notice.parsed_severity() {
        Some(Severity::Warning) => "WARNING",
        Some(Severity::Notice) => "NOTICE",
        Some(Severity::Info) => "INFO",
        Some(Severity::Log) => "LOG",
        Some(Severity::Debug) => "DEBUG",
        _ => notice.severity(),
    }
}

type Listener = Arc<dyn Fn(&DbError) + Send + Sync>;

/// Who listens to which session. A pool gives a connection away without a way to ask it anything;
/// but both it and its task know the key that cancels its queries.
fn listeners() -> MutexGuard<'static, HashMap<BackendKey, Listener>> {
    static LISTENERS: LazyLock<Mutex<HashMap<BackendKey, Listener>>> =
        LazyLock::new(Mutex::default);
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to what a session's server raises, while the value lives.
///
/// A notice is passed on before the end of the statement that raised it: the connection's task
/// reads both.
pub(crate) struct Hearing(BackendKey);

impl Hearing {
    pub(crate) fn start(
        key: BackendKey,
        listener: impl Fn(&DbError) + Send + Sync + 'static,
    ) -> Self {
        listeners().insert(key, Arc::new(listener));
        Self(key)
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        listeners().remove(&self.0);
    }
}
