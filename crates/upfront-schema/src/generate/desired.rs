//! The desired schema as texts of SQL.

use upfront_scratch::Database;

use crate::error::{Error, Result};
use crate::extract::Scope;
use crate::load::texts;
use crate::session;

/// The server's own never count.
const OTHERS: &str = "SELECT nspname::text FROM pg_namespace
  WHERE nspname <> ALL ($1) AND nspname !~ '^pg_' AND nspname <> 'information_schema'";

/// Runs texts of SQL on a scratch database, each with what messages call it, their statements in
/// whatever order works.
///
/// # Errors
///
/// The first statement that never works, with its place.
pub fn load(database: &Database<'_>, sources: Vec<(String, String)>) -> Result<()> {
    texts(&mut session::open(database)?, sources)
}

impl Scope {
    /// Leaves out all schemas of these databases but those that are named.
    ///
    /// # Errors
    ///
    /// If a server does not answer.
    pub fn narrow(&mut self, to: &[String], databases: &[&Database<'_>]) -> Result<()> {
        for it in databases {
            let rows = session::open(it)?
                .query(OTHERS, &[&to])
                .map_err(Error::postgres("list the schemas"))?;
            self.without_schemas.extend(rows.iter().map(|it| it.get::<_, String>(0)));
        }
        Ok(())
    }
}
