//! Defines a PostgreSQL schema by Rust structs.
//!
//! A struct that derives [`Table`] is a table, and an enum that derives [`PgEnum`] is a type.
//! [`print`](print()) writes the SQL that creates them. The derives only add implementations, so
//! the structs work with any row mapper.
//!
//! The feature `models` of [upfront](https://docs.rs/upfront) exports this crate as `upfront::model`.
//! Depend on `upfront-model` directly in crates that only define models.
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
//! A misspelled attribute, a missing column or a reference to a column of another type is a compiler
//! error at its location. SQL in strings is checked by PostgreSQL.
//!
//! # Names
//!
//! By default, PostgreSQL chooses the names of constraints and indexes, as in a schema written by
//! hand: `users_pkey`, `posts_author_fkey`, `posts_author_idx`.
//!
//! # Features
//!
//! `derive`, a default feature, adds the derives. `chrono`, `jiff`, `rust_decimal`, `serde_json`,
//! `time` and `uuid` add the types of those crates.

mod check;
mod ddl;
// The names of the fields document them.
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

/// Used by the generated code of the derives. Not part of the public API.
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
