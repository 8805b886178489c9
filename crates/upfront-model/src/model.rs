//! The traits of derived types, and their registry.

use crate::definition;
use crate::name::Name;
use crate::sql_type::SqlType;

/// A struct that defines a table. `#[derive(Table)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no table",
    label = "no table is derived for this",
    note = "a reference names a struct with `#[derive(Table)]`"
)]
pub trait Table {
    /// The table's name.
    const NAME: Name;

    #[doc(hidden)]
    type Columns: 'static;

    #[doc(hidden)]
    const COLUMNS: Self::Columns;

    #[doc(hidden)]
    const DEFINITION: definition::Table;
}

/// An enum that defines a PostgreSQL enum type. `#[derive(PgEnum)]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no enum of PostgreSQL",
    note = "derive `PgEnum` for it"
)]
pub trait PgEnum: SqlType {
    /// The type's name.
    const NAME: Name;

    #[doc(hidden)]
    const DEFINITION: definition::Enum;
}

/// A derived type. A program that links its crate finds it by [`inventory`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Model {
    Table(&'static definition::Table),
    Enum(&'static definition::Enum),
}

impl Model {
    #[must_use]
    pub const fn table<T: Table>() -> Self {
        Self::Table(&T::DEFINITION)
    }

    #[must_use]
    pub const fn pg_enum<T: PgEnum>() -> Self {
        Self::Enum(&T::DEFINITION)
    }

    /// The Rust path of the type.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Table(it) => it.model,
            Self::Enum(it) => it.model,
        }
    }

    pub(crate) fn name(&self) -> Name {
        match self {
            Self::Table(it) => it.name,
            Self::Enum(it) => it.name,
        }
    }
}

inventory::collect!(Model);
