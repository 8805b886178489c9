//! `import`

mod entry;
mod foreign;
mod sqlx;
mod target;

use std::path::PathBuf;

use serde::Serialize;
use sqlx::Converted;
use upfront::cli::{Exit, Output};
use upfront_directory::Directory;

use crate::{
    config::{Project, folder::Folder},
    output::failure::{Failure, Note},
};

/// Options of `import`.
///
/// A folder of sqlx holds `<version>_<name>.sql`, or `<version>_<name>.up.sql` and
/// `<version>_<name>.down.sql`. Texts stay as they are, byte for byte; `-- no-transaction` becomes
/// `-- atlas:txmode none`, and versions are padded to one width. Either all of it is converted, or
/// nothing is written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of sqlx migrations
    source: PathBuf,
    /// Write into this new or empty folder instead of that of `upfront.toml`
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(Serialize)]
struct Imported {
    folder: String,
    migrations: usize,
    reversible: usize,
    passed_over: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(
        &self,
        project: impl Fn() -> Result<Project, Failure>,
        output: &Output,
    ) -> Result<(), Failure> {
        let target = match &self.to {
            Some(it) => Folder { path: it.clone(), label: it.display().to_string() },
            None => project()?.folder()?,
        };
        target::check(&target)?;
        let source = entry::read(&self.source)?;
        let label = self.source.display().to_string();
        foreign::refuse(&label, &source)?;
        let (converted, passed_over) = sqlx::convert(&label, &source)?;
        let directory = self.checked(&converted)?;
        target::write(&target, &converted)?;
        self.warn(&directory, &converted, &passed_over, output);
        let imported = Imported {
            folder: target.label,
            migrations: directory.migrations().len(),
            reversible: directory.migrations().iter().filter(|it| it.down.is_some()).count(),
            passed_over,
        };
        output.result(&imported, || describe(&imported));
        Ok(())
    }

    /// What was converted, as it will be read; its mistakes are those of the originals.
    fn checked(&self, converted: &[Converted]) -> Result<Directory, Failure> {
        let files = converted.iter().map(|it| (it.name.clone(), it.bytes.clone()));
        Directory::from_files("", files).map_err(|errors| {
            let notes = errors.iter().map(|it| self.note(it, converted)).collect();
            Failure::of(Exit::Mistaken, notes)
        })
    }

    fn note(&self, err: &upfront_directory::Error, converted: &[Converted]) -> Note {
        let note = Note::new(err.message()).help(err.help());
        let Some(it) = converted.iter().find(|it| it.name == err.file()) else { return note };
        let path = self.source.join(&it.original).display().to_string();
        let text = String::from_utf8_lossy(&it.source);
        let line = err.line().map(|line| line.saturating_sub(it.added).max(1));
        note.place(&path, Some(&text), line, err.column())
    }

    fn warn(
        &self,
        directory: &Directory,
        converted: &[Converted],
        passed_over: &[String],
        output: &Output,
    ) {
        for it in passed_over {
            let path = self.source.join(it).display().to_string();
            output.warning(&format!("{path}: sqlx passes over this file, and so it is left out"));
        }
        for it in directory.warnings() {
            let Some(from) = converted.iter().find(|from| from.name == it.file()) else { continue };
            let path = self.source.join(&from.original).display().to_string();
            let line = it.line().map(|line| line.saturating_sub(from.added).max(1));
            let line = line.map_or(String::new(), |it| format!(":{it}"));
            output.warning(&format!("{path}{line}: {}\n  help: {}", it.message(), it.help()));
        }
    }
}

fn describe(it: &Imported) -> String {
    let Imported { folder, migrations, reversible, .. } = it;
    let many = |count: usize| if count == 1 { "migration" } else { "migrations" };
    format!(
        "imported {migrations} {}, {reversible} of them with a down side, into {folder}\n\nnext:\n  \
         upfront status                     shows where a database stands\n  upfront adopt         \
         \u{20}            takes over the history of one that sqlx has migrated",
        many(*migrations)
    )
}
