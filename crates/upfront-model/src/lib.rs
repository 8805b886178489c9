//! A PostgreSQL schema written as Rust structs.
//!
//! A struct that derives [`Table`] is a table, an enum that derives [`PgEnum`] a type, and
//! [`print`](print()) writes the SQL that makes them. The structs stay what they are: nothing but
//! implementations is added, so that any row mapper can be derived beside.
//!
//! ```
//! use upfront_model::{PgEnum, Table};
//!
//! #[derive(PgEnum)]
//! #[pg_enum(rename_all = "snake_case")]
//! enum Role {
//!     Reader,
//!     ChiefEditor,
//! }
//!
//! #[derive(Table)]
//! #[table(name = "users", index(lower(email), unique, where = "left_at IS NULL"))]
//! struct User {
//!     #[col(primary_key, identity)]
//!     id: i64,
//!     email: String,
//!     #[col(default = "'reader'")]
//!     role: Role,
//!     left_at: Option<std::time::SystemTime>,
//! }
//!
//! #[derive(Table)]
//! #[table(name = "posts")]
//! struct Post {
//!     #[col(primary_key, identity)]
//!     id: i64,
//!     #[col(references(User.id, on_delete = cascade), index)]
//!     author: i64,
//!     tags: Vec<String>,
//! }
//!
//! let ddl = upfront_model::ddl()?.to_string();
//! assert!(ddl.contains(r#"CREATE TYPE "role" AS ENUM ("#));
//! assert!(ddl.contains(r#"  "tags" text[] NOT NULL"#));
//! # Ok::<(), upfront_model::Error>(())
//! ```
//!
//! A misspelt word, a column that is not there, a reference to a column of another type: those are
//! errors of the compiler, where they stand. SQL in strings is left to PostgreSQL.
//!
//! # Names
//!
//! Names of constraints and indexes are left to PostgreSQL where none is given, so they are those
//! of the same schema written by hand: `users_pkey`, `posts_author_fkey`, `posts_author_idx`.
//!
//! # Features
//!
//! `derive` has the derives; `chrono`, `jiff`, `rust_decimal`, `serde_json`, `time` and `uuid` the
//! types of those crates.

mod check;
mod ddl;
// What a field says, its name says.
#[allow(missing_docs)]
mod definition;
mod error;
mod external_types;
mod fragment;
mod model;
mod models;
mod name;
mod print;
mod sql_type;

pub use ddl::Ddl;
pub use error::{Error, Result};
pub use model::{PgEnum, Table};
pub use models::Models;
pub use name::Name;
pub use print::{ddl, print};
pub use sql_type::{SqlType, Type};
#[cfg(feature = "derive")]
pub use upfront_derive::{ModelPgEnum as PgEnum, ModelTable as Table};

/// What derives write. It is theirs alone and changes with them.
#[doc(hidden)]
pub mod __private {
    pub use inventory;

    pub mod check {
        pub use crate::check::{identity, key, reference};
    }
    pub use crate::definition::*;
    pub use crate::model::{Model, PgEnum as EnumTrait, Table as TableTrait};
    pub use crate::name::Name;
    pub use crate::sql_type::{SqlType, Type};
}
