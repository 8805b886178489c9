//! Roles, which belong to a server: made where they are missing, and gone before the next replay.
//!
//! Each that is made here carries a mark, so that roles which were there before are never touched.
//! Each user of a server holds a shared lock; the marked roles are dropped by the session that
//! has it alone.

use postgres::Client;
use upfront_directory::{Directory, ServerRequirement, Side, server_requirement};
use upfront_scratch::{Database, Server};

use crate::{
    error::{Error, Kind, Result},
    quote,
    scratch::{
        role::{MARK, make, mark, missing},
        session,
    },
};

const SHARE: &str = "SELECT pg_catalog.pg_advisory_lock_shared(8031170205431811442)";
const UNSHARE: &str = "SELECT pg_catalog.pg_advisory_unlock_shared(8031170205431811442)";
const TAKE: &str = "SELECT pg_catalog.pg_try_advisory_lock(8031170205431811442)";
const GIVE: &str = "SELECT pg_catalog.pg_advisory_unlock(8031170205431811442)";

const MARKED: &str = "
SELECT r.rolname::text FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription d
  ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
WHERE d.description = $1 ORDER BY 1";

const RIGHTS: &str = "
SELECT rolsuper OR rolcreatedb, rolname::text FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// A server in use: while the value lives, nobody drops the roles that were made on it.
#[allow(missing_debug_implementations, reason = "a client has none")]
pub struct Roles(Client);

impl Roles {
    /// Drops what earlier replays left, unless somebody else uses the server now.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or does not let us make databases.
    pub fn of(server: &Server) -> Result<Self> {
        let mut client = session::connect(&server.url("postgres"))?;
        let row = client.query_one(RIGHTS, &[]).map_err(Error::postgres("ask for our rights"))?;
        if !row.get::<_, bool>(0) {
            return Err(Kind::NoDatabases(row.get(1)).into());
        }
        let mut it = Self(client);
        it.sweep().and_then(|()| it.run(SHARE)).map_err(Error::postgres("drop roles"))?;
        Ok(it)
    }

    fn sweep(&mut self) -> Result<(), postgres::Error> {
        if !self.0.query_one(TAKE, &[])?.get::<_, bool>(0) {
            return Ok(());
        }
        for row in self.0.query(MARKED, &[&MARK])? {
            // A role that is used in a database stays: a killed command left both.
            let _ = self.0.batch_execute(&format!("DROP ROLE {}", quote::name(row.get(0))));
        }
        self.run(GIVE)
    }

    fn run(&mut self, sql: &str) -> Result<(), postgres::Error> {
        self.0.query_one(sql, &[]).map(drop)
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        let _ = self.run(UNSHARE).and_then(|()| self.sweep());
    }
}

/// Makes the role that a message says is missing; whether it says so.
///
/// # Errors
///
/// If it may not be made.
pub fn create_missing_role(database: &Database<'_>, message: &str) -> Result<bool> {
    let name = || {
        let (_, rest) = message.split_once("role \"")?;
        rest.split_once("\" does not exist").map(|(name, _)| name)
    };
    let Some(name) = name() else { return Ok(false) };
    make(&mut session::open(database)?, name).map_err(|err| missing(name, &err))?;
    Ok(true)
}

/// The roles that migrations make themselves.
#[must_use]
pub fn roles_created_by(directory: &Directory) -> Vec<String> {
    let sides = directory.migrations().iter().map(|it| &it.up);
    let one = |side: &Side| {
        let sql = side.statements.iter().map(|it| &side.body[it.range.clone()]);
        sql.filter_map(server_requirement).filter_map(role).collect::<Vec<_>>()
    };
    sides.flat_map(one).collect()
}

/// Marks roles that migrations have made, as they were not there before.
///
/// # Errors
///
/// If the server does not answer.
pub fn mark_created_roles(database: &Database<'_>, made: &[String]) -> Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    let mut client = session::open(database)?;
    for it in made {
        // One that a later migration has dropped is not there.
        let _ = mark(&mut client, it);
    }
    Ok(())
}

fn role(it: ServerRequirement) -> Option<String> {
    match it {
        ServerRequirement::Role(name) => Some(name),
        _ => None,
    }
}
