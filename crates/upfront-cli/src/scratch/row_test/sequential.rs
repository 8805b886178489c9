//! Several new files, one after the other, on tables that had rows before the first.

use std::fmt;

use upfront::cli::Exit;
use upfront_directory::{Migration, Side};
use upfront_schema::{RowFailure, SampleKind, SampleRows, Scope, Violations};
use upfront_scratch::Database;

use crate::{
    output::failure::Failure,
    scratch::{self, replay::title},
};

/// What came of it.
pub(crate) enum SequentialResult {
    /// There may be rows that are in the way.
    Works {
        tables: usize,
        but: Option<String>,
    },
    Fails {
        why: String,
        is_up: bool,
    },
}

/// Applies all of them and rolls them back. If a NULL is in the way, it is tried without any.
pub(crate) fn try_on(
    before: &Database<'_>,
    all: &[&Migration],
    scope: &Scope,
) -> Result<SequentialResult, Failure> {
    let with_null = once(before, all, scope, SampleKind::Mixed)?;
    let SequentialResult::Fails { why, .. } = with_null else { return Ok(with_null) };
    Ok(match once(before, all, scope, SampleKind::Full)? {
        SequentialResult::Works { tables, .. } => {
            SequentialResult::Works { tables, but: Some(why) }
        }
        SequentialResult::Fails { is_up, .. } => SequentialResult::Fails { why, is_up },
    })
}

fn once(
    before: &Database<'_>,
    all: &[&Migration],
    scope: &Scope,
    flavor: SampleKind,
) -> Result<SequentialResult, Failure> {
    let copy = scratch::copy(before)?;
    let seeded = SampleRows::fill(&copy, flavor, scope)?;
    let ups = all.iter().map(|it| (*it, "up", Some(&it.up)));
    let downs = all.iter().rev().map(|it| (*it, "down", it.down.as_ref()));
    let downs = downs.take_while(|(_, _, side)| side.is_some());
    let mut guard = Guard::on(&copy, scope)?;
    for (it, way, side) in ups.chain(downs) {
        let Some(why) = side.map(|side| unfit(&copy, side)).transpose()?.flatten() else {
            if way == "up" {
                guard.see(&copy, it, all.last().is_some_and(|last| last.version == it.version))?;
            }
            continue;
        };
        let why = format!("the {way} side of {} fails {why}", title(it));
        return Ok(SequentialResult::Fails { why, is_up: way == "up" });
    }
    Ok(SequentialResult::Works { tables: seeded.tables, but: None })
}

/// Rows that the schema rejects before the first file.
struct Guard {
    violations: Violations,
    /// Those that it takes after one of the files, with the file.
    accepted: Vec<(usize, String)>,
}

impl Guard {
    fn on(before: &Database<'_>, scope: &Scope) -> Result<Self, Failure> {
        let violations = Violations::find(before, scope)?;
        Ok(Self { violations, accepted: Vec::new() })
    }

    /// What is rejected before the first file and after the last one is rejected after each of them.
    fn see(&mut self, there: &Database<'_>, it: &Migration, is_last: bool) -> Result<(), Failure> {
        if !is_last {
            let accepted = self.violations.accepted(there)?;
            self.accepted.extend(accepted.into_iter().map(|at| (at, title(it))));
            return Ok(());
        }
        let rejected = self.violations.rejected(there)?;
        let open = self.accepted.iter().filter(|(at, _)| rejected.contains(at));
        let lines: Vec<_> =
            open.map(|(at, file)| format!("after {file} {}", self.violations.words(*at))).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let title = "between two files a table accepts rows that it rejects before and after them";
        let failure = Failure::new(Exit::Failed, title);
        let failure = lines.into_iter().fold(failure, Failure::more);
        Err(failure.help("write one transaction instead: `online = false` below `[gen]`"))
    }
}

fn unfit(copy: &Database<'_>, side: &Side) -> Result<Option<String>, Failure> {
    let unfit = RowFailure::of(copy, side)?;
    Ok(unfit.map(|it| format!("with rows: {} (SQLSTATE {})", it.message, it.sqlstate)))
}

impl SequentialResult {
    /// Why the up sides are only known to work on empty tables.
    pub(crate) fn up_fails(&self) -> Option<&str> {
        match self {
            Self::Fails { why, is_up: true } => Some(why),
            _ => None,
        }
    }
}

impl fmt::Display for SequentialResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works { tables, but } => {
                let s = if *tables == 1 { "" } else { "s" };
                write!(f, "one after the other: with rows in {tables} table{s}")?;
                but.iter().try_for_each(|it| write!(f, ", but not with all: {it}"))
            }
            Self::Fails { why, .. } => write!(f, "one after the other: structure only: {why}"),
        }
    }
}
