use std::process;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::client::{self, quote};
use crate::database_settings;
use crate::error::{Error, Result};
use crate::server::{PreparedDatabase, Server};

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

impl Server {
    /// Makes an empty database with a name of its own.
    ///
    /// # Errors
    ///
    /// If the server does not run or may not be written to, as a standby.
    pub fn database(&self) -> Result<Database<'_>> {
        Database::create(self, self.prepared.get().map_or("template0", |it| &it.name))
    }

    /// Prepares the database that each later [`Server::database`] is a copy of, with the settings
    /// of `ALTER DATABASE … SET`. On a server of our own, those of the database `postgres` count too,
    /// as scripts for a hosted database name it.
    ///
    /// `prepare` must leave no connection open. Only the first call prepares anything.
    ///
    /// ```
    /// # use upfront_scratch::{Error, Server};
    /// # fn main() -> Result<(), Error> {
    /// let server = Server::start()?;
    /// server.prepare(|it| it.execute("create schema auth"))?;
    /// server.database()?.execute("create table auth.users ()")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `prepare`, and if the database cannot be created.
    pub fn prepare<E: From<Error>>(
        &self,
        prepare: impl FnOnce(&Database<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.prepared.get().is_some() {
            return Ok(());
        }
        let database = self.database()?;
        prepare(&database)?;
        let settings = database_settings::statements(self, database.name())?;
        let _ = self.prepared.set(PreparedDatabase { name: database.keep(), settings });
        Ok(())
    }

    /// A copy of the database that `prepare` has made the first time this name was asked for.
    ///
    /// Copies are quick, and so each test can have one. `prepare` must leave no connection open.
    ///
    /// ```
    /// # use upfront_scratch::{Database, Error, Server};
    /// fn with_users(server: &Server) -> Result<Database<'_>, Error> {
    ///     server.template("users", |it| it.execute("create table users (name text)"))
    /// }
    /// # fn main() -> Result<(), Error> {
    /// let server = Server::start()?;
    /// let (one, two) = (with_users(&server)?, with_users(&server)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `prepare`, and whatever keeps a database from being made.
    pub fn template<E: From<Error>>(
        &self,
        name: &str,
        prepare: impl FnOnce(&Database<'_>) -> Result<(), E>,
    ) -> Result<Database<'_>, E> {
        let mut all = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(name) {
            let database = self.database()?;
            prepare(&database)?;
            all.insert(name.to_owned(), database.keep());
        }
        let template = all[name].clone();
        drop(all);
        Ok(Database::create(self, &template)?)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        client::drop_database(&self.server.url("postgres"), &self.name);
    }
}

/// No two processes of a server that several use have the same.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |it| it.as_micros());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("scratch_{}_{since:x}_{number}", process::id())
}
