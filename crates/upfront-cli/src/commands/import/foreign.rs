//! Folders of other tools, which are not converted.

use upfront_directory::{ToolMark, tool_mark};

use super::entry::{Entry, is_sql};
use crate::output::failure::Failure;

/// Refuses what is not sqlx's: a file with both directions in it would undo what it has done.
pub(super) fn refuse(label: &str, entries: &[Entry]) -> Result<(), Failure> {
    let foreign = |tool: &str, file: &str| {
        Err(Failure::mistake(format!("these are migrations of {tool}"))
            .file(format!("{label}/{file}"))
            .help(
                "folders of sqlx are converted: `<version>_<name>.sql`, or `.up.sql` and \
                 `.down.sql`; bring these into that form first",
            ))
    };
    for it in entries {
        if it.name == "atlas.sum" {
            return Err(Failure::mistake("this is a folder of Atlas")
                .file(format!("{label}/{}", it.name))
                .help("it works as it is: name it by `--dir`, or as `dir` in `upfront.toml`"));
        }
        if is_numbered_by_letter(&it.name) {
            return foreign("refinery or Flyway", &it.name);
        }
        if it.name.starts_with('m') && it.name.as_bytes().ends_with(b".rs") {
            return foreign("SeaORM", &it.name);
        }
        if let Some(mark) = it.bytes.as_deref().filter(|_| is_sql(&it.name)).and_then(marked) {
            return foreign(mark.tool(), &format!("{}:{}", it.name, mark.line()));
        }
    }
    if entries.iter().any(|it| it.bytes.is_some() && is_sql(&it.name)) {
        return Ok(());
    }
    match entries.iter().find(|it| it.bytes.is_none() && it.name.contains('_')) {
        Some(it) => foreign("Diesel, or of another tool that makes folders", &it.name),
        None => Err(Failure::mistake("there is no migration in this folder").file(label)),
    }
}

/// `V1__name.sql`, `U2.1__name.rs`, `R__name.sql`
fn is_numbered_by_letter(name: &str) -> bool {
    let is_file = name.as_bytes().ends_with(b".sql") || name.as_bytes().ends_with(b".rs");
    let Some((number, _)) = name.split_once("__") else { return false };
    let number = number.strip_prefix(['V', 'U', 'R', 'B']);
    is_file
        && number.is_some_and(|it| it.bytes().all(|it| it.is_ascii_digit() || b"._".contains(&it)))
}

fn marked(bytes: &[u8]) -> Option<ToolMark> {
    tool_mark(&String::from_utf8_lossy(bytes))
}
