//! The files that `init` writes, unless they exist.

use std::{fs, io, path::Path};

use serde::Serialize;
use upfront::cli::Exit;

use crate::output::failure::Failure;

#[derive(Default, Serialize)]
pub(crate) struct WrittenFiles {
    pub(crate) written: Vec<String>,
    pub(crate) kept: Vec<String>,
    /// What was not translated, and what becomes of calls of another tool.
    pub(crate) notes: Vec<String>,
}

pub(crate) fn write_all(files: Vec<(String, String)>) -> Result<WrittenFiles, Failure> {
    let mut made = WrittenFiles::default();
    for (path, text) in files {
        let is_new = write_new(&path, &text)
            .map_err(|err| Failure::new(Exit::Failed, format!("cannot write `{path}`: {err}")))?;
        if is_new { made.written.push(path) } else { made.kept.push(path) }
    }
    Ok(made)
}

/// Writes a file unless there is one.
pub(crate) fn write_new(path: &str, text: &str) -> io::Result<bool> {
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::File::create_new(path) {
        Ok(mut file) => io::Write::write_all(&mut file, text.as_bytes()).map(|()| true),
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(err) => Err(err),
    }
}
