//! How two schemas differ, in words.

use serde_json::Value;
use upfront_schema::{Difference, Identity};

/// What the two are called.
pub(crate) struct Ends<'a> {
    pub(crate) first: &'a str,
    pub(crate) second: &'a str,
}

/// A line for each difference.
pub(crate) fn words(all: &[Difference], ends: &Ends<'_>) -> Vec<String> {
    let one = |it: &Difference| match it {
        Difference::Created(id) => format!("only in {}: {id}", ends.second),
        Difference::Dropped(id) => format!("only in {}: {id}", ends.first),
        Difference::Changed { id, attribute, from, to } => format!(
            "{id}: `{attribute}` is {} in {} and {} in {}",
            value(from.as_ref()),
            ends.first,
            value(to.as_ref()),
            ends.second
        ),
    };
    all.iter().map(one).collect()
}

fn value(it: Option<&Value>) -> String {
    match it {
        None => "not set".to_owned(),
        Some(Value::String(it)) => format!("`{it}`"),
        Some(it) => format!("`{it}`"),
    }
}

/// Its names, without the kind. Comments and privileges are called by the kind of their object, too.
pub(crate) fn object_name(id: &Identity) -> String {
    id.target().map_or_else(|| id.signature(), |target| target.to_string())
}
