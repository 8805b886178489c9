//! What the tests share: databases of one server a test binary, folders of migrations made of
//! names and texts, a program that boots on them, and a wire that can be counted and cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::must_use_candidate, reason = "a test uses what it asks for")]

mod corpus;
mod gate;
mod json;
mod process;
mod resolve;
mod service;
mod until;
mod wire;

use std::{
    str::FromStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use deadpool_postgres::{Manager, Object, Pool};
use tokio_postgres::{Config, NoTls};
use upfront::{Builder, Event, Migrations, Migrator};
use upfront_scratch::{Database, Server};

pub use corpus::Corpus;
pub use gate::Gate;
pub use json::{JsonLog, Layout, strict};
pub use process::{Boot, Process};
pub use resolve::{commands, resolve};
pub use service::Service;
pub use until::{ask, until, until_waited_for};
pub use wire::{Counted, Wire};

/// The server of this test binary.
///
/// # Panics
///
/// No PostgreSQL was found.
pub fn server() -> &'static Server {
    Server::shared().unwrap()
}

/// An empty database on it, which goes with the value.
///
/// # Panics
///
/// It cannot be made.
pub fn database() -> Database<'static> {
    server().database().unwrap()
}

/// A pool of connections to a database.
///
/// # Panics
///
/// The URL is invalid.
pub fn pool(url: &str, size: usize) -> Pool {
    let manager = Manager::new(Config::from_str(url).unwrap(), NoTls);
    Pool::builder(manager).max_size(size).build().unwrap()
}

/// A connection of its own.
///
/// # Panics
///
/// The server does not answer.
pub async fn connect(url: &str) -> Object {
    pool(url, 1).get().await.unwrap()
}

/// A folder of migrations, from names such as `1_a.sql` or `down/1_a.sql` and their texts.
pub fn migrations(files: &[(&str, &str)]) -> Migrations {
    let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    Migrations::from_files(files.iter().map(file).collect())
}

/// As many migrations as asked for, each of which makes a table.
pub fn tables(count: usize) -> Vec<(String, String)> {
    let file = |it: usize| {
        let text = format!("CREATE TABLE t_{it} (id bigint PRIMARY KEY, name text NOT NULL);\n");
        (format!("{it:014}_table_{it}.sql"), text)
    };
    (1..=count).map(file).collect()
}

/// The same as [`migrations`], from owned texts.
pub fn owned(files: &[(String, String)]) -> Migrations {
    let file = |(name, text): &(String, String)| (name.clone(), text.as_bytes().to_vec());
    Migrations::from_files(files.iter().map(file).collect())
}

/// A migrator with the usual settings on a pool of four.
pub fn migrator(url: &str, files: &[(&str, &str)]) -> Migrator {
    Migrator::new(migrations(files), pool(url, 4))
}

/// A builder on a pool of four, with limits that suit a test.
pub fn builder(url: &str, files: &[(&str, &str)]) -> Builder {
    Migrator::builder(migrations(files), pool(url, 4)).wait_timeout(Duration::from_secs(30))
}

/// Collects the events of a boot.
#[derive(Debug, Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    /// To be given to `on_event`.
    pub fn listener(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let events = Arc::clone(&self.0);
        move |it| events.lock().unwrap().push(it.clone())
    }

    /// The events so far.
    ///
    /// # Panics
    ///
    /// A listener panicked.
    pub fn told(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}
