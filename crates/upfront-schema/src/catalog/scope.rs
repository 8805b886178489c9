//! What is left out of a comparison.

use crate::{
    catalog::{pattern::Pattern, setup::Setup},
    kinds::object_kind::ObjectKind,
};

/// What is left out of every comparison.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Schemas that are left alone with all that is in them.
    pub without_schemas: Vec<String>,
    /// Objects that are left alone with all that is in them.
    pub exclude: Vec<Pattern>,
    /// Roles that count as the default owner beside whoever reads, in privileges too: whose
    /// migrations a database has.
    pub default_owners: Vec<String>,
    /// Whether owners count.
    pub owners: Owners,
    /// What the setup of scratch databases has made.
    pub setup: Setup,
}

/// Whether who owns an object is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owners {
    /// It is.
    #[default]
    Compared,
    /// It is not, as with what was read without owners and rows: nor which materialized views have some.
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
