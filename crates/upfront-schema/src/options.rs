//! What the caller decides.

use std::collections::BTreeMap;

use crate::extract::Scope;

/// What is compared, and what cannot be known from two schemas alone.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is left out.
    pub scope: Scope,
    /// How the values of a column become those of its new type, by `schema.table.column` or
    /// `table.column`, each part as SQL writes it.
    pub using: BTreeMap<String, String>,
    /// The same for the way back.
    pub using_down: BTreeMap<String, String>,
}

impl Options {
    /// Those of the way back.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            scope: self.scope.clone(),
            using: self.using_down.clone(),
            using_down: self.using.clone(),
        }
    }

    /// The expression for a column.
    pub(crate) fn using(&self, path: &str) -> Option<&str> {
        let short = path.split_once('.').map_or(path, |(_, it)| it);
        self.using.get(path).or_else(|| self.using.get(short)).map(String::as_str)
    }
}
