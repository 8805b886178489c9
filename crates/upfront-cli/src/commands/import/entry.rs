//! The files of the folder that is converted.

use std::{fs, io, path::Path};

use crate::output::failure::Failure;

/// A file or a folder of the source.
#[derive(Debug)]
pub(super) struct Entry {
    pub(crate) name: String,
    /// `None` for a folder.
    pub(crate) bytes: Option<Vec<u8>>,
}

pub(crate) fn read(source: &Path) -> Result<Vec<Entry>, Failure> {
    let unreadable = |path: &Path, err: &io::Error| {
        let title = match err.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => {
                "this symbolic link leads nowhere".into()
            }
            io::ErrorKind::NotFound => "there is no such folder".into(),
            _ => format!("cannot read it: {err}"),
        };
        Failure::mistake(title).file(path.display().to_string())
    };
    let mut entries = Vec::new();
    for it in fs::read_dir(source).map_err(|err| unreadable(source, &err))? {
        let path = it.map_err(|err| unreadable(source, &err))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let metadata = fs::metadata(&path).map_err(|err| unreadable(&path, &err))?;
        let bytes = match metadata.is_file() {
            true => Some(fs::read(&path).map_err(|err| unreadable(&path, &err))?),
            false if !metadata.is_dir() && is_sql(&name) => {
                let failure = Failure::mistake("this is a pipe, a socket or a device, not a file");
                return Err(failure.file(path.display().to_string()));
            }
            false => None,
        };
        entries.push(Entry { name, bytes });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

pub(super) fn is_sql(name: &str) -> bool {
    name.as_bytes().ends_with(b".sql")
}
