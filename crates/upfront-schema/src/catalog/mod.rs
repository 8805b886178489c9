//! The catalog of a database, read as facts.

pub(crate) mod aliases;
pub(crate) mod coverage;
pub(crate) mod default_owner;
pub(crate) mod dependencies;
pub(crate) mod exclude;
pub(crate) mod extract;
pub(crate) mod facts;
pub(crate) mod identity;
pub(crate) mod setup;
