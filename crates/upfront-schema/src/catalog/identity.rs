//! What an object is called, in every database alike.

use std::fmt;

use crate::quote;

/// Kind, names and argument types of an object, much as `pg_identify_object_as_address` has them.
///
/// The names begin with the outermost: schema, table, column. A comment or the privileges on an
/// object are called by its kind and names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// As `table`, `column`, `table constraint`.
    pub kind: &'static str,
    /// From the outermost to its own.
    pub names: Vec<String>,
    /// The types of a routine's arguments.
    pub arguments: Vec<String>,
}

impl Identity {
    pub(crate) fn new(kind: &'static str, names: &[String]) -> Self {
        Self { kind, names: names.to_vec(), arguments: Vec::new() }
    }

    /// The schema that it stands in.
    pub(crate) fn schema(&self) -> Option<&str> {
        let at = match self.kind {
            "schema"
            | "extension"
            | "language"
            | "access method"
            | "cast"
            | "transform"
            | "foreign-data wrapper"
            | "server"
            | "user mapping"
            | "event trigger"
            | "publication"
            | "comment"
            | "privileges" => return None,
            "default privileges" | "publication relation" | "publication namespace" => 1,
            _ => 0,
        };
        self.names.get(at).map(String::as_str)
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
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path())?;
        match self.arguments.is_empty() {
            true => Ok(()),
            false => write!(f, "({})", self.arguments.join(", ")),
        }
    }
}
