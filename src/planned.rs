//! What a boot would do, for a person to read first.

use std::fmt;

use crate::{
    embedded::{Class, Migration, title},
    plan::Step,
    revisions::Journal,
    work::Work,
};

/// Ordered steps with their exact SQL: the dry run. `Display` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Plan {
    /// The app whose migrations these are.
    pub app: String,
    /// In the order in which they would run.
    pub steps: Vec<PlannedStep>,
}

/// One migration of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PlannedStep {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The file.
    pub path: String,
    /// The SQL as it would be sent; empty where the migration is recorded without running.
    pub sql: String,
    /// Whether it runs in one transaction.
    pub transactional: bool,
    /// Recorded without running: a checkpoint, or what stands before one.
    pub covered: bool,
    /// Older programs refuse to run on the schema that it leaves.
    pub breaking: bool,
    /// What is worth knowing before it runs.
    pub warnings: Vec<String>,
}

impl Plan {
    pub(crate) fn of(work: &Work<'_>, steps: &[Step], journal: &[Journal]) -> Self {
        let of = |it: &Step| {
            let covers = it.covers.iter().map(|(it, _)| planned(it, true, journal));
            covers.chain(it.runs.map(|it| planned(it, false, journal))).collect::<Vec<_>>()
        };
        Self { app: work.app.to_owned(), steps: steps.iter().flat_map(of).collect() }
    }

    /// Is there nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

fn planned(it: &Migration, covered: bool, journal: &[Journal]) -> PlannedStep {
    PlannedStep {
        version: it.version.to_owned(),
        name: it.name.to_owned(),
        path: it.up.path.to_owned(),
        sql: if covered { String::new() } else { it.up.body().to_owned() },
        transactional: it.up.transactional,
        covered,
        breaking: it.breaking,
        warnings: if covered { Vec::new() } else { warnings(it, journal) },
    }
}

fn warnings(it: &Migration, journal: &[Journal]) -> Vec<String> {
    let mut warnings = Vec::new();
    let done = journal.iter().filter(|row| row.version == it.version && row.finished).count();
    if journal.iter().any(|row| row.version == it.version) {
        let of = it.up.statements.len();
        warnings.push(format!("partially applied: {done} of {of} statements are done"));
    }
    for at in it.up.statements.iter().filter(|_| !it.up.transactional) {
        if at.class == Class::Unknown {
            let line = at.line;
            warnings.push(format!("line {line}: after a crash nobody can tell whether this ran"));
        }
    }
    if it.breaking {
        warnings.push("older programs refuse to run afterwards".into());
    }
    if it.irreversible.is_none() && it.down.is_none() {
        warnings.push("has no down side".into());
    }
    warnings
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return write!(f, "-- app {}: nothing to apply", self.app);
        }
        write!(f, "-- app {}: {} to apply", self.app, self.steps.len())?;
        self.steps.iter().try_for_each(|it| write!(f, "\n\n{it}"))
    }
}

impl fmt::Display for PlannedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match (self.covered, self.transactional) {
            (true, _) => "recorded, not run",
            (false, true) => "in one transaction",
            (false, false) => "outside a transaction, statement by statement",
        };
        write!(f, "-- {}: {how}\n-- {}", title(&self.version, &self.name), self.path)?;
        self.warnings.iter().try_for_each(|it| write!(f, "\n-- warning: {it}"))?;
        match self.covered {
            true => Ok(()),
            false => write!(f, "\n{}", self.sql.trim_end()),
        }
    }
}
