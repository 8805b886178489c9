//! Options in parentheses: storage parameters, and those of foreign data.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::quote;

fn map(value: Option<&Value>) -> Map<String, Value> {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn literal(value: &Value) -> String {
    quote::literal(value.as_str().unwrap_or_default())
}

/// `a = 'x', b = 'y'`, or nothing.
pub(super) fn storage(value: Option<&Value>) -> String {
    let all = map(value);
    let one = |(key, value): (&String, &Value)| format!("{key} = {}", literal(value));
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// ` WITH (…)`, or nothing.
pub(super) fn with(value: Option<&Value>) -> String {
    let all = storage(value);
    if all.is_empty() { all } else { format!(" WITH ({all})") }
}

/// What sets the parameters that are new or other, and resets those that are gone.
pub(super) fn change(from: Option<&Value>, to: Option<&Value>) -> Vec<String> {
    let (from, to) = (map(from), map(to));
    let mut set = to.clone();
    set.retain(|key, value| from.get(key) != Some(value));
    let gone: Vec<_> = from.keys().filter(|it| !to.contains_key(*it)).cloned().collect();
    let set = storage(Some(&Value::Object(set)));
    let mut clauses = Vec::new();
    if !set.is_empty() {
        clauses.push(format!("SET ({set})"));
    }
    if !gone.is_empty() {
        clauses.push(format!("RESET ({})", gone.join(", ")));
    }
    clauses
}

/// ` OPTIONS (a 'x')`, or nothing.
pub(super) fn foreign(value: Option<&Value>) -> String {
    let all = map(value);
    let one = |(key, value): (&String, &Value)| format!("{} {}", quote::name(key), literal(value));
    match all.is_empty() {
        true => String::new(),
        false => format!(" OPTIONS ({})", all.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

/// `OPTIONS (ADD a 'x', SET b 'y', DROP c)`.
pub(super) fn change_foreign(from: Option<&Value>, to: Option<&Value>) -> String {
    let (from, to) = (map(from), map(to));
    let keys: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let parts = keys.into_iter().filter_map(|key| match (from.get(key), to.get(key)) {
        (None, Some(it)) => Some(format!("ADD {} {}", quote::name(key), literal(it))),
        (Some(_), None) => Some(format!("DROP {}", quote::name(key))),
        (Some(old), Some(it)) if old != it => {
            Some(format!("SET {} {}", quote::name(key), literal(it)))
        }
        _ => None,
    });
    format!("OPTIONS ({})", parts.collect::<Vec<_>>().join(", "))
}
