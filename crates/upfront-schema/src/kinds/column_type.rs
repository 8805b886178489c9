//! Columns of another type.

use crate::{
    catalog::facts::{Cast, Fact, Facts},
    kinds::{
        alter_table::{clause, comes_from_parent, typed},
        conversion_check,
        definition::{Change, Outcome},
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) fn alter_type(it: &Change<'_>) -> Outcome {
    if it.also("generated") && it.to.attributes.contains_key("generated") {
        return Outcome::Replace;
    }
    if comes_from_parent(it) {
        return Outcome::Retype(Vec::new());
    }
    let is_foreign = it.b.parent(it.to).is_some_and(|it| it.id.kind == ObjectKind::ForeignTable);
    let told = it.options.using(&it.to.id.path()).map(|it| format!(" USING {it}"));
    let using = match (told, is_foreign) {
        (Some(told), _) => Some(told),
        (None, true) => Some(String::new()),
        (None, false) => using(it.a, it.from, it.to),
    };
    let Some(using) = using else {
        let (path, from, to) = (it.to.id.path(), typed(it.from), typed(it.to));
        return Outcome::Refuse(format!(
            "cannot convert the values of {path} from {from} to {to} without an expression"
        ));
    };
    let sql = retype(it.to, &using);
    let probe = match it.options.using(&it.to.id.path()) {
        Some(_) => Some(conversion_check::as_told()),
        None if is_wider(it.a, it.from, it.to) => None,
        None => conversion_check::probe(it),
    };
    let why = || format!("each value of {} has to fit {}", it.to.id.path(), typed(it.to));
    Outcome::Retype(vec![match probe {
        None => sql,
        Some(probe) => sql.may_fail(why(), probe),
    }])
}

/// Whether each value of the old type is one of the new.
fn is_wider(facts: &Facts, from: &Fact, to: &Fact) -> bool {
    let (old, new) = (typed(from), typed(to));
    let base = |fact: &Fact| fact.note("base").unwrap_or_default().to_owned();
    let length = |it: &str| -> Option<u32> {
        it.strip_prefix("character varying(")?.strip_suffix(')')?.parse().ok()
    };
    match (length(&old), length(&new)) {
        (Some(old), Some(new)) => old <= new,
        (_, None) if base(to) == new => {
            base(from) == new || facts.casts.get(&(base(from), new)) == Some(&Cast::Implicit)
        }
        _ => false,
    }
}

fn retype(to: &Fact, using: &str) -> Sql {
    let collation = to.text("collation").map(|it| format!(" COLLATE {it}")).unwrap_or_default();
    let sql = clause(to, &format!("TYPE {}{collation}{using}", typed(to)));
    sql.rewrites(to.id.path())
}

/// The statement for a column whose type stays the same by name and becomes another by content.
pub(crate) fn force(facts: &Facts, to: &Fact) -> Sql {
    let using = match typed(to).ends_with(']') {
        true => format!(" USING {}::text[]::{}", quote::name(to.id.name()), typed(to)),
        false => format!(" USING {}::text::{}", quote::name(to.id.name()), typed(to)),
    };
    let why = format!("each value of {} has to be one of the new", to.id.path());
    retype(to, &using).may_fail(why, conversion_check::one_of_the_new(facts, to))
}

/// How the old values become new ones: nothing to say, ` USING …`, or not known.
fn using(facts: &Facts, from: &Fact, to: &Fact) -> Option<String> {
    let element =
        |fact: &Fact| fact.note("root").unwrap_or_default().trim_end_matches("[]").to_owned();
    let (old, new) = (element(from), element(to));
    let is = |fact: &Fact, category| fact.note("category") == Some(category);
    let is_array = |fact: &Fact| typed(fact).ends_with(']');
    if is_array(from) != is_array(to) && !is(to, "S") && !is(from, "S") {
        return None;
    }
    let name = quote::name(to.id.name());
    match facts.casts.get(&(old.clone(), new.clone())) {
        _ if old == new => Some(String::new()),
        Some(Cast::Implicit | Cast::Assigned) => Some(String::new()),
        Some(Cast::Explicit) => Some(format!(" USING {name}::{}", typed(to))),
        None if is(to, "S") => Some(String::new()),
        None if is(from, "S") || is_array(from) => Some(format!(" USING {name}::{}", typed(to))),
        None if is(to, "E") => Some(format!(" USING {name}::text::{}", typed(to))),
        None => None,
    }
}

pub(super) fn alter_collation(it: &Change<'_>) -> Outcome {
    match it.also("type") {
        true => Outcome::InPlace(Vec::new()),
        false => Outcome::Retype(vec![retype(it.to, "")]),
    }
}
