//! The migrations of a program, wherever they come from.

#[cfg(feature = "dev")]
pub(crate) mod git;
pub(crate) mod migration;
#[cfg(feature = "rust-embed")]
pub(crate) mod rust_embed;
#[cfg(feature = "dev")]
pub(crate) mod watched;

use std::fmt;

use crate::embedded::{self, Set, decode::Embedded};
#[cfg(feature = "admin")]
use crate::{
    Result,
    error::{Details, adopt_error::AdoptError},
};

pub use migration::Migration;

/// A set of migrations: what [`embedded!`](crate::embedded) returns.
///
/// Cheap to clone, as the data are part of the program. Prints one migration a line.
#[derive(Debug, Clone)]
pub struct Migrations(pub(crate) Source);

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Compiled(&'static Embedded),
    #[cfg(feature = "admin")]
    Parsed(&'static Set, std::sync::Arc<upfront_directory::Sum>),
    #[cfg(feature = "rust-embed")]
    Folder(std::sync::Arc<crate::migrations::rust_embed::Folder>),
    #[cfg(feature = "dev")]
    Live(&'static crate::migrations::watched::Live),
}

impl Migrations {
    /// Checks migrations that are read at run time; embedded ones were checked by the build.
    ///
    /// ```no_run
    /// # fn example(migrations: upfront::Migrations) -> Result<(), upfront::Error> {
    /// migrations.validate()?;
    /// println!("{} migrations:\n{migrations}", migrations.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidMigrations`](crate::ErrorKind::InvalidMigrations): the folder has mistakes, or is
    /// empty.
    pub fn validate(&self) -> crate::Result<()> {
        self.set().map(drop)
    }

    /// Returns the number of migrations; zero if [`validate`](Self::validate) fails.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Returns `true` if there are no migrations, or if [`validate`](Self::validate) fails.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// Iterates over the migrations in ascending order; over none if
    /// [`validate`](Self::validate) fails.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Migration> + use<> {
        self.all().iter().map(Migration::from)
    }

    fn all(&self) -> &'static [embedded::Migration] {
        self.set().map_or(&[], |it| it.migrations)
    }

    /// Called by the macro alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn from_static(it: &'static Embedded) -> Self {
        Self(Source::Compiled(it))
    }

    /// The migrations of a folder that the application embeds already, by [`rust_embed`](::rust_embed).
    ///
    /// The folder is parsed once, when it is first needed: its mistakes appear at `up()`, where
    /// `upfront-build` would show them when the program is compiled. Prefer
    /// [`embedded!`](crate::embedded) where there is a choice.
    ///
    /// `atlas.sum` is verified where it is embedded too. An empty folder is an error: a debug
    /// build of rust-embed reads the folder when the program runs, and a program that was moved
    /// would find none.
    #[cfg(feature = "rust-embed")]
    #[must_use]
    pub fn from_embed<E: ::rust_embed::RustEmbed>() -> Self {
        Self(Source::Folder(std::sync::Arc::new(crate::migrations::rust_embed::Folder::of::<E>())))
    }

    /// A folder at hand as names and bytes; for upfront's own tests and tools.
    #[cfg(feature = "rust-embed")]
    #[doc(hidden)]
    #[must_use]
    pub fn from_files(files: Vec<(String, Vec<u8>)>) -> Self {
        Self(Source::Folder(std::sync::Arc::new(crate::migrations::rust_embed::Folder::with(
            files,
        ))))
    }

    /// A directory that was read from disk, mistakes and warnings dealt with, under its own label;
    /// for upfront's own tools. Its data live as long as the program.
    #[cfg(feature = "admin")]
    #[doc(hidden)]
    #[must_use]
    pub fn from_directory(directory: &upfront_directory::Directory) -> Self {
        let sum = std::sync::Arc::new(directory.sum().clone());
        Self(Source::Parsed(crate::embedded::from_directory::set(directory), sum))
    }

    /// The first of these migrations, up to and with a version: what a scratch server needs in order
    /// to show the schema of that version.
    ///
    /// # Errors
    ///
    /// There is no such version, or the folder has mistakes.
    #[cfg(feature = "admin")]
    pub fn up_to(&self, version: &str) -> crate::Result<Self> {
        let set = self.set()?;
        let at = crate::migrations::find(set, version)?;
        Ok(Self(Source::Parsed(set.first(at + 1), self.sum(set)?)))
    }

    /// Called by the macro alone.
    #[cfg(feature = "dev")]
    #[doc(hidden)]
    #[must_use]
    pub const fn from_live(it: &'static crate::migrations::watched::Live) -> Self {
        Self(Source::Live(it))
    }

    /// The set of a program that compiled it in, as upfront itself does.
    pub(crate) fn compiled(&self) -> &'static Set {
        match &self.0 {
            Source::Compiled(it) => it.set(),
            #[cfg(feature = "dev")]
            Source::Live(it) => it.compiled(),
            #[cfg(any(feature = "admin", feature = "rust-embed"))]
            _ => panic!("upfront's own migrations are compiled in"),
        }
    }

    #[cfg_attr(
        not(any(feature = "rust-embed", feature = "dev")),
        allow(clippy::unnecessary_wraps, reason = "what is parsed when it is needed may be wrong")
    )]
    pub(crate) fn set(&self) -> crate::Result<&'static Set> {
        match &self.0 {
            Source::Compiled(it) => Ok(it.set()),
            #[cfg(feature = "admin")]
            Source::Parsed(set, _) => Ok(set),
            #[cfg(feature = "rust-embed")]
            Source::Folder(folder) => folder.set(),
            #[cfg(feature = "dev")]
            Source::Live(it) => it.default_set(),
        }
    }

    /// The hashes that Atlas computes for these files. An embedded set no longer has the bytes of
    /// its files: those of its canonical text count.
    #[cfg(feature = "admin")]
    pub(crate) fn sum(&self, set: &Set) -> Result<std::sync::Arc<upfront_directory::Sum>> {
        match &self.0 {
            Source::Parsed(_, sum) => return Ok(std::sync::Arc::clone(sum)),
            #[cfg(feature = "rust-embed")]
            Source::Folder(folder) => return folder.sum(),
            _ => {}
        }
        let names: Vec<_> = set.migrations.iter().map(|it| format!("{}.sql", it.title())).collect();
        let text = |(name, it)| (String::as_str(name), embedded::Migration::text(it).as_bytes());
        let files = names.iter().zip(set.migrations).map(text);
        Ok(std::sync::Arc::new(upfront_directory::Sum::of(files)))
    }

    /// The directory that a program reads when it starts.
    #[cfg(feature = "dev")]
    pub(crate) fn live(&self) -> crate::Result<&'static crate::migrations::watched::Live> {
        if let Source::Live(it) = &self.0 {
            return Ok(it);
        }
        let problem = "these migrations know no directory: give it `upfront::embedded!()`";
        Err(crate::error::Details::Setting { name: "dev", problem: problem.into() }.into())
    }
}

impl fmt::Display for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all().iter().enumerate().try_for_each(|(at, it)| {
            let line_feed = if at == 0 { "" } else { "\n" };
            write!(f, "{line_feed}{}", it.title())
        })
    }
}

/// Where a migration stands that is named by its version, or by version and name.
///
/// # Errors
///
/// There is no such migration.
#[cfg(feature = "admin")]
pub(crate) fn find(set: &'static Set, version: &str) -> Result<usize> {
    let named = |it: &embedded::Migration| it.version == version || it.title() == version;
    let place = set.migrations.iter().position(named);
    place.ok_or_else(|| unknown(set, version).into())
}

#[cfg(feature = "admin")]
pub(crate) fn unknown(set: &'static Set, version: &str) -> Details {
    const NEAR: usize = 2;
    let at = set.migrations.partition_point(|it| it.version < version);
    let near = &set.migrations[at.saturating_sub(NEAR)..(at + NEAR).min(set.migrations.len())];
    let near = near.iter().map(embedded::Migration::title).collect();
    Details::Adopt(AdoptError::Unknown { label: set.label, version: version.to_owned(), near })
}
