//! The database of the service.

use std::env;

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Pool};
use tokio_postgres::{Config, NoTls};
use upfront::Connector;
use upfront_scratch::Server;

/// The database in `DATABASE_URL`, or one on a server that stops when this value is dropped.
pub(crate) struct Database {
    url: String,
    _scratch: Option<Server>,
}

impl Database {
    pub(crate) fn open() -> anyhow::Result<Self> {
        match env::var("DATABASE_URL") {
            Ok(url) => Ok(Self { url, _scratch: None }),
            Err(_) => Self::scratch(),
        }
    }

    /// For the example only, so that it runs without a PostgreSQL server.
    fn scratch() -> anyhow::Result<Self> {
        println!("There is no DATABASE_URL, so this starts a server of its own.");
        let server = Server::start()?;
        let url = server.url("postgres");
        println!("PostgreSQL {} runs until this program ends:", server.version());
        println!("  psql {url}");
        Ok(Self { url, _scratch: Some(server) })
    }

    /// A pool of connections; none is made before one is needed.
    pub(crate) fn pool(&self) -> anyhow::Result<Pool> {
        let mut config: Config = self.url.parse().context("cannot read `DATABASE_URL`")?;
        // Other replicas log this name while they wait; `pg_stat_activity` shows it, too.
        config.application_name("quickstart");
        // Detects a dead connection, and logs the notices that migrations raise.
        let connector = Connector::new(NoTls);
        let manager = Manager::from_connect(config, connector, ManagerConfig::default());
        Ok(Pool::builder(manager).max_size(8).build()?)
    }
}
