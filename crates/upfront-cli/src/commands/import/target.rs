//! The folder that is written: all of it or nothing.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use upfront::cli::Exit;
use upfront_directory::write_sums;

use super::sqlx::Converted;
use crate::{config::folder::Folder, output::failure::Failure};

/// `init` writes it; it is not a migration, and stays.
const ATTRIBUTES: &str = ".gitattributes";

/// Refuses a folder that holds something already.
pub(super) fn check(target: &Folder) -> Result<(), Failure> {
    let entries = match fs::read_dir(&target.path) {
        Ok(it) => it,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(failed(target, &err)),
    };
    let mut names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
    match names.find(|it| it != ATTRIBUTES) {
        None => Ok(()),
        Some(it) => Err(Failure::mistake("the folder to write is not empty")
            .file(format!("{}/{it}", target.label))
            .help(
                "name another by `--to`; to take the place of sqlx's folder, rename that one \
                 first: `mv migrations sqlx-migrations`",
            )),
    }
}

/// Writes the files beside the target, and puts them in its place when all are there.
pub(super) fn write(target: &Folder, files: &[Converted]) -> Result<(), Failure> {
    let parent = match target.path.parent() {
        Some(it) if !it.as_os_str().is_empty() => it.to_owned(),
        _ => PathBuf::from("."),
    };
    let staged = || -> io::Result<(tempfile::TempDir, PathBuf)> {
        fs::create_dir_all(&parent)?;
        let around = tempfile::Builder::new().prefix(".upfront-import-").tempdir_in(&parent)?;
        let staged = around.path().join("new");
        fill(&staged, files)?;
        let attributes = target.path.join(ATTRIBUTES);
        if attributes.is_file() {
            fs::copy(attributes, staged.join(ATTRIBUTES))?;
        }
        Ok((around, staged))
    };
    let (around, staged) = staged().map_err(|err| failed(target, &err))?;
    write_sums(&staged).map_err(|it| Failure::new(Exit::Failed, it.to_string()))?;
    replace(&staged, &target.path, &around.path().join("old")).map_err(|err| failed(target, &err))
}

fn fill(folder: &Path, files: &[Converted]) -> io::Result<()> {
    fs::create_dir(folder)?;
    for it in files {
        let path = folder.join(&it.name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, &it.bytes)?;
    }
    Ok(())
}

/// Moves a folder to its place; what was there, which is empty but for its attributes, goes aside.
fn replace(staged: &Path, target: &Path, aside: &Path) -> io::Result<()> {
    let is_there = target.is_dir();
    if is_there {
        fs::rename(target, aside)?;
    }
    fs::rename(staged, target).inspect_err(|_| {
        if is_there {
            let _ = fs::rename(aside, target);
        }
    })
}

fn failed(target: &Folder, err: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write it: {err}")).file(target.label.as_str())
}
