//! A schema as facts: objects, their attributes and their dependencies.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::{
    catalog::{column_orders::ColumnOrders, identity::Identity},
    kinds::object_kind::ObjectKind,
};

/// Class, object and sub-object: the address of something within one database.
pub(crate) type Address = (u32, u32, i32);

/// One object with the attributes that are compared.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its kind and names.
    pub id: Identity,
    /// The object that contains it and that it is dropped with: the table of a column.
    pub(crate) parent: Option<usize>,
    /// The object of the table's parent that made this one.
    pub(crate) origin: Option<usize>,
    /// What is compared. An attribute that has its usual value is not there.
    pub(crate) attributes: Map<String, Value>,
    /// What is needed to write SQL and not compared, as the position of a column.
    pub(crate) notes: Map<String, Value>,
}

impl Fact {
    /// A text among the attributes.
    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// Whether an attribute is there and true.
    pub(crate) fn is(&self, attribute: &str) -> bool {
        self.attributes.get(attribute) == Some(&Value::Bool(true))
    }

    /// Whether a note is there and true.
    pub(crate) fn is_noted(&self, note: &str) -> bool {
        self.notes.get(note) == Some(&Value::Bool(true))
    }

    /// A text among the notes.
    pub(crate) fn note(&self, note: &str) -> Option<&str> {
        self.notes.get(note)?.as_str()
    }
}

/// How an object uses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependency {
    /// The other cannot go before it.
    Requires,
    /// It goes with the other.
    DroppedWith,
    /// It is made after the other, and does not mind what becomes of it later.
    CreatedAfter,
    /// It goes with the other, and may be made before it.
    OnlyDroppedWith,
}

/// When the server casts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Wherever it fits, as no value can be lost.
    Implicit,
    /// Where a value is assigned.
    Assigned,
    /// Where it is asked for.
    Explicit,
}

pub(crate) type Casts = HashMap<(String, String), Cast>;

/// All objects of a database.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub(crate) all: Vec<Fact>,
    pub(crate) uses: Vec<Vec<(usize, Dependency)>>,
    pub(crate) users: Vec<Vec<(usize, Dependency)>>,
    /// The casts by the names of their types.
    pub(crate) casts: Casts,
    /// The major version of the server.
    pub(crate) version: u32,
    pub(crate) orders: ColumnOrders,
    /// The default privileges by their names, also those that are not compared: what is created gets
    /// them all the same.
    defaults: HashMap<Vec<String>, Fact>,
    index: HashMap<Identity, usize>,
}

impl Facts {
    pub(crate) fn new(all: Vec<Fact>, casts: Casts) -> Self {
        let index = all.iter().enumerate().map(|(at, it)| (it.id.clone(), at)).collect();
        let none = vec![Vec::new(); all.len()];
        let mut it = Self { all, uses: none.clone(), users: none, casts, index, ..Self::default() };
        for at in 0..it.all.len() {
            if let Some(parent) = it.all[at].parent {
                it.connect(at, parent, Dependency::DroppedWith);
            }
        }
        it
    }

    pub(crate) fn connect(&mut self, user: usize, base: usize, how: Dependency) {
        if user != base && !self.uses[user].contains(&(base, how)) {
            self.uses[user].push((base, how));
            self.users[base].push((user, how));
        }
    }

    /// Lets one use the other in this way alone.
    pub(crate) fn replace_dependency(&mut self, user: usize, base: usize, how: Dependency) {
        self.uses[user].retain(|(it, _)| *it != base);
        self.users[base].retain(|(it, _)| *it != user);
        self.connect(user, base, how);
    }

    /// Returns the number of objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are no objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Iterates over the objects.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.all.iter()
    }

    pub(crate) fn find(&self, id: &Identity) -> Option<usize> {
        self.index.get(id).copied()
    }

    pub(crate) fn get(&self, kind: ObjectKind, names: &[String]) -> Option<&Fact> {
        self.find(&Identity::new(kind, names)).map(|at| &self.all[at])
    }

    /// Takes note of the default privileges among these facts.
    pub(crate) fn defaults(&self) -> HashMap<Vec<String>, Fact> {
        let all = self.all.iter().filter(|it| it.id.kind == ObjectKind::DefaultPrivileges);
        all.map(|it| (it.id.names.clone(), it.clone())).collect()
    }

    pub(crate) fn with_defaults(self, defaults: HashMap<Vec<String>, Fact>) -> Self {
        Self { defaults, ..self }
    }

    /// The default privileges of a role, in a schema or everywhere, on a kind of objects.
    pub(crate) fn default_privileges(&self, names: &[String; 3]) -> Option<&Fact> {
        self.defaults
            .get(names.as_slice())
            .or_else(|| self.get(ObjectKind::DefaultPrivileges, names))
    }

    /// The object that contains a fact.
    pub(crate) fn parent(&self, of: &Fact) -> Option<&Fact> {
        of.parent.map(|at| &self.all[at])
    }

    /// The table of which another one is a partition.
    pub(crate) fn partitioned_above(&self, partition: &Fact) -> Option<&Fact> {
        let is_it = |it: &&Fact| {
            it.id.kind == ObjectKind::Inheritance
                && it.id.names[..2] == partition.id.names[..]
                && it.attributes.contains_key("bound")
        };
        let inheritance = self.iter().find(is_it)?;
        self.get(ObjectKind::Table, &inheritance.id.names[2..])
    }

    /// Whether one uses the other.
    pub(crate) fn uses(&self, user: usize, base: usize) -> bool {
        self.uses[user].iter().any(|(it, _)| *it == base)
    }
}
