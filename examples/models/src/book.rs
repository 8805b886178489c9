//! Books and the copies that stand on the shelves.

use postgres_types::{FromSql, ToSql};
use rust_decimal::Decimal;
use serde::Serialize;
use upfront::{PgEnum, Table};
use uuid::Uuid;

use crate::reader::Branch;

/// A title, of which the library may have several copies.
#[derive(Clone, Debug, Serialize, Table)]
#[table(schema = "library", name = "books", comments)]
#[table(index(lower(title) text_pattern_ops, name = "books_by_title"))]
#[table(index(subjects, using = gin))]
pub struct Book {
    #[col(primary_key, default = "gen_random_uuid()")]
    pub id: Uuid,
    /// Thirteen digits.
    #[col(unique, check = "isbn ~ '^[0-9]{13}$'")]
    pub isbn: Option<String>,
    #[col(renamed_from = "name")]
    pub title: String,
    pub subjects: Vec<String>,
    /// What the catalogue of the publisher says.
    #[col(default = "'{}'")]
    pub details: serde_json::Value,
}

/// One copy of a book.
#[derive(Clone, Debug, Serialize, Table)]
#[table(schema = "library", name = "copies", primary_key(book, number))]
#[table(check("state <> 'lost' OR shelf IS NULL", name = "lost_stands_nowhere"))]
pub struct Copy {
    #[col(references(Book.id, on_delete = cascade))]
    pub book: Uuid,
    pub number: i16,
    #[col(references(Branch.id), index)]
    pub branch: i32,
    pub shelf: Option<String>,
    #[col(default = "'good'")]
    pub state: State,
    #[col(type = "numeric(8, 2)", fill = "0", check = "price >= 0")]
    pub price: Decimal,
}

/// How well a copy is kept.
#[derive(Clone, Copy, Debug, Eq, FromSql, PartialEq, PgEnum, Serialize, ToSql)]
#[pg_enum(schema = "library", name = "copy_state", rename_all = "snake_case")]
#[postgres(name = "copy_state", rename_all = "snake_case")]
pub enum State {
    Good,
    InRepair,
    Lost,
}
