//! What the database knows: upfront's own tables, read and written.

pub(crate) mod metadata_set;
pub(crate) mod other_tools;
pub(crate) mod revisions;
pub(crate) mod stored_down;
pub(crate) mod trust;
