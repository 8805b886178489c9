//! Columns that are NOT NULL from now on, on tables that may have rows.

use std::collections::BTreeMap;

use crate::{
    catalog::facts::{Fact, Facts},
    error::Result,
    generate::{column_expression::ColumnExpression, lookup},
    kinds::object_kind::ObjectKind,
};

/// What rows get in which column, by its path.
///
/// # Errors
///
/// If an answer fits nothing.
pub(crate) fn fills(
    have: &Facts,
    wanted: &Facts,
    all: &[ColumnExpression],
) -> Result<BTreeMap<String, String>> {
    let one =
        |it: &ColumnExpression| Ok((column(have, wanted, it)?.id.path(), it.expression.clone()));
    all.iter().map(one).collect()
}

fn column<'a>(have: &Facts, wanted: &'a Facts, it: &ColumnExpression) -> Result<&'a Fact> {
    let wrong = |why: &str| lookup::not(it.to_string(), why);
    let column =
        lookup::find(wanted, &[ObjectKind::Column], &it.column).map_err(|why| wrong(&why))?;
    let before = have.find(&column.id).map(|at| &have.all[at]);
    let is_new = column.is("not_null") && before.is_none_or(|it| !it.is("not_null"));
    let has_rows = have.get(ObjectKind::Table, &column.id.names[..2]).is_some();
    match (is_new, has_rows) {
        (true, true) if before.is_none() && gets_value(wanted, column) => {
            Err(wrong("it is new, and rows get its default"))
        }
        (true, true) => Ok(column),
        (_, false) => Err(wrong("its table is new and has no rows")),
        (false, true) => Err(wrong("the column does not become NOT NULL")),
    }
}

/// Whether the server itself puts a value into the rows that are there.
pub(crate) fn gets_value(wanted: &Facts, column: &Fact) -> bool {
    ["identity", "generated"].iter().any(|it| column.attributes.contains_key(*it))
        || wanted.get(ObjectKind::DefaultValue, &column.id.names).is_some()
}
