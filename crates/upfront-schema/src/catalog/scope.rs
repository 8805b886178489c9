//! What is left out of a comparison.

use crate::{
    catalog::{pattern::Pattern, setup::Setup},
    kinds::object_kind::ObjectKind,
};

/// What a comparison ignores.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Schemas that are ignored with all their objects.
    pub without_schemas: Vec<String>,
    /// Objects that are ignored with all that they contain.
    pub exclude: Vec<Pattern>,
    /// Roles that count as the default owner, besides the one that reads, in privileges too: those
    /// that run the migrations.
    pub default_owners: Vec<String>,
    /// Whether owners are compared.
    pub owners: Owners,
    /// The objects of the setup of scratch databases.
    pub setup: Setup,
}

/// Whether owners of objects are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// Owners are compared.
    #[default]
    Compared,
    /// Owners are ignored, and so is which materialized views are populated: a dump without owners
    /// and rows has neither.
    LeftOut,
}

impl Default for Scope {
    /// Everything but upfront's own schema.
    fn default() -> Self {
        Self {
            without_schemas: vec!["upfront".to_owned()],
            exclude: Vec::new(),
            default_owners: Vec::new(),
            owners: Owners::default(),
            setup: Setup::default(),
        }
    }
}

impl Scope {
    /// Whether something that has no fact is left alone by its name or by its schema's.
    pub(crate) fn leaves_alone(&self, kind: &str, path: &str, schema: &str) -> bool {
        let known = kind.parse().ok();
        let is_in = |it: &Pattern| !schema.is_empty() && it.names(ObjectKind::Schema, schema);
        self.exclude.iter().any(|it| known.is_some_and(|kind| it.names(kind, path)) || is_in(it))
            || self.setup.has(kind, path, schema)
    }
}
