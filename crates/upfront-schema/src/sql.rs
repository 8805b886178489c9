//! Statements as the rules write them.

use std::fmt;

/// What a statement may do to rows, beyond what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hazard {
    /// Rows or values are deleted, as the text says.
    LosesData(String),
    /// Existing rows may make it fail; the probe counts them.
    MayFail(String, Probe),
    /// The table is rewritten under an exclusive lock.
    Rewrites(String),
    /// Readers or writers are blocked while all rows are read.
    Locks(String),
}

/// How to find out whether existing rows make a statement fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// A query that counts the conflicting rows, to be run just before the statement.
    Query(String),
    /// No query can count them, and why.
    None(&'static str),
}

impl Hazard {
    /// Puts another probe in the place of the one that is there.
    pub(crate) fn ask(&mut self, other: Probe) {
        if let Hazard::MayFail(_, probe) = self {
            *probe = other;
        }
    }
}

impl Probe {
    pub(crate) fn query(sql: impl Into<String>) -> Self {
        Self::Query(sql.into())
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::Query(it) => write!(f, "probe: {it};"),
            Probe::None(why) => write!(f, "no probe: {why}"),
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hazard::LosesData(it) => write!(f, "data-loss: {it}"),
            Hazard::MayFail(it, _) => write!(f, "may-fail: {it}"),
            Hazard::Rewrites(it) => write!(f, "rewrites: {it}"),
            Hazard::Locks(it) => write!(f, "locks: {it}"),
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
    pub(crate) place: Placement,
    /// What it does, where the step that it is of does not say it.
    pub(crate) comment: Option<String>,
    /// What uses the object need not wait for it.
    pub(crate) is_follow_up: bool,
}

/// Where a statement stands behind the one before it of the same step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// In the same transaction.
    SameTransaction,
    /// Outside of any transaction; it locks this table as little as it can.
    OutsideTransaction(String),
    /// In a later transaction, and there before what locks more: it reads all rows.
    Validation,
    /// After what rows may get their values from.
    Backfill,
}

impl Sql {
    pub(crate) fn whole(text: impl Into<String>) -> Self {
        Self {
            head: None,
            text: text.into(),
            hazards: Vec::new(),
            place: Placement::SameTransaction,
            comment: None,
            is_follow_up: false,
        }
    }

    pub(crate) fn clause(head: impl Into<String>, text: impl Into<String>) -> Self {
        Self { head: Some(head.into()), ..Self::whole(text) }
    }

    pub(crate) fn at(self, place: Placement) -> Self {
        Self { place, ..self }
    }

    pub(crate) fn with_comment(self, comment: impl Into<String>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }

    pub(crate) fn follow_up(self) -> Self {
        Self { is_follow_up: true, ..self }
    }

    /// Both parts as one text.
    pub(crate) fn statement(&self) -> String {
        match &self.head {
            Some(head) => format!("{head} {}", self.text),
            None => self.text.clone(),
        }
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

    pub(crate) fn may_fail(mut self, why: impl Into<String>, probe: Probe) -> Self {
        self.hazards.push(Hazard::MayFail(why.into(), probe));
        self
    }

    pub(crate) fn rewrites(mut self, what: impl Into<String>) -> Self {
        self.hazards.push(Hazard::Rewrites(what.into()));
        self
    }
}
