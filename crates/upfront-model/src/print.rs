//! The functions for `examples/upfront_models.rs`.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::ddl::Ddl;
use crate::error::Result;
use crate::models::Models;

/// Returns the SQL of all models that are linked into the program.
///
/// ```
/// # use upfront_model::Table;
/// # #[derive(Table)]
/// # struct Line { #[col(primary_key, identity)] id: i64 }
/// print!("{}", upfront_model::ddl()?);
/// # Ok::<(), upfront_model::Error>(())
/// ```
///
/// # Errors
///
/// If there are no models, or if two have the same name.
pub fn ddl() -> Result<Ddl> {
    Models::registered().ddl()
}

/// Prints the SQL of all models that are linked into the program, and returns the exit code.
///
/// Warnings and errors go to standard error.
///
/// ```
/// // examples/upfront_models.rs
/// # mod my_service { use upfront_model::Table;
/// # #[derive(Table)] struct Page { #[col(primary_key, identity)] id: i64 } }
/// use my_service as _;
///
/// fn main() -> std::process::ExitCode {
///     upfront_model::print()
/// }
/// ```
#[must_use = "the program fails by it: return it from `main`"]
pub fn print() -> ExitCode {
    let ddl = match ddl() {
        Ok(it) => it,
        Err(err) => return fail(&err),
    };
    for warning in ddl.warnings() {
        eprintln!("warning: {warning}");
    }
    match io::stdout().lock().write_all(ddl.to_string().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => fail(&err),
    }
}

fn fail(err: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {err}");
    ExitCode::FAILURE
}
