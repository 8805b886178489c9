//! The migrations that make upfront's own tables.

use crate::{embedded::Set, plan::metadata::Tables};

pub(crate) static MIGRATIONS: crate::Migrations = crate::embedded!();

/// The migrations that make the tables.
pub(crate) fn set() -> &'static Set {
    MIGRATIONS.compiled()
}

/// Are the tables at least as new as this program needs? Newer ones have only grown.
pub(crate) fn tables(version: &str) -> Tables {
    match set().head().is_none_or(|it| version >= it.version) {
        true => Tables::Current,
        false => Tables::Old,
    }
}
