//! Embeds a PostgreSQL migrations directory into a Rust program: the `build.rs` half of
//! [upfront](https://docs.rs/upfront).
//!
//! Add `upfront-build` to the build dependencies, in the same version as `upfront`, and call it
//! from the build script:
//!
//! ```no_run
//! // build.rs
//! fn main() {
//!     upfront_build::embed("migrations");
//! }
//! ```
//!
//! The program embeds the result by `upfront::embedded!()` and needs no files at run time:
//!
//! ```ignore
//! let migrator = upfront::Migrator::new(pool, upfront::embedded!());
//! migrator.up().await?;
//! ```
//!
//! The build script checks the directory and reports errors as build errors, with file and line.
//! Cargo runs it again when a file is added, edited or removed. Use [`Config`] for several sets, to
//! deny warnings, or for [development builds](Config::dev) that read the directory when they start.

#![allow(clippy::needless_doctest_main, reason = "a build script is a program")]

mod render;

use std::{
    env,
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
    process,
};

use upfront_directory::{Directory, Errors};

/// Embeds a directory as the set `main`. Its path is relative to the root of the package.
///
/// Call it from a build script. Errors of the directory become build errors with file, line and
/// remedy, and end the script. Warnings become build warnings.
pub fn embed(directory: impl AsRef<Path>) {
    Config::new(directory).embed();
}

/// How warnings are handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warnings {
    /// Print warnings and continue.
    #[default]
    Print,
    /// Print warnings as errors and fail the build.
    Deny,
}

/// The configuration of a set to embed.
///
/// ```no_run
/// // build.rs: two sets, `embedded!()` and `embedded!("billing")`
/// upfront_build::Config::new("migrations").embed();
/// upfront_build::Config::new("billing/migrations").name("billing").embed();
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    directory: PathBuf,
    name: String,
    warnings: Warnings,
    dev: bool,
}

/// The error of [`Config::try_embed`].
#[derive(Debug)]
pub struct EmbedError(ErrorKind);

#[derive(Debug)]
enum ErrorKind {
    Name(String),
    MissingVariable(&'static str),
    Directory(Errors),
    Denied(Vec<String>),
    Write(PathBuf, std::io::Error),
}

impl Config {
    /// Creates the configuration for a directory. Its path is relative to the root of the package.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        let directory = directory.as_ref().to_owned();
        Self { directory, name: "main".into(), warnings: Warnings::default(), dev: false }
    }

    /// Sets the name of the set, `main` by default. The program embeds it by the same name:
    /// `upfront::embedded!("billing")`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets how warnings are handled. By default, they are printed.
    #[must_use]
    pub fn warnings(mut self, warnings: Warnings) -> Self {
        self.warnings = warnings;
        self
    }

    /// Lets a debug build read the directory when it starts, so that Cargo compiles nothing when a
    /// migration changes. Off by default; has no effect on release builds.
    ///
    /// Every migrator of the program then uses the migrations in the directory, and an outdated
    /// `atlas.sum` is no error of the build. It needs upfront's feature `dev`:
    ///
    /// ```no_run
    /// // build.rs; in Cargo.toml: dev = ["upfront/dev"]
    /// upfront_build::Config::new("migrations").dev(cfg!(feature = "dev")).embed();
    /// ```
    #[must_use]
    pub fn dev(mut self, on: bool) -> Self {
        self.dev = on;
        self
    }

    /// Embeds the directory. On an error, prints it for Cargo and exits the build script.
    pub fn embed(self) {
        if let Err(err) = self.try_embed() {
            // An instruction to Cargo is a single line.
            err.to_string().lines().for_each(|it| println!("cargo::error={it}"));
            process::exit(1);
        }
    }

    /// Embeds the directory.
    ///
    /// # Errors
    ///
    /// If the name of the set is invalid, the directory has errors or cannot be read, the script does
    /// not run under Cargo, or the output cannot be written.
    pub fn try_embed(self) -> Result<(), EmbedError> {
        check_name(&self.name)?;
        let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
        let out = PathBuf::from(variable("OUT_DIR")?);
        let directory = root.join(&self.directory);
        let dev = self.dev && is_debug_build();
        let read = if dev { self.read_dev(&directory) } else { self.read(&directory) }?;
        let (file, embedded) =
            (format!("upfront_{}.rs", self.name), format!("upfront_{}.txt", self.name));
        let text = upfront_directory::encode(read.label(), read.migrations());
        write(&out.join(&embedded), &text)?;
        let file = out.join(file);
        write(&file, &render::render(&directory, &embedded, dev))?;
        println!("cargo::rustc-env=UPFRONT_EMBEDDED_{}={}", self.name, file.display());
        Ok(())
    }

    fn read(&self, directory: &Path) -> Result<Directory, EmbedError> {
        println!("cargo::rerun-if-changed={}", directory.display());
        let read = Directory::read_as(&self.label(), directory).map_err(ErrorKind::Directory)?;
        self.warn(&read)?;
        Ok(read)
    }

    /// A warning would be repeated by every build, however old it is.
    fn read_dev(&self, directory: &Path) -> Result<Directory, EmbedError> {
        // Without an instruction, Cargo would run the script after a change of any file.
        println!("cargo::rerun-if-changed=Cargo.toml");
        let read = Directory::read_draft(&self.label(), directory, |_| false);
        Ok(read.map_err(ErrorKind::Directory)?)
    }

    fn label(&self) -> String {
        let label = self.directory.to_string_lossy().replace('\\', "/");
        label.trim_end_matches('/').to_owned()
    }

    fn warn(&self, directory: &Directory) -> Result<(), EmbedError> {
        let warnings = directory.warnings().iter().map(ToString::to_string);
        match self.warnings {
            Warnings::Deny if !directory.warnings().is_empty() => {
                Err(ErrorKind::Denied(warnings.collect()).into())
            }
            _ => {
                for it in warnings {
                    it.lines().for_each(|it| println!("cargo::warning={it}"));
                }
                Ok(())
            }
        }
    }
}

/// The name becomes part of the names of a variable and a file.
fn check_name(name: &str) -> Result<(), ErrorKind> {
    let valid = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    match !name.is_empty() && name.chars().all(valid) {
        true => Ok(()),
        false => Err(ErrorKind::Name(name.to_owned())),
    }
}

/// A release build carries the migrations that it had when it was built.
fn is_debug_build() -> bool {
    env::var("PROFILE").is_ok_and(|it| it == "debug")
}

fn variable(name: &'static str) -> Result<String, ErrorKind> {
    env::var(name).map_err(|_| ErrorKind::MissingVariable(name))
}

/// Keeps the modification time of an unchanged file, so that Cargo does not recompile the crate.
fn write(file: &Path, text: &str) -> Result<(), ErrorKind> {
    let has_same_length = fs::metadata(file).is_ok_and(|it| it.len() == text.len() as u64);
    if has_same_length && fs::read(file).is_ok_and(|it| it == text.as_bytes()) {
        return Ok(());
    }
    fs::write(file, text).map_err(|err| ErrorKind::Write(file.to_owned(), err))
}

impl From<ErrorKind> for EmbedError {
    fn from(kind: ErrorKind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for EmbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ErrorKind::Name(it) => {
                write!(f, "the name `{it}` of a set: expected letters, digits, `_` and `-`")
            }
            ErrorKind::MissingVariable(it) => {
                write!(
                    f,
                    "`{it}` is not set: `upfront_build` is for build scripts, which Cargo runs"
                )
            }
            ErrorKind::Directory(it) => it.fmt(f),
            ErrorKind::Denied(it) => f.write_str(&it.join("\n")),
            ErrorKind::Write(file, err) => write!(f, "cannot write {}: {err}", file.display()),
        }
    }
}

impl Error for EmbedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            ErrorKind::Write(_, err) => Some(err),
            _ => None,
        }
    }
}
