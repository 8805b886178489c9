//! `gen --down`: the missing down sides of migrations that there are.

use std::fmt::Write;

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Migration};
use upfront_schema::{DownResult, ObjectNames, Renaming, Rows};
use upfront_scratch::{Database, Server};

use crate::{
    config::Project,
    output::failure::Failure,
    scratch::{
        self,
        replay::{ReapplyResult, ReplayDatabase, title},
        row_test::{self, RowTestResult, Values},
        scope, server, setup,
        staging::Staging,
    },
};

use super::text;

/// What came of one migration.
#[derive(Serialize)]
struct Line {
    version: String,
    name: String,
    #[serde(flatten)]
    outcome: Outcome,
    /// Whether its down side is new.
    is_new: bool,
    /// Whether it has none, and its file does not say why; or one that is wrong.
    is_left: bool,
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome {
    Reversible { note: String },
    StructureOnly { note: String },
    Irreversible { note: String },
    Wrong { note: String },
}

#[derive(Serialize)]
struct Report {
    written: Vec<String>,
    migrations: Vec<Line>,
}

/// What is worked on.
struct DownScripts<'a> {
    project: &'a Project,
    server: &'a Server,
    output: &'a Output,
}

pub(super) fn run(project: &Project, output: &Output, is_dry: bool) -> Result<Exit, Failure> {
    let folder = project.folder()?;
    let directory = folder.read_warned(output)?;
    let server = server::start(project, None)?;
    setup::note_skipped(project, &server, &directory, output)?;
    let directory = setup::replayable(project, &server, directory)?;
    let work = DownScripts { project, server: &server, output };
    let staging = Staging::of(&folder)?;
    let impossible = work.compute(&directory, &staging)?;
    let migrations = work.prove(&directory, &staging, impossible)?;
    let written = if is_dry { Vec::new() } else { staging.install()? };
    let report = Report { written, migrations };
    output.result(&report, || describe(&report));
    let is_complete = report.migrations.iter().all(|it| !it.is_left);
    Ok(if is_complete { Exit::Done } else { Exit::Failed })
}

impl DownScripts<'_> {
    /// Applies one migration after the other, and writes a down script for each. Those that have
    /// none, with the reason.
    fn compute(
        &self,
        directory: &Directory,
        staging: &Staging,
    ) -> Result<Vec<(String, String)>, Failure> {
        let replay_database = ReplayDatabase::new(self.project, self.server, directory)?;
        let mut impossible = Vec::new();
        for it in directory.migrations() {
            self.output.note(&format!("reading {}", title(it)));
            let is_missing = it.down.is_none() && it.irreversible.is_none();
            if !is_missing {
                replay_database.up_to(&it.version)?;
                continue;
            }
            let before = scratch::copy(&replay_database.database)?;
            let names = names(&replay_database.database)?;
            replay_database.up_to(&it.version)?;
            let renamings = self::names(&replay_database.database)?.back_to(&names);
            match self.way_back(&replay_database.database, &before, &renamings) {
                Ok(DownResult::Plan(plan)) => {
                    let kept = self.kept(&before, &replay_database.database, it)?;
                    staging.write(&format!("down/{}", it.file), &text::down(&plan, &kept))?;
                }
                Ok(DownResult::None(why)) => {
                    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                    impossible.push((it.version.clone(), why));
                }
                Err(failure) => impossible.push((it.version.clone(), failure.line())),
            }
        }
        Ok(impossible)
    }

    /// Restores the names of objects that were not created again, if possible.
    fn way_back(
        &self,
        from: &Database<'_>,
        to: &Database<'_>,
        renamings: &[Renaming],
    ) -> Result<DownResult, Failure> {
        let scope = scope::scope(self.project, &[from, to])?;
        let strategy = self.project.strategy().reversed();
        let way = DownResult::between(from, to, &scope, renamings.to_vec(), strategy);
        let way = match way {
            Err(_) if !renamings.is_empty() => {
                DownResult::between(from, to, &scope, Vec::new(), strategy)
            }
            it => it,
        };
        way.map_err(Failure::from)
    }

    /// Tries each migration with its new down side, and takes those out that do not work.
    fn prove(
        &self,
        directory: &Directory,
        staging: &Staging,
        mut impossible: Vec<(String, String)>,
    ) -> Result<Vec<Line>, Failure> {
        let staged = setup::replayable(self.project, self.server, staging.directory()?)?;
        let mut replay_database = ReplayDatabase::new(self.project, self.server, &staged)?;
        let mut lines = Vec::new();
        for (it, old) in staged.migrations().iter().zip(directory.migrations()) {
            self.output.note(&format!("proving {}", title(it)));
            let is_new = it.down.is_some() && old.down.is_none();
            let before = scratch::copy(&replay_database.database)?;
            let tried = replay_database.one(it, &before)?;
            let outcome = match (tried, impossible.iter().find(|(at, _)| *at == it.version)) {
                (_, Some((_, why))) => Ok(Outcome::Irreversible { note: why.clone() }),
                (Ok(ReapplyResult::Works), None) => {
                    self.outcome(&before, it, is_new.then_some(staging))
                }
                (Ok(ReapplyResult::MeetsRows(why)), None) => {
                    let note = format!("the rows that it writes stay, and {}", why.line());
                    Ok(Outcome::StructureOnly { note })
                }
                (Err(failure), None) => Err(failure),
            };
            let outcome = match outcome {
                Ok(it) => it,
                Err(failure) if is_new => {
                    staging.remove(&format!("down/{}", it.file))?;
                    let note = failure.line();
                    impossible.push((it.version.clone(), note.clone()));
                    Outcome::Irreversible { note }
                }
                Err(failure) => Outcome::Wrong { note: failure.line() },
            };
            let is_wrong = matches!(outcome, Outcome::Wrong { .. });
            let is_left = is_wrong || impossible.iter().any(|(version, _)| *version == it.version);
            let (version, name) = (it.version.clone(), it.name.clone());
            lines.push(Line { version, name, outcome, is_new: is_new && !is_left, is_left });
        }
        let is_whole = lines.iter().all(|it: &Line| !it.is_left);
        if is_whole && staged.migrations().iter().all(|it| it.down.is_some()) {
            replay_database.round_trip()?;
        }
        staging.directory()?;
        Ok(lines)
    }

    /// What a down side that works is worth; a new one says what rows do to it.
    fn outcome(
        &self,
        before: &Database<'_>,
        it: &Migration,
        new: Option<&Staging>,
    ) -> Result<Outcome, Failure> {
        if let Some(why) = &it.irreversible {
            return Ok(Outcome::Irreversible { note: why.clone() });
        }
        let scope = scope::scope(self.project, &[before])?;
        let tried = row_test::try_on(before, it, &scope, Values::MayChange, None)?;
        if let (Some(staging), Some(warning), Some(down)) = (new, tried.warning(), &it.down) {
            let text = text::warned(&down.body, &warning);
            staging.write(&format!("down/{}", it.file), &text)?;
        }
        Ok(worth(&tried, it))
    }

    /// What a down side says that has nothing to undo in the schema.
    fn kept(
        &self,
        before: &Database<'_>,
        after: &Database<'_>,
        it: &Migration,
    ) -> Result<String, Failure> {
        let scope = scope::scope(self.project, &[before, after])?;
        let rows = |of| Rows::read(of, &scope).map_err(Failure::from);
        let (old, new) = (rows(before)?, rows(after)?);
        let mut text = "-- upfront:nothing-to-undo the schema is what it was before\n".to_owned();
        let added = old.added(&new);
        for (table, rows) in &added {
            let s = if *rows == 1 { "" } else { "s" };
            let _ = writeln!(text, "-- Kept: {rows} row{s} that the migration adds to {table}.");
        }
        if added.is_empty() {
            let tables = written_to(it);
            let tables = if tables.is_empty() { "any table".to_owned() } else { tables.join(", ") };
            let _ = writeln!(text, "-- Kept: whatever the migration wrote to {tables}.");
        }
        Ok(text)
    }
}

fn names(of: &Database<'_>) -> Result<ObjectNames, Failure> {
    ObjectNames::read(of).map_err(Failure::from)
}

fn worth(tried: &RowTestResult, it: &Migration) -> Outcome {
    let lost = it.down.iter().flat_map(|it| &it.statements).flat_map(|it| &it.losses);
    let lost: Vec<_> = lost.map(ToString::to_string).collect();
    let is_data = it.down.as_ref().is_some_and(|it| it.statements.is_empty());
    let note = match tried {
        RowTestResult::StructureOnly(why) => {
            return Outcome::StructureOnly { note: why.to_string() };
        }
        RowTestResult::WithRows { .. } if is_data => format!("{tried}; rows that it writes stay"),
        RowTestResult::WithRows { .. } if lost.is_empty() => tried.to_string(),
        RowTestResult::WithRows { .. } => format!("{tried}; loses {}", lost.join(", ")),
    };
    Outcome::Reversible { note }
}

/// The tables that statements name behind `INSERT INTO`, `UPDATE` and `DELETE FROM`.
fn written_to(it: &Migration) -> Vec<String> {
    let sql = it.up.statements.iter().map(|s| &it.up.body[s.range.clone()]);
    let table = |sql: &str| {
        let mut words = sql.split_whitespace().skip_while(|word| {
            ["insert", "into", "update", "delete", "from", "only"]
                .iter()
                .any(|it| it.eq_ignore_ascii_case(word))
        });
        let first = sql.split_whitespace().next()?;
        let writes = ["insert", "update", "delete"].iter().any(|it| it.eq_ignore_ascii_case(first));
        let name = words.next()?.split('(').next()?.replace('"', "");
        writes.then_some(name)
    };
    let mut tables: Vec<_> = sql.filter_map(table).collect();
    tables.sort();
    tables.dedup();
    tables
}

impl Line {
    fn title(&self) -> String {
        format!("{}_{}", self.version, self.name)
    }

    fn row(&self) -> [&str; 4] {
        let (outcome, note) = match &self.outcome {
            Outcome::Reversible { note } => ("reversible", note),
            Outcome::StructureOnly { note } => ("structure only", note),
            Outcome::Irreversible { note } => ("irreversible", note),
            Outcome::Wrong { note } => ("wrong", note),
        };
        [&self.version, &self.name, outcome, note]
    }
}

fn describe(it: &Report) -> String {
    let new = it.migrations.iter().filter(|it| it.is_new).count();
    let rows: Vec<_> = it.migrations.iter().map(Line::row).collect();
    let width = |at: usize| rows.iter().map(|it| it[at].chars().count()).max().unwrap_or_default();
    let widths = [width(0), width(1), width(2)];
    let line = |it: &[&str; 4]| {
        let [version, name, outcome, note] = it;
        let [a, b, c] = widths;
        format!("{version:a$}  {name:b$}  {outcome:c$}  {note}")
    };
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    let s = if new == 1 { "" } else { "s" };
    lines.push(match it.written.is_empty() {
        true if new == 0 => "no down side was written".to_owned(),
        true => format!("{new} missing down side{s} can be written"),
        false => format!("wrote {new} down side{s}; the migrations themselves are as they were"),
    });
    let is_wrong = |it: &&Line| matches!(it.outcome, Outcome::Wrong { .. });
    let wrong: Vec<_> = it.migrations.iter().filter(is_wrong).map(Line::title).collect();
    if !wrong.is_empty() {
        lines.push(format!("the down side is wrong of {}", wrong.join(", ")));
        lines.push("  it may be changed at any time; nothing was written over it".to_owned());
    }
    let left = it.migrations.iter().filter(|it| it.is_left && !is_wrong(it));
    let left: Vec<_> = left.map(Line::title).collect();
    if !left.is_empty() {
        lines.push(format!("no down script was found for {}", left.join(", ")));
        lines.push(
            "  `-- upfront:irreversible REASON` says so in a file that is applied nowhere yet; in \
             one that is, it would change the hash"
                .to_owned(),
        );
    }
    lines.join("\n")
}
