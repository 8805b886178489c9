//! Clauses of `ALTER TABLE`.

use crate::{
    catalog::facts::Fact,
    kinds::definition::{Change, Outcome},
    quote,
    sql::Sql,
};

/// The head that clauses about a table, or a column of it, share.
pub(super) fn head(names: &[String]) -> String {
    format!("ALTER TABLE {}", quote::qualified(&names[..2.min(names.len())]))
}

pub(super) fn typed(fact: &Fact) -> String {
    fact.text("type").unwrap_or_default().to_owned()
}

pub(super) fn clause(fact: &Fact, text: &str) -> Sql {
    let column = quote::name(fact.id.name());
    Sql::clause(head(&fact.id.names), format!("ALTER COLUMN {column} {text}"))
}

pub(super) fn in_place(it: &Change<'_>, text: &str) -> Outcome {
    match comes_from_parent(it) {
        true => Outcome::InPlace(Vec::new()),
        false => Outcome::InPlace(vec![clause(it.to, text)]),
    }
}

/// Whether the same change of the column that it is inherited from includes it.
pub(super) fn comes_from_parent(it: &Change<'_>) -> bool {
    let new = it.to.origin.map(|at| &it.b.all[at]);
    let old = new.and_then(|new| it.a.find(&new.id)).map(|at| &it.a.all[at]);
    let is = |fact: Option<&Fact>, value| {
        fact.is_some_and(|fact| fact.attributes.get(it.attribute) == value)
    };
    it.from.origin.is_some() && is(old, it.old_value()) && is(new, it.wanted_value())
}
