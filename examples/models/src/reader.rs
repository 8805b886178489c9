//! Who borrows, and where.

use postgres_types::{FromSql, ToSql};
use serde::Serialize;
use time::OffsetDateTime;
use upfront::{PgEnum, Table};

/// A house of the library. Somebody runs it who reads there too.
#[derive(Clone, Debug, Serialize, Table)]
#[table(schema = "library", name = "branches")]
pub struct Branch {
    #[col(primary_key, identity)]
    pub id: i32,
    #[col(unique)]
    pub name: String,
    #[col(references(Reader.id, on_delete = set_null))]
    pub head: Option<i64>,
}

/// Somebody with a card.
#[derive(Clone, Debug, Serialize, Table)]
#[table(schema = "library", name = "readers", renamed_from = "members")]
#[table(index(lower(email), unique, where = "left_at IS NULL"))]
#[table(rls, policy(name = "own", for = select, using = "email = current_user"))]
pub struct Reader {
    #[col(primary_key, identity(start = 1000))]
    pub id: i64,
    pub name: String,
    pub email: String,
    #[col(references(Branch.id), index)]
    pub branch: i32,
    #[col(default = "'good'")]
    pub standing: Standing,
    #[col(default = "now()")]
    pub joined_at: OffsetDateTime,
    pub left_at: Option<OffsetDateTime>,
}

/// Whether a reader may borrow.
#[derive(Clone, Copy, Debug, Eq, FromSql, PartialEq, PgEnum, Serialize, ToSql)]
#[pg_enum(schema = "library", rename_all = "snake_case")]
#[postgres(name = "standing", rename_all = "snake_case")]
pub enum Standing {
    Good,
    Warned,
    #[pg_enum(name = "suspended", renamed_from = "blocked")]
    #[postgres(name = "suspended")]
    Suspended,
}
