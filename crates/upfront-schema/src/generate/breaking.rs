//! Whether programs that know the old schema can work on the new one.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    diff::difference::{Difference, difference},
    kinds::object_kind::ObjectKind,
    quote,
};

/// Whether anything is gone, has another type, or wants a value that such a program does not give.
pub(crate) fn is_breaking(have: &Facts, wanted: &Facts) -> bool {
    difference(have, wanted).iter().any(|it| match it {
        Difference::Dropped(id) => {
            id.kind.is_visible_to_programs()
                || id.kind == ObjectKind::DefaultValue && wants_value(wanted, &id.names)
        }
        Difference::Created(id) => wanted.find(id).is_some_and(|at| {
            let it = &wanted.all[at];
            is_missed(have, wanted, it) || forbids_null(have, wanted, it)
        }),
        Difference::Changed { id, attribute, from, to } => match (id.kind, attribute.as_str()) {
            (ObjectKind::Column | ObjectKind::Domain, "type") => true,
            (ObjectKind::Column, "generated") => to.is_some(),
            // Who gave values because nobody else did may not any more.
            (ObjectKind::Column, "identity") => {
                let is_always = to.as_ref().and_then(Value::as_str) == Some("ALWAYS");
                let was_given =
                    from.is_some() || have.get(ObjectKind::DefaultValue, &id.names).is_some();
                to.is_none() && wants_value(wanted, &id.names) || is_always && !was_given
            }
            (ObjectKind::Column, "not_null") => {
                let is_given = wanted.get(ObjectKind::DefaultValue, &id.names).is_some();
                to.is_some() && !is_given && !have.iter().any(|it| is_on(it, &id.names))
            }
            (ObjectKind::Enum, "labels") => !holds_all(from.as_ref(), to.as_ref()),
            _ => false,
        },
    })
}

/// A column that is wanted on a table which is there, and that gets no value by itself.
pub(crate) fn is_missed(have: &Facts, wanted: &Facts, it: &Fact) -> bool {
    let gets_one = ["identity", "generated"].iter().any(|a| it.attributes.contains_key(*a))
        || wanted.get(ObjectKind::DefaultValue, &it.id.names).is_some();
    it.id.kind == ObjectKind::Column
        && it.is("not_null")
        && it.origin.is_none()
        && !gets_one
        && have.get(ObjectKind::Table, &it.id.names[..it.id.names.len() - 1]).is_some()
}

/// Whether a column takes no NULL and gets no value by itself.
fn wants_value(wanted: &Facts, column: &[String]) -> bool {
    wanted.get(ObjectKind::Column, column).is_some_and(|it| {
        let gets_one = ["identity", "generated"].iter().any(|a| it.attributes.contains_key(*a));
        let has_default = wanted.get(ObjectKind::DefaultValue, column).is_some();
        it.is("not_null") && !gets_one && !has_default
    })
}

/// A check that keeps NULL from a column, as there is one before the column becomes NOT NULL.
fn forbids_null(have: &Facts, wanted: &Facts, it: &Fact) -> bool {
    let mut columns = wanted.iter().filter(|column| {
        column.id.kind == ObjectKind::Column
            && is_on(it, &column.id.names)
            && wanted.get(ObjectKind::DefaultValue, &column.id.names).is_none()
    });
    let was = |it: &Fact| have.find(&it.id).is_some_and(|at| have.all[at].is("not_null"));
    columns.any(|it| !was(it) && have.get(ObjectKind::Table, &it.id.names[..2]).is_some())
}

/// Whether it is a check that a column is not NULL.
fn is_on(check: &Fact, column: &[String]) -> bool {
    let [schema, table, name] = column else { return false };
    let text = || format!("CHECK (({} IS NOT NULL))", quote::name(name));
    check.id.kind == ObjectKind::TableConstraint
        && check.id.names[..2] == [schema.clone(), table.clone()]
        && check.text("definition") == Some(&text())
}

fn holds_all(old: Option<&Value>, new: Option<&Value>) -> bool {
    let labels = |it: Option<&Value>| it.and_then(Value::as_array).cloned().unwrap_or_default();
    let new = labels(new);
    labels(old).iter().all(|it| new.contains(it))
}
