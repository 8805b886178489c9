//! Which database, which folder, which settings: the command line, then `upfront.toml`, then the
//! environment.

mod document;
mod exclude;
mod file;
pub(crate) mod folder;
mod generation;
pub(crate) mod package;
pub(crate) mod preset;
pub(crate) mod sql_files;
mod values;
mod variables;

use std::{
    env,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use file::{Environment, FILE, File, Settings};
pub(crate) use generation::{Desired, Models, Source};
use upfront::cli::Exit;
use upfront_schema::{Pattern, Setup, Strategy};
use values::Text;
pub(crate) use variables::Variables;

use crate::{
    config::{folder::Folder, preset::Preset},
    context::ProjectArgs,
    output::failure::Failure,
};

/// Where the command works.
#[derive(Debug)]
pub(crate) struct Project {
    place: ProjectArgs,
    file: Option<File>,
    pub(crate) variables: Variables,
    /// What the setup of scratch databases has made, once there is a scratch server.
    pub(crate) setup: OnceLock<Setup>,
    /// The tools among a preset's extensions that the scratch server does not have.
    pub(crate) missing_tools: OnceLock<Vec<&'static str>>,
}

/// A database and how to treat it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// A URL or a list of parameters; without one libpq's variables say where.
    pub(crate) url: Option<String>,
    /// The folder to which paths in a URL of the file are relative.
    pub(crate) root: Option<PathBuf>,
    /// The environment, where its settings call it protected.
    pub(crate) protected: Option<String>,
    /// Where the URL was read, for messages.
    pub(crate) origin: String,
    pub(crate) app: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) trusted_owner: Option<String>,
    pub(crate) search_path: Option<Vec<String>>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) wait_timeout: Option<Duration>,
    pub(crate) session_pooler: bool,
    pub(crate) ignore_foreign_history: bool,
    /// History tables of other tools that do not count.
    pub(crate) foreign_ignored: Vec<String>,
    /// The schemas that the migrations work on, besides those on the search path.
    pub(crate) schemas: Vec<String>,
    pub(crate) ignore_duplicate_history: bool,
}

impl Project {
    /// Looks for `upfront.toml` here and in the folders above.
    pub(crate) fn find(place: &ProjectArgs) -> Result<Self, Failure> {
        let here = env::current_dir().map_err(|err| {
            Failure::new(Exit::Failed, format!("cannot tell the current folder: {err}"))
        })?;
        let found = here.ancestors().find(|it| it.join(FILE).is_file());
        let variables = Variables::beside(found.unwrap_or(&here))?;
        let file = found.map(|it| File::read(it, &shown(&here, &it.join(FILE)))).transpose()?;
        let it = Self {
            place: place.clone(),
            file,
            variables,
            setup: OnceLock::new(),
            missing_tools: OnceLock::new(),
        };
        if it.place.env.is_some() {
            it.environment()?;
        }
        Ok(it)
    }

    /// All environments of `upfront.toml`.
    pub(crate) fn environment_names(&self) -> Vec<String> {
        self.file.iter().flat_map(File::environment_names).map(str::to_owned).collect()
    }

    /// The environments of `upfront.toml` but for the one that is worked on.
    pub(crate) fn other_environments(&self) -> Vec<String> {
        let own = self.environment().ok().flatten().map(|it| it.name.as_str());
        let all = self.file.iter().flat_map(File::environment_names);
        all.filter(|it| Some(*it) != own).map(str::to_owned).collect()
    }

    /// The folder of migrations.
    pub(crate) fn folder(&self) -> Result<Folder, Failure> {
        if let Some(dir) = &self.place.dir {
            return Ok(Folder { path: dir.clone(), label: dir.display().to_string() });
        }
        let dir = self.text(|it| it.dir.as_ref())?.unwrap_or_else(|| "migrations".into());
        let root = self.file.as_ref().map_or(Path::new(""), |it| it.document.root.as_path());
        Ok(Folder { path: root.join(&dir), label: dir.trim_end_matches('/').to_owned() })
    }

    /// What builds the schema that is wanted; nothing where the file has no `[desired]`.
    pub(crate) fn desired(&self) -> Result<Option<Desired>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        file.generation.desired(&file.document, &self.variables)
    }

    /// The schemas that count, where not all do.
    pub(crate) fn schemas(&self) -> Option<&[String]> {
        self.file.as_ref()?.generation.schemas.as_deref()
    }

    /// The objects that are left alone.
    pub(crate) fn exclude(&self) -> Vec<Pattern> {
        let own = self.file.iter().flat_map(|it| &it.generation.exclude).cloned();
        own.chain(self.preset().into_iter().flat_map(Preset::exclude)).collect()
    }

    /// The service whose databases scratch databases look like.
    pub(crate) fn preset(&self) -> Option<Preset> {
        self.file.as_ref()?.generation.preset
    }

    /// The files and folders of SQL that run on each scratch database before anything else.
    pub(crate) fn scratch_setup(&self) -> Result<Vec<Source>, Failure> {
        match &self.file {
            Some(file) => file.generation.setup(&file.document, &self.variables),
            None => Ok(Vec::new()),
        }
    }

    /// Adds objects to `exclude`, and returns the name of the file.
    pub(crate) fn exclude_more(&self, objects: &[&str]) -> Result<&str, Failure> {
        let file =
            self.file.as_ref().ok_or_else(|| Failure::mistake("there is no `upfront.toml`"))?;
        exclude::add(&file.document.root.join(FILE), &file.document.label, objects)?;
        Ok(&file.document.label)
    }

    /// How generated files do what takes time.
    pub(crate) fn strategy(&self) -> Strategy {
        match self.file.as_ref().and_then(|it| it.generation.online) {
            Some(false) => Strategy::Plain,
            _ => Strategy::Online,
        }
    }

    /// The major version that scratch servers have to have.
    pub(crate) fn scratch_version(&self) -> Option<u32> {
        self.file.as_ref()?.generation.version
    }

    /// The database.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let (url, origin) = self.url()?;
        Ok(Target { url, origin, ..self.settings()? })
    }

    /// All that is said of a database but for its address.
    pub(crate) fn settings(&self) -> Result<Target, Failure> {
        let layers = self.layers()?;
        let of = |it: fn(&Settings) -> Option<Duration>| layers.iter().find_map(|layer| it(layer));
        let is = |it: fn(&Settings) -> Option<bool>| layers.iter().find_map(|layer| it(layer));
        let environment = self.environment().unwrap_or_default();
        let protected = environment.filter(|it| it.protected);
        let is_in_file = environment.is_some() && self.place.url.is_none();
        let root = self.file.as_ref().filter(|_| is_in_file).map(|it| it.document.root.clone());
        Ok(Target {
            url: None,
            origin: String::new(),
            root,
            protected: protected.map(|it| it.name.clone()),
            app: self
                .place
                .app
                .clone()
                .map_or_else(|| self.text(|it| it.app.as_ref()), |it| Ok(Some(it)))?,
            schema: self
                .place
                .schema
                .clone()
                .map_or_else(|| self.text(|it| it.schema.as_ref()), |it| Ok(Some(it)))?,
            role: self.text(|it| it.role.as_ref())?,
            trusted_owner: self
                .place
                .trusted_owner
                .clone()
                .map_or_else(|| self.text(|it| it.trusted_owner.as_ref()), |it| Ok(Some(it)))?,
            search_path: layers.iter().find_map(|it| it.search_path.clone()),
            lock_timeout: of(|it| it.lock_timeout),
            statement_timeout: of(|it| it.statement_timeout),
            wait_timeout: of(|it| it.wait_timeout),
            session_pooler: is(|it| it.session_pooler).unwrap_or_default(),
            ignore_foreign_history: is(|it| it.ignore_foreign_history).unwrap_or_default(),
            foreign_ignored: self.file.iter().flat_map(|it| it.foreign_ignored.clone()).collect(),
            schemas: self.schemas().unwrap_or_default().to_vec(),
            ignore_duplicate_history: is(|it| it.ignore_duplicate_history).unwrap_or_default(),
        })
    }

    /// The URL, and where it was read.
    fn url(&self) -> Result<(Option<String>, String), Failure> {
        if let Some(url) = &self.place.url {
            return Ok((Some(url.clone()), "`--url`".into()));
        }
        if let Some((file, it)) = self.file.as_ref().zip(self.environment()?) {
            let url = it.url.as_ref().ok_or_else(|| file.no_url(it))?;
            let origin = format!("`url` of environment `{}` in {}", it.name, file.document.label);
            return Ok((Some(file.document.expand(url, &self.variables)?), origin));
        }
        match self.variables.given("DATABASE_URL")? {
            Some(it) => Ok((Some(it), "`DATABASE_URL`".into())),
            None if self.variables.names_a_database() => Ok((None, "the variables `PG…`".into())),
            None => Err(Failure::mistake("no database is named").help(
                "give `--url`, set `DATABASE_URL` or `PGHOST`, or let `upfront init` write an \
                 `upfront.toml`",
            )),
        }
    }

    /// The first layer that has this text, with its variables put in.
    fn text(&self, which: impl Fn(&Settings) -> Option<&Text>) -> Result<Option<String>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        let text = self.layers()?.into_iter().find_map(which);
        text.map(|it| file.document.expand(it, &self.variables)).transpose()
    }

    /// The settings of the environment, then those of the whole file.
    fn layers(&self) -> Result<Vec<&Settings>, Failure> {
        let Some(file) = &self.file else { return Ok(Vec::new()) };
        // A folder is there without a database too.
        let own = match self.environment() {
            Ok(it) => it,
            Err(err) if self.place.env.is_some() => return Err(err),
            Err(_) => None,
        };
        Ok(own.map(|it| &it.settings).into_iter().chain([&file.settings]).collect())
    }

    /// The environment: the one asked for; with a URL none; else `dev`, else the only one.
    fn environment(&self) -> Result<Option<&Environment>, Failure> {
        let Some(file) = &self.file else {
            return match &self.place.env {
                None => Ok(None),
                Some(name) => Err(Failure::mistake(format!("there is no environment `{name}`"))
                    .help("environments are in `upfront.toml`: `upfront init` writes it")),
            };
        };
        match (&self.place.env, &self.place.url) {
            (Some(name), _) => file.named(name).map(Some),
            (None, Some(_)) => Ok(None),
            (None, None) => file.default(),
        }
    }
}

/// A path as a person who is here would write it.
fn shown(here: &Path, path: &Path) -> String {
    let above = |up: &Path| path.strip_prefix(up).ok();
    let mut prefix = PathBuf::new();
    for up in here.ancestors() {
        match above(up) {
            Some(it) => return prefix.join(it).display().to_string(),
            None => prefix.push(".."),
        }
    }
    path.display().to_string()
}
