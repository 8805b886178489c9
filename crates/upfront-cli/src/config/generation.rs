//! `[desired]`, `[gen]` and `[scratch]`: what `gen` goes by.

use std::{borrow::Cow, ops::Range, path::PathBuf};

use toml::{
    Spanned,
    de::{DeArray, DeValue},
};
use upfront_schema::{ConsentPolicy, Manages, Pattern};

use super::{
    document::Document,
    values::{Text, ValueError, no_key, table, text, texts, truth, wanted},
    variables::Variables,
};
use crate::{config::preset::Preset, output::failure::Failure};

/// These tables of the file, as written.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    sql: Vec<Text>,
    command: Option<Text>,
    models: Option<Models>,
    manages: Option<Manages>,
    /// Where `[desired]` stands.
    at: Option<Range<usize>>,
    pub(super) schemas: Option<Vec<String>>,
    pub(super) exclude: Vec<Pattern>,
    pub(super) version: Option<u32>,
    /// SQL that runs on each scratch database before anything else.
    setup: Vec<Text>,
    pub(super) preset: Option<Preset>,
    /// Whether programs go on while indexes are built and rows are checked.
    pub(super) online: Option<bool>,
}

/// What builds the schema that is wanted.
#[derive(Debug)]
pub(crate) struct Desired {
    /// The folder in which the command runs.
    pub(crate) root: PathBuf,
    pub(crate) sql: Vec<Source>,
    pub(crate) command: Option<String>,
    pub(crate) models: Option<Models>,
    /// What these can express.
    pub(crate) manages: Manages,
}

impl Desired {
    /// Which removals need consent. SQL files are complete; what a program prints may not be.
    pub(crate) fn policy(&self) -> ConsentPolicy {
        match self.command.is_some() || self.models.is_some() {
            true => ConsentPolicy::Everything,
            false => ConsentPolicy::Protection,
        }
    }
}

/// The program that prints the models of a crate, as Cargo finds it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Models {
    pub(crate) package: Option<String>,
    pub(crate) features: Vec<String>,
    pub(crate) example: Option<String>,
    pub(crate) bin: Option<String>,
    pub(crate) arguments: Vec<String>,
}

/// A file or a folder of SQL.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    /// What messages call it.
    pub(crate) label: String,
}

const DESIRED: [&str; 6] = ["sql", "command", "models", "manages", "schemas", "exclude"];
const MODELS: [&str; 5] = ["package", "features", "example", "bin", "args"];

impl Generation {
    /// Takes a table; is it one of these?
    pub(super) fn set(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<bool, ValueError> {
        match key {
            "desired" => self.set_desired(value)?,
            "gen" => self.set_gen(value)?,
            "scratch" => self.set_scratch(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_desired(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), ValueError> {
        self.at = Some(value.span());
        for (key, value) in table(value)? {
            match key.get_ref().as_ref() {
                "sql" => self.sql = paths(value)?,
                "command" => self.command = Some(text(value)?),
                "models" => self.models = Some(models(value)?),
                "manages" => self.manages = Some(manages(value)?),
                "schemas" => self.schemas = Some(some(value)?),
                "exclude" => self.exclude = patterns(value)?,
                _ => return Err(no_key(key, &DESIRED)),
            }
        }
        Ok(())
    }

    fn set_gen(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), ValueError> {
        for (key, value) in table(value)? {
            match key.get_ref().as_ref() {
                "online" => self.online = Some(truth(value)?),
                _ => return Err(no_key(key, &["online"])),
            }
        }
        Ok(())
    }

    fn set_scratch(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), ValueError> {
        for (key, value) in table(value)? {
            match key.get_ref().as_ref() {
                "version" => self.version = Some(major(value)?),
                "setup" => self.setup = paths(value)?,
                "preset" => self.preset = Some(preset(value)?),
                _ => return Err(no_key(key, &["version", "setup", "preset"])),
            }
        }
        Ok(())
    }

    /// The files and folders of SQL for scratch databases.
    pub(super) fn setup(
        &self,
        file: &Document,
        variables: &Variables,
    ) -> Result<Vec<Source>, Failure> {
        self.setup.iter().map(|it| source(it, file, variables)).collect()
    }

    /// With variables put in, but for the command, in which the shell does that.
    pub(super) fn desired(
        &self,
        file: &Document,
        variables: &Variables,
    ) -> Result<Option<Desired>, Failure> {
        let Some(at) = &self.at else { return Ok(None) };
        if self.sql.is_empty() && self.command.is_none() && self.models.is_none() {
            let title = "nothing here builds a schema".to_owned();
            return Err(file
                .failure(title, at.clone())
                .help("add `sql = [\"schema.sql\"]`, or `[desired.models]` for structs"));
        }
        let source = |it| source(it, file, variables);
        let sql = self.sql.iter().map(source).collect::<Result<_, _>>()?;
        let command = self.command.as_ref().map(|it| it.raw.clone());
        let models = self.models.clone();
        let manages = self.manages();
        Ok(Some(Desired { root: file.root.clone(), sql, command, models, manages }))
    }

    fn manages(&self) -> Manages {
        match &self.manages {
            Some(it) => it.clone(),
            None if !self.sql.is_empty() => Manages::everything(),
            None if self.command.is_some() => Manages::of_programs(),
            None => Manages::of_models(),
        }
    }
}

/// Names of kinds, each with its place.
fn manages(value: &Spanned<DeValue<'_>>) -> Result<Manages, ValueError> {
    let names = texts(value)?;
    if names.is_empty() {
        return Err(wanted(value, "a list of at least one kind of object"));
    }
    for it in list(value)? {
        let name = text(it)?.raw;
        if !Manages::known().any(|known| known == name) {
            let known: Vec<_> = Manages::known().map(|it| format!("`{it}`")).collect();
            let title = format!("there is no kind of object `{name}`");
            let help = format!("`manages` knows {}", known.join(", "));
            return Err((title, it.span(), Some(help)));
        }
    }
    Manages::only(&names).map_err(|err| (err.to_string(), value.span(), None))
}

/// A file or folder that the settings name.
fn source(it: &Text, file: &Document, variables: &Variables) -> Result<Source, Failure> {
    let label = file.expand(it, variables)?;
    let path = file.root.join(&label);
    if path.exists() {
        return Ok(Source { path, label: label.trim_end_matches('/').to_owned() });
    }
    let title = format!("there is no file or folder `{label}`");
    Err(file.failure(title, it.at.clone()))
}

fn preset(value: &Spanned<DeValue<'_>>) -> Result<Preset, ValueError> {
    let name = text(value)?;
    Preset::named(&name.raw).ok_or_else(|| {
        let known: Vec<_> = Preset::ALL.iter().map(|it| format!("`{}`", it.name())).collect();
        let help = format!("the presets are {}", known.join(", "));
        (format!("there is no preset `{}`", name.raw), value.span(), Some(help))
    })
}

/// One path, or a list of them.
fn paths(value: &Spanned<DeValue<'_>>) -> Result<Vec<Text>, ValueError> {
    match value.get_ref() {
        DeValue::String(_) => Ok(vec![text(value)?]),
        _ => list(value)?.iter().map(text).collect(),
    }
}

fn models(value: &Spanned<DeValue<'_>>) -> Result<Models, ValueError> {
    let mut it = Models::default();
    for (key, value) in table(value)? {
        match key.get_ref().as_ref() {
            "package" => it.package = Some(text(value)?.raw),
            "features" => it.features = texts(value)?,
            "example" => it.example = Some(text(value)?.raw),
            "bin" => it.bin = Some(text(value)?.raw),
            "args" => it.arguments = texts(value)?,
            _ => return Err(no_key(key, &MODELS)),
        }
    }
    match (&it.example, &it.bin) {
        (Some(_), Some(_)) => Err((
            "the models are printed by an example or by a program, and not by both".to_owned(),
            value.span(),
            Some("take `example` or `bin` out".to_owned()),
        )),
        _ => Ok(it),
    }
}

/// Where no schema counts, nothing would.
fn some(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ValueError> {
    let all = texts(value)?;
    match all.is_empty() {
        true => Err(wanted(value, "a list of at least one schema")),
        false => Ok(all),
    }
}

fn patterns(value: &Spanned<DeValue<'_>>) -> Result<Vec<Pattern>, ValueError> {
    let pattern = |it: &Spanned<DeValue<'_>>| {
        let invalid = |err: upfront_schema::Error| (err.to_string(), it.span(), None);
        text(it)?.raw.parse().map_err(invalid)
    };
    list(value)?.iter().map(pattern).collect()
}

fn list<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Result<&'a DeArray<'i>, ValueError> {
    value.get_ref().as_array().ok_or_else(|| wanted(value, "a list of texts"))
}

fn major(value: &Spanned<DeValue<'_>>) -> Result<u32, ValueError> {
    let number = match value.get_ref() {
        DeValue::Integer(it) => it.as_str().parse().ok(),
        DeValue::String(Cow::Borrowed(it)) => it.parse().ok(),
        _ => None,
    };
    let is_one = |it: &u32| (10..100).contains(it);
    number.filter(is_one).ok_or_else(|| wanted(value, "a major version, such as `15`,"))
}
