//! What is there before `init`: other tools' settings, a directory of migrations, an ORM.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    atlas,
    config::{Config, Note, names_in},
    makefile,
    orm::{self, Loader},
};
use crate::config::Variables;

/// All that was found.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) config: Config,
    /// The file that the settings are from.
    pub(super) origin: Option<String>,
    /// The folder of migrations, as `upfront.toml` and messages name it.
    pub(super) dir: String,
    pub(super) directory: Directory,
    pub(super) loader: Option<Loader>,
    /// Calls of Atlas in Makefiles, and what they become.
    pub(super) calls: Vec<Note>,
    /// The preset for scratch servers that fits the service that runs the database.
    pub(super) preset: Option<&'static str>,
}

/// What the folder of migrations holds.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Directory {
    pub(super) has_migrations: bool,
    pub(super) has_sum: bool,
    pub(super) has_down: bool,
    /// The down scripts are hashed, which no other tool does.
    has_down_sum: bool,
    /// A file ends its lines as Windows does.
    pub(super) has_windows_lines: bool,
}

impl Survey {
    /// Looks at a folder; a directory of migrations that was named is the one.
    pub(super) fn of(root: &Path, named: Option<&Path>, variables: &Variables) -> Self {
        let mut config = None;
        let mut origin = None;
        if let Ok(text) = fs::read_to_string(root.join(atlas::FILE)) {
            let read = atlas::read(&text);
            origin = Some(atlas::FILE.to_owned());
            config =
                Some(read.unwrap_or_else(|note| Config { notes: vec![note], ..Config::default() }));
        }
        let mut calls = Vec::new();
        for file in makefile::FILES {
            let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
            if is_listed_as_another(root, file) {
                continue;
            }
            let found = makefile::calls(&text);
            calls.extend(found.iter().map(|it| it.note(file)));
            if !found.is_empty() && config.is_none() {
                config = Some(makefile::config(file, &found));
                origin = Some(file.to_owned());
            }
        }
        let mut config = config.unwrap_or_default();
        let dir = match named {
            Some(it) => it.display().to_string(),
            None => dir(root, &mut config),
        };
        let mut loaders = match config.desired.has_source() {
            true => Vec::new(),
            false => orm::find(root),
        };
        for it in loaders.iter().skip(1) {
            let text =
                format!("there is {}, too: its schema is printed by `{}`", it.orm, it.command);
            config.notes.push(Note::new("[desired]", 0, text));
        }
        loaders.truncate(1);
        let directory = Directory::of(&root.join(&dir));
        let preset = preset(root, &config, variables);
        Self { config, origin, dir, directory, loader: loaders.pop(), calls, preset }
    }
}

/// What the names of hosts say of the service that runs a database.
const SERVICES: [(&str, &str); 4] = [
    (".supabase.", "supabase"),
    (".neon.tech", "neon"),
    (".rds.amazonaws.com", "rds"),
    ("/cloudsql/", "cloudsql"),
];

fn preset(root: &Path, config: &Config, variables: &Variables) -> Option<&'static str> {
    if root.join("supabase/config.toml").is_file() {
        return Some("supabase");
    }
    let urls = config.environments.iter().filter_map(|it| it.url.clone());
    let mut urls: Vec<_> = urls.collect();
    urls.push("${DATABASE_URL}".to_owned());
    let names = urls.iter().flat_map(|it| names_in(it));
    let values: Vec<_> = names.filter_map(|it| variables.get(&it)).collect();
    let names = |host: &str| urls.iter().chain(&values).any(|it| it.contains(host));
    SERVICES.into_iter().find(|(host, _)| names(host)).map(|it| it.1)
}

/// On file systems that ignore case, `makefile` is `Makefile`.
fn is_listed_as_another(root: &Path, file: &str) -> bool {
    let names = fs::read_dir(root).map(|it| it.flatten().map(|it| it.file_name()));
    names.is_ok_and(|mut it| !it.any(|it| it.to_str() == Some(file)))
}

/// The folder of migrations: as the settings name it, else the one that Atlas has hashed.
fn dir(root: &Path, config: &mut Config) -> String {
    const USUAL: &str = "migrations";
    if let Some(it) = config.dir.as_ref().filter(|it| !it.is_empty() && !it.contains('$')) {
        return it.clone();
    }
    let mut hashed = hashed(root);
    if let Some(at) = hashed.iter().position(|it| it == USUAL) {
        hashed.swap(0, at);
    }
    for it in hashed.iter().skip(1) {
        let text = "another directory of migrations: give it an environment with `dir` and `app`";
        config.notes.push(Note::new(&format!("{it}/atlas.sum"), 0, text));
    }
    let supabase = "supabase/migrations";
    match hashed.into_iter().next() {
        Some(it) => it,
        None if Directory::of(&root.join(supabase)).has_migrations => supabase.to_owned(),
        None => USUAL.to_owned(),
    }
}

/// The folders with `atlas.sum`, but for upfront's folders of down scripts.
fn hashed(root: &Path) -> Vec<String> {
    let files = orm::files(root);
    let sums: Vec<PathBuf> = files.into_iter().filter(|it| it.ends_with("atlas.sum")).collect();
    let folder = |it: &PathBuf| it.parent().map(Path::to_owned).unwrap_or_default();
    let folders: Vec<_> = sums.iter().map(folder).collect();
    let is_down = |it: &&PathBuf| {
        it.ends_with("down")
            && it.parent().is_some_and(|it| folders.iter().any(|other| other == it))
    };
    let shown = |it: &PathBuf| match it.display().to_string() {
        it if it.is_empty() => ".".to_owned(),
        it => it,
    };
    folders.iter().filter(|it| !is_down(it)).map(shown).collect()
}

impl Directory {
    /// Has Atlas written it?
    pub(super) fn is_of_atlas(&self) -> bool {
        self.has_sum && !self.has_down_sum
    }

    fn of(path: &Path) -> Self {
        let mut it = Self::default();
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_name().to_str() {
                Some("atlas.sum") => it.has_sum = true,
                Some("down") => {
                    it.has_down = path.is_dir();
                    it.has_down_sum = path.join("atlas.sum").is_file();
                }
                Some(_) if path.extension().is_some_and(|it| it == "sql") && path.is_file() => {
                    it.has_migrations = true;
                    it.has_windows_lines |=
                        fs::read(&path).is_ok_and(|it| it.windows(2).any(|it| it == b"\r\n"));
                }
                _ => {}
            }
        }
        it
    }
}
