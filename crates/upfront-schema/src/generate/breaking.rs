//! Whether programs that know the old schema can work on the new one.

use serde_json::Value;

use crate::difference::{Difference, difference};
use crate::facts::{Fact, Facts};

/// What a program may name in its SQL.
const NAMED: [&str; 15] = [
    "schema",
    "extension",
    "table",
    "foreign table",
    "column",
    "view",
    "materialized view",
    "sequence",
    "enum",
    "domain",
    "composite type",
    "range type",
    "function",
    "procedure",
    "aggregate",
];

/// Whether anything is gone, has another type, or wants a value that such a program does not give.
pub(crate) fn is_breaking(have: &Facts, wanted: &Facts) -> bool {
    difference(have, wanted).iter().any(|it| match it {
        Difference::Dropped(id) => NAMED.contains(&id.kind),
        Difference::Created(id) => {
            wanted.find(id).is_some_and(|at| is_missed(have, wanted, &wanted.all[at]))
        }
        Difference::Changed { id, attribute, from, to } => match (id.kind, attribute.as_str()) {
            ("column" | "domain", "type") => true,
            ("column", "generated") => to.is_some(),
            ("column", "not_null") => {
                to.is_some() && wanted.get("default value", &id.names).is_none()
            }
            ("enum", "labels") => !holds_all(from.as_ref(), to.as_ref()),
            _ => false,
        },
    })
}

/// A column that is wanted on a table which is there, and that gets no value by itself.
pub(crate) fn is_missed(have: &Facts, wanted: &Facts, it: &Fact) -> bool {
    let gets_one = ["identity", "generated"].iter().any(|a| it.attributes.contains_key(*a))
        || wanted.get("default value", &it.id.names).is_some();
    it.id.kind == "column"
        && it.is("not_null")
        && it.origin.is_none()
        && !gets_one
        && have.get("table", &it.id.names[..it.id.names.len() - 1]).is_some()
}

fn holds_all(old: Option<&Value>, new: Option<&Value>) -> bool {
    let labels = |it: Option<&Value>| it.and_then(Value::as_array).cloned().unwrap_or_default();
    let new = labels(new);
    labels(old).iter().all(|it| new.contains(it))
}
