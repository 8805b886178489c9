//! Fragments of statements.

use std::fmt;

use crate::definition::{Column, ColumnRef, Constraint, Label};
use crate::name::{List, Literal, Plain, Quoted};

/// The comments above a table or an enum.
pub(crate) struct Header {
    pub(crate) model: &'static str,
    pub(crate) renamed_from: Option<&'static str>,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "-- {}\n{}", self.model, RenameComment(self.renamed_from))
    }
}

pub(crate) struct RenameComment(pub(crate) Option<&'static str>);

impl fmt::Display for RenameComment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => writeln!(f, "-- renamed from: {}", Plain(name)),
            None => Ok(()),
        }
    }
}

/// `CONSTRAINT name`, or nothing.
pub(crate) struct ConstraintName(pub(crate) Option<&'static str>);

impl fmt::Display for ConstraintName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "CONSTRAINT {} ", Quoted(name)),
            None => Ok(()),
        }
    }
}

/// What a foreign key references.
pub(crate) struct Targets(pub(crate) &'static [ColumnRef]);

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|it| it.name).collect();
        let table = self.0.first().map(|it| it.table).expect("a foreign key references a column");
        write!(f, "{table} ({})", List(&names))
    }
}

/// The elements of a definition in its parentheses, each on its own indented lines.
pub(crate) struct Lines<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Display> fmt::Display for Lines<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, it) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}\n  {it}")?;
        }
        f.write_str(if self.0.is_empty() { "" } else { "\n" })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.renamed_from {
            write!(f, "-- renamed from: {}\n  ", Plain(from))?;
        }
        write!(f, "{}", Literal(self.text))
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.renamed_from {
            write!(f, "-- renamed from: {}\n  ", Plain(from))?;
        }
        if let Some(expression) = self.fill {
            write!(f, "-- fill: {expression}\n  ")?;
        }
        write!(f, "{} {}", Quoted(self.name), self.r#type)?;
        if let Some(collation) = self.collation {
            write!(f, " COLLATE {}", Quoted(collation))?;
        }
        f.write_str(if self.r#type.is_nullable() { "" } else { " NOT NULL" })?;
        match self.value {
            Some(value) => write!(f, " {value}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(from) = self.renamed_from {
            write!(f, "-- renamed from: {}\n  ", Plain(from))?;
        }
        write!(f, "{}{}", ConstraintName(self.name), self.clause)
    }
}
