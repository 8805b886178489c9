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

/// The statements; `words` says which privileges on what.
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
        for (verb, all, end) in phrases(old, new, &name) {
            if !all.is_empty() {
                sql.push(format!("{verb} {}{end}", words(&all)));
            }
        }
    }
    sql
}

/// Verb, privileges and what comes last, in the order in which they work.
fn phrases<'a>(
    old: &'a BTreeSet<String>,
    new: &'a BTreeSet<String>,
    name: &str,
) -> [(&'static str, Vec<&'a str>, String); 4] {
    let has = |set: &BTreeSet<String>, it: &str| set.iter().any(|other| plain(other) == plain(it));
    let passes = |it: &&String| it.ends_with('*');
    let texts = |all: Vec<&'a String>| all.into_iter().map(|it| plain(it)).collect::<Vec<_>>();
    let gone = old.iter().filter(|it| !has(new, it)).collect();
    let stays = old.iter().filter(passes).filter(|it| has(new, it) && !new.contains(*it)).collect();
    let comes = new.iter().filter(|it| !has(old, it) && !passes(it)).collect();
    let may_pass = new.iter().filter(passes).filter(|it| !old.contains(*it)).collect();
    [
        ("REVOKE", texts(gone), format!(" FROM {name}")),
        ("REVOKE GRANT OPTION FOR", texts(stays), format!(" FROM {name}")),
        ("GRANT", texts(comes), format!(" TO {name}")),
        ("GRANT", texts(may_pass), format!(" TO {name} WITH GRANT OPTION")),
    ]
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
