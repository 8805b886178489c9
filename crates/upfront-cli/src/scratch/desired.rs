//! The schema that is wanted, built on a scratch server by what `[desired]` names.

use std::{
    path::Path,
    process::{Command, Output as Outcome, Stdio},
};

use upfront::cli::{Exit, Output};
use upfront_schema::{
    Annotations, ConsentPolicy, Decisions, DesiredSource, Identity, Manages, ModelSchema, Unmanaged,
};
use upfront_scratch::{Database, Server};

use crate::{
    config::{Desired, Project, sql_files::texts},
    output::{differences::object_name, failure::Failure, progress::Stage},
    scratch::{self, cargo, scope},
};

/// What it is built of.
pub(crate) struct DesiredSources<'s> {
    texts: Vec<(String, String)>,
    /// What a command has built.
    base: Database<'s>,
    manages: Manages,
    /// Which removals need consent.
    pub(crate) policy: ConsentPolicy,
}

/// The schema, built.
pub(crate) struct BuiltSchema<'s> {
    pub(crate) database: Database<'s>,
    /// What is not managed, which stays as it is; nothing where all is managed.
    pub(crate) left: Option<Vec<Unmanaged>>,
    /// What cannot stay, and what the server says about it.
    pub(crate) stuck: Vec<(Identity, String)>,
}

impl<'s> DesiredSources<'s> {
    /// Reads files, and runs what prints SQL.
    pub(crate) fn gather(
        project: &Project,
        server: &'s Server,
        output: &Output,
    ) -> Result<Self, Failure> {
        let desired = project.desired()?.ok_or_else(|| {
            Failure::mistake("nothing says which schema is wanted")
                .help("add `[desired]` with `sql = [\"schema.sql\"]` to `upfront.toml`")
        })?;
        let (base, policy) = (scratch::database(server)?, desired.policy());
        let mut texts = files(&desired)?;
        if let Some(command) = &desired.command {
            let stage = Stage::begin(output, &format!("running `{command}`"));
            let printed = run(command, &desired.root, &base)?;
            drop(stage);
            if printed.trim().is_empty() && is_empty(project, &base)? {
                return Err(nothing_printed(command));
            }
            texts.push((format!("output of `{command}`"), printed));
        }
        if let Some(models) = &desired.models {
            let printed = cargo::printed(models, &desired.root, output)?;
            texts.push((cargo::LABEL.to_owned(), printed));
        }
        scratch::warn_of_names(&texts, output);
        Ok(Self { texts, base, manages: desired.manages, policy })
    }

    /// What the SQL says in comments.
    pub(crate) fn annotated(&self) -> Result<Annotations, Failure> {
        Annotations::read(&self.texts).map_err(Failure::from)
    }

    /// Builds the schema, with what is known of renames and of what stays.
    pub(crate) fn build(
        &self,
        project: &Project,
        before: &Database<'_>,
        answers: &Decisions,
    ) -> Result<BuiltSchema<'s>, Failure> {
        if self.manages.is_everything() && answers.kept.is_empty() {
            return self.complete(project);
        }
        let scope = scope::scope(project, &[before])?;
        let origin = DesiredSource { base: &self.base, texts: &self.texts, manages: &self.manages };
        let built = ModelSchema::build(origin, before, &scope, answers);
        let it = built?;
        let left = (!self.manages.is_everything()).then_some(it.left);
        Ok(BuiltSchema { database: it.database, left, stuck: it.stuck })
    }

    /// Where nothing but the sources counts.
    fn complete(&self, project: &Project) -> Result<BuiltSchema<'s>, Failure> {
        let database = scratch::copy(&self.base)?;
        let scope = scope::scope(project, &[])?;
        upfront_schema::load_within(&database, self.texts.clone(), &scope)?;
        Ok(BuiltSchema { database, left: None, stuck: Vec::new() })
    }
}

impl BuiltSchema<'_> {
    /// What stays as it is, a line for each kind.
    pub(crate) fn left(&self) -> Option<Vec<String>> {
        let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
        for it in self.left.as_ref()? {
            let name = object_name(&it.id);
            match lines.iter_mut().find(|(kind, _)| *kind == it.kind) {
                Some((_, names)) => names.push(name),
                None => lines.push((it.kind, vec![name])),
            }
        }
        let line = |(kind, names): (&str, Vec<String>)| format!("{kind}: {}", names.join(", "));
        Some(lines.into_iter().map(line).collect())
    }

    /// The objects that can neither stay nor go.
    pub(crate) fn stuck(&self) -> Option<Failure> {
        let one = |(id, why): &(Identity, String)| {
            Failure::new(
                Exit::Refused,
                format!("{id} is kept, and does not fit the desired schema: {why}"),
            )
            .help("change or drop it in a migration of its own: `upfront new NAME`")
            .help("or add it to the desired schema: `sql` in `[desired]`")
        };
        Failure::all(self.stuck.iter().map(one).collect())
    }
}

fn nothing_printed(command: &str) -> Failure {
    Failure::mistake("the command of `[desired]` printed nothing")
        .more(shown(command))
        .help("let it print the SQL of the schema, or build the schema at `$UPFRONT_SCRATCH_URL`")
}

/// What the command has built; it may have its own tables of history.
fn is_empty(project: &Project, database: &Database<'_>) -> Result<bool, Failure> {
    let empty = scratch::database(database.server())?;
    let scope = scope::scope(project, &[database])?;
    let differences = upfront_schema::compare(&empty, database, &scope);
    Ok(differences?.is_empty())
}

/// The texts of all files, in the order of their names.
fn files(desired: &Desired) -> Result<Vec<(String, String)>, Failure> {
    let mut texts = Vec::new();
    for it in &desired.sql {
        texts.extend(self::texts(&it.path, &it.label)?);
    }
    Ok(texts)
}

/// Runs the command of a shell; what it prints.
fn run(command: &str, root: &Path, database: &Database<'_>) -> Result<String, Failure> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let outcome = Command::new("sh")
        .args(["-c", command])
        .current_dir(root)
        .env("UPFRONT_SCRATCH_URL", database.url())
        .stdin(Stdio::null())
        .output();
    let outcome =
        outcome.map_err(|err| Failure::new(Exit::Failed, format!("cannot run a shell: {err}")))?;
    if !outcome.status.success() {
        return Err(failed(command, &outcome));
    }
    String::from_utf8(outcome.stdout).map_err(|_| {
        Failure::mistake("the command of `[desired]` prints no UTF-8").more(shown(command))
    })
}

fn failed(command: &str, outcome: &Outcome) -> Failure {
    const LINES: usize = 20;
    let text = String::from_utf8_lossy(&outcome.stderr);
    let lines: Vec<_> = text.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let failure =
        Failure::mistake(format!("the command of `[desired]` failed: {}", outcome.status));
    last.iter().fold(failure.more(shown(command)), |it, line| it.more(*line))
}

fn shown(command: &str) -> String {
    format!("command: {command}")
}
