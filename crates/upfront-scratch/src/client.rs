//! One statement over a connection of its own.

use std::thread;

use postgres::{Client, NoTls, SimpleQueryMessage};

use crate::error::{ErrorKind, Result};

/// Runs the SQL and returns the first value that it gives.
///
/// On a thread of its own: the client runs an async runtime, which must not be started on a thread
/// that runs one, such as that of an async test.
pub(crate) fn query(url: &str, action: &str, sql: &str) -> Result<Option<String>> {
    thread::scope(|it| it.spawn(|| ask(url, sql)).join())
        .expect("the client does not panic")
        .map_err(|source| ErrorKind::Sql { action: action.to_owned(), source }.into())
}

fn ask(url: &str, sql: &str) -> std::result::Result<Option<String>, postgres::Error> {
    let answers = Client::connect(url, NoTls)?.simple_query(sql)?;
    Ok(answers.iter().find_map(|it| match it {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// Drops a database, even if there are connections to it. `url` is that of another database.
pub(crate) fn drop_database(url: &str, name: &str) {
    let sql = format!("drop database if exists {} with (force)", quote(name));
    let _ = query(url, "drop a database", &sql);
}

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
