//! Who boots, and how.

use std::str::FromStr;

use deadpool_postgres::{Manager, Pool};
use sqlx::{Connection as _, PgConnection};
use tokio_postgres::{Client, Config, NoTls};
use upfront::Migrator;

use crate::{
    Result,
    floor::{self, Apply, Look},
    set::Set,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Hand(Look, Apply),
    Upfront,
    Sqlx,
    Refinery,
}

/// A connection as each wants it, open.
pub(crate) enum Connection {
    Hand(Client, Look, Apply),
    Upfront(Pool),
    Sqlx(PgConnection),
    Refinery(Client),
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hand(Look::LastRow, _) => "by hand, newest row only",
            Self::Hand(Look::EveryRow, Apply::OneMessage) => "by hand",
            Self::Hand(Look::EveryRow, Apply::TwoMessages) => "by hand, two messages",
            Self::Upfront => "**upfront**",
            Self::Sqlx => "sqlx 0.9",
            Self::Refinery => "refinery 0.10",
        }
    }

    pub(crate) async fn connect(self, url: &str) -> Result<Connection> {
        Ok(match self {
            Self::Hand(look, apply) => Connection::Hand(client(url).await?, look, apply),
            Self::Upfront => {
                let pool = pool(url)?;
                drop(pool.get().await?);
                Connection::Upfront(pool)
            }
            Self::Sqlx => Connection::Sqlx(PgConnection::connect(url).await?),
            Self::Refinery => Connection::Refinery(client(url).await?),
        })
    }
}

impl Connection {
    /// Boots: returns when the database has all of the set.
    pub(crate) async fn up(&mut self, set: &Set) -> Result<()> {
        match self {
            Self::Hand(client, look, apply) => floor::up(client, set, *look, *apply).await,
            Self::Upfront(pool) => {
                Migrator::new(set.upfront.clone(), pool.clone()).up().await?;
                Ok(())
            }
            Self::Sqlx(connection) => Ok(set.sqlx.run_direct(None, connection, false).await?),
            Self::Refinery(client) => {
                set.refinery.run_async(client).await?;
                Ok(())
            }
        }
    }
}

/// A pool as services have it.
fn pool(url: &str) -> Result<Pool> {
    let manager = Manager::new(Config::from_str(url)?, NoTls);
    Ok(Pool::builder(manager).max_size(4).build()?)
}

/// A connection that is driven in the background.
pub(crate) async fn client(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
