//! The folder of migrations, read from disk; its mistakes with the lines that they stand on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Errors};

use crate::output::failure::{Failure, Note};

/// Where the folder is, and what messages call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) label: String,
}

impl Folder {
    /// Reads it.
    pub(crate) fn read(&self) -> Result<Directory, Failure> {
        Directory::read_as(&self.label, &self.path).map_err(|it| self.mistakes(&it))
    }

    /// Reads it, and prints what is worth a look.
    pub(crate) fn read_warned(&self, output: &Output) -> Result<Directory, Failure> {
        self.read().inspect(|it| warn(it, output))
    }

    /// Reads it before its sums are written, and prints what is worth a look.
    pub(crate) fn read_without_sum(&self, output: &Output) -> Result<Directory, Failure> {
        let directory = Directory::read_without_sum(&self.label, &self.path);
        directory.map_err(|it| self.mistakes(&it)).inspect(|it| warn(it, output))
    }

    /// Reads it before a file is added: other files may have no statement yet.
    pub(crate) fn read_allowing_empty(&self) -> Result<Directory, Failure> {
        Directory::read_allowing_empty(&self.label, &self.path).map_err(|it| self.mistakes(&it))
    }

    /// The mistakes of this folder.
    pub(crate) fn mistakes(&self, errors: &Errors) -> Failure {
        let note = |it: &upfront_directory::Error| {
            let text = self.on_disk(it.file()).and_then(|it| fs::read_to_string(it).ok());
            let note = Note::new(it.message()).help(it.help());
            note.place(it.file(), text.as_deref(), it.line(), it.column())
        };
        Failure::of(Exit::Mistaken, errors.iter().map(note).collect())
    }

    /// The file of a name with the label before it.
    fn on_disk(&self, labelled: &str) -> Option<PathBuf> {
        let file = labelled.strip_prefix(self.label.trim_end_matches('/'))?;
        Some(self.path.join(file.trim_start_matches('/'))).filter(|it| it.is_file())
    }

    /// What messages call a file in it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        let file = path.strip_prefix(&self.path).unwrap_or(path);
        Path::new(&self.label).join(file).display().to_string()
    }
}

fn warn(directory: &Directory, output: &Output) {
    directory.warnings().iter().for_each(|it| output.warning(&it.to_string()));
}
