//! Directions, and the targets of rollbacks.

use std::fmt;

/// Whether a migration is applied or rolled back.
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
    /// This number of the newest migrations.
    Steps(usize),
    /// All migrations above this version, which stays applied. The version may have its name behind
    /// it: `20261122101500_add_users`.
    To(String),
    /// All migrations that this program does not have. A service of an older release uses it before
    /// it serves traffic.
    ToEmbedded,
    /// All migrations.
    All,
}
