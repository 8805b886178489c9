//! Files and folders of SQL.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::output::failure::Failure;

/// The text of a file, or of all `.sql` files in a folder.
pub(crate) fn texts(path: &Path, label: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    walk(path, label, &mut texts)?;
    match texts.is_empty() {
        true => Err(Failure::mistake(format!("there is no `.sql` file in `{label}`"))),
        false => Ok(texts),
    }
}

pub(crate) fn walk(
    path: &Path,
    label: &str,
    texts: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    let failed = |err: &std::io::Error| Failure::mistake(format!("cannot read `{label}`: {err}"));
    if !path.is_dir() {
        texts.push((label.to_owned(), fs::read_to_string(path).map_err(|err| failed(&err))?));
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(|err| failed(&err))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    paths.retain(|it| it.is_dir() || it.extension().is_some_and(|it| it == "sql"));
    for it in paths {
        let name = it.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let label = format!("{label}/{name}");
        // A named pipe without a writer would block for ever. One that is named itself is meant.
        if fs::metadata(&it).is_ok_and(|it| !it.is_dir() && !it.is_file()) {
            let title = format!("`{label}` is a pipe, a socket or a device, not a file");
            return Err(Failure::mistake(title).help("delete it, or give it another name"));
        }
        walk(&it, &label, texts)?;
    }
    Ok(())
}
