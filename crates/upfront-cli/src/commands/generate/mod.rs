//! `gen`

mod consent;
mod decisions;
mod desired_schema;
mod down_scripts;
mod options;
mod prompt;
mod prove;
mod questions;
mod report;
mod summary;
mod text;

use std::sync::Arc;

use desired_schema::DesiredSchema;
use options::Allowed;
use prove::ProvenChange;
use questions::asked;
use serde::Serialize;
use text::File;
use upfront::cli::{Exit, Output};
use upfront_directory::Directory;
use upfront_schema::{Change, Question, UpDown};
use upfront_scratch::{Database, Server};

use crate::{
    commands::new,
    config::{Project, folder::Folder},
    output::{
        differences::{self, Ends},
        failure::Failure,
        progress::{self, Stage},
    },
    scratch::{
        self,
        desired::DesiredSources,
        replay::{ReplayDatabase, replayed},
        row_test::Values,
        scope, server, setup,
    },
};

pub(crate) use decisions::DecisionArgs;
pub(crate) use options::Arguments;

#[derive(Serialize)]
struct NothingToDo {
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

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        match &self.name {
            Some(name) if self.empty => {
                new::Arguments::named(name).run(project, output)?;
                Ok(Exit::Done)
            }
            _ if self.down => down_scripts::run(project, output, self.dry_run),
            name => self.generate(name.as_deref().unwrap_or("check"), project, output),
        }
    }

    fn generate(&self, name: &str, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let name = new::name(name)?;
        let folder = project.folder()?;
        let directory = read(&folder, output)?;
        let stage = Stage::on_terminal(output, "starting a scratch server");
        let server = server::start(project, None)?;
        drop(stage);
        setup::note_skipped(project, &server, &directory, output)?;
        let directory = setup::replayable(project, &server, directory)?;
        let before = self::before(project, &server, &directory, output)?;
        let parts = DesiredSources::gather(project, &server, output)?;
        let goal = self.goal(project, &parts, &before, output)?;
        let (wanted, left) = (&goal.wanted.database, goal.wanted.left());
        let scope = scope::scope_of_both(project, &[&before, wanted])?;
        scratch::warn_of_rows(project, wanted, output)?;
        let change = Change::between(&before, wanted, &scope, &goal.answers);
        let change = change?.with_strategy(project.strategy());
        if change.is_empty() {
            note_left(left.as_deref(), output);
            goal.refuse_if_kept()?;
            let text = format!("nothing to do: `{}` makes the schema that is wanted", folder.label);
            output.result(&NothingToDo { written: [], left }, || text);
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
        let work =
            ProvenChange { project, folder, directory, before, wanted, scope, left, kept, summary };
        let files = self.files(&name, directory, &sides)?;
        let values = match change.gives_values() {
            true => Values::MayChange,
            false => Values::Stay,
        };
        work.finish(self, files, values, output)
    }

    /// The sides, if nothing is left to be said.
    fn agreed(
        &self,
        change: &Change<'_>,
        goal: &DesiredSchema<'_>,
    ) -> Result<Vec<UpDown>, Failure> {
        let questions = change.questions()?;
        let may_fail = self.allow.contains(&Allowed::MayFail);
        let open = questions.iter().filter(|it| !(may_fail && matches!(it, Question::Fill(_))));
        let notes: Vec<_> = open.map(asked).collect();
        if !notes.is_empty() {
            return Err(Failure::of(Exit::Refused, notes));
        }
        if let Some(it) = goal.wanted.stuck() {
            return Err(it);
        }
        let sides = change.sides()?;
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
    let replay_database = ReplayDatabase::new(project, server, directory)?.watched(Arc::new(stage));
    replay_database.up_to(&last.version)?;
    Ok(replay_database.database)
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

fn lossy(lost: &[String]) -> Failure {
    let failure = Failure::new(Exit::DataLoss, "the migration would lose data");
    let failure = lost.iter().fold(failure, |failure, it| failure.more(it.as_str()));
    failure.help("`--allow data-loss` writes it all the same")
}
