//! `atlas.hcl`, in upfront's terms.

use hcl_edit::{
    Span,
    expr::Expression,
    structure::{Attribute, Block, Body, Structure},
};

use super::{
    config::{
        Config, Desired, Environment, Note, has_password, image_of, shell_word, take_parameter,
    },
    exclude,
    expression::{Scope, Unknown, Value},
};

pub(super) const FILE: &str = "atlas.hcl";

/// Reads the file.
///
/// # Errors
///
/// The file is not HCL; the note has the line.
pub(super) fn read(text: &str) -> Result<Config, Note> {
    let body = hcl_edit::parser::parse_body(text).map_err(|err| {
        Note::new(FILE, err.location().line(), format!("cannot be read: {}", err.message()))
    })?;
    let mut reader = Reader {
        text,
        body: &body,
        scope: Scope::new(&body, text),
        config: Config::default(),
        is_bound: false,
    };
    reader.file();
    Ok(reader.config)
}

struct Reader<'a> {
    text: &'a str,
    body: &'a Body,
    scope: Scope<'a>,
    config: Config,
    /// Whether the URLs of the environment name a schema.
    is_bound: bool,
}

impl<'a> Reader<'a> {
    fn file(&mut self) {
        for it in self.body {
            match it {
                Structure::Block(it) => match it.ident.as_str() {
                    "env" => self.environment(it),
                    "variable" | "locals" => {}
                    "data" => self.data(it),
                    name => {
                        let text = format!("`{name}`: {}", without_counterpart(name));
                        self.note(it, text);
                    }
                },
                Structure::Attribute(it) => {
                    let text = format!("`{}` has no counterpart", it.key.as_str());
                    self.note(it, text);
                }
            }
        }
        for (name, variable) in std::mem::take(&mut self.scope.inputs) {
            let block = self.body.get_blocks("variable").find(|it| has_label(it, &name));
            let line = block.map_or(0, |it| self.line(it));
            let text = format!("variable `{name}` has no default: `${{{variable}}}` stands for it");
            self.config.notes.push(Note::new(FILE, line, text));
        }
        self.config.notes.sort_by_key(|it| it.line);
        self.config.notes.dedup();
    }

    /// Blocks of data matter where something refers to them.
    fn data(&mut self, it: &Block) {
        let kind = it.labels.first().map_or("", |it| it.as_str());
        if !["external_schema", "composite_schema", "hcl_schema"].contains(&kind) {
            self.note(it, format!("`data \"{kind}\"` has no counterpart: upfront runs no queries and asks no cloud for its settings"));
        }
    }

    fn environment(&mut self, block: &'a Block) {
        let named = block.body.get_attribute("name").and_then(|it| self.scope.text(&it.value).ok());
        let label = block.labels.first().map(|it| it.as_str().to_owned());
        let name = label.or(named).filter(|it| !it.is_empty()).unwrap_or_else(|| "dev".to_owned());
        self.scope.environment.clone_from(&name);
        let mut it = Environment { name, ..Environment::default() };
        let mut desired = Desired::default();
        let bound = self.bound_schemas(block);
        self.is_bound = !bound.is_empty();
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) => self.attribute(attribute, &mut it, &mut desired),
                Structure::Block(inner) if inner.ident.as_str() == "migration" => {
                    self.migration(inner, &mut it, &mut desired);
                }
                Structure::Block(inner) => {
                    let name = inner.ident.as_str();
                    self.note(inner, format!("`{name}`: {}", without_counterpart(name)));
                }
            }
        }
        if desired.schemas.is_empty() {
            desired.schemas = bound;
        }
        if it.url.is_none() {
            it.url = Some(format!("${{{}}}", variable_of(&it.name)));
            let text =
                format!("environment `{}` has no `url`: set {}", it.name, variable_of(&it.name));
            if block.body.get_attribute("url").is_none() {
                self.note(block, text);
            }
        }
        self.keep(block, desired);
        if self.config.dir.is_none() {
            self.config.dir = it.dir.take();
        } else if it.dir == self.config.dir {
            it.dir = None;
        }
        self.config.environments.push(it);
    }

    /// The schema that Atlas is bound to, if its URLs name one.
    fn bound_schemas(&mut self, block: &Block) -> Vec<String> {
        let urls = ["dev", "url"].into_iter().filter_map(|it| block.body.get_attribute(it));
        let urls: Vec<_> = urls.filter_map(|it| self.dev_url(&it.value)).collect();
        let path = urls.iter().find_map(|it| take_parameter(it, "search_path").1);
        path.map(|it| schemas(&it)).unwrap_or_default()
    }

    /// A URL, also of a database that a block `docker` describes.
    fn dev_url(&mut self, it: &Expression) -> Option<String> {
        let name = match self.scope.value(it).ok()? {
            Value::Text(it) => return Some(it),
            Value::Block { kind, name } if kind == "postgres" => name,
            _ => return None,
        };
        let mut blocks = self.body.get_blocks("docker");
        let block = blocks.find(|it| it.labels.get(1).is_some_and(|it| it.as_str() == name))?;
        let mut text = |key: &str| {
            let attribute = block.body.get_attribute(key)?;
            self.scope.text(&attribute.value).ok()
        };
        let image = text("image")?;
        let schema = text("schema").map(|it| format!("?search_path={it}")).unwrap_or_default();
        Some(format!("docker+postgres://_/{image}/dev{schema}"))
    }

    /// There is one desired schema: that of the first environment that has one.
    fn keep(&mut self, block: &Block, desired: Desired) {
        if !desired.has_source() && desired.schemas.is_empty() && desired.exclude.is_empty() {
            return;
        }
        match self.config.desired == Desired::default() {
            true => self.config.desired = desired,
            false if self.config.desired == desired => {}
            false => self.note(
                block,
                "its `src`, `schemas` or `exclude` differ from those of the first environment, which \
                 `[desired]` has",
            ),
        }
    }

    fn attribute(&mut self, it: &'a Attribute, to: &mut Environment, desired: &mut Desired) {
        match it.key.as_str() {
            "name" => {}
            "url" => self.url(it, to),
            "dev" => self.dev(it),
            "src" => {
                if let Err(why) = self.source(it, &it.value, desired) {
                    self.note(it, format!("`src` is not translated: {why}"));
                }
            }
            "schemas" => match self.scope.texts(&it.value) {
                Ok(all) => desired.schemas = all,
                Err(why) => self.note(it, format!("`schemas` is not translated: {why}")),
            },
            "exclude" => self.exclude(it, desired),
            "for_each" => self.note(
                it,
                "`for_each`: upfront migrates one database a run; call it once for each tenant",
            ),
            name => self.note(it, format!("`{name}` has no counterpart")),
        }
    }

    fn url(&mut self, it: &Attribute, to: &mut Environment) {
        let variable = variable_of(&to.name);
        let found = self.scope.text(&it.value).and_then(|url| match url.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(url),
            Some((scheme, _)) if !scheme.contains('$') => {
                Err(format!("`{scheme}` is not PostgreSQL"))
            }
            _ => Ok(url),
        });
        match found {
            Ok(url) if has_password(&url) => {
                self.note(
                    it,
                    format!("its password is not copied: set {variable} to the URL, in `.env` or in the environment"),
                );
                to.url = Some(format!("${{{variable}}}"));
            }
            Ok(url) => {
                let (url, path) = take_parameter(&url, "search_path");
                to.search_path = path.map(|it| schemas(&it)).unwrap_or_default();
                to.url = Some(url);
            }
            Err(why) => {
                self.note(it, format!("`url` is not translated ({why}): set {variable}"));
                to.url = Some(format!("${{{variable}}}"));
            }
        }
    }

    /// The database on which Atlas compares, and its version.
    fn dev(&mut self, it: &Attribute) {
        match self.dev_url(&it.value).as_deref().and_then(image_of) {
            Some((image, version)) => {
                self.config.version = self.config.version.or(version);
                if !["postgres", "library/postgres"].contains(&image.as_str()) {
                    self.note(it, format!("the image `{image}` may have extensions that a scratch server of upfront lacks: then set UPFRONT_SCRATCH_URL to a server that has them"));
                }
            }
            None => self.note(it, OWN_SERVER),
        }
    }

    fn source(
        &mut self,
        at: &Attribute,
        it: &Expression,
        desired: &mut Desired,
    ) -> Result<(), Unknown> {
        match self.scope.value(it)? {
            Value::List(all) => all.into_iter().try_for_each(|it| self.take(at, it, desired)),
            one => self.take(at, one, desired),
        }
    }

    fn take(&mut self, at: &Attribute, it: Value, desired: &mut Desired) -> Result<(), Unknown> {
        match it {
            Value::Text(url) => self.file_source(at, &url, desired),
            Value::Block { kind, name } => self.block_source(at, &kind, &name, desired),
            _ => Err("it is not a text".to_owned()),
        }
    }

    fn file_source(
        &mut self,
        at: &Attribute,
        url: &str,
        desired: &mut Desired,
    ) -> Result<(), Unknown> {
        let Some(path) = url.strip_prefix("file://") else {
            let scheme = url.split("://").next().unwrap_or_default();
            return Err(match scheme {
                "ent" => "`ent://` is known only to Atlas: let a program print the schema as SQL, \
                          and set `[desired] command`"
                    .to_owned(),
                _ => format!("`{scheme}://` is not a file"),
            });
        };
        let path = path.split('?').next().unwrap_or_default();
        if path.rsplit('.').next().is_some_and(|it| it.eq_ignore_ascii_case("hcl")) {
            self.note(at, format!("`{path}` is HCL: write it as SQL once, with `atlas schema inspect --url file://{path} --dev-url … --format '{{{{ sql . }}}}' > schema.sql`, and set `[desired] sql`"));
            return Ok(());
        }
        desired.sql.push(path.trim_start_matches("./").to_owned());
        Ok(())
    }

    fn block_source(
        &mut self,
        at: &Attribute,
        kind: &str,
        name: &str,
        desired: &mut Desired,
    ) -> Result<(), Unknown> {
        let block = self.body.get_blocks("data").find(|it| {
            has_label(it, kind) && it.labels.get(1).is_some_and(|it| it.as_str() == name)
        });
        let Some(block) = block else { return Err(format!("there is no `data.{kind}.{name}`")) };
        match kind {
            "external_schema" => {
                let command = self.program(block)?;
                if has_password(&command) {
                    return Err("the program's arguments hold a password".to_owned());
                }
                desired.commands.push(command);
                Ok(())
            }
            "composite_schema" => block.body.get_blocks("schema").try_for_each(|it| {
                match it.body.get_attribute("url") {
                    Some(url) => self.source(at, &url.value, desired),
                    None => Ok(()),
                }
            }),
            "hcl_schema" => {
                let path = block.body.get_attribute("path");
                let path = path.and_then(|it| self.scope.text(&it.value).ok());
                let path = path.unwrap_or_else(|| "schema.hcl".to_owned());
                self.file_source(at, &format!("file://{path}"), desired)
            }
            _ => Err(format!("`data.{kind}` is known only to Atlas")),
        }
    }

    /// The command line of an `external_schema`.
    fn program(&mut self, block: &Block) -> Result<String, Unknown> {
        let program = block.body.get_attribute("program").ok_or("it has no `program`")?;
        let words = self.scope.texts(&program.value)?;
        let command = words.iter().map(|it| shell_word(it)).collect::<Vec<_>>().join(" ");
        match block.body.get_attribute("working_dir") {
            Some(it) => Ok(format!("cd {} && {command}", shell_word(&self.scope.text(&it.value)?))),
            None => Ok(command),
        }
    }

    fn migration(&mut self, block: &'a Block, to: &mut Environment, desired: &mut Desired) {
        for it in &block.body {
            let Structure::Attribute(it) = it else {
                let name = it.as_block().map_or("", |it| it.ident.as_str());
                let text = format!("`migration.{name}`: {}", without_counterpart(name));
                self.note(it, text);
                continue;
            };
            match it.key.as_str() {
                "dir" => self.dir(it, to),
                "format" => self.format(it),
                "exclude" => self.exclude(it, desired),
                "lock_timeout" => match self.scope.text(&it.value) {
                    Ok(limit) if limit.parse::<jiff::SignedDuration>().is_ok() => {
                        to.wait_timeout = Some(limit);
                    }
                    Ok(_) => self.note(it, "`lock_timeout` is not translated: set `wait_timeout`"),
                    Err(why) => self.note(it, format!("`lock_timeout` is not translated: {why}")),
                },
                "revisions_schema" => {
                    if let Ok(schema) = self.scope.text(&it.value) {
                        self.note(it, format!("Atlas's history is in schema `{schema}`: `upfront adopt --table {schema}.atlas_schema_revisions`, if there are several"));
                    }
                }
                "exec_order" => self.note(it, "`exec_order`: upfront applies in the order of versions, and refuses a file below the newest applied one"),
                "baseline" => self.note(it, "`baseline`: mark a database that was made by hand with `upfront baseline VERSION`"),
                name => self.note(it, format!("`migration.{name}` has no counterpart")),
            }
        }
    }

    fn dir(&mut self, it: &Attribute, to: &mut Environment) {
        match self.scope.text(&it.value) {
            Ok(url) => match url.split_once("://") {
                None | Some(("file", _)) => {
                    let path = url.strip_prefix("file://").unwrap_or(&url);
                    let (path, format) = take_parameter(path, "format");
                    if format.as_deref().is_some_and(|it| it != "atlas") {
                        self.note(it, OTHER_FORMAT);
                    }
                    to.dir = Some(path.trim_start_matches("./").trim_end_matches('/').to_owned());
                }
                Some((scheme, _)) => self.note(it, format!("`dir` is not translated: `{scheme}://` is not a folder; pull it with Atlas once")),
            },
            Err(why) => self.note(it, format!("`dir` is not translated: {why}")),
        }
    }

    fn format(&mut self, it: &Attribute) {
        if !self.scope.text(&it.value).is_ok_and(|it| it == "atlas") {
            self.note(it, OTHER_FORMAT);
        }
    }

    fn exclude(&mut self, it: &Attribute, desired: &mut Desired) {
        match self.scope.texts(&it.value) {
            Ok(all) => {
                let is_bound = self.is_bound;
                for pattern in all {
                    match exclude::translated(&pattern, is_bound) {
                        Some(found) => desired.exclude.extend(found),
                        None => self.note(it, format!("`exclude` of `{pattern}` is not translated: upfront excludes by kind and name, such as `table legacy.*`")),
                    }
                }
            }
            Err(why) => self.note(it, format!("`exclude` is not translated: {why}")),
        }
    }

    fn note(&mut self, at: &impl Span, text: impl Into<String>) {
        let line = self.line(at);
        self.config.notes.push(Note::new(FILE, line, text));
    }

    fn line(&self, at: &impl Span) -> usize {
        let start = at.span().map_or(0, |it| it.start);
        self.text[..start].matches('\n').count() + 1
    }
}

const OWN_SERVER: &str = "`dev` is not needed: upfront starts a scratch server of its own; \
                          UPFRONT_SCRATCH_URL names another one";

const OTHER_FORMAT: &str = "the directory is not in Atlas's format: upfront reads up scripts beside \
                            a folder `down/`";

/// What to say of a block that upfront has not.
fn without_counterpart(name: &str) -> &'static str {
    match name {
        "format" | "log" => "upfront prints text or, with `--format json`, JSON",
        "lint" => {
            "no counterpart to configure: builds and `gen` warn, and `upfront verify` replays"
        }
        "diff" => "`gen` asks before it drops; `[gen] online` chooses how indexes are built",
        "atlas" | "cloud" | "repo" => "upfront has no cloud",
        "docker" => {
            "upfront starts a scratch server of its own; SQL of `baseline` belongs into a file that \
             `[scratch] setup` names"
        }
        _ => "no counterpart",
    }
}

/// The variable that holds the URL of an environment.
fn variable_of(environment: &str) -> String {
    let name: String = environment
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_uppercase() } else { '_' })
        .collect();
    match name.as_str() {
        "DEV" | "LOCAL" | "DEFAULT" => "DATABASE_URL".to_owned(),
        name => format!("{name}_DATABASE_URL"),
    }
}

fn has_label(it: &Block, label: &str) -> bool {
    it.labels.first().is_some_and(|it| it.as_str() == label)
}

/// The schemas of a search path in a URL.
fn schemas(path: &str) -> Vec<String> {
    let path = path.replace("%2C", ",").replace("%20", " ");
    path.split(',')
        .map(|it| it.trim().trim_matches('"').to_owned())
        .filter(|it| !it.is_empty())
        .collect()
}
