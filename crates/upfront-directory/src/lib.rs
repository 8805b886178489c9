//! Reads PostgreSQL migrations directories: names, directives, statements, checksums.
//!
//! **Internal to [upfront](https://docs.rs/upfront); no stability promise.** Its API may change in
//! any release. Use `upfront` or `upfront-build` instead.
//!
//! The format is that of Atlas (<https://atlasgo.io/concepts/migration-directory-integrity>): files
//! `<version>_<name>.sql` at top level, in the bytewise order of their names, and an `atlas.sum` of
//! their hashes. Both tools can write it. Down scripts, which Atlas does not have, are in `down/`
//! under the same file names.
//!
//! [`Directory::read`] reads the directory and reports all errors at once, each with its location
//! and a remedy. The result depends on the bytes alone. It is the same in `build.rs`, in a test and
//! in a running service.
//!
//! ```
//! # use upfront_directory::Directory;
//! let files = [("1_a.sql".to_owned(), b"SELECT 1;\nCOMMIT;\n".to_vec())];
//! let errors = Directory::from_files("migrations", files).unwrap_err();
//! assert!(errors.to_string().starts_with("migrations/1_a.sql:2:1: `COMMIT`"));
//! ```

mod alias_list;
mod annotation;
mod canonical;
mod class;
mod copy;
mod cursor;
mod data_loss;
mod delimiter;
mod directive;
mod directory;
mod encode;
mod error;
mod hash;
mod internal_option;
mod lexer;
mod location;
mod migration;
mod name;
mod non_transactional;
mod other_tools;
mod placeholder;
mod psql;
mod routine;
mod server_requirement;
mod split_foreign_keys;
mod statement;
mod sum;

pub use crate::alias_list::{AliasList, AliasedItem, alias_lists};
pub use crate::annotation::{
    Annotation, AnnotationError, AnnotationKind, AnnotationTarget, annotations,
};
pub use crate::class::{Class, ReindexKind};
pub use crate::copy::CopyData;
pub use crate::data_loss::DataLoss;
pub use crate::directory::{Directory, write_sums};
pub use crate::encode::encode;
pub use crate::error::{Error, Errors, Warning};
pub use crate::hash::{Hash, ParseHashError, Row, chain, fingerprint};
pub use crate::internal_option::internal_options;
pub use crate::migration::{Migration, Side};
pub use crate::other_tools::{ToolMark, tool_mark};
pub use crate::routine::Routine;
pub use crate::server_requirement::{ServerRequirement, long_names, server_requirement};
pub use crate::split_foreign_keys::split_foreign_keys;
pub use crate::statement::{Statement, split_statements, unclosed};
pub use crate::sum::{Change, Difference, ParseSumError, Sum, SumHasher};
