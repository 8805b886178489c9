//! Running the setup of scratch databases.

use std::{collections::HashSet, sync::Arc};

use postgres::Client;
use upfront_scratch::Database;

use crate::{
    catalog::{
        coverage::UnmodeledObject,
        extract::{extract, extract_all},
        facts::Fact,
        scope::Scope,
        setup::Setup,
    },
    error::{Error, Kind, Result},
    scratch::{load, role, session},
};

const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles";

const WHO: &str = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// Several commands may prepare databases of one server, whose roles they share.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_lock(8031170205431811443)";

impl Setup {
    /// Runs texts of SQL, each with what messages call it, statement by statement.
    ///
    /// A role that the server has already is kept as it is, and one that is missing is made.
    ///
    /// # Errors
    ///
    /// The first statement that fails, with its place; if the connection is that of a superuser no
    /// more afterwards, or if the server does not answer.
    pub fn run(database: &Database<'_>, texts: Vec<(String, String)>) -> Result<Self> {
        let mut turn = session::connect(&database.server().url("postgres"))?;
        turn.query_one(LOCK, &[]).map_err(Error::postgres("wait for other commands"))?;
        let mut client = session::open(database)?;
        let before = extract(&mut client, &Scope::default())?;
        let roles = names(&mut client)?;
        let is_superuser = is_superuser(&mut client)?;
        let ran = load::in_order(&mut session::open(database)?, texts);
        for it in names(&mut client)?.difference(&roles) {
            // Without the right to, it stays.
            let _ = role::mark(&mut client, it);
        }
        ran?;
        if is_superuser && !self::is_superuser(&mut client)? {
            return Err(Kind::Demoted.into());
        }
        let (after, unknown) = extract_all(&mut client)?;
        let is_new = |it: &&Fact| {
            before.find(&it.id).is_none_or(|at| before.all[at].attributes != it.attributes)
        };
        let made = after.iter().filter(is_new).map(|it| (it.id.clone(), it.attributes.clone()));
        let unmodeled = unknown.into_iter().map(|UnmodeledObject { kind, path, .. }| (kind, path));
        Ok(Self {
            made: Arc::new(made.collect()),
            unmodeled: Arc::new(unmodeled.collect()),
            schemas: Vec::new(),
        })
    }
}

fn names(client: &mut Client) -> Result<HashSet<String>> {
    let rows = client.query(ROLES, &[]).map_err(Error::postgres("list the roles"))?;
    Ok(rows.iter().map(|it| it.get(0)).collect())
}

fn is_superuser(client: &mut Client) -> Result<bool> {
    let row = client.query_one(WHO, &[]).map_err(Error::postgres("ask for our rights"))?;
    Ok(row.get(0))
}
