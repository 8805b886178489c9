//! `gen`

mod answers;
mod ask;
mod downs;
mod in_a_row;
mod text;
pub(crate) mod with_rows;

pub(crate) use answers::Told;

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Migration};
use upfront_schema::{Answers, Bodies, Change, Identity, Question, Scope, Sides};
use upfront_scratch::{Database, Server};

use crate::{
    desired::{Parts, Wanted},
    differences::{self, Ends},
    directory::Folder,
    failure::{Failure, Note},
    new,
    project::Project,
    proof::{Again, Bench, title},
    scratch, setup,
    staging::Staging,
};
use ask::Chosen;
use text::File;
use with_rows::Values;

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
}

/// What an up side may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Allowed {
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
    proofs: Vec<String>,
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
            _ if self.down => downs::run(project, output, self.dry_run),
            name => self.generate(name.as_deref().unwrap_or("check"), project, output),
        }
    }

    fn generate(&self, name: &str, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let name = new::name(name)?;
        let folder = project.folder()?;
        let directory = read(&folder, output)?;
        let server = scratch::start(project, None)?;
        setup::note_skipped(project, &server, &directory, output)?;
        let directory = setup::replayable(project, &server, directory)?;
        let before = replayed(project, &server, &directory)?;
        let parts = Parts::gather(project, &server, output)?;
        let (goal, answers) = self.goal(project, &parts, &before, output)?;
        let (wanted, left) = (&goal.database, goal.left());
        let scope = scratch::scope_of_both(project, &[&before, wanted])?;
        scratch::warn_of_rows(project, wanted, output)?;
        let change = Change::between(&before, wanted, &scope, &answers);
        let change = change.map_err(|err| scratch::of_schema(&err))?.with_forms(project.forms());
        if change.is_empty() {
            note_left(left.as_deref(), output);
            let text = format!("nothing to do: `{}` makes the schema that is wanted", folder.label);
            output.result(&Unneeded { written: [], left }, || text);
            return Ok(Exit::Done);
        }
        if self.check {
            note_left(left.as_deref(), output);
            return Ok(different(&change, &folder, left, output));
        }
        let sides = self.agreed(&change, &goal)?;
        note_left(left.as_deref(), output);
        let work = Work { project, folder: &folder, before: &before, wanted, scope: &scope, left };
        let files = self.files(&name, &directory, &sides)?;
        let values = match change.gives_values() {
            true => Values::MayChange,
            false => Values::Stay,
        };
        work.finish(self, files, values, output)
    }

    /// The schema that is wanted, and what is said by options, by annotations and on a terminal.
    fn goal<'s>(
        &self,
        project: &Project,
        parts: &Parts<'s>,
        before: &Database<'_>,
        output: &Output,
    ) -> Result<(Wanted<'s>, Answers), Failure> {
        let mut answers = self.answers.read();
        answers.annotated = parts.annotated()?;
        let mut chosen = Chosen::default();
        loop {
            let wanted = parts.build(project, before, &answers)?;
            let more = match self.check || !ask::is_possible(output) {
                true => Chosen::default(),
                false => self.asked(project, [before, &wanted.database], &answers)?,
            };
            if more.is_empty() {
                if !chosen.is_empty() {
                    output.note(&chosen.told());
                }
                return Ok((wanted, answers));
            }
            more.add_to(&mut answers)?;
            chosen.extend(more);
        }
    }

    fn asked(
        &self,
        project: &Project,
        [before, wanted]: [&Database<'_>; 2],
        answers: &Answers,
    ) -> Result<Chosen, Failure> {
        let scope = scratch::scope(project, &[before, wanted])?;
        let change = Change::between(before, wanted, &scope, answers);
        ask::all(&change.map_err(|err| scratch::of_schema(&err))?, &self.allow)
    }

    /// The sides, if nothing is left to be said.
    fn agreed(&self, change: &Change<'_>, goal: &Wanted<'_>) -> Result<Vec<Sides>, Failure> {
        let questions = change.questions().map_err(|err| scratch::of_schema(&err))?;
        let may_fail = self.allow.contains(&Allowed::MayFail);
        let open = questions.iter().filter(|it| !(may_fail && matches!(it, Question::Fill(_))));
        let notes: Vec<_> = open.map(asked).collect();
        if !notes.is_empty() {
            return Err(Failure::of(Exit::Refused, notes));
        }
        if let Some(it) = goal.stuck() {
            return Err(it);
        }
        let sides = change.sides().map_err(|err| scratch::of_schema(&err))?;
        let lost: Vec<_> = sides.iter().flat_map(|it| it.up.losses()).collect();
        match lost.is_empty() || self.allow.contains(&Allowed::DataLoss) {
            true => Ok(sides),
            false => Err(lossy(&lost)),
        }
    }

    fn files(
        &self,
        name: &str,
        directory: &Directory,
        sides: &[Sides],
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

/// What is known once it is clear what the files are.
struct Work<'a> {
    project: &'a Project,
    folder: &'a Folder,
    before: &'a Database<'a>,
    wanted: &'a Database<'a>,
    scope: &'a Scope,
    /// What stays as it is, where models say everything.
    left: Option<Vec<String>>,
}

impl Work<'_> {
    /// Proves the files, and writes or prints them.
    fn finish(
        self,
        arguments: &Arguments,
        mut files: Vec<File>,
        values: Values,
        output: &Output,
    ) -> Result<Exit, Failure> {
        let staging = Staging::of(self.folder)?;
        for it in &files {
            it.write(&staging)?;
        }
        let proofs = self.prove(&staging, &mut files, values, &arguments.allow)?;
        // What is said of rows has come to the files since their sums were made.
        staging.directory()?;
        let written = match arguments.dry_run {
            true => Vec::new(),
            false => staging.install()?,
        };
        let generated = Generated { written, files, proofs, left: self.left };
        output.result(&generated, || told(&generated, self.folder));
        Ok(Exit::Done)
    }

    fn prove(
        &self,
        staging: &Staging,
        files: &mut [File],
        values: Values,
        allowed: &[Allowed],
    ) -> Result<Vec<String>, Failure> {
        // What fails for certain cannot be tried with rows either.
        let is_allowed = [Allowed::StructureOnly, Allowed::MayFail];
        let is_allowed = is_allowed.iter().any(|it| allowed.contains(it));
        let server = self.before.server();
        let directory = setup::replayable(self.project, server, staging.directory()?)?;
        let database = scratch::copy(self.before)?;
        let mut bench = Bench::on(self.project, database, &directory)?.within(self.scope.clone());
        let mut proofs = Vec::new();
        let is_new = |it: &&Migration| files.iter().any(|file| file.name == it.file);
        let new: Vec<_> = directory.migrations().iter().filter(is_new).collect();
        let first = scratch::copy(&bench.database)?;
        let last = new.last().copied();
        for (&it, file) in new.iter().zip(files) {
            let wanted = last.filter(|last| last.version == it.version).map(|_| self.wanted);
            let before = scratch::copy(&bench.database)?;
            let tried = bench.one(it, &before).and_then(|it| it).map_err(unproven)?;
            if let Again::MeetsRows(why) = tried {
                return Err(unproven(why));
            }
            let rows =
                with_rows::try_on(&before, it, self.scope, values, wanted).map_err(unproven)?;
            if let Some(why) = rows.up_fails().filter(|_| !is_allowed) {
                return Err(fails_with_rows(&title(it), &why.to_string()));
            }
            file.warn(rows.warning(), staging)?;
            proofs.push(format!("{}: {rows}", title(it)));
        }
        if new.len() > 1 {
            let tried = in_a_row::try_on(&first, &new, self.scope)?;
            if let Some(why) = tried.up_fails().filter(|_| !is_allowed) {
                return Err(fails_with_rows("the files one after the other", why));
            }
            proofs.push(tried.to_string());
        }
        let what = "the migration does not lead to the schema that is wanted";
        bench.expect(self.wanted, what, &self.folder.label).map_err(unproven)?;
        let remarks = upfront_schema::remarks(&bench.database, self.wanted, self.scope);
        proofs.extend(remarks.map_err(|err| scratch::of_schema(&err))?);
        let bodies = Bodies::read(self.before, self.scope)
            .and_then(|it| it.wrong_since(&bench.database, self.scope));
        proofs.extend(bodies.map_err(|err| scratch::of_schema(&err))?);
        match directory.migrations().iter().all(|it| it.down.is_some()) {
            true => bench.round_trip().map_err(unproven)?,
            false => proofs.push(
                "not every migration has a down side, so the way back to an empty database was \
                 not tried"
                    .into(),
            ),
        }
        Ok(proofs)
    }
}

/// An up side that no made-up rows let through.
fn fails_with_rows(what: &str, why: &str) -> Failure {
    let failure = Failure::new(Exit::Refused, format!("{what} cannot be proven with rows: {why}"));
    let failure = failure.help(
        "if the rows in your databases allow it: `--allow structure-only` proves it on empty tables \
         alone",
    );
    unproven(failure)
}

fn unproven(failure: Failure) -> Failure {
    failure.more("nothing was written, as this was not proven")
}

/// The folder, which need not be there yet.
pub(crate) fn read(folder: &Folder, output: &Output) -> Result<Directory, Failure> {
    match folder.path.exists() {
        true => folder.read_warned(output),
        false => Directory::from_files(&folder.label, []).map_err(|it| folder.mistakes(&it)),
    }
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
        output.note(&format!("left alone, as models do not say it:\n  {}", lines.join("\n  ")));
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
    lines.push("proven: up, down and up again".to_owned());
    lines.extend(it.proofs.iter().map(|it| format!("  {it}")));
    lines.join("\n")
}
