//! Statements as the rules write them.

use std::fmt;

/// What a statement may do to rows, beyond what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hazard {
    /// Rows or values are gone, by what it says.
    LosesData(String),
    /// The rows that are there may not allow it.
    MayFail(String),
    /// The table is written anew under an exclusive lock.
    Rewrites(String),
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hazard::LosesData(it) => write!(f, "data-loss: {it}"),
            Hazard::MayFail(it) => write!(f, "may-fail: {it}"),
            Hazard::Rewrites(it) => write!(f, "rewrites: {it}"),
        }
    }
}

/// One statement, or a clause that may share an `ALTER TABLE` with its neighbours.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    /// What stands before the clause; nothing for a whole statement.
    pub(crate) head: Option<String>,
    pub(crate) text: String,
    pub(crate) hazards: Vec<Hazard>,
}

impl Sql {
    pub(crate) fn whole(text: impl Into<String>) -> Self {
        Self { head: None, text: text.into(), hazards: Vec::new() }
    }

    pub(crate) fn clause(head: impl Into<String>, text: impl Into<String>) -> Self {
        Self { head: Some(head.into()), text: text.into(), hazards: Vec::new() }
    }

    /// Leaves the tables alone that inherit.
    pub(crate) fn only(&mut self) {
        if let Some(head) = &mut self.head {
            *head = head.replacen("ALTER TABLE ", "ALTER TABLE ONLY ", 1);
        }
    }

    pub(crate) fn loses(mut self, what: impl Into<String>) -> Self {
        self.hazards.push(Hazard::LosesData(what.into()));
        self
    }

    pub(crate) fn may_fail(mut self, why: impl Into<String>) -> Self {
        self.hazards.push(Hazard::MayFail(why.into()));
        self
    }

    pub(crate) fn rewrites(mut self, what: impl Into<String>) -> Self {
        self.hazards.push(Hazard::Rewrites(what.into()));
        self
    }
}
