//! One host after the other, each within its time.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use deadpool_postgres::Connect;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{Client, Config, Error, NoTls, config::Host};
use tokio_postgres_rustls::MakeRustlsConnect;
use upfront::Connector;

/// Connects to the first host that answers in time.
///
/// As libpq has it, the limit is one for everything until the server is ready, and each address of
/// each host has its own. The driver's is for the socket alone: a server that takes the connection
/// and never answers would be waited for without end.
pub(super) struct Hosts {
    pub(super) connector: Connector<MakeRustlsConnect>,
    /// A configuration for each host.
    pub(super) configs: Vec<Config>,
    pub(super) limit: Option<Duration>,
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl Connect for Hosts {
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        Box::pin(self.first())
    }
}

impl Hosts {
    async fn first(&self) -> Connected {
        let mut failed: Option<Error> = None;
        for host in &self.configs {
            for config in self.addresses(host).await {
                match self.one(&config).await {
                    Ok(it) => return Ok(it),
                    // What a server answered says more than that another one did not.
                    Err(err) if failed.as_ref().is_none_or(|it| it.as_db_error().is_none()) => {
                        failed = Some(err);
                    }
                    Err(_) => {}
                }
            }
        }
        Err(failed.expect("an address has a host"))
    }

    async fn one(&self, config: &Config) -> Connected {
        let Some(limit) = self.limit else { return self.connector.connect(config).await };
        match timeout(limit, self.connector.connect(config)).await {
            Ok(it) => it,
            Err(_) => Err(timed_out().await),
        }
    }

    /// A configuration for each address of a host. A name that cannot be resolved is left to the
    /// driver, whose error says so.
    async fn addresses(&self, config: &Config) -> Vec<Config> {
        let as_it_is = vec![config.clone()];
        let ([Host::Tcp(name)], []) = (config.get_hosts(), config.get_hostaddrs()) else {
            return as_it_is;
        };
        if name.parse::<IpAddr>().is_ok() {
            return as_it_is;
        }
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let lookup = tokio::net::lookup_host((name.as_str(), port));
        let found = match self.limit {
            Some(limit) => timeout(limit, lookup).await.ok().and_then(Result::ok),
            None => lookup.await.ok(),
        };
        let addressed = |it: std::net::SocketAddr| {
            let mut config = config.clone();
            config.hostaddr(it.ip());
            config
        };
        let all: Vec<_> = found.into_iter().flatten().map(addressed).collect();
        if all.is_empty() { as_it_is } else { all }
    }
}

/// The driver's error for a connection that timed out, which only the driver can make.
async fn timed_out() -> Error {
    let mut config = Config::new();
    config.user("nobody").ssl_mode(tokio_postgres::config::SslMode::Disable);
    let connected = config.connect_raw(Mute, NoTls).await;
    connected.err().expect("a stream that only fails connects nothing")
}

/// A stream that has timed out.
struct Mute;

fn no_answer<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time")))
}

impl AsyncRead for Mute {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        no_answer()
    }
}

impl AsyncWrite for Mute {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        no_answer()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        no_answer()
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
