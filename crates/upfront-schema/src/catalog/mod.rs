//! The catalog of a database, read as facts.

pub(crate) mod aliases;
pub(crate) mod column_orders;
pub(crate) mod coverage;
pub(crate) mod default_owner;
pub(crate) mod dependencies;
pub(crate) mod exclude;
pub(crate) mod extract;
pub(crate) mod facts;
pub(crate) mod identity;
pub(crate) mod pattern;
pub(crate) mod prelude;
pub(crate) mod scope;
pub(crate) mod setup;
pub(crate) mod setup_objects;
