//! What a derived type is, and the registry of all of them.

use crate::definition;
use crate::name::Name;
use crate::sql_type::SqlType;

/// A struct whose rows are those of a table. `#[derive(Table)]` implements it.
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

/// An enum that PostgreSQL has as a type. `#[derive(PgEnum)]` implements it.
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

/// A derived type. Whatever program links the crate that it stands in finds it by [`inventory`].
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
