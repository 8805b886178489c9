//! A role that is made on a scratch server.

use postgres::{Client, error::SqlState};

use crate::{
    error::{Error, Kind, reason},
    quote,
};

pub(crate) const MARK: &str = "made by upfront on a scratch server";

/// Makes a role that nobody can use.
pub(crate) fn make(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    let quoted = quote::name(name);
    match client.batch_execute(&format!("CREATE ROLE {quoted} NOLOGIN")) {
        Ok(()) => mark(client, name),
        // Somebody else was quicker.
        Err(err) if is_there(&err) => Ok(()),
        Err(err) => Err(err),
    }
}

pub(crate) fn is_there(err: &postgres::Error) -> bool {
    let codes = [SqlState::DUPLICATE_OBJECT, SqlState::UNIQUE_VIOLATION];
    err.code().is_some_and(|it| codes.contains(it))
}

pub(crate) fn mark(client: &mut Client, name: &str) -> Result<(), postgres::Error> {
    let (name, mark) = (quote::name(name), quote::literal(MARK));
    client.batch_execute(&format!("COMMENT ON ROLE {name} IS {mark}"))
}

pub(crate) fn missing(name: &str, err: &postgres::Error) -> Error {
    Kind::NoRoles { role: name.to_owned(), why: reason(err) }.into()
}
