//! Statements on a scratch database.

use std::io::Write;

use postgres::error::SqlState;
use postgres::{Client, NoTls};
use upfront_scratch::Database;

use crate::{
    error::{Error, Result},
    scratch::role,
};

/// Connects to a database, whose messages then are in English.
pub(crate) fn connect(url: &str) -> Result<Client> {
    Client::connect(url, NoTls).map_err(Error::postgres("connect"))
}

pub(crate) fn open(database: &Database<'_>) -> Result<Client> {
    connect(&database.url())
}

/// Runs a statement. A role that is missing is made, as roles belong to a server and not to a
/// schema.
pub(crate) fn run(client: &mut Client, sql: &str) -> Result<(), postgres::Error> {
    loop {
        let Err(err) = client.batch_execute(sql) else { return Ok(()) };
        let Some(role) = missing_role(&err) else { return Err(err) };
        if role::make(client, &role).is_err() {
            return Err(err);
        }
    }
}

/// Runs a `COPY … FROM STDIN` with its rows.
pub(crate) fn copy(client: &mut Client, sql: &str, rows: &str) -> Result<(), postgres::Error> {
    let mut writer = client.copy_in(sql)?;
    // What the server has against the rows is the answer at the end.
    let _ = writer.write_all(rows.as_bytes());
    writer.finish().map(drop)
}

/// The name in `role "x" does not exist`.
pub(crate) fn missing_role(err: &postgres::Error) -> Option<String> {
    let err = err.as_db_error().filter(|it| *it.code() == SqlState::UNDEFINED_OBJECT)?;
    let rest = err.message().strip_prefix("role \"")?;
    rest.strip_suffix("\" does not exist").map(str::to_owned)
}
