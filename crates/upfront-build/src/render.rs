//! The generated file that `upfront::embedded!` includes.

use std::path::Path;

/// One expression. The migrations are a file of their own, so that the compiler reads no long
/// literal; it stands beside this one.
///
/// The path of the directory stands outside the set: only a program that reads the directory when
/// it starts makes anything of it.
pub(crate) fn render(directory: &Path, embedded: &str, dev: bool) -> String {
    let directory = directory.to_string_lossy();
    let name = if dev { "__embedded_dev_v1" } else { "__embedded_v1" };
    format!("{name}!({directory:?}, include_str!({embedded:?}))\n")
}
