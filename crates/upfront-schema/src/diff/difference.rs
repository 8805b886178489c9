//! What differs between two schemas, kind by kind alike.

use std::fmt;

use serde_json::{Map, Value};

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    kinds::object_kind::ObjectKind,
};

/// One way in which the second schema differs from the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Only the second has it.
    Created(Identity),
    /// Only the first has it.
    Dropped(Identity),
    /// Both have it, with another value of an attribute. A value that is the usual one is `None`.
    Changed {
        /// What it is.
        id: Identity,
        /// What differs.
        attribute: String,
        /// In the first.
        from: Option<Value>,
        /// In the second.
        to: Option<Value>,
    },
}

impl Difference {
    /// Whether it is about privileges, on objects or for new ones.
    #[must_use]
    pub fn is_about_privileges(&self) -> bool {
        matches!(self.id().kind, ObjectKind::Privileges | ObjectKind::DefaultPrivileges)
    }

    /// What it is about.
    #[must_use]
    pub fn id(&self) -> &Identity {
        match self {
            Difference::Created(id) | Difference::Dropped(id) | Difference::Changed { id, .. } => {
                id
            }
        }
    }
}

/// All differences, in the order of the second schema and then of the first.
#[must_use]
pub fn difference(a: &Facts, b: &Facts) -> Vec<Difference> {
    let mut all = Vec::new();
    for new in b.iter() {
        match a.find(&new.id) {
            None => all.push(Difference::Created(new.id.clone())),
            Some(at) => all.extend(changes(&a.all[at], new)),
        }
    }
    let gone = a.iter().filter(|it| b.find(&it.id).is_none());
    all.extend(gone.map(|it| Difference::Dropped(it.id.clone())));
    all
}

/// The names of the attributes that differ.
pub(crate) fn differing<'a>(
    from: &'a Map<String, Value>,
    to: &'a Map<String, Value>,
) -> Vec<&'a str> {
    let mut all: Vec<_> = from.keys().chain(to.keys()).map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|it| from.get(*it) != to.get(*it));
    all
}

fn changes(old: &Fact, new: &Fact) -> Vec<Difference> {
    let all = differing(&old.attributes, &new.attributes);
    let change = |attribute: &str| Difference::Changed {
        id: new.id.clone(),
        attribute: attribute.to_owned(),
        from: old.attributes.get(attribute).cloned(),
        to: new.attributes.get(attribute).cloned(),
    };
    all.into_iter().map(change).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show =
            |it: &Option<Value>| it.as_ref().map_or_else(|| "usual".to_owned(), Value::to_string);
        match self {
            Difference::Created(id) => write!(f, "{id} is only in the second"),
            Difference::Dropped(id) => write!(f, "{id} is only in the first"),
            Difference::Changed { id, attribute, from, to } => {
                write!(f, "{id}: {attribute} is {} and {}", show(from), show(to))
            }
        }
    }
}
