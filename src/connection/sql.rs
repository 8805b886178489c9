//! Fragments of SQL that many messages share.

use tokio_postgres::SimpleQueryRow;

use crate::connection::answer::Answer;

/// What a message starts with that only reads.
pub(crate) const PINNED: &str =
    "SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);";

/// The rows of the statement whose first column has this name.
pub(crate) fn named<'a>(
    answer: &'a Answer,
    column: &'a str,
) -> impl Iterator<Item = &'a SimpleQueryRow> {
    answer.rows.iter().filter(move |it| it.columns().first().is_some_and(|it| it.name() == column))
}
