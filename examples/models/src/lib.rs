//! A library that lends books: its tables, as the service's own structs.
//!
//! `cargo run -p models --example upfront_models` prints them as SQL. `upfront gen NAME`, run in this folder, writes the
//! migration that leads to them: `migrations` is what it wrote first.

#![allow(missing_docs, reason = "a field is what its name says")]

mod book;
mod loan;
mod reader;

pub use book::{Book, Copy, State};
pub use loan::Loan;
pub use reader::{Branch, Reader, Standing};
