//! What an object is called, in every database alike.

use std::fmt;

use crate::{kinds::object_kind::ObjectKind, quote};

/// Kind, names and argument types of an object, much as `pg_identify_object_as_address` has them.
///
/// The names begin with the outermost: schema, table, column. A comment or the privileges on an
/// object are called by its kind and names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// As `table`, `column`, `table constraint`.
    pub kind: ObjectKind,
    /// From the outermost to its own.
    pub names: Vec<String>,
    /// The types of a routine's arguments.
    pub arguments: Vec<String>,
}

impl Identity {
    pub(crate) fn new(kind: ObjectKind, names: &[String]) -> Self {
        Self { kind, names: names.to_vec(), arguments: Vec::new() }
    }

    /// The schema that it belongs to.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.names.get(self.kind.schema_part()?).map(String::as_str)
    }

    /// The kind of the object that a comment or privileges are on.
    pub(crate) fn target_kind(&self) -> Option<ObjectKind> {
        self.names.first().filter(|_| self.kind.is_on_target())?.parse().ok()
    }

    /// The object that a comment or privileges are on.
    #[must_use]
    pub fn target(&self) -> Option<Self> {
        let kind = self.target_kind()?;
        Some(Self { kind, names: self.names[1..].to_vec(), arguments: self.arguments.clone() })
    }

    /// Its own name, without those around it.
    pub(crate) fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }

    /// All names, quoted and joined by dots.
    pub(crate) fn path(&self) -> String {
        quote::qualified(&self.names)
    }

    /// The names around its own: those of the table of a column or of a constraint.
    pub(crate) fn owner_path(&self) -> String {
        quote::qualified(&self.names[..self.names.len().saturating_sub(1)])
    }

    /// The qualified name, with the types of its arguments if it has any.
    #[must_use]
    pub fn signature(&self) -> String {
        match self.arguments.is_empty() {
            true => self.path(),
            false => format!("{}({})", self.path(), self.arguments.join(", ")),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.signature())
    }
}
