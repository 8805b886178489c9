//! A folder that the application embeds with rust-embed: parsed when it is first needed.

use std::fmt;
#[cfg(feature = "admin")]
use std::sync::Arc;

use once_cell::sync::OnceCell;
use rust_embed::RustEmbed;
use upfront_directory::Directory;
#[cfg(feature = "admin")]
use upfront_directory::Sum;

use crate::{
    Result,
    embedded::{Set, from_directory},
    error::Misread,
};

/// The files, and once they are parsed the set.
pub(crate) struct Folder {
    files: Box<dyn Fn() -> Vec<(String, Vec<u8>)> + Send + Sync>,
    parsed: OnceCell<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    set: &'static Set,
    /// Of the bytes of the files, as Atlas computes it.
    #[cfg(feature = "admin")]
    sum: Arc<Sum>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("parsed", &self.parsed).finish_non_exhaustive()
    }
}

impl Folder {
    pub(crate) fn of<E: RustEmbed>() -> Self {
        let files = || {
            let file = |name: std::borrow::Cow<'static, str>| {
                E::get(&name).map(|it| (name.into_owned(), it.data.into_owned()))
            };
            E::iter().filter_map(file).collect()
        };
        Self { files: Box::new(files), parsed: OnceCell::new() }
    }

    pub(crate) fn with(files: Vec<(String, Vec<u8>)>) -> Self {
        Self { files: Box::new(move || files.clone()), parsed: OnceCell::new() }
    }

    /// Parses the folder, once; its data then live as long as the program.
    pub(crate) fn set(&self) -> Result<&'static Set> {
        self.parsed().map(|it| it.set)
    }

    /// The contents of `atlas.sum` that fit the files.
    #[cfg(feature = "admin")]
    pub(crate) fn sum(&self) -> Result<Arc<Sum>> {
        self.parsed().map(|it| Arc::clone(&it.sum))
    }

    fn parsed(&self) -> Result<&Parsed> {
        self.parsed.get_or_try_init(|| parse((self.files)()))
    }
}

fn parse(files: Vec<(String, Vec<u8>)>) -> Result<Parsed> {
    let it = Directory::from_files("migrations", files).map_err(Misread::Folder)?;
    if it.migrations().is_empty() {
        return Err(Misread::EmptyFolder.into());
    }
    for it in it.warnings() {
        tracing::warn!(warning = %it, "embedded migrations");
    }
    Ok(Parsed {
        set: from_directory::set(&it),
        #[cfg(feature = "admin")]
        sum: Arc::new(it.sum().clone()),
    })
}
