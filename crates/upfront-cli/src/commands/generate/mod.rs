//! `gen`

mod ask;
mod consent;
mod decisions;
mod downs;
mod goal;
mod prove;
mod summary;
mod text;

pub(crate) use decisions::Told;
pub(crate) use summary::name as object_name;

use std::sync::Arc;

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::Directory;
use upfront_schema::{Change, Identity, Question, UpDown};
use upfront_scratch::{Database, Server};

use crate::{
    commands::new,
    config::{Project, folder::Folder},
    output::{
        differences::{self, Ends},
        failure::{Failure, Note},
        progress::{self, Stage},
    },
    scratch::{self, desired::Parts, replay::Bench, row_test::Values, setup},
};
use consent::Removals;
use goal::Goal;
use prove::Work;
use text::File;

/// Options of `gen`.
///
/// The migrations are applied to a scratch server, and what `[desired]` in `upfront.toml` names
/// builds the schema that is wanted beside it. The files for the difference are written after they
/// have been seen to work, up, down and up again.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Arguments {
    /// What the migration does, such as `add_users`
    #[arg(required_unless_present_any = ["down", "check"])]
    name: Option<String>,
    /// Write the missing down sides of the migrations that there are
    #[arg(long, conflicts_with_all = ["name", "check", "empty", "allow", "not_breaking"])]
    down: bool,
    /// Write nothing; exit code 3 where the migrations do not make the schema that is wanted
    #[arg(long, conflicts_with_all = ["dry_run", "empty"])]
    check: bool,
    /// Print the files, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write both sides without a statement, to be filled by hand
    #[arg(long, conflicts_with_all = ["dry_run"])]
    empty: bool,
    /// Accept what the up side does
    #[arg(long, value_name = "WHAT")]
    allow: Vec<Allowed>,
    /// Do not mark the migration as one that older programs cannot work with
    #[arg(long)]
    not_breaking: bool,
    #[command(flatten)]
    answers: Told,
    #[command(flatten)]
    removals: Removals,
}

/// What an up side may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Allowed {
    /// Drop what the desired schema lacks, and take away protection
    Drop,
    /// Lose rows or values
    DataLoss,
    /// Fail for certain where a table has rows
    MayFail,
    /// Fail with made-up rows, and so be tried on empty tables alone
    StructureOnly,
}

#[derive(Serialize)]
struct Unneeded {
    written: [String; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Checked {
    differences: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Generated {
    written: Vec<String>,
    files: Vec<File>,
    summary: Vec<summary::Line>,
    proofs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Vec<String>>,
    /// What the desired schema lacks and nothing allows to drop.
    kept: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        match &self.name {
            Some(name) if self.empty => {
                new::Arguments::named(name).run(project, output)?;
                Ok(Exit::Done)
            }
            _ if self.down => downs::run(project, output, self.dry_run),
            name => self.generate(name.as_deref().unwrap_or("check"), project, output),
        }
    }

    fn generate(&self, name: &str, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let name = new::name(name)?;
        let folder = project.folder()?;
        let directory = read(&folder, output)?;
        let stage = Stage::on_terminal(output, "starting a scratch server");
        let server = scratch::start(project, None)?;
        drop(stage);
        setup::note_skipped(project, &server, &directory, output)?;
        let directory = setup::replayable(project, &server, directory)?;
        let before = self::before(project, &server, &directory, output)?;
        let parts = Parts::gather(project, &server, output)?;
        let goal = self.goal(project, &parts, &before, output)?;
        let (wanted, left) = (&goal.wanted.database, goal.wanted.left());
        let scope = scratch::scope_of_both(project, &[&before, wanted])?;
        scratch::warn_of_rows(project, wanted, output)?;
        let change = Change::between(&before, wanted, &scope, &goal.answers);
        let change =
            change.map_err(|err| scratch::of_schema(&err))?.with_strategy(project.strategy());
        if change.is_empty() {
            note_left(left.as_deref(), output);
            goal.refuse_if_kept()?;
            let text = format!("nothing to do: `{}` makes the schema that is wanted", folder.label);
            output.result(&Unneeded { written: [], left }, || text);
            return Ok(Exit::Done);
        }
        if self.check {
            note_left(left.as_deref(), output);
            return Ok(different(&change, &folder, left, output));
        }
        let stage = Stage::on_terminal(output, "comparing the schemas");
        let sides = self.agreed(&change, &goal)?;
        drop(stage);
        note_left(left.as_deref(), output);
        goal.warn_of_kept(output);
        let kept = goal.kept.clone();
        let (folder, before, scope) = (&folder, &before, &scope);
        let (directory, summary) = (&directory, summary::summary(&sides));
        let work = Work { project, folder, directory, before, wanted, scope, left, kept, summary };
        let files = self.files(&name, directory, &sides)?;
        let values = match change.gives_values() {
            true => Values::MayChange,
            false => Values::Stay,
        };
        work.finish(self, files, values, output)
    }

    /// The sides, if nothing is left to be said.
    fn agreed(&self, change: &Change<'_>, goal: &Goal<'_>) -> Result<Vec<UpDown>, Failure> {
        let questions = change.questions().map_err(|err| scratch::of_schema(&err))?;
        let may_fail = self.allow.contains(&Allowed::MayFail);
        let open = questions.iter().filter(|it| !(may_fail && matches!(it, Question::Fill(_))));
        let notes: Vec<_> = open.map(asked).collect();
        if !notes.is_empty() {
            return Err(Failure::of(Exit::Refused, notes));
        }
        if let Some(it) = goal.wanted.stuck() {
            return Err(it);
        }
        let sides = change.sides().map_err(|err| scratch::of_schema(&err))?;
        let mut lost: Vec<_> = sides.iter().flat_map(|it| it.up.losses()).collect();
        lost.retain(|it| !goal.agreed_losses.contains(it));
        match lost.is_empty() || self.allow.contains(&Allowed::DataLoss) {
            true => Ok(sides),
            false => Err(lossy(&lost)),
        }
    }

    fn files(
        &self,
        name: &str,
        directory: &Directory,
        sides: &[UpDown],
    ) -> Result<Vec<File>, Failure> {
        let mut version = new::version(directory)?;
        let mut files = Vec::new();
        for (it, place) in sides.iter().zip(1..) {
            let name = if place == 1 { name.to_owned() } else { format!("{name}_{place}") };
            let is_breaking = it.is_breaking && !self.not_breaking;
            let mark = is_breaking.then_some("upfront:breaking");
            files.push(text::file(&version, &name, it, mark));
            version = new::after(&version).ok_or_else(|| {
                Failure::mistake(format!("cannot tell which version comes after `{version}`"))
            })?;
        }
        Ok(files)
    }
}

/// The folder, which need not be there yet.
pub(crate) fn read(folder: &Folder, output: &Output) -> Result<Directory, Failure> {
    match folder.path.exists() {
        true => folder.read_warned(output),
        false => Directory::from_files(&folder.label, []).map_err(|it| folder.mistakes(&it)),
    }
}

/// The same, with progress.
fn before<'s>(
    project: &Project,
    server: &'s Server,
    directory: &Directory,
    output: &Output,
) -> Result<Database<'s>, Failure> {
    let Some(last) = directory.migrations().last() else {
        return replayed(project, server, directory);
    };
    let many = progress::count(directory.migrations().len(), "migration");
    let stage = Stage::begin(output, &format!("replaying {many}"));
    let bench = Bench::new(project, server, directory)?.watched(Arc::new(stage));
    bench.up_to(&last.version)?;
    Ok(bench.database)
}

/// A database with all migrations.
pub(crate) fn replayed<'s>(
    project: &Project,
    server: &'s Server,
    directory: &Directory,
) -> Result<Database<'s>, Failure> {
    let bench = Bench::new(project, server, directory)?;
    if let Some(it) = directory.migrations().last() {
        bench.up_to(&it.version)?;
    }
    Ok(bench.database)
}

/// What stays as the migrations have it.
fn note_left(left: Option<&[String]>, output: &Output) {
    let lines = left.filter(|it| !it.is_empty() && !output.is_json());
    if let Some(lines) = lines {
        output.note(&format!(
            "kept, because `[desired]` does not manage it:\n  {}",
            lines.join("\n  ")
        ));
    }
}

fn different(
    change: &Change<'_>,
    folder: &Folder,
    left: Option<Vec<String>>,
    output: &Output,
) -> Exit {
    let ends = Ends { first: "the migrations", second: "the desired schema" };
    let mut differences: Vec<_> = change.renamed().collect();
    differences.extend(differences::words(&change.differences(), &ends));
    let checked = Checked { differences, left };
    output.result(&checked, || {
        let title = format!("`{}` does not make the schema that is wanted:", folder.label);
        [vec![title], checked.differences.clone()].concat().join("\n  ")
    });
    Exit::Pending
}

fn asked(question: &Question) -> Note {
    match question {
        Question::Rename(old, new) => {
            let to = own_name(new);
            let [yes, no] = [("rename", format!("{}={to}", path(old))), ("no-rename", path(old))]
                .map(|(name, value)| option(name, &value));
            Note::new(format!("is {new} the same as {old}, under another name?"))
                .help(format!(
                    "if it is, and its rows stay: `{yes}`, or `-- renamed from: {}` before it",
                    own_name(old)
                ))
                .help(format!("if it is not: `{no}`"))
        }
        Question::Fill(column) => {
            let fill = option("fill", &format!("{}=EXPRESSION", path(column)));
            Note::new(format!("{column} is NOT NULL, and rows that are there have no value for it"))
                .help(format!("say what they get: `{fill}`"))
                .help("or in the schema: `-- fill: EXPRESSION` before it, `#[col(fill = \"…\")]` in a model")
                .help(
                    "or give it a default, or `--allow may-fail` if the table has no rows anywhere",
                )
        }
    }
}

/// Its own name, quoted as in SQL.
fn own_name(of: &Identity) -> String {
    path(&Identity { names: of.names.last().cloned().into_iter().collect(), ..of.clone() })
}

/// The names, quoted as in SQL.
fn path(of: &Identity) -> String {
    let text = of.to_string();
    text.strip_prefix(of.kind).unwrap_or(&text).trim_start().to_owned()
}

/// An option as a shell takes it.
fn option(name: &str, value: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "_.=-".contains(it);
    match value.chars().all(is_plain) {
        true => format!("--{name} {value}"),
        false => format!("--{name} '{}'", value.replace('\'', "'\\''")),
    }
}

fn lossy(lost: &[String]) -> Failure {
    let failure = Failure::new(Exit::DataLoss, "the migration would lose data");
    let failure = lost.iter().fold(failure, |failure, it| failure.more(it.as_str()));
    failure.help("`--allow data-loss` writes it all the same")
}

fn told(it: &Generated, folder: &Folder) -> String {
    let mut lines: Vec<_> = it.written.iter().map(|it| format!("wrote {it}")).collect();
    if it.written.is_empty() {
        lines.extend(it.files.iter().map(|it| it.shown(&folder.label)));
    }
    lines.extend(it.summary.iter().map(summary::Line::text));
    lines.push("proven: up, down and up again".to_owned());
    lines.extend(it.proofs.iter().map(|it| format!("  {it}")));
    lines.join("\n")
}
