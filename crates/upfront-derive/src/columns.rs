//! The columns of a table, found by the names of their fields.

use syn::ext::IdentExt;
use syn::{Ident, Result};

use crate::attribute;
use crate::sql::quoted;

/// What each field's column is called.
pub(crate) struct Columns(pub(crate) Vec<(Ident, String)>);

impl Columns {
    /// The column of that field, quoted. `others` are words that might have been meant.
    pub(crate) fn quoted(&self, field: &Ident, others: &[&str]) -> Result<String> {
        self.name(field, others).map(quoted)
    }

    /// The columns of those fields, quoted, with commas in between.
    pub(crate) fn list(&self, fields: &[Ident]) -> Result<String> {
        let names: Result<Vec<_>> = fields.iter().map(|it| self.quoted(it, &[])).collect();
        Ok(names?.join(", "))
    }

    pub(crate) fn name(&self, field: &Ident, others: &[&str]) -> Result<&str> {
        let wanted = field.unraw();
        match self.0.iter().find(|(it, _)| it.unraw() == wanted) {
            Some((_, name)) => Ok(name),
            None => Err(self.missing(field, others)),
        }
    }

    fn missing(&self, field: &Ident, others: &[&str]) -> syn::Error {
        let fields: Vec<_> = self.0.iter().map(|(it, _)| it.unraw().to_string()).collect();
        let known: Vec<_> =
            fields.iter().map(String::as_str).chain(others.iter().copied()).collect();
        attribute::unknown_keyword("column", field, &known)
    }

    /// The field itself, as its struct has it.
    pub(crate) fn field(&self, field: &Ident) -> Result<&Ident> {
        let wanted = field.unraw();
        match self.0.iter().find(|(it, _)| it.unraw() == wanted) {
            Some((field, _)) => Ok(field),
            None => Err(self.missing(field, &[])),
        }
    }
}
