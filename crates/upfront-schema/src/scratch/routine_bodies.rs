//! Routines whose bodies do not work.
//!
//! A plan lets routines name what comes after them, so that the server looks at no body while it
//! runs. Afterwards each one that is new is looked at once.

use std::collections::BTreeMap;

use postgres::Client;
use upfront_scratch::Database;

use crate::{
    catalog::scope::Scope,
    error::{Error, Result, reason},
    kinds::queries,
    scratch::session,
};

/// The routines of a database at one moment, with the statements that make them.
#[derive(Debug)]
pub struct RoutineBodies(BTreeMap<String, String>);

impl RoutineBodies {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn read(database: &Database<'_>, scope: &Scope) -> Result<Self> {
        read(&mut session::open(database)?, scope)
    }

    /// What the server has against the bodies of those that have come or changed since, in words.
    ///
    /// Each is made once more with `check_function_bodies` on, and taken back.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn broken_since(&self, database: &Database<'_>, scope: &Scope) -> Result<Vec<String>> {
        let mut client = session::open(database)?;
        let now = read(&mut client, scope)?;
        let mut wrong = Vec::new();
        for (name, definition) in now.0.iter().filter(|(name, it)| self.0.get(*name) != Some(it)) {
            let why = check(&mut client, definition)?;
            wrong.extend(why.map(|why| format!("the body of {name} is invalid: {why}")));
        }
        Ok(wrong)
    }
}

fn broken() -> impl FnOnce(postgres::Error) -> Error {
    Error::postgres("look at the bodies of routines")
}

fn read(client: &mut Client, scope: &Scope) -> Result<RoutineBodies> {
    let rows = client.query(queries::ROUTINE_BODIES, &[&scope.without_schemas]).map_err(broken())?;
    Ok(RoutineBodies(rows.iter().map(|it| (it.get(0), it.get(1))).collect()))
}

fn check(client: &mut Client, definition: &str) -> Result<Option<String>> {
    let mut transaction = client.transaction().map_err(broken())?;
    let on = "SET LOCAL check_function_bodies = on";
    transaction.batch_execute(on).map_err(broken())?;
    match transaction.batch_execute(definition) {
        Ok(()) => Ok(None),
        Err(err) if err.as_db_error().is_some() => Ok(Some(reason(&err))),
        Err(err) => Err(broken()(err)),
    }
}
