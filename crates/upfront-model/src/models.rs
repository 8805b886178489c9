//! A set of models and its SQL.

use std::collections::BTreeMap;

use crate::ddl::Ddl;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Model, PgEnum, Table};
use crate::name::Name;

/// A set of derived types.
///
/// ```
/// use upfront_model::{Models, Table};
///
/// #[derive(Table)]
/// struct Note {
///     #[col(primary_key, identity)]
///     id: i64,
///     text: Option<String>,
/// }
///
/// let ddl = Models::new().table::<Note>().ddl()?;
/// assert!(ddl.to_string().contains(r#"CREATE TABLE "note" ("#));
/// # Ok::<(), upfront_model::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Models(Vec<Model>);

impl Models {
    /// Creates an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns all types derived in the crates that are linked into the program.
    #[must_use]
    pub fn registered() -> Self {
        Self(inventory::iter::<Model>.into_iter().copied().collect())
    }

    /// Adds a table.
    #[must_use]
    pub fn table<T: Table>(mut self) -> Self {
        self.0.push(Model::table::<T>());
        self
    }

    /// Adds an enum.
    #[must_use]
    pub fn pg_enum<T: PgEnum>(mut self) -> Self {
        self.0.push(Model::pg_enum::<T>());
        self
    }

    /// Returns the SQL that creates the models in an empty database, in a stable order.
    ///
    /// # Errors
    ///
    /// If the set is empty, or if two models have the same name.
    pub fn ddl(&self) -> Result<Ddl> {
        if self.0.is_empty() {
            return Err(ErrorKind::Empty.into());
        }
        Ok(Ddl::of(&self.by_name()?))
    }

    /// Tables and enums share their names, as each table is a type too.
    fn by_name(&self) -> Result<BTreeMap<Name, Model>> {
        let mut it = BTreeMap::new();
        for model in &self.0 {
            if let Some(other) = it.insert(model.name(), *model) {
                return Err(duplicate_name(model, &other));
            }
        }
        Ok(it)
    }
}

fn duplicate_name(one: &Model, other: &Model) -> Error {
    let mut paths = [one.path(), other.path()];
    paths.sort_unstable();
    ErrorKind::DuplicateName { name: one.name(), paths }.into()
}
