//! From a URL, or libpq's variables, to a pool of connections.

mod address;
pub(crate) mod database;
mod explain;
mod hosts;
mod parameters;
mod passfile;
pub(crate) mod redact;
mod tls;
pub(crate) mod versions;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;
use upfront::{Connector, cli::Exit};

pub(crate) use address::Address;

use self::hosts::Hosts;
use crate::output::failure::Failure;

/// As many as a command can use at once.
const CONNECTIONS: usize = 4;

/// A pool for a scratch server, which is behind a socket.
pub(crate) fn local(url: &str) -> Result<Pool, Failure> {
    let unusable = |err: &dyn std::fmt::Display| {
        Failure::new(Exit::Failed, format!("cannot make a pool of connections: {err}"))
    };
    let config: tokio_postgres::Config = url.parse().map_err(|err| unusable(&err))?;
    let connector = Connector::new(NoTls);
    let manager = Manager::from_connect(config, connector, ManagerConfig::default());
    let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
    pool.map_err(|err| unusable(&err))
}

impl Address {
    /// Connects once, to report problems in this program's words, and keeps the
    /// connection for the command.
    pub(crate) async fn connect(&self) -> Result<Pool, Failure> {
        let tls = MakeRustlsConnect::new(tls::config(&self.tls)?);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let (connector, configs) = (Connector::new(tls), self.hosts.clone());
        let limit = self.config.get_connect_timeout().copied();
        let connect = Hosts { connector, configs, limit };
        let manager = Manager::from_connect(self.config.clone(), connect, recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .build()
            .map_err(|err| Failure::mistake(format!("cannot make a pool of connections: {err}")))?;
        drop(pool.get().await.map_err(|err| self.unreachable(&err))?);
        Ok(pool)
    }
}
