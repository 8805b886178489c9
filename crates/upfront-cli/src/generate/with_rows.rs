//! Whether a migration works on tables that have rows, and what it leaves of them.

use std::fmt;

use upfront::cli::Exit;
use upfront_directory::{Migration, Side};
use upfront_schema::{Nulls, Rows, Scope, Seeded, Unfit};
use upfront_scratch::Database;

use crate::{failure::Failure, scratch};

/// How much is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// It works with rows in so many tables. There may be more to say.
    WithRows { tables: usize, more: Vec<String> },
    /// It works on empty tables; with rows this happened.
    StructureOnly { why: String },
}

/// Applies a migration to a copy whose tables have rows, rolls it back and applies it again.
///
/// Values in columns that stay as they are stay too; where `gives_values` the up side may write
/// some. If a NULL is in its way, it is tried without any.
pub(super) fn try_on(
    before: &Database<'_>,
    it: &Migration,
    scope: &Scope,
    gives_values: bool,
) -> Result<Tried, Failure> {
    let with_null = once(before, it, scope, gives_values, Nulls::Some)?;
    let Tried::StructureOnly { why } = with_null else { return Ok(with_null) };
    Ok(match once(before, it, scope, gives_values, Nulls::None)? {
        Tried::WithRows { tables, mut more } => {
            more.push(format!("but not with all: {why}"));
            Tried::WithRows { tables, more }
        }
        Tried::StructureOnly { .. } => Tried::StructureOnly { why },
    })
}

fn once(
    before: &Database<'_>,
    it: &Migration,
    scope: &Scope,
    gives_values: bool,
    nulls: Nulls,
) -> Result<Tried, Failure> {
    let copy = scratch::copy(before)?;
    let seeded = Seeded::fill(&copy, nulls, scope).map_err(|err| scratch::of_schema(&err))?;
    let first = rows(&copy, scope)?;
    if let Some(why) = unfit(&copy, "up side", &it.up)? {
        return Ok(why);
    }
    let second = rows(&copy, scope)?;
    if !gives_values {
        unchanged(&first, &second, "up", it)?;
    }
    let Some(down) = &it.down else { return Ok(seeded.into()) };
    if let Some(why) = unfit(&copy, "down side", down)? {
        return Ok(why);
    }
    unchanged(&second, &rows(&copy, scope)?, "down", it)?;
    Ok(unfit(&copy, "second up side", &it.up)?.unwrap_or_else(|| seeded.into()))
}

fn rows(of: &Database<'_>, scope: &Scope) -> Result<Rows, Failure> {
    Rows::read(of, scope).map_err(|err| scratch::of_schema(&err))
}

fn unfit(copy: &Database<'_>, what: &str, side: &Side) -> Result<Option<Tried>, Failure> {
    let unfit = Unfit::of(copy, side).map_err(|err| scratch::of_schema(&err))?;
    Ok(unfit.map(|it| {
        let table = it.table.map(|it| format!(" in `{it}`")).unwrap_or_default();
        let why =
            format!("the {what} fails with rows{table}: {} (SQLSTATE {})", it.message, it.sqlstate);
        Tried::StructureOnly { why }
    }))
}

fn unchanged(old: &Rows, new: &Rows, side: &str, it: &Migration) -> Result<(), Failure> {
    let changed = old.changed(new);
    if changed.is_empty() {
        return Ok(());
    }
    let title = format!("the {side} side changes rows that should stay: {}", changed.join(", "));
    Err(Failure::new(Exit::Failed, title).file(it.file.as_str()))
}

impl From<Seeded> for Tried {
    fn from(it: Seeded) -> Self {
        let without = it.without.iter();
        let more = without
            .map(|it| format!("structure only for {} (SQLSTATE {})", it.table, it.sqlstate))
            .collect();
        Self::WithRows { tables: it.tables, more }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithRows { tables: 0, more } if more.is_empty() => {
                f.write_str("there is no table before it that could have rows")
            }
            Self::WithRows { tables, more } => {
                let s = if *tables == 1 { "" } else { "s" };
                write!(f, "with rows in {tables} table{s}")?;
                more.iter().try_for_each(|it| write!(f, ", {it}"))
            }
            Self::StructureOnly { why } => write!(f, "structure only: {why}"),
        }
    }
}
