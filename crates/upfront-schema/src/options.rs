//! The options of a comparison and of its plan.

use std::collections::BTreeMap;

use crate::catalog::scope::Scope;

/// What is compared, and what cannot be known from two schemas alone.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is left out.
    pub scope: Scope,
    /// How the values of a column become those of its new type, by `schema.table.column` or
    /// `table.column`, each part as SQL writes it.
    pub using: BTreeMap<String, String>,
    /// The same for the down script.
    pub using_down: BTreeMap<String, String>,
    /// The values of existing rows in a column that becomes NOT NULL, by `schema.table.column`.
    pub fills: BTreeMap<String, String>,
    /// How long operations are done.
    pub strategy: Strategy,
}

/// How a plan does long operations on existing tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// By plain statements in one transaction, which block readers and writers.
    #[default]
    Plain,
    /// Online where an index is built or rows are validated, otherwise by plain statements.
    OnlineBuilds,
    /// Online wherever PostgreSQL can.
    Online,
}

impl Strategy {
    /// The strategy of a rollback, which should be fast and may take short locks.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Strategy::Plain => Strategy::Plain,
            Strategy::OnlineBuilds | Strategy::Online => Strategy::OnlineBuilds,
        }
    }
}

impl Options {
    /// The options of the rollback.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            using: self.using_down.clone(),
            using_down: self.using.clone(),
            fills: BTreeMap::new(),
            strategy: self.strategy.reversed(),
        }
    }

    /// The expression for a column.
    pub(crate) fn using(&self, path: &str) -> Option<&str> {
        let short = path.split_once('.').map_or(path, |(_, it)| it);
        self.using.get(path).or_else(|| self.using.get(short)).map(String::as_str)
    }
}
