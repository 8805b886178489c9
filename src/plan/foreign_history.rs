//! Histories of other tools, as data.

use std::fmt;

/// The history table of another migration tool.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ForeignHistory {
    /// The table's name with its schema, quoted where needed.
    pub table: String,
    /// The tool that keeps its history in a table of this name with these columns.
    pub tool: String,
    /// Whether `adopt` can take the history over.
    pub adoptable: bool,
}

impl fmt::Display for ForeignHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}: the history of {}", self.table, self.tool)
    }
}

impl ForeignHistory {
    /// The command that takes this history over, and no other.
    pub(crate) fn adopting(&self) -> String {
        match self.table.contains(['"', ' ']) {
            true => format!("`upfront adopt --table '{}'`", self.table.replace('\'', "'\\''")),
            false => format!("`upfront adopt --table {}`", self.table),
        }
    }
}

/// Which histories of other tools stop a boot that finds none of upfront's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    /// None of them.
    pub(crate) ignores_all: bool,
    /// Tables that have nothing to do with this program, as they were named.
    pub(crate) ignored: Vec<String>,
    /// Schemas that concern this program, besides those on its search path.
    pub(crate) schemas: Vec<String>,
}

/// A tool whose history can be taken over.
#[cfg(feature = "admin")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Atlas,
    Sqlx,
}

#[cfg(feature = "admin")]
impl Tool {
    /// By its name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [Self::Atlas, Self::Sqlx].into_iter().find(|it| it.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Atlas => "Atlas",
            Self::Sqlx => "sqlx",
        }
    }
}
