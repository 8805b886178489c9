//! Values of enums, which may get another name too.

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    generate::lookup,
    kinds::object_kind::ObjectKind,
};

/// The one value with this name, whose schema may be left out.
pub(crate) fn find(facts: &Facts, name: &[String]) -> Option<Identity> {
    let (label, name) = name.split_last()?;
    let it = lookup::find(facts, &[ObjectKind::Enum], name).ok()?;
    has(it, label).then(|| identity(it, label))
}

/// Whether there is such a value.
pub(crate) fn is_there(facts: &Facts, value: &Identity) -> bool {
    let Some((label, name)) = value.names.split_last() else { return false };
    facts.get(ObjectKind::Enum, name).is_some_and(|it| has(it, label))
}

/// A value that is gone with the one that has come in its place, where no other of the type did.
pub(crate) fn candidates(have: &Facts, wanted: &Facts) -> Vec<(Identity, Identity)> {
    let counterparts =
        have.iter().filter_map(|old| Some((old, wanted.get(ObjectKind::Enum, enum_name(old)?)?)));
    counterparts.filter_map(|(old, new)| candidate(old, new)).collect()
}

fn candidate(old: &Fact, new: &Fact) -> Option<(Identity, Identity)> {
    let (from, to) = (labels(old), labels(new));
    let differ: Vec<_> = from.iter().zip(&to).filter(|(old, new)| old != new).collect();
    match differ[..] {
        [(old_label, new_label)] if from.len() == to.len() && !has(old, new_label) => {
            Some((identity(old, old_label), identity(new, new_label)))
        }
        _ => None,
    }
}

fn enum_name(fact: &Fact) -> Option<&[String]> {
    (fact.id.kind == ObjectKind::Enum).then_some(&fact.id.names[..])
}

fn identity(of: &Fact, label: &str) -> Identity {
    let mut names = of.id.names.clone();
    names.push(label.to_owned());
    Identity::new(ObjectKind::EnumValue, &names)
}

fn has(it: &Fact, label: &str) -> bool {
    labels(it).contains(&label)
}

fn labels(it: &Fact) -> Vec<&str> {
    let all = it.attributes.get("labels").and_then(serde_json::Value::as_array);
    all.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
}
