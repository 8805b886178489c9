//! Columns that are NOT NULL from now on, on tables that may have rows.

use crate::error::Result;
use crate::facts::{Fact, Facts};
use crate::generate::answer::{self, Given};
use crate::options::Options;
use crate::plan::{Plan, Statement, plan};
use crate::quote;

/// Plans in three parts: all but NOT NULL, the values, NOT NULL.
pub(crate) fn plan_filled(
    have: &Facts,
    wanted: &Facts,
    fills: &[Given],
    options: &Options,
) -> Result<Plan> {
    if fills.is_empty() {
        return plan(have, wanted, options);
    }
    let mut between = wanted.clone();
    let mut values = Vec::new();
    for it in fills {
        let column = column(have, wanted, it)?;
        for at in 0..between.all.len() {
            if is_column_or_below(wanted, at, column) {
                between.all[at].attributes.remove("not_null");
            }
        }
        values.push(update(column, &it.expression));
    }
    let mut all = plan(have, &between, options)?;
    all.statements.extend(values);
    all.statements.extend(plan(&between, wanted, options)?.statements);
    Ok(all)
}

fn column<'a>(have: &Facts, wanted: &'a Facts, it: &Given) -> Result<&'a Fact> {
    let wrong = |why: &str| answer::not(it.to_string(), why);
    let column = answer::find(wanted, &["column"], &it.column).map_err(|why| wrong(&why))?;
    let before = have.find(&column.id).map(|at| &have.all[at]);
    let is_new = column.is("not_null") && before.is_none_or(|it| !it.is("not_null"));
    let has_rows = have.get("table", &column.id.names[..2]).is_some();
    match (is_new, has_rows) {
        (true, true) => Ok(column),
        (_, false) => Err(wrong("its table is new and has no rows")),
        (false, true) => Err(wrong("it does not become NOT NULL here")),
    }
}

/// Children have their parents' columns.
fn is_column_or_below(facts: &Facts, mut at: usize, column: &Fact) -> bool {
    loop {
        if facts.all[at].id == column.id {
            return true;
        }
        match facts.all[at].origin {
            Some(it) if facts.all[at].id.kind == "column" => at = it,
            _ => return false,
        }
    }
}

fn update(column: &Fact, expression: &str) -> Statement {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    Statement {
        comment: format!("Fill \"{}\" of {table}", column.id.name()),
        sql: format!("UPDATE {table} SET {name} = {expression} WHERE {name} IS NULL"),
        hazards: Vec::new(),
        locks: Vec::new(),
        commits: false,
    }
}
