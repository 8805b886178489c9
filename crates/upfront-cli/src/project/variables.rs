//! Environment variables, and those of `.env`.

use std::{collections::BTreeMap, env, path::Path};

use crate::failure::Failure;

/// What is set: in the environment, else in `.env`.
#[derive(Debug, Default)]
pub(crate) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Reads `.env` in a folder, if there is one.
    pub(super) fn beside(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(".env");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let read = || dotenvy::from_path_iter(&path)?.collect::<Result<_, _>>();
        // The error holds the line, and the line may hold a password.
        read().map(Self).map_err(|err| {
            let why = match err {
                dotenvy::Error::Io(err) => format!("cannot read it: {err}"),
                _ => "a line of it is no `NAME=value`".into(),
            };
            Failure::mistake(format!("the file of variables: {why}"))
                .file(".env")
                .help("write `NAME=value`, and quote a value that holds blanks or `#`")
        })
    }

    /// One of them; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let set = env::var(name).ok().or_else(|| self.0.get(name).cloned());
        set.filter(|it| !it.is_empty())
    }

    /// Does any of libpq's variables say where?
    pub(super) fn names_a_database(&self) -> bool {
        ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGPORT", "PGUSER"]
            .iter()
            .any(|it| self.get(it).is_some())
    }
}
