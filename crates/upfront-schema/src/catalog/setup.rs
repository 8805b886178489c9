//! What SQL makes in each scratch database before migrations are replayed, which is never compared.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde_json::{Map, Value};
use upfront_scratch::DumpFilter;

use crate::{
    catalog::{identity::Identity, pattern::Pattern},
    kinds::object_kind::ObjectKind,
};

/// Kinds that a table has and that somebody else may make: on the table of a service, they are
/// the user's unless the setup makes them too.
const ATTACHED: [ObjectKind; 4] = [
    ObjectKind::Trigger,
    ObjectKind::Policy,
    ObjectKind::PublicationRelation,
    ObjectKind::PublicationNamespace,
];

/// The objects that the setup of scratch databases makes.
///
/// Triggers and policies on its tables are compared if the setup has not made them, and triggers
/// run a function outside of it; so are tables in its publications, and privileges beyond those
/// that it grants on what every database has.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub(crate) made: Arc<HashMap<Identity, Map<String, Value>>>,
    /// Kind and name of what has no rule.
    pub(crate) unmodeled: Arc<HashSet<(String, String)>>,
    /// Patterns of schemas that belong to a service, whatever is in them.
    pub(crate) schemas: Vec<Pattern>,
}

impl Setup {
    /// The same, where these patterns of schemas are a service's, whatever is in them.
    #[must_use]
    pub fn with_schemas(self, schemas: Vec<Pattern>) -> Self {
        Self { schemas, ..self }
    }

    /// Whether nothing was made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.unmodeled.is_empty() && self.schemas.is_empty()
    }

    /// Whether it has made an extension.
    #[must_use]
    pub fn has_extension(&self, name: &str) -> bool {
        let id = Identity::new(ObjectKind::Extension, &[name.to_owned()]);
        self.made.contains_key(&id)
    }

    /// Whether a schema belongs to it, with all that is in it.
    #[must_use]
    pub fn is_own_schema(&self, name: &str) -> bool {
        self.schemas.iter().any(|it| it.names(ObjectKind::Schema, name))
    }

    /// Whether a table belongs to it.
    #[must_use]
    pub fn is_own_table(&self, schema: &str, name: &str) -> bool {
        let is_it = |it: &Identity| it.kind == ObjectKind::Table && it.names == [schema, name];
        self.is_own_schema(schema) || self.made.keys().any(is_it)
    }

    /// Adds the tables and the like that it makes to what a dump leaves out.
    pub fn add_to(&self, filter: &mut DumpFilter) {
        const KINDS: [ObjectKind; 5] = [
            ObjectKind::Table,
            ObjectKind::View,
            ObjectKind::MaterializedView,
            ObjectKind::ForeignTable,
            ObjectKind::Sequence,
        ];
        let tables = self.made.keys().filter(|it| KINDS.contains(&it.kind));
        filter.tables.extend(tables.filter_map(|it| it.names.first_chunk().cloned()));
    }

    /// Whether something without a fact is its own.
    pub(crate) fn has(&self, kind: &str, path: &str, schema: &str) -> bool {
        let is_named = || {
            let is_it = |it: &Identity| it.kind.name() == kind && it.names.join(".") == path;
            self.unmodeled.contains(&(kind.to_owned(), path.to_owned()))
                || self.made.keys().any(is_it)
        };
        !schema.is_empty() && self.is_own_schema(schema) || is_named()
    }

    /// What it grants where every database has something.
    pub(crate) fn shared_grants(
        &self,
        id: &Identity,
        owners: &[String],
    ) -> Option<Cow<'_, Map<String, Value>>> {
        match self.made.get(id) {
            _ if !is_shared(id) => None,
            Some(it) => Some(Cow::Borrowed(it)),
            None if id.kind == ObjectKind::DefaultPrivileges => self.of_runner(id, owners),
            None => None,
        }
    }

    /// The default privileges of the role that runs the setup: on a live database that is a role of the
    /// service, and these roles have what they have as its owners.
    fn of_runner(&self, id: &Identity, owners: &[String]) -> Option<Cow<'_, Map<String, Value>>> {
        let [_, schema, letter] = id.names.first_chunk()?;
        let names = ["@owner".to_owned(), schema.clone(), letter.clone()];
        let mut made =
            self.made.get(&Identity::new(ObjectKind::DefaultPrivileges, &names))?.clone();
        let grants = made.get_mut("grants").and_then(Value::as_object_mut)?;
        if let Some(own) = grants.get("@owner").cloned() {
            grants.extend(owners.iter().map(|it| (it.clone(), own.clone())));
        }
        Some(Cow::Owned(made))
    }

    pub(crate) fn owns(&self, id: &Identity) -> bool {
        let schema = match id.kind {
            ObjectKind::Schema => id.names.first().map(String::as_str),
            kind if ATTACHED.contains(&kind) => None,
            _ => id.schema(),
        };
        schema.is_some_and(|it| self.is_own_schema(it))
            || self.made.contains_key(id) && !is_shared(id)
    }
}

/// Privileges that every database has: on the schema `public`, and those of new objects.
fn is_shared(id: &Identity) -> bool {
    matches!(id.kind, ObjectKind::Privileges | ObjectKind::DefaultPrivileges)
}
