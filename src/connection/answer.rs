//! A server's answer to a message of several statements.

use tokio_postgres::SimpleQueryRow;

/// The rows that answer a message.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The rows of our own statements: those whose first column is called `upfront_…`, and all
    /// where the message is ours alone.
    pub(crate) rows: Vec<SimpleQueryRow>,
    /// How many statements completed.
    pub(crate) completed: usize,
}

impl Answer {
    /// The last row whose first column has this name: ours come after a migration's.
    pub(crate) fn row(&self, column: &str) -> Option<&SimpleQueryRow> {
        self.rows.iter().rfind(|it| it.columns().first().is_some_and(|it| it.name() == column))
    }
}
