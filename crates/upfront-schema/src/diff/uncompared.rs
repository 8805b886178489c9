//! Differences that no SQL can change and that are reported alone.

use serde_json::Value;

use crate::{
    catalog::{
        column_orders::order,
        facts::{Fact, Facts},
    },
    kinds::object_kind::ObjectKind,
};

/// How a schema still differs from another one after the change: the order of columns and
/// fields, which no `ALTER` changes, and whether an inherited column is the table's own too.
pub(crate) fn uncompared_differences(there: &Facts, wanted: &Facts) -> Vec<String> {
    let counterparts =
        there.iter().enumerate().filter_map(|(at, it)| Some((at, wanted.find(&it.id)?)));
    let mut all = Vec::new();
    for (at, counterpart) in counterparts {
        let (old, new) = (&there.all[at], &wanted.all[counterpart]);
        match old.id.kind {
            ObjectKind::Table | ObjectKind::ForeignTable => {
                all.extend(order(
                    &old.id.path(),
                    &columns(there, at),
                    &columns(wanted, counterpart),
                ));
            }
            ObjectKind::CompositeType => {
                all.extend(order(&old.id.path(), &fields(old), &fields(new)));
            }
            ObjectKind::Column if old.is_noted("local") != new.is_noted("local") => {
                all.push(format!(
                    "{} is inherited, and {} its table's own too",
                    old.id.path(),
                    if old.is_noted("local") { "is" } else { "is not" }
                ));
            }
            _ => {}
        }
    }
    all
}

fn columns(facts: &Facts, table: usize) -> Vec<&str> {
    let within = facts.users[table].iter().map(|(it, _)| &facts.all[*it]);
    let mut columns: Vec<_> =
        within.filter(|it| it.id.kind == ObjectKind::Column && it.parent == Some(table)).collect();
    columns.sort_by_key(|it| it.notes.get("position").and_then(Value::as_i64));
    columns.into_iter().map(|it| it.id.name()).collect()
}

fn fields(fact: &Fact) -> Vec<&str> {
    let all = fact.notes.get("order").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).collect()
}
