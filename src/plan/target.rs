//! How far down, and which way.

use std::fmt;

/// Which way a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Direction {
    /// It is applied.
    Up,
    /// It is rolled back.
    Down,
}

impl Direction {
    /// As upfront's tables write it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// How far a rollback goes.
///
/// ```
/// use upfront::Target;
///
/// let newest = Target::Steps(1);
/// let earlier = Target::To("20261122101500".into());
/// # let _ = (newest, earlier);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// So many of the newest migrations.
    Steps(usize),
    /// Everything above this version, which stays applied. The version alone, or with its name:
    /// `20261122101500_add_users`.
    To(String),
    /// Everything that this program does not know: how a service of an older release rolls back
    /// before it serves.
    ToEmbedded,
    /// Everything.
    All,
}
