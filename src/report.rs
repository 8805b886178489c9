//! What a call did.

use std::{fmt, time::Duration};

use crate::{
    Direction,
    embedded::Migration,
    event::LockHolder,
    plan::{
        journal::PartlyApplied,
        pending::{Pending, Step},
        rows::UnknownMigration,
    },
};

/// What [`up`](crate::Migrator::up), [`down`](crate::Migrator::down) or
/// [`apply`](crate::Migrator::apply) did. Prints as one line for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Report {
    /// The app whose migrations these are.
    pub app: String,
    /// What this call applied, in order. Empty if nothing was pending, or if another process was
    /// faster.
    pub applied: Vec<Applied>,
    /// What this call rolled back, in order, newest first.
    pub rolled_back: Vec<RolledBack>,
    /// Applied migrations that this program does not have.
    pub ahead: Vec<String>,
    /// Partially applied migrations that this program does not have, and that no process runs.
    pub partially_applied: Vec<String>,
    /// How long the call waited for another process to migrate.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
    pub waited: Duration,
    /// The process that it waited for, if this role may see it.
    pub waited_for: Option<LockHolder>,
    /// How long the whole call took.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
    pub took: Duration,
    #[cfg_attr(feature = "serde", serde(skip))]
    direction: Direction,
    #[cfg_attr(feature = "serde", serde(skip))]
    expected: usize,
}

/// A migration that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Applied {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// It was recorded without running: a checkpoint, or a migration below one.
    pub covered: bool,
    /// How long it took; zero if it did not run.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
    pub took: Duration,
}

/// A migration that was rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RolledBack {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// How long it took.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serde_duration::serialize"))]
    pub took: Duration,
}

impl Report {
    pub(crate) fn new(app: &str, direction: Direction) -> Self {
        Self {
            direction,
            app: app.to_owned(),
            applied: Vec::new(),
            rolled_back: Vec::new(),
            ahead: Vec::new(),
            partially_applied: Vec::new(),
            waited: Duration::ZERO,
            waited_for: None,
            took: Duration::ZERO,
            expected: 0,
        }
    }

    /// Returns `true` if this call changed nothing.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.applied.is_empty() && self.rolled_back.is_empty()
    }

    /// As one with what was done before it.
    #[cfg(feature = "dev")]
    pub(crate) fn after(mut self, mut before: Self) -> Self {
        before.applied.append(&mut self.applied);
        before.rolled_back.append(&mut self.rolled_back);
        let (waited, took) = (before.waited + self.waited, before.took + self.took);
        let waited_for = self.waited_for.take().or(before.waited_for.take());
        let (applied, rolled_back) = (before.applied, before.rolled_back);
        Self { applied, rolled_back, waited, waited_for, took, ..self }
    }

    pub(crate) fn set_ahead(&mut self, unknown: &[UnknownMigration]) {
        self.ahead = unknown.iter().map(UnknownMigration::title).collect();
        for UnknownMigration { version, name, .. } in unknown {
            tracing::warn!(version, migration = name, "the database is ahead of this program");
        }
    }

    /// What the database has a part of, and this program does not carry: running, or cut off.
    pub(crate) fn partly(&mut self, partly: &[PartlyApplied], holder: Option<&LockHolder>) {
        self.partially_applied.clear();
        for it in partly {
            let PartlyApplied { version, name, done, started, .. } = it;
            if let Some(LockHolder { pid, .. }) = holder {
                let (migration, holder_pid) = (name, pid);
                tracing::warn!(
                    version,
                    migration,
                    holder_pid,
                    "another process runs a migration that this program does not know"
                );
                continue;
            }
            let migration = name;
            tracing::warn!(
                version,
                migration,
                done,
                started,
                "a migration that this program does not know is partially applied"
            );
            self.partially_applied.push(it.title());
        }
    }

    /// How many migrations this call has applied or rolled back so far.
    pub(crate) fn done(&self) -> usize {
        self.applied.len() + self.rolled_back.len()
    }

    pub(crate) fn expect(&mut self, pending: &Pending) {
        self.expected = self.done() + pending.steps.iter().map(Step::len).sum::<usize>();
    }

    /// So many are still to be rolled back.
    pub(crate) fn expect_in_all(&mut self, left: usize) {
        self.expected = self.rolled_back.len() + left;
    }

    pub(crate) fn rolled_back(&mut self, it: &Migration, took: Duration) {
        let (version, name) = (it.version.to_owned(), it.name.to_owned());
        self.rolled_back.push(RolledBack { version, name, took });
    }

    /// The next migration's place among all of this call.
    pub(crate) fn place(&self) -> (usize, usize) {
        let next = self.done() + 1;
        (next, self.expected.max(next))
    }

    pub(crate) fn waited(&mut self, waited: Duration, holder: Option<&LockHolder>) {
        self.waited += waited;
        self.waited_for = holder.cloned().or(self.waited_for.take());
    }

    pub(crate) fn applied(&mut self, step: &Step, took: Duration) {
        let applied = |it: &Migration, covered: bool, took: Duration| Applied {
            version: it.version.to_owned(),
            name: it.name.to_owned(),
            covered,
            took,
        };
        self.applied.extend(step.covers.iter().map(|(it, _)| applied(it, true, Duration::ZERO)));
        self.applied.extend(step.runs.map(|it| applied(it, false, took)));
    }
}

fn migrations(many: usize) -> &'static str {
    if many == 1 { "migration" } else { "migrations" }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rolled_back.as_slice() {
            [] => {}
            [it] => write!(f, "rolled back 1 migration, {}", it.version)?,
            [newest, .., oldest] => {
                let (many, newest, oldest) =
                    (self.rolled_back.len(), &newest.version, &oldest.version);
                write!(f, "rolled back {many} migrations, {newest} to {oldest}")?;
            }
        }
        let and = if self.rolled_back.is_empty() { "" } else { ", " };
        match (self.applied.iter().filter(|it| !it.covered).count(), self.applied.len()) {
            (0, 0) if !self.is_unchanged() => {}
            (0, 0) => f.write_str(match self.direction {
                Direction::Up => "nothing to apply",
                Direction::Down => "nothing to roll back",
            })?,
            (0, covered) => write!(f, "{and}recorded {covered} {}", migrations(covered))?,
            (many, _) => write!(f, "{and}applied {many} {}", migrations(many))?,
        }
        if let Some(it) = self.applied.last() {
            write!(f, " up to {}", it.version)?;
        }
        write!(f, " in {:.1?}", self.took)?;
        if self.waited > Duration::ZERO {
            write!(f, ", after waiting {:.1?}", self.waited)?;
            self.waited_for.iter().try_for_each(|it| write!(f, " for {it}"))?;
        }
        if !self.ahead.is_empty() {
            write!(f, "; the database is ahead by {}", self.ahead.join(", "))?;
        }
        match self.partially_applied.is_empty() {
            true => Ok(()),
            false => write!(f, "; partially applied: {}", self.partially_applied.join(", ")),
        }
    }
}
