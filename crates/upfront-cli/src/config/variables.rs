//! Environment variables, and those of `.env`.

use std::{collections::BTreeMap, env, path::Path};

use crate::output::failure::Failure;

/// What is set: in the environment, else in `.env`.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads `.env` in a folder, if there is one.
    pub(crate) fn beside(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(".env");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let read = || dotenvy::from_path_iter(&path)?.collect::<Result<_, _>>();
        // The error holds the line, and the line may hold a password.
        read().map(Self).map_err(|err| {
            let why = match err {
                dotenvy::Error::Io(err) => format!("cannot read it: {err}"),
                _ => "a line is not of the form `NAME=value`".into(),
            };
            Failure::mistake(format!("the file of variables: {why}"))
                .file(".env")
                .help("write `NAME=value`, and quote a value that holds blanks or `#`")
        })
    }

    /// One of them; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.set(name).map(|it| it.0).filter(|it| !it.is_empty())
    }

    /// One of those that say which database.
    ///
    /// # Errors
    ///
    /// It is set, and empty: to pass over it would be to take another database.
    pub(crate) fn given(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.set(name) {
            Some((value, place)) if value.trim().is_empty() => {
                Err(Failure::empty(&format!("variable `{name}` {place}"))
                    .help(format!("give it a value, or take it out: `unset {name}`")))
            }
            set => Ok(set.map(|it| it.0)),
        }
    }

    /// Is it set, and empty?
    pub(super) fn is_empty(&self, name: &str) -> bool {
        self.set(name).is_some_and(|it| it.0.is_empty())
    }

    /// Its value, and where that was read.
    fn set(&self, name: &str) -> Option<(String, &'static str)> {
        let in_file = || self.0.get(name).map(|it| (it.clone(), "in `.env`"));
        env::var(name).ok().map(|it| (it, "in the environment")).or_else(in_file)
    }

    /// Does any of libpq's variables say where?
    pub(super) fn names_a_database(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGPORT", "PGUSER"]
            .iter()
            .any(|it| self.get(it).is_some())
    }
}
