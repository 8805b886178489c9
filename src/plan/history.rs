//! All rows of a history, as they were read.

use crate::plan::{
    journal::Journal,
    rows::{Hold, Row},
};

/// What the tables say of an app.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) rows: Vec<Row>,
    pub(crate) journal: Vec<Journal>,
    /// Versions that were applied by the log, and whose rows are gone.
    pub(crate) lost: Vec<String>,
    pub(crate) holds: Vec<Hold>,
    /// Invalid indexes that stay where their statement failed, with the version; for a status.
    pub(crate) invalid: Vec<(String, String)>,
    /// Schemas that were migrated and are gone, or were made again since.
    pub(crate) replaced: Vec<String>,
}
