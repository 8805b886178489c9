//! What a boot did.

use std::{fmt, time::Duration};

use crate::{
    event::Holder,
    lock::Wait,
    plan::{Pending, Step, Unknown},
};

/// What a call of [`up`](crate::Migrator::up) did. Prints as one line for a log.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The app whose migrations these are.
    pub app: String,
    /// What this call applied, in order. Empty where nothing was pending, or where another
    /// process was faster.
    pub applied: Vec<Applied>,
    /// Migrations that the database has and this program does not know.
    pub ahead: Vec<String>,
    /// How long the call waited for another process to migrate.
    pub waited: Duration,
    /// For whom it waited, where this role may see it.
    pub waited_for: Option<Holder>,
    /// How long the call took in all.
    pub took: Duration,
    #[cfg_attr(feature = "serde", serde(skip))]
    expected: usize,
}

/// A migration that was brought to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Applied {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// It was recorded without running: a checkpoint, or what stands before one.
    pub covered: bool,
    /// How long it took; zero where it did not run.
    pub took: Duration,
}

impl Report {
    pub(crate) fn new(app: &str) -> Self {
        Self {
            app: app.to_owned(),
            applied: Vec::new(),
            ahead: Vec::new(),
            waited: Duration::ZERO,
            waited_for: None,
            took: Duration::ZERO,
            expected: 0,
        }
    }

    /// Did this call change nothing?
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.applied.is_empty()
    }

    pub(crate) fn settle(&mut self, unknown: &[Unknown]) {
        self.ahead = unknown.iter().map(Unknown::title).collect();
        for it in &self.ahead {
            tracing::warn!(app = self.app, migration = it, "the database is ahead of this program");
        }
    }

    pub(crate) fn expect(&mut self, pending: &Pending) {
        self.expected = self.applied.len() + pending.steps.iter().map(Step::len).sum::<usize>();
    }

    /// The next migration's place among all that this boot brings.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.applied.len() + 1, self.expected.max(self.applied.len() + 1))
    }

    pub(crate) fn waited(&mut self, wait: &Wait) {
        self.waited += wait.waited();
        self.waited_for = wait.holder().cloned().or(self.waited_for.take());
    }

    pub(crate) fn applied(&mut self, step: &Step, took: Duration) {
        let applied = |it: &crate::embedded::Migration, covered: bool, took: Duration| Applied {
            version: it.version.to_owned(),
            name: it.name.to_owned(),
            covered,
            took,
        };
        self.applied.extend(step.covers.iter().map(|(it, _)| applied(it, true, Duration::ZERO)));
        self.applied.extend(step.runs.map(|it| applied(it, false, took)));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.applied.iter().filter(|it| !it.covered).count() {
            0 => f.write_str("nothing to apply")?,
            1 => f.write_str("applied 1 migration")?,
            many => write!(f, "applied {many} migrations")?,
        }
        if let Some(it) = self.applied.last() {
            write!(f, " up to {}", it.version)?;
        }
        write!(f, " in {:.1?}", self.took)?;
        if self.waited > Duration::ZERO {
            write!(f, ", after waiting {:.1?}", self.waited)?;
            self.waited_for.iter().try_for_each(|it| write!(f, " for {it}"))?;
        }
        match self.ahead.len() {
            0 => Ok(()),
            _ => write!(f, "; the database is ahead by {}", self.ahead.join(", ")),
        }
    }
}
