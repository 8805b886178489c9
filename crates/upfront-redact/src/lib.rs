//! Finds passwords and other secrets in SQL text, so that no message shows them.
//!
//! A secret is known by what stands before it (`PASSWORD '…'`, `api_key => '…'`, a column of that
//! name in an `INSERT`), by the function that takes it (`crypt`, `pgp_sym_encrypt`), by what is put
//! into a statement that wants one (`format('… PASSWORD %L', '…')`), or by its own look (a URL
//! with a password, a private key). Texts are searched within texts: the body of a function, a
//! statement that it executes, a connection string in that.
//!
//! It errs on the side of silence, a literal at a time: what is taken for a secret is merely shown
//! less. It never fails, whatever the text is.

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
