//! `rm`

use serde::Serialize;
use upfront::{
    DivergenceKind, Entry, Plan, Report, State, Status, Target,
    cli::{Exit, Operator, Output, Rollback},
};
use upfront_directory::Directory;

use crate::{
    config::{Project, folder::Folder},
    connection::database::{Database, Requires, with},
    output::failure::Failure,
    scratch::staging::Staging,
};

/// Options of `rm`.
///
/// The migration is rolled back where it is applied: by its down script, or by the stored one if the
/// files are deleted already. Then its up and down script are deleted, and `atlas.sum` is updated.
/// Other environments stay as they are, and are listed.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The version of the migration, with or without its name
    #[arg(value_name = "VERSION")]
    version: String,
    /// Delete the files alone; connect to no database
    #[arg(long, conflicts_with_all = ["approve", "allow", "hold"])]
    files_only: bool,
    /// Print the plan with its SQL and its data loss, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    rollback: Rollback,
}

/// What was done, or would be.
#[derive(Serialize)]
struct Removed {
    version: String,
    name: String,
    /// It is a dry run.
    dry_run: bool,
    /// What a dry run would roll back.
    plan: Option<Plan>,
    /// What was rolled back.
    rolled_back: Option<Report>,
    deleted: Vec<String>,
    written: Vec<String>,
    /// Where it may still be applied.
    other_environments: Vec<String>,
}

/// A migration, as the folder or the database knows it.
struct Migration {
    version: String,
    name: String,
    /// Its files, from the folder.
    files: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let folder = project.folder()?;
        let directory = match folder.path.exists() {
            true => folder.read()?,
            false => Directory::from_files(&folder.label, []).map_err(|it| folder.mistakes(&it))?,
        };
        let found = find(&directory, &self.version);
        if self.files_only {
            let found = found.ok_or_else(|| self.unknown(&folder))?;
            warn_of_checkpoints(&directory, &found, output);
            let removed = self.delete(&folder, &found, project)?;
            self.print(&removed, output);
            return Ok(Exit::Done);
        }
        project.target().map_err(|it| self.without_database(it))?;
        let done = with(project, output, Requires::Nothing, async |it| {
            self.run_on(it, &folder, found, (project, output)).await
        });
        done.map_err(|it| match it.exit() {
            Exit::Unreachable => self.without_database(it),
            _ => it,
        })
    }

    async fn run_on(
        &self,
        it: &Database,
        folder: &Folder,
        found: Option<Migration>,
        (project, output): (&Project, &Output),
    ) -> Result<Exit, Failure> {
        let status = it.migrator.status().await?;
        let entry = status.entries.iter().find(|entry| is_called(&self.version, entry));
        let migration = match (found, entry) {
            (Some(it), _) => it,
            (None, Some(Entry { version, name, .. })) => {
                Migration { version: version.clone(), name: name.clone(), files: Vec::new() }
            }
            (None, None) => return Err(self.unknown(folder)),
        };
        let is_applied = entry.map_or(Ok(false), |entry| self.is_applied(entry, &status))?;
        let plan = match is_applied {
            true => Some(it.migrator.plan_down(Target::Steps(1)).await?),
            false => None,
        };
        warn_of_checkpoints(&it.directory, &migration, output);
        let operator = Operator::Person { protected: it.target.protected.clone() };
        if self.dry_run {
            let mut removed = self.delete(folder, &migration, project)?;
            let command = plan.as_ref().map(|it| self.rollback.command(it, &operator));
            removed.plan = plan;
            self.print(&removed, output);
            if let Some(it) = command.filter(|_| !output.is_json()) {
                output.note(&format!("to do this: {it}"));
            }
            return Ok(Exit::Done);
        }
        // What keeps the files from being deleted is found before anything is rolled back.
        Staged::of(folder, &migration)?;
        let mut report = None;
        if let Some(plan) = plan {
            match self.rollback.run(&it.migrator, plan, &operator, output).await {
                Ok(Ok(it)) => report = Some(it),
                Ok(Err(exit)) => return Ok(exit),
                Err(err) => return Err(err.into()),
            }
        }
        let removed = self.delete(folder, &migration, project);
        let mut removed = removed.map_err(|failure| match &report {
            Some(it) => failure.more(it.to_string()).help("run the command again"),
            None => failure,
        })?;
        removed.rolled_back = report;
        self.print(&removed, output);
        Ok(Exit::Done)
    }

    /// Is the migration to be rolled back?
    fn is_applied(&self, entry: &Entry, status: &Status) -> Result<bool, Failure> {
        let title = title(&entry.version, &entry.name);
        let asked = &self.version;
        match entry.state {
            State::Partial => {
                return Err(Failure::new(
                    Exit::Refused,
                    format!("migration `{title}` is partially applied; nothing was changed"),
                )
                .help(format!(
                    "undo by hand what it did, record that with `upfront resolve {asked} \
                     --rolled-back`, and run the command again"
                )));
            }
            State::Running => {
                let title = format!("migration `{title}` is running; nothing was changed");
                return Err(Failure::new(Exit::Refused, title).help("wait for it"));
            }
            State::Diverged if entry.divergence == Some(DivergenceKind::RowDeleted) => {
                return Err(Failure::new(
                    Exit::Diverged,
                    format!("the row of migration `{title}` was deleted; nothing was changed"),
                )
                .help(format!(
                    "if it was undone by hand, record that with `upfront resolve {asked} \
                     --rolled-back`; otherwise run `upfront resolve {asked} --applied`"
                )));
            }
            _ if entry.applied_at.is_none() => return Ok(false),
            _ => {}
        }
        let applied = status.entries.iter().filter(|it| it.applied_at.is_some());
        let above: Vec<_> = applied.filter(|it| it.version > entry.version).collect();
        if above.is_empty() {
            return Ok(true);
        }
        let mut failure = Failure::new(
            Exit::Refused,
            format!(
                "migration `{title}` is not the newest applied one, so it cannot be rolled back alone; \
                 nothing was changed"
            ),
        );
        for it in above.iter().rev().take(10) {
            failure =
                failure.more(format!("applied above it: {}", self::title(&it.version, &it.name)));
        }
        Err(failure
            .help(format!(
                "roll those back first with `upfront down --to {}`, and run the command again",
                entry.version
            ))
            .help(format!(
                "if it was undone by hand: delete the files with `upfront rm {asked} --files-only`, then \
                 run `upfront resolve {asked} --rolled-back`"
            )))
    }

    /// Deletes the files and updates the sums; a dry run lists what it would delete.
    fn delete(
        &self,
        folder: &Folder,
        migration: &Migration,
        project: &Project,
    ) -> Result<Removed, Failure> {
        let staged = Staged::of(folder, migration)?;
        let written = match (self.dry_run, &staged) {
            (false, Some(it)) => it.0.install_deleting(&migration.files)?,
            _ => Vec::new(),
        };
        let shown = |it: &String| folder.shown(&folder.path.join(it));
        Ok(Removed {
            version: migration.version.clone(),
            name: migration.name.clone(),
            dry_run: self.dry_run,
            plan: None,
            rolled_back: None,
            deleted: migration.files.iter().map(shown).collect(),
            written,
            other_environments: project.other_environments(),
        })
    }

    fn print(&self, it: &Removed, output: &Output) {
        output.result(it, || text(it));
        if output.is_json() {
            return;
        }
        let version = &it.version;
        if self.files_only {
            output.note("no database was changed (`--files-only`)");
        }
        for environment in &it.other_environments {
            output.note(&Output::completed(&format!(
                "environment `{environment}` was not changed: `upfront rm {version} --env \
                 {environment}` rolls it back there, if it is applied"
            )));
        }
    }

    fn without_database(&self, failure: Failure) -> Failure {
        failure.help(format!(
            "to delete the files without rolling back: `upfront rm {} --files-only`",
            self.version
        ))
    }

    fn unknown(&self, folder: &Folder) -> Failure {
        let known = if self.files_only { "" } else { ", and the database does not know it" };
        let title =
            format!("there is no migration `{}` in `{}`{known}", self.version, folder.label);
        Failure::new(Exit::Refused, title).help("`upfront status` lists the versions")
    }
}

/// The folder without the files of a migration.
struct Staged(Staging);

impl Staged {
    /// Nothing if the migration has no files.
    fn of(folder: &Folder, migration: &Migration) -> Result<Option<Self>, Failure> {
        if migration.files.is_empty() {
            return Ok(None);
        }
        let staging = Staging::of(folder)?;
        for it in &migration.files {
            staging.remove(it)?;
        }
        staging.directory()?;
        Ok(Some(Self(staging)))
    }
}

fn find(directory: &Directory, asked: &str) -> Option<Migration> {
    let asked = asked.strip_suffix(".sql").unwrap_or(asked);
    let mut all = directory.migrations().iter();
    let it = all.find(|it| asked == it.version || asked == title(&it.version, &it.name))?;
    let down = it.down.as_ref().map(|_| format!("down/{}", it.file));
    let files = [it.file.clone()].into_iter().chain(down).collect();
    Some(Migration { version: it.version.clone(), name: it.name.clone(), files })
}

fn is_called(asked: &str, it: &Entry) -> bool {
    let asked = asked.strip_suffix(".sql").unwrap_or(asked);
    asked == it.version || asked == title(&it.version, &it.name)
}

fn title(version: &str, name: &str) -> String {
    if name.is_empty() { version.to_owned() } else { format!("{version}_{name}") }
}

/// A checkpoint contains what the files before it do.
fn warn_of_checkpoints(directory: &Directory, it: &Migration, output: &Output) {
    if it.files.is_empty() {
        return;
    }
    let later = directory.migrations().iter().filter(|later| later.version > it.version);
    for later in later.filter(|it| it.checkpoint) {
        output.warning(&format!(
            "checkpoint `{}` may contain what `{}` does: empty databases start with it; check it with \
             `upfront verify`",
            title(&later.version, &later.name),
            title(&it.version, &it.name)
        ));
    }
}

fn text(it: &Removed) -> String {
    let mut lines = Vec::new();
    match (&it.plan, &it.rolled_back) {
        (Some(plan), _) => lines.push(plan.to_string()),
        (None, Some(report)) => lines.push(report.to_string()),
        (None, None) => {}
    }
    let deleted = if it.dry_run { "would delete" } else { "deleted" };
    lines.extend(it.deleted.iter().map(|file| format!("{deleted} {file}")));
    lines.extend(it.written.iter().map(|file| format!("wrote {file}")));
    if lines.is_empty() {
        lines.push(format!("{} is not applied and has no files", title(&it.version, &it.name)));
    }
    lines.join("\n")
}
