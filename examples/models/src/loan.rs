//! Who has which copy.

use serde::Serialize;
use time::OffsetDateTime;
use upfront::Table;
use uuid::Uuid;

use crate::book::{Copy, State};
use crate::reader::Reader;

/// A copy that a reader has borrowed, now or in the past.
#[derive(Clone, Debug, Serialize, Table)]
#[table(schema = "library", name = "loans")]
#[table(foreign_key(book, copy, references(Copy.book, Copy.number), on_delete = restrict))]
#[table(index(book, copy, unique, where = "back_at IS NULL", name = "loans_one_at_a_time"))]
#[table(check("back_at > at"))]
pub struct Loan {
    #[col(primary_key, identity)]
    pub id: i64,
    pub book: Uuid,
    pub copy: i16,
    #[col(references(Reader.id), index)]
    pub reader: i64,
    #[col(default = "now()")]
    pub at: OffsetDateTime,
    pub back_at: Option<OffsetDateTime>,
    /// As it came back.
    pub state: Option<State>,
    #[col(generated = "back_at IS NULL")]
    pub out: bool,
}
