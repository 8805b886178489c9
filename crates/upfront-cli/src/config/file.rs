//! `upfront.toml`.

use std::{fs, ops::Range, path::Path, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    document::Document,
    generation::Generation,
    values::{Text, ValueError, duration, no_key, table, text, texts, truth, wanted},
};
use crate::output::failure::Failure;

/// The name of the file.
pub(crate) const FILE: &str = "upfront.toml";

/// The file, read.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) document: Document,
    pub(crate) settings: Settings,
    pub(crate) generation: Generation,
    /// History tables of other tools that have nothing to do with this program.
    pub(crate) foreign_ignored: Vec<String>,
    environments: Vec<Environment>,
}

/// `[env.NAME]`
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) name: String,
    at: Range<usize>,
    pub(crate) url: Option<Text>,
    pub(crate) protected: bool,
    pub(crate) settings: Settings,
}

/// What the whole file may say, and each environment for itself.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) dir: Option<Text>,
    pub(crate) app: Option<Text>,
    pub(crate) schema: Option<Text>,
    pub(crate) role: Option<Text>,
    pub(crate) trusted_owner: Option<Text>,
    pub(crate) search_path: Option<Vec<String>>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) session_pooler: Option<bool>,
    pub(crate) ignore_foreign_history: Option<bool>,
    pub(crate) ignore_duplicate_history: Option<bool>,
}

const SETTINGS: [&str; 12] = [
    "dir",
    "app",
    "schema",
    "role",
    "trusted_owner",
    "search_path",
    "lock_timeout",
    "statement_timeout",
    "wait_timeout",
    "session_pooler",
    "ignore_foreign_history",
    "ignore_duplicate_history",
];

impl File {
    /// Reads the file of a folder.
    pub(super) fn read(root: &Path, label: &str) -> Result<Self, Failure> {
        let text = fs::read_to_string(root.join(FILE))
            .map_err(|err| Failure::mistake(format!("cannot read `{label}`: {err}")))?;
        let mut it = Self {
            document: Document { root: root.to_owned(), label: label.to_owned(), text },
            settings: Settings::default(),
            generation: Generation::default(),
            foreign_ignored: Vec::new(),
            environments: Vec::new(),
        };
        let text = it.document.text.clone();
        match it.fill(&text) {
            Ok(()) => Ok(it),
            Err((title, at, help)) => {
                let failure = it.document.failure(title, at);
                Err(match help {
                    Some(it) => failure.help(it),
                    None => failure,
                })
            }
        }
    }

    fn fill(&mut self, text: &str) -> Result<(), ValueError> {
        let table = DeTable::parse(text).map_err(|err| {
            let message = err.message().lines().next().unwrap_or_default().to_owned();
            (message, err.span().unwrap_or(0..0), None)
        })?;
        for (key, value) in table.get_ref() {
            if key.get_ref() == "env" {
                self.environments = environments(value)?;
            } else if key.get_ref() == "foreign" {
                self.foreign_ignored = ignored(value)?;
            } else if !self.generation.set(key.get_ref(), value)?
                && !self.settings.set(key.get_ref(), value)?
            {
                return Err(unknown(key, &["env", "desired", "gen", "scratch", "foreign"]));
            }
        }
        self.environments.sort_by_key(|it| it.at.start);
        Ok(())
    }

    /// The names of all environments, in the order of the file.
    pub(crate) fn environment_names(&self) -> impl Iterator<Item = &str> {
        self.environments.iter().map(|it| it.name.as_str())
    }

    /// The environment of a name.
    pub(super) fn named(&self, name: &str) -> Result<&Environment, Failure> {
        self.environments.iter().find(|it| it.name == name).ok_or_else(|| {
            Failure::mistake(format!(
                "there is no environment `{name}` in `{}`",
                self.document.label
            ))
            .help(self.listed())
        })
    }

    /// The environment where none is asked for.
    pub(super) fn default(&self) -> Result<Option<&Environment>, Failure> {
        let dev = self.environments.iter().find(|it| it.name == "dev");
        match (dev, self.environments.as_slice()) {
            (Some(it), _) | (None, [it]) => Ok(Some(it)),
            (None, []) => Ok(None),
            (None, _) => Err(Failure::mistake(format!(
                "`{}` has several environments, and none is called `dev`",
                self.document.label
            ))
            .help(format!("choose one with `--env`; {}", self.listed()))),
        }
    }

    fn listed(&self) -> String {
        let names: Vec<_> = self.environments.iter().map(|it| format!("`{}`", it.name)).collect();
        match names.as_slice() {
            [] => "it has no environments: add `[env.dev]` with a `url`".into(),
            names => format!("it has {}", names.join(", ")),
        }
    }

    pub(super) fn no_url(&self, it: &Environment) -> Failure {
        self.document
            .failure(format!("environment `{}` has no `url`", it.name), it.at.clone())
            .help("add `url = \"${DATABASE_URL}\"`")
    }
}

fn environments(value: &Spanned<DeValue<'_>>) -> Result<Vec<Environment>, ValueError> {
    let environment = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let mut it = Environment {
            name: name.to_string(),
            at: key.span(),
            url: None,
            protected: false,
            settings: Settings::default(),
        };
        for (key, value) in table(value)? {
            match key.get_ref().as_ref() {
                "url" => it.url = Some(text(value)?),
                "protected" => it.protected = truth(value)?,
                name if it.settings.set(name, value)? => {}
                _ => return Err(unknown(key, &["url", "protected"])),
            }
        }
        Ok(it)
    };
    table(value)?.iter().map(environment).collect()
}

/// `[foreign]`
fn ignored(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ValueError> {
    let mut ignored = Vec::new();
    for (key, value) in table(value)? {
        match key.get_ref().as_ref() {
            "ignore" => ignored = texts(value)?,
            _ => return Err(no_key(key, &["ignore"])),
        }
    }
    Ok(ignored)
}

impl Settings {
    /// Takes a value; is the key one of these?
    fn set(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<bool, ValueError> {
        match key {
            "dir" => self.dir = Some(text(value)?),
            "app" => self.app = Some(text(value)?),
            "schema" => self.schema = Some(text(value)?),
            "role" => self.role = Some(text(value)?),
            "search_path" => self.search_path = Some(schemas(value)?),
            "trusted_owner" => self.trusted_owner = Some(text(value)?),
            "lock_timeout" => self.lock_timeout = Some(duration(value)?),
            "statement_timeout" => self.statement_timeout = Some(duration(value)?),
            "wait_timeout" => self.wait_timeout = Some(duration(value)?),
            "session_pooler" => self.session_pooler = Some(truth(value)?),
            "ignore_foreign_history" => self.ignore_foreign_history = Some(truth(value)?),
            "ignore_duplicate_history" => {
                self.ignore_duplicate_history = Some(truth(value)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn schemas(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ValueError> {
    let schemas = texts(value)?;
    match schemas.is_empty() || schemas.iter().any(|it| it.trim().is_empty()) {
        true => Err(wanted(value, "a list of schemas, none of them empty,")),
        false => Ok(schemas),
    }
}

fn unknown(key: &Spanned<std::borrow::Cow<'_, str>>, more: &[&str]) -> ValueError {
    let known: Vec<_> = more.iter().chain(&SETTINGS).copied().collect();
    no_key(key, &known)
}
