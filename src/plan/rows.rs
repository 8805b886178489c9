//! Rows of the history, without their SQL.

use std::time::SystemTime;

use crate::{
    embedded::{Migration, title},
    plan::checksum,
};

/// A row of the revision table, without its SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) hash: String,
    pub(crate) chain: String,
    pub(crate) breaking: bool,
    /// Outside the chain: a changed down side is no divergence.
    pub(crate) down_hash: Option<String>,
    /// `applied`, `covered` or `baseline`.
    pub(crate) kind: String,
}

impl Row {
    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        title(&self.version, &self.name)
    }
}

/// A migration that was rolled back and must not come back by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) version: String,
    pub(crate) name: String,
    /// Of the text that was rolled back: a changed file is not held.
    pub(crate) hash: String,
    pub(crate) at: SystemTime,
    pub(crate) by: String,
}

/// Where a history ends: the newest version and the chain up to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: String,
    pub(crate) chain: String,
}

impl Head {
    /// Before the first migration.
    pub(crate) fn start() -> Self {
        Self { version: String::new(), chain: checksum::START.to_owned() }
    }

    /// After a migration on top of this head.
    pub(crate) fn after(&self, it: &Migration) -> Self {
        let chain = checksum::link(&self.chain, it.version, it.name, it.up.hash);
        Self { version: it.version.to_owned(), chain }
    }
}

/// A migration that the database has and this program does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownMigration {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) breaking: bool,
}

impl UnknownMigration {
    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        title(&self.version, &self.name)
    }
}

impl Hold {
    /// By its version, or by version and name.
    #[cfg(feature = "admin")]
    pub(crate) fn is_called(&self, asked: &str) -> bool {
        asked == self.version || asked == title(&self.version, &self.name)
    }
}

/// An app of a database, in a [`Status`](crate::Status).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AppStatus {
    /// Its name.
    pub name: String,
    /// How many migrations the database has of it.
    pub applied: usize,
    /// The newest version that the database has of it.
    pub head: Option<String>,
    /// The schemas that its migrations were applied to, where unqualified names are created.
    pub schemas: Vec<String>,
}

/// A row with what a person wants to see.
#[derive(Debug)]
pub(crate) struct RevisionRow {
    pub(crate) row: Row,
    pub(crate) applied_at: SystemTime,
    pub(crate) irreversible: Option<String>,
    /// The stored down script has no statement, and does not say that there is nothing to undo.
    pub(crate) down_is_empty: bool,
    pub(crate) checkpoint: bool,
}
