//! A migration as programs see it.

use crate::embedded;

/// A migration of [`Migrations`](crate::Migrations).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct Migration {
    /// Its version.
    pub version: &'static str,
    /// Its name; may be empty.
    pub name: &'static str,
    /// SHA-256 of the up script, in hex.
    pub checksum: &'static str,
    /// Whether the up script runs in one transaction.
    pub transactional: bool,
    /// Whether older programs must not run once it is applied.
    pub breaking: bool,
    /// Whether it is a checkpoint, which stands for all migrations below it.
    pub checkpoint: bool,
    /// Whether there is a down script.
    pub has_down: bool,
    /// Why it cannot be rolled back, if its file states a reason.
    pub irreversible: Option<&'static str>,
}

impl From<&'static embedded::Migration> for Migration {
    fn from(it: &'static embedded::Migration) -> Self {
        Self {
            version: it.version,
            name: it.name,
            checksum: it.up.hash,
            transactional: it.up.transactional,
            breaking: it.breaking,
            checkpoint: it.checkpoint,
            has_down: it.down.is_some(),
            irreversible: it.irreversible,
        }
    }
}
