use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::client;
use crate::database_settings;
use crate::error::Result;
use crate::server::Server;

/// A database of a [`Server`], dropped with everything in it when the value is, even if there are
/// connections to it.
///
/// ```
/// # fn main() -> Result<(), upfront_scratch::Error> {
/// let server = upfront_scratch::Server::shared()?;
/// let one = server.database()?;
/// one.execute("create table t (i int); insert into t values (42)")?;
///
/// let two = one.copy()?;
/// assert_eq!(two.psql("select i from t")?, "42\n");
/// assert_ne!(one.name(), two.name());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Database<'s> {
    /// A new one, as a copy of `template`.
    pub(crate) fn create(server: &'s Server, template: &str) -> Result<Self> {
        let name = unique();
        let sql = format!("create database {} template {}", quote(&name), quote(template));
        client::query(&server.url("postgres"), "create a database", &sql)?;
        let it = Self { server, name };
        // `CREATE DATABASE … TEMPLATE` copies no settings.
        if !server.prepared_settings().is_empty() {
            let sql =
                server.prepared_settings().replace(database_settings::DATABASE, &quote(&it.name));
            client::query(&it.url(), "set what the prepared database sets", &sql)?;
        }
        Ok(it)
    }

    /// Its name, which no other database of the server has.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is in.
    #[must_use]
    pub fn server(&self) -> &'s Server {
        self.server
    }

    /// Its URL, see [`Server::url`].
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A copy of this database under a name of its own, made by `CREATE DATABASE … TEMPLATE`.
    ///
    /// # Errors
    ///
    /// If anybody is connected to this database for the next five seconds.
    pub fn copy(&self) -> Result<Database<'s>> {
        Self::create(self.server, &self.name)
    }

    /// Runs SQL, one or more statements; without a transaction among them, they are one.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub fn execute(&self, sql: &str) -> Result<()> {
        client::query(&self.url(), "run the SQL", sql).map(drop)
    }

    /// What `psql` prints for the SQL, see [`Server::psql`].
    ///
    /// # Errors
    ///
    /// If there is no `psql`, or the first statement that fails.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.server.psql(&self.name, sql)
    }

    /// Its schema as SQL, see [`Server::schema`].
    ///
    /// # Errors
    ///
    /// If there is no `pg_dump`, or if it fails.
    pub fn schema(&self) -> Result<String> {
        self.server.schema(&self.name)
    }

    /// Lets the database live as long as its server.
    pub(crate) fn keep(mut self) -> String {
        std::mem::take(&mut self.name)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        drop_database(self.server, &self.name);
    }
}

/// Drops a database, even if there are connections to it.
pub(crate) fn drop_database(server: &Server, name: &str) {
    let sql = format!("drop database if exists {} with (force)", quote(name));
    let _ = client::query(&server.url("postgres"), "drop a database", &sql);
}

/// No two processes of a server that several use have the same.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |it| it.as_micros());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("scratch_{}_{since:x}_{number}", process::id())
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
