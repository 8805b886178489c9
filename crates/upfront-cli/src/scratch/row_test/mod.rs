//! Whether a migration works on tables that have rows, and what it leaves of them.

pub(crate) mod sequential;

use std::fmt;

use upfront::cli::Exit;
use upfront_directory::{Migration, Side};
use upfront_schema::{RowFailure, Rows, SampleKind, SampleRows, Scope, SequenceStates};
use upfront_scratch::Database;

use crate::{output::failure::Failure, scratch};

/// How much is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowTestResult {
    /// It works with rows in so many tables. There may be more to say.
    WithRows { tables: usize, more: Vec<String>, but: Option<Obstacle> },
    /// It works on empty tables; with rows this happened.
    StructureOnly(Obstacle),
}

/// What rows do to a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Obstacle {
    which: TestPhase,
    unfit: RowFailure,
}

/// One of the sides that are run, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestPhase {
    Up,
    Down,
    SecondUp,
}

/// What the up side may do to rows that were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Nothing, in columns that it leaves alone.
    Stay,
    /// Whatever its author wants.
    MayChange,
}

/// Applies a migration to a copy whose tables have rows, rolls it back and applies it again.
///
/// Values in columns that stay as they are stay too, and sequences go on. If rows are in its way,
/// others are tried.
pub(crate) fn try_on(
    before: &Database<'_>,
    it: &Migration,
    scope: &Scope,
    values: Values,
    wanted: Option<&Database<'_>>,
) -> Result<RowTestResult, Failure> {
    let work = RowTest { before, it, scope, values, wanted };
    let mut tried = work.once(SampleKind::Mixed)?;
    let RowTestResult::StructureOnly(first) = &tried else { return Ok(tried) };
    let first = first.clone();
    for flavor in [SampleKind::Full, SampleKind::Uuids, SampleKind::Numbers] {
        match (flavor, &tried) {
            (SampleKind::Full, _) => {}
            (_, RowTestResult::StructureOnly(it)) if it.unfit.is_of_values() => {}
            _ => break,
        }
        tried = work.once(flavor)?;
        if let RowTestResult::WithRows { but, .. } = &mut tried {
            *but = Some(first);
            return Ok(tried);
        }
    }
    Ok(RowTestResult::StructureOnly(first))
}

struct RowTest<'a> {
    before: &'a Database<'a>,
    it: &'a Migration,
    scope: &'a Scope,
    values: Values,
    /// What the up side has to lead to, where that is known.
    wanted: Option<&'a Database<'a>>,
}

/// What is there at one moment.
struct State {
    rows: Rows,
    counts: SequenceStates,
}

impl RowTest<'_> {
    fn once(&self, flavor: SampleKind) -> Result<RowTestResult, Failure> {
        let copy = scratch::copy(self.before)?;
        let seeded = SampleRows::fill(&copy, flavor, self.scope);
        let seeded = seeded?;
        let first = self.state(&copy)?;
        if let Some(it) = unfit(&copy, TestPhase::Up, &self.it.up)? {
            return Ok(RowTestResult::StructureOnly(it));
        }
        let second = self.state(&copy)?;
        if self.values == Values::Stay {
            agree(&self.it.up, "up", &first.rows.changed(&second.rows), (&first, &second))?;
        }
        if let Some(wanted) = self.wanted {
            self.reads_alike(&copy, wanted, "up", &self.it.up)?;
        }
        let mut more = news("up", &first, &second, &seeded);
        let Some(down) = &self.it.down else { return Ok(with_rows(&seeded, more)) };
        if let Some(it) = unfit(&copy, TestPhase::Down, down)? {
            return Ok(RowTestResult::StructureOnly(it));
        }
        let third = self.state(&copy)?;
        let changed = second.rows.not_restored(&first.rows, &third.rows);
        agree(down, "down", &changed, (&second, &third))?;
        self.reads_alike(&copy, self.before, "down", down)?;
        more.extend(news("down", &first, &third, &seeded));
        if let Some(it) = unfit(&copy, TestPhase::SecondUp, &self.it.up)? {
            return Ok(RowTestResult::StructureOnly(it));
        }
        if self.values == Values::Stay {
            let fourth = self.state(&copy)?;
            let changed = third.rows.changed(&fourth.rows);
            agree(&self.it.up, "second up", &changed, (&third, &fourth))?;
        }
        Ok(with_rows(&seeded, more))
    }

    /// Views and functions return what they do where the columns are in the wanted order.
    fn reads_alike(
        &self,
        there: &Database<'_>,
        wanted: &Database<'_>,
        side: &str,
        of: &Side,
    ) -> Result<(), Failure> {
        let misread = upfront_schema::changed_results(there, wanted, self.scope);
        let misread = misread?;
        if misread.is_empty() {
            return Ok(());
        }
        let title =
            format!("after the {side} side columns are taken for others, by their positions");
        let failure = Failure::new(Exit::Failed, title).file(of.path.as_str());
        let failure = misread.into_iter().fold(failure, Failure::more);
        Err(failure.help(
            "write new columns last in the table, or name columns in what returns other values: \
             `SELECT t.*`, not a list in the order of the table",
        ))
    }

    fn state(&self, of: &Database<'_>) -> Result<State, Failure> {
        let rows = Rows::read(of, self.scope)?;
        let counts = SequenceStates::read(of, self.scope)?;
        Ok(State { rows, counts })
    }
}

/// Nothing has changed that should stay, and sequences go on from where they were.
fn agree(
    of: &Side,
    side: &str,
    changed: &[String],
    (old, new): (&State, &State),
) -> Result<(), Failure> {
    let behind = old.counts.behind(&new.counts);
    let colliding = old.counts.colliding(&new.counts);
    let behind = behind.iter().map(|it| format!("sequence {it} goes back"));
    let colliding = colliding.iter().map(|it| {
        format!("an insert into {it} gets a value from its sequence that is there already")
    });
    let all: Vec<_> = changed.iter().cloned().chain(behind).chain(colliding).collect();
    if all.is_empty() {
        return Ok(());
    }
    let title = format!("the {side} side changes rows that should stay");
    let failure = Failure::new(Exit::Failed, title).file(of.path.as_str());
    Err(all.into_iter().fold(failure, Failure::more))
}

fn unfit(copy: &Database<'_>, which: TestPhase, side: &Side) -> Result<Option<Obstacle>, Failure> {
    let unfit = RowFailure::of(copy, side)?;
    Ok(unfit.map(|unfit| Obstacle { which, unfit }))
}

/// Tables that took a row before, and take none now.
fn news(side: &str, first: &State, later: &State, seeded: &SampleRows) -> Vec<String> {
    let failed: Vec<_> = first.counts.failing().map(|(table, _)| table).collect();
    let is_news = |table: &str| {
        !failed.contains(&table) && !seeded.without.iter().any(|it| it.table == table)
    };
    let new = later.counts.failing().filter(|(table, _)| is_news(table));
    let text = |(table, state)| {
        format!("after the {side} side no made-up row fits into {table} (SQLSTATE {state})")
    };
    new.map(text).collect()
}

fn with_rows(seeded: &SampleRows, news: Vec<String>) -> RowTestResult {
    let without = seeded.without.iter();
    let without =
        without.map(|it| format!("structure only for {} (SQLSTATE {})", it.table, it.sqlstate));
    let more = without.chain(news).collect();
    RowTestResult::WithRows { tables: seeded.tables, more, but: None }
}

impl RowTestResult {
    /// What the down side has to say of it.
    pub(crate) fn warning(&self) -> Option<String> {
        let it = match self {
            RowTestResult::StructureOnly(it) => it,
            RowTestResult::WithRows { but: Some(it), .. } if it.which == TestPhase::Down => it,
            RowTestResult::WithRows { .. } => return None,
        };
        let reason = it.reason();
        let text = match it.which {
            TestPhase::Up => {
                format!("not tried with rows, as the up side fails with them: {reason}")
            }
            TestPhase::Down => format!("made-up rows were in its way: {reason}"),
            TestPhase::SecondUp => {
                format!("the up side cannot be applied to what it leaves: {reason}")
            }
        };
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Why the up side is only known to work on empty tables.
    pub(crate) fn up_fails(&self) -> Option<&Obstacle> {
        match self {
            RowTestResult::StructureOnly(it) if it.which == TestPhase::Up => Some(it),
            _ => None,
        }
    }

    pub(crate) fn is_with_rows(&self) -> bool {
        matches!(self, RowTestResult::WithRows { .. })
    }
}

impl Obstacle {
    fn reason(&self) -> String {
        format!("{} (SQLSTATE {})", self.unfit.message, self.unfit.sqlstate)
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = match self.which {
            TestPhase::Up => "up side",
            TestPhase::Down => "down side",
            TestPhase::SecondUp => "second up side",
        };
        write!(f, "the {which} fails with rows")?;
        if let Some(it) = &self.unfit.table {
            write!(f, " in `{it}`")?;
        }
        write!(f, ": {}", self.reason())
    }
}

impl fmt::Display for RowTestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithRows { tables: 0, more, but: None } if more.is_empty() => {
                f.write_str("there is no table before it that could have rows")
            }
            Self::WithRows { tables, more, but } => {
                let s = if *tables == 1 { "" } else { "s" };
                write!(f, "with rows in {tables} table{s}")?;
                more.iter().try_for_each(|it| write!(f, ", {it}"))?;
                but.iter().try_for_each(|it| write!(f, ", but not with all: {it}"))
            }
            Self::StructureOnly(why) => write!(f, "structure only: {why}"),
        }
    }
}
