//! What is done another way because programs read and write meanwhile.

use std::collections::{HashMap, HashSet};

/// What is done another way because programs go on meanwhile.
#[derive(Default)]
pub(super) struct Online {
    /// Indexes of the first schema that make way for one of their name: what they are called then.
    pub(crate) parted: HashMap<usize, String>,
    /// Keys of the second schema that take the place of one of their name: what their index is
    /// called before.
    pub(crate) built: HashMap<usize, String>,
    /// Drops that stand outside of any transaction.
    pub(crate) alone: HashSet<usize>,
    /// Unique indexes of the first schema that become keys of the second.
    pub(crate) promoted: HashSet<usize>,
    /// Columns of the second schema that a check of the first proves to be NOT NULL.
    pub(crate) proofs: HashSet<usize>,
}

impl Online {
    /// What an index of the first schema is called since it made way.
    pub(super) fn parted(&self, at: usize) -> Option<&str> {
        self.parted.get(&at).map(String::as_str)
    }

    /// What the index of a key of the second schema is called before it is one.
    pub(super) fn built(&self, at: usize) -> Option<&str> {
        self.built.get(&at).map(String::as_str)
    }

    /// Whether an index of the first schema becomes a key.
    pub(super) fn is_promoted(&self, at: usize) -> bool {
        self.promoted.contains(&at)
    }

    /// Whether a column of the second schema is known to be NOT NULL.
    pub(super) fn is_proven(&self, at: usize) -> bool {
        self.proofs.contains(&at)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.parted.values().chain(self.built.values())
    }
}
