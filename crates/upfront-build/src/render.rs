//! The generated file that `upfront::embedded!` includes.

use std::path::Path;

/// Renders the generated source, a single expression. The migrations are in a file beside it: the
/// compiler parses no long literal.
///
/// Only a program that reads the directory when it starts uses the path of the directory.
pub(crate) fn render(directory: &Path, embedded: &str, dev: bool) -> String {
    let directory = directory.to_string_lossy();
    let name = if dev { "__embedded_dev_v1" } else { "__embedded_v1" };
    format!("{name}!({directory:?}, include_str!({embedded:?}))\n")
}
