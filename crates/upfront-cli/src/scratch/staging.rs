//! A copy of the folder of migrations, in which new files are tried before they are written.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};
use upfront::cli::Exit;
use upfront_directory::{Directory, write_sums};

use crate::{config::folder::Folder, output::failure::Failure};

type Files = BTreeMap<String, Vec<u8>>;

/// The copy; gone with the value.
pub(crate) struct Staging {
    folder: Folder,
    copy: TempDir,
    before: Files,
}

impl Staging {
    /// Copies the folder, which need not be there yet.
    pub(crate) fn of(folder: &Folder) -> Result<Self, Failure> {
        let copy = tempfile::tempdir().map_err(|err| failed("make a temporary folder", &err))?;
        let before = read(&folder.path).map_err(|err| failed("read the migrations", &err))?;
        for (name, bytes) in &before {
            put(&copy.path().join(name), bytes)
                .map_err(|err| failed("copy the migrations", &err))?;
        }
        Ok(Self { folder: folder.clone(), copy, before })
    }

    /// Adds a file, or replaces one.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        put(&self.copy.path().join(name), text.as_bytes())
            .map_err(|err| failed("copy the migrations", &err))
    }

    /// Takes a file out.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Failure> {
        fs::remove_file(self.copy.path().join(name))
            .map_err(|err| failed("copy the migrations", &err))
    }

    /// The directory as it would be.
    pub(crate) fn directory(&self) -> Result<Directory, Failure> {
        write_sums(self.copy.path()).map_err(|it| self.folder.mistakes(&it))?;
        Directory::read_as(&self.folder.label, self.copy.path())
            .map_err(|it| self.folder.mistakes(&it))
    }

    /// Writes what differs into the folder: all of it or, if a file cannot be written, nothing.
    pub(crate) fn install(&self) -> Result<Vec<String>, Failure> {
        let after = read(self.copy.path()).map_err(|err| failed("read the copy", &err))?;
        if read(&self.folder.path).map_err(|err| failed("read the migrations", &err))?
            != self.before
        {
            let title = format!("`{}` changed while this was under way", self.folder.label);
            return Err(Failure::new(Exit::Refused, title).help("run the command again"));
        }
        let new: Vec<_> =
            after.iter().filter(|(name, bytes)| self.before.get(*name) != Some(bytes)).collect();
        let written = self.place(&new);
        written.map_err(|err| failed(&format!("write into `{}`", self.folder.label), &err))?;
        let path = |name: &String| self.folder.shown(&self.folder.path.join(name));
        Ok(new.into_iter().map(|(name, _)| path(name)).collect())
    }

    /// Writes what differs into the folder and deletes files from it: all of that or, if a file
    /// cannot be written or deleted, nothing.
    pub(crate) fn install_deleting(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        let written = self.install()?;
        for (at, name) in names.iter().enumerate() {
            if let Err(err) = fs::remove_file(self.folder.path.join(name)) {
                let sums = ["atlas.sum", "down/atlas.sum"];
                for it in names[..at].iter().map(String::as_str).chain(sums) {
                    self.restore(it);
                }
                return Err(failed(&format!("delete `{}`", self.folder.label), &err)
                    .file(self.folder.shown(&self.folder.path.join(name))));
            }
        }
        Ok(written)
    }

    fn place(&self, new: &[(&String, &Vec<u8>)]) -> io::Result<()> {
        let mut ready = Vec::new();
        for (name, bytes) in new {
            ready.push((self.folder.path.join(name), beside(&self.folder.path.join(name), bytes)?));
        }
        for (at, (path, file)) in ready.into_iter().enumerate() {
            if let Err(err) = file.persist(&path) {
                new[..=at].iter().for_each(|(name, _)| self.restore(name));
                return Err(err.error);
            }
        }
        Ok(())
    }

    /// Makes a file what it was.
    fn restore(&self, name: &str) {
        let path = self.folder.path.join(name);
        let _ = match self.before.get(name) {
            Some(bytes) => fs::write(&path, bytes),
            None => fs::remove_file(&path),
        };
    }
}

/// A file that only has to be renamed.
fn beside(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".upfront-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    io::Write::write_all(&mut file, bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn put(path: &PathBuf, bytes: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, bytes)
}

/// The files of the folder and of `down/`.
fn read(folder: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for (below, prefix) in [(folder.to_owned(), ""), (folder.join("down"), "down/")] {
        if !below.is_dir() {
            continue;
        }
        for it in fs::read_dir(&below)? {
            let it = it?;
            let name = it.file_name().to_string_lossy().into_owned();
            let counts = name == "atlas.sum" || name.as_bytes().ends_with(b".sql");
            // What is no file was refused when the folder was read.
            if counts && it.path().is_file() {
                files.insert(format!("{prefix}{name}"), fs::read(it.path())?);
            }
        }
    }
    Ok(files)
}

fn failed(doing: &str, err: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot {doing}: {err}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Staging;
    use crate::config::folder::Folder;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("1_a.sql"), "SELECT 1;\n").unwrap();
        let folder = Folder { path: place.path().to_owned(), label: "migrations".into() };
        (place, folder)
    }

    #[test]
    fn writes_all_or_nothing() {
        let (place, folder) = folder();
        let staging = Staging::of(&folder).unwrap();
        staging.write("2_b.sql", "SELECT 2;\n").unwrap();
        staging.write("down/2_b.sql", "SELECT 2;\n").unwrap();
        staging.directory().unwrap();
        // A folder is in the way of the last file.
        fs::create_dir_all(place.path().join("down/atlas.sum/x")).unwrap();
        assert!(staging.install().is_err());
        let left = |name: &str| place.path().join(name).exists();
        assert!(!left("2_b.sql") && !left("atlas.sum") && !left("down/2_b.sql"));
        fs::remove_dir_all(place.path().join("down")).unwrap();
        let written = staging.install().unwrap();
        let all = ["2_b.sql", "atlas.sum", "down/2_b.sql", "down/atlas.sum"];
        assert_eq!(written, all.map(|it| format!("migrations/{it}")));
    }

    #[test]
    fn notices_a_change_meanwhile() {
        let (place, folder) = folder();
        let staging = Staging::of(&folder).unwrap();
        fs::write(place.path().join("2_other.sql"), "SELECT 2;\n").unwrap();
        let failure = staging.install().unwrap_err();
        assert_eq!(failure.line(), "`migrations` changed while this was under way");
    }
}
