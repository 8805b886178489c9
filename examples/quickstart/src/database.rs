//! Where the database is.

use std::env;

use anyhow::Context;
use deadpool_postgres::{Manager, ManagerConfig, Pool};
use tokio_postgres::{Config, NoTls};
use upfront::Connector;
use upfront_scratch::Server;

/// The database that `DATABASE_URL` names, or one of a server that lives as long as the value.
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

    /// A service does not do this; the example shall run without a server at hand.
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
        // Whoever waits for this process, or looks at `pg_stat_activity`, reads this name.
        config.application_name("quickstart");
        // Notices a dead link, and logs what migrations raise.
        let connector = Connector::new(NoTls);
        let manager = Manager::from_connect(config, connector, ManagerConfig::default());
        Ok(Pool::builder(manager).max_size(8).build()?)
    }
}
