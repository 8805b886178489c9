//! Finds passwords and other secrets in SQL text, to mask them in messages.
//!
//! **Internal to [upfront](https://docs.rs/upfront); no stability promise.** Its API may change in
//! any release.
//!
//! A secret is recognized by the preceding name (`PASSWORD '…'`, `api_key => '…'`, a column of that
//! name in an `INSERT`), by the function that takes it (`crypt`, `pgp_sym_encrypt`), by the
//! statement that it is formatted into (`format('… PASSWORD %L', '…')`), or by its shape (a URL with
//! a password, a private key). Nested texts are searched as well: the body of a function, a
//! statement that it executes, a connection string in that statement.
//!
//! In doubt, a literal is masked. No function of this crate fails, whatever the text.
//!
//! ```
//! let shown = upfront_redact::redact("ALTER ROLE app PASSWORD 'hunter2'");
//! assert_eq!(shown, "ALTER ROLE app PASSWORD '***'");
//! ```

mod block;
mod known_secrets;
mod lexer;
mod lists;
mod names;
mod patterns;
mod prefilter;
mod redact;
mod scan;
mod value;
mod view;

pub use known_secrets::KnownSecrets;
pub use prefilter::may_contain_secret;
pub use redact::{MASK, mask_ranges, redact, redact_line, redact_message, secrets};
