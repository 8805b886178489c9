//! A folder that the application embeds with rust-embed: parsed when it is first needed.

use std::fmt;

use once_cell::sync::OnceCell;
use rust_embed::RustEmbed;
use upfront_directory::Directory;

use crate::{
    Result,
    embedded::{Set, from_directory},
    error::Misread,
};

/// The files, and once they are parsed the set.
pub(crate) struct Folder {
    files: Box<dyn Fn() -> Vec<(String, Vec<u8>)> + Send + Sync>,
    set: OnceCell<&'static Set>,
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder").field("set", &self.set).finish_non_exhaustive()
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
        Self { files: Box::new(files), set: OnceCell::new() }
    }

    pub(crate) fn with(files: Vec<(String, Vec<u8>)>) -> Self {
        Self { files: Box::new(move || files.clone()), set: OnceCell::new() }
    }

    /// Parses the folder, once; its data then live as long as the program.
    pub(crate) fn set(&self) -> Result<&'static Set> {
        self.set.get_or_try_init(|| parse((self.files)())).copied()
    }
}

fn parse(files: Vec<(String, Vec<u8>)>) -> Result<&'static Set> {
    let it = Directory::from_files("migrations", files).map_err(Misread::Folder)?;
    if it.migrations().is_empty() {
        return Err(Misread::EmptyFolder.into());
    }
    for it in it.warnings() {
        tracing::warn!(warning = %it, "embedded migrations");
    }
    Ok(from_directory::set(&it))
}
