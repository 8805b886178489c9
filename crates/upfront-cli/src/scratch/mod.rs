//! Scratch servers, and how two databases of one are compared.

pub(crate) mod cargo;
pub(crate) mod desired;
pub(crate) mod live_database;
pub(crate) mod replay;
pub(crate) mod row_test;
pub(crate) mod scope;
pub(crate) mod server;
pub(crate) mod setup;
pub(crate) mod source;
pub(crate) mod staging;

use upfront::cli::Output;
use upfront_directory::Directory;
use upfront_scratch::{Database, Server};

use crate::{config::Project, output::failure::Failure, scratch::scope::scope};

/// Warns of names that PostgreSQL cuts.
pub(crate) fn warn_of_names(texts: &[(String, String)], output: &Output) {
    for it in upfront_schema::truncated_names(texts) {
        output.warning(&it);
    }
}

/// Warns of rows in a schema that is wanted.
pub(crate) fn warn_of_rows(
    project: &Project,
    wanted: &Database<'_>,
    output: &Output,
) -> Result<(), Failure> {
    let scope = scope(project, &[])?;
    let with_rows = upfront_schema::tables_with_rows(wanted, &scope)?;
    if !with_rows.is_empty() {
        output.warning(&format!(
            "rows are no part of a schema, and no migration will insert those of {}",
            with_rows.join(", ")
        ));
    }
    Ok(())
}

/// Loads SQL that somebody named.
pub(crate) fn load(
    project: &Project,
    database: &Database<'_>,
    texts: Vec<(String, String)>,
    output: &Output,
) -> Result<(), Failure> {
    warn_of_names(&texts, output);
    let scope = scope(project, &[])?;
    upfront_schema::load_within(database, texts, &scope)?;
    warn_of_rows(project, database, output)
}

/// Whether the scratch server has an extension.
pub(crate) fn has_extension(server: &Server, name: &str) -> Result<bool, Failure> {
    upfront_schema::has_extension(server, name).map_err(Failure::from)
}

/// Looks whether the scratch server has what migrations want, before they are replayed.
pub(crate) fn preflight(database: &Database<'_>, directory: &Directory) -> Result<(), Failure> {
    upfront_schema::preflight(database, directory).map_err(Failure::from)
}

/// Makes the role that migrations miss; whether that is what they stopped at.
pub(crate) fn make_role(database: &Database<'_>, err: &upfront::Error) -> Result<bool, Failure> {
    /// `undefined_object`
    const MISSING: &str = "42704";
    match err.server_error().filter(|it| it.sqlstate == MISSING) {
        Some(it) => Ok(upfront_schema::create_missing_role(database, &it.message)?),
        None => Ok(false),
    }
}

/// An empty database.
pub(crate) fn database(server: &Server) -> Result<Database<'_>, Failure> {
    server.database().map_err(Failure::from)
}

/// A copy of a database.
pub(crate) fn copy<'s>(of: &Database<'s>) -> Result<Database<'s>, Failure> {
    of.copy().map_err(Failure::from)
}
