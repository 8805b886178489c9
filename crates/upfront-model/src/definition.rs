//! What a derive says about its type. The derive writes the clauses of SQL; types, names of other
//! tables and the order of statements are left to the printer.

use crate::name::Name;
use crate::sql_type::Type;

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The Rust path of the struct.
    pub model: &'static str,
    pub name: Name,
    pub renamed_from: Option<&'static str>,
    pub unlogged: bool,
    pub columns: &'static [Column],
    /// Primary key, unique, check and exclusion constraints.
    pub constraints: &'static [Constraint],
    pub foreign_keys: &'static [ForeignKey],
    pub indexes: &'static [Index],
    pub key: Key,
    /// What follows the closing parenthesis: `PARTITION BY …`, `WITH (…)`.
    pub suffix: &'static str,
    pub row_security: RowSecurity,
    pub policies: &'static [Policy],
    pub comment: Option<&'static str>,
    pub raw_before: &'static [&'static str],
    pub raw: &'static [&'static str],
}

/// Whether a table has a primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Primary,
    Missing,
    /// It has none, and its author says so.
    OptedOut,
}

/// Row level security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSecurity {
    Off,
    On,
    /// For the table's owner too.
    Forced,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub r#type: Type,
    pub collation: Option<&'static str>,
    /// `DEFAULT …` or `GENERATED …`.
    pub value: Option<&'static str>,
    pub renamed_from: Option<&'static str>,
    pub fill: Option<&'static str>,
    pub comment: Option<&'static str>,
}

/// A constraint that stands in `CREATE TABLE`.
#[derive(Clone, Copy, Debug)]
pub struct Constraint {
    pub name: Option<&'static str>,
    pub renamed_from: Option<&'static str>,
    /// `CHECK (…)`, `UNIQUE (…)` and the like.
    pub clause: &'static str,
}

/// A foreign key.
#[derive(Clone, Copy, Debug)]
pub struct ForeignKey {
    pub name: Option<&'static str>,
    pub renamed_from: Option<&'static str>,
    pub columns: &'static [&'static str],
    /// As many, all of one table.
    pub targets: &'static [ColumnRef],
    /// `ON DELETE …` and the like.
    pub suffix: &'static str,
}

/// An index.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    pub unique: bool,
    pub name: Option<&'static str>,
    pub renamed_from: Option<&'static str>,
    /// From `USING` on.
    pub clause: &'static str,
}

/// A policy.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub name: &'static str,
    pub renamed_from: Option<&'static str>,
    /// What follows the table's name.
    pub clause: &'static str,
}

/// An enum.
#[derive(Clone, Copy, Debug)]
pub struct Enum {
    /// The Rust path of the enum.
    pub model: &'static str,
    pub name: Name,
    pub renamed_from: Option<&'static str>,
    pub labels: &'static [Label],
    pub comment: Option<&'static str>,
}

/// A value of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub text: &'static str,
    pub renamed_from: Option<&'static str>,
}

/// A column as other tables see it, whatever the visibility of its field.
#[derive(Clone, Copy, Debug)]
pub struct ColumnRef {
    pub table: Name,
    pub name: &'static str,
    pub r#type: Type,
}

/// What stands in for a model whose derive has failed. No program with it compiles.
impl Table {
    pub const FALLBACK: Self = Self {
        model: "",
        name: Name::new(""),
        renamed_from: None,
        unlogged: false,
        columns: &[],
        constraints: &[],
        foreign_keys: &[],
        indexes: &[],
        key: Key::Missing,
        suffix: "",
        row_security: RowSecurity::Off,
        policies: &[],
        comment: None,
        raw_before: &[],
        raw: &[],
    };
}

impl Enum {
    pub const FALLBACK: Self =
        Self { model: "", name: Name::new(""), renamed_from: None, labels: &[], comment: None };
}

impl ColumnRef {
    pub const FALLBACK: Self = Self { table: Name::new(""), name: "", r#type: Type::unknown() };
}
