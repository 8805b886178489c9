//! The directory as it is now, for a program that was built with the feature `dev`.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use upfront_directory::{Directory, Migration};

use crate::{
    Result,
    embedded::{Set, decode::Embedded, from_directory},
    error::Misread,
    migrations::git::Committed,
};

/// The directory of a set, and what it held when the program was built.
///
/// If the build script asked for it, Cargo does not recompile the program when a file changes. The
/// embedded migrations may be outdated then, so every migrator reads the directory.
#[derive(Debug)]
pub struct Live {
    directory: &'static str,
    compiled: &'static Embedded,
    is_default: bool,
    last: Mutex<Option<Parsed>>,
}

/// What was read last: the data live for ever, so an unchanged directory must not leave more.
#[derive(Debug)]
struct Parsed {
    migrations: Vec<Migration>,
    set: &'static Set,
}

impl Live {
    /// The directory counts for every migrator. Called by the macro alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(directory: &'static str, compiled: &'static Embedded) -> Self {
        Self { directory, compiled, is_default: true, last: Mutex::new(None) }
    }

    /// The directory counts for [`Migrator::dev`](crate::Migrator::dev) alone. Called by the macro
    /// alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn for_dev(directory: &'static str, compiled: &'static Embedded) -> Self {
        Self { directory, compiled, is_default: false, last: Mutex::new(None) }
    }

    /// The set of a migrator that does not ask for the directory.
    pub(crate) fn default_set(&self) -> Result<&'static Set> {
        match self.is_default {
            true => self.set(),
            false => Ok(self.compiled()),
        }
    }

    pub(crate) fn compiled(&self) -> &'static Set {
        self.compiled.set()
    }

    pub(crate) const fn directory(&self) -> &'static str {
        self.directory
    }

    /// The set as it is now. A program without its directory uses the
    /// embedded migrations, as it would without the feature.
    pub(crate) fn set(&self) -> Result<&'static Set> {
        match Path::new(self.directory).exists() {
            true => self.read(),
            false => Ok(self.compiled()),
        }
    }

    /// The set as it is now, from the directory and nowhere else.
    ///
    /// # Errors
    ///
    /// It is gone, or has mistakes.
    pub(crate) fn read(&self) -> Result<&'static Set> {
        let path = Path::new(self.directory);
        if !path.is_dir() {
            return Err(Misread::DirectoryGone { directory: self.directory }.into());
        }
        let is_committed = |file: &str| Committed::of(path).holds(file);
        let read = Directory::read_draft(self.compiled().label, path, is_committed);
        Ok(self.remember(&read.map_err(Misread::Directory)?))
    }

    fn remember(&self, read: &Directory) -> &'static Set {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(it) if it.migrations == read.migrations() => it.set,
            _ => {
                for it in read.warnings() {
                    tracing::warn!(warning = %it, "migrations directory");
                }
                let set = from_directory::set(read);
                *last = Some(Parsed { migrations: read.migrations().to_vec(), set });
                set
            }
        }
    }
}
