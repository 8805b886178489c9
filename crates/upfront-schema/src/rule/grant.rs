//! Grants as maps: whom, what, and what has to be said to turn one map into another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::quote;

/// Whom, and the privileges; one that may be passed on ends with a `*`.
pub(super) type Grants = BTreeMap<String, BTreeSet<String>>;

pub(super) fn read(value: Option<&Value>) -> Grants {
    let set = |it: &Value| {
        let all = it.as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let map = value.and_then(Value::as_object).into_iter().flatten();
    map.map(|(whom, what)| (whom.clone(), set(what))).collect()
}

/// The statements, with what stands between privilege and grantee.
pub(super) fn change(
    from: &Grants,
    to: &Grants,
    owner: Option<&str>,
    words: &impl Fn(&[&str]) -> String,
) -> Vec<String> {
    let all: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let none = BTreeSet::new();
    let mut sql = Vec::new();
    for whom in all {
        let (old, new) = (from.get(whom).unwrap_or(&none), to.get(whom).unwrap_or(&none));
        let name = grantee(whom, owner);
        let gone: Vec<_> = old.iter().filter(|it| !new.contains(*it)).map(|it| plain(it)).collect();
        if !gone.is_empty() {
            sql.push(format!("REVOKE {} FROM {name}", words(&gone)));
        }
        sql.extend(grants(old, new, &gone, &name, words));
    }
    sql
}

/// What was revoked only to lose its option is granted anew.
fn grants(
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
    gone: &[&str],
    name: &str,
    words: &impl Fn(&[&str]) -> String,
) -> Vec<String> {
    let come: Vec<_> =
        new.iter().filter(|it| !old.contains(*it) || gone.contains(&plain(it))).collect();
    let (passing, staying): (Vec<_>, Vec<_>) = come.iter().partition(|it| it.ends_with('*'));
    let text = |all: Vec<&&String>, option: &str| {
        let all: Vec<_> = all.into_iter().map(|it| plain(it)).collect();
        (!all.is_empty()).then(|| format!("GRANT {} TO {name}{option}", words(&all)))
    };
    text(staying, "").into_iter().chain(text(passing, " WITH GRANT OPTION")).collect()
}

fn plain(privilege: &str) -> &str {
    privilege.trim_end_matches('*')
}

fn grantee(whom: &str, owner: Option<&str>) -> String {
    match (whom, owner) {
        ("PUBLIC", _) => "PUBLIC".to_owned(),
        ("@owner", Some(it)) => quote::name(it),
        ("@owner", None) => "CURRENT_USER".to_owned(),
        _ => quote::name(whom),
    }
}
