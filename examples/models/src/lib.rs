//! A library that lends books: its tables, as the service's own structs.
//!
//! `cargo run -p models --example upfront_models` prints them as SQL.

#![allow(missing_docs, reason = "a field is what its name says")]

mod book;
mod loan;
mod reader;

pub use book::{Book, Copy, State};
pub use loan::Loan;
pub use reader::{Branch, Reader, Standing};
