//! What can be done to the objects of a kind, and what the files of the kinds share.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{object_kind::ObjectKind, reference::reference},
    options::Options,
    quote,
    sql::Sql,
};

/// All that is known of a kind.
pub(crate) struct Definition {
    pub(crate) kind: ObjectKind,
    /// Where it is made among what could be made at the same time; drops go the other way round.
    pub(crate) creation_order: u16,
    /// Rows of address, kind, names, arguments, address of the parent, attributes, notes. Empty if
    /// the query of another row returns this kind too.
    pub(crate) query: &'static str,
    pub(crate) create: fn(&Created<'_>) -> Vec<Sql>,
    pub(crate) drop: fn(&Facts, &Fact) -> Vec<Sql>,
    pub(crate) attributes: &'static [(&'static str, Alter)],
    /// The attributes that a change of the object above overwrites in those that inherit it.
    pub(crate) inherited: &'static [&'static str],
    /// Whether the statement that makes its parent can make it too.
    pub(crate) created_with_parent: bool,
    /// Whether it must be dropped before a column that it uses changes its type.
    pub(crate) blocks_retype: bool,
}

/// How an attribute changes.
pub(crate) type Alter = fn(&Change<'_>) -> Outcome;

/// What a change comes to.
pub(crate) enum Outcome {
    InPlace(Vec<Sql>),
    /// In place, while dependent objects are dropped.
    Retype(Vec<Sql>),
    /// Only by dropping it and making it again.
    Replace,
    /// Not without a decision of the author.
    Refuse(String),
}

/// One attribute that differs.
pub(crate) struct Change<'a> {
    pub(crate) a: &'a Facts,
    pub(crate) b: &'a Facts,
    pub(crate) from: &'a Fact,
    pub(crate) to: &'a Fact,
    pub(crate) attribute: &'a str,
    pub(crate) options: &'a Options,
}

impl Change<'_> {
    pub(crate) fn old_value(&self) -> Option<&Value> {
        self.from.attributes.get(self.attribute)
    }

    pub(crate) fn wanted_value(&self) -> Option<&Value> {
        self.to.attributes.get(self.attribute)
    }

    pub(crate) fn wanted_text(&self) -> Option<&str> {
        self.to.text(self.attribute)
    }

    /// Whether another attribute differs too.
    pub(crate) fn also(&self, attribute: &str) -> bool {
        self.from.attributes.get(attribute) != self.to.attributes.get(attribute)
    }
}

/// Something to be made, with what the same statement makes in it.
pub(crate) struct Created<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) fact: &'a Fact,
    pub(crate) folded: Vec<Created<'a>>,
    /// The facts of the database as it was before.
    pub(crate) before: &'a Facts,
}

pub(super) fn plain_drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    vec![Sql::whole(format!("DROP {} {}", fact.id.kind.noun(), reference(&fact.id)))]
}

/// A kind that is compared by its creating statements, and recreated where they differ.
pub(super) const fn opaque(
    kind: ObjectKind,
    creation_order: u16,
    query: &'static str,
) -> Definition {
    Definition {
        kind,
        creation_order,
        query,
        create: as_stated,
        drop: plain_drop,
        attributes: &[("owner", alter_owner), ("statements", replace)],
        inherited: &[],
        created_with_parent: false,
        blocks_retype: false,
    }
}

pub(super) fn as_stated(it: &Created<'_>) -> Vec<Sql> {
    let statements = strings(it.fact.attributes.get("statements"));
    with_owner(it, statements.into_iter().map(Sql::whole).collect())
}

/// For what goes with its parent and cannot go alone.
pub(super) fn no_drop(_: &Facts, _: &Fact) -> Vec<Sql> {
    Vec::new()
}

pub(super) fn replace(_: &Change<'_>) -> Outcome {
    Outcome::Replace
}

/// The statements, and the one that gives it to its owner if that is not who runs them.
pub(super) fn with_owner(it: &Created<'_>, mut sql: Vec<Sql>) -> Vec<Sql> {
    sql.extend(
        it.fact.text("owner").map(|owner| Sql::whole(owner_to(it.fact, &quote::name(owner)))),
    );
    sql
}

pub(super) fn alter_owner(it: &Change<'_>) -> Outcome {
    let owner = it.wanted_text().map_or_else(|| "CURRENT_USER".to_owned(), quote::name);
    Outcome::InPlace(vec![Sql::whole(owner_to(it.to, &owner))])
}

pub(super) fn owner_to(fact: &Fact, owner: &str) -> String {
    format!("ALTER {} {} OWNER TO {owner}", fact.id.kind.noun(), reference(&fact.id))
}

pub(super) fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
