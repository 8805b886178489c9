//! `verify`

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Migration};
use upfront_scratch::Server;

use crate::{
    config::Project,
    output::failure::Failure,
    scratch::{
        self,
        replay::{ReapplyResult, ReplayDatabase, title},
        row_test::{self, RowTestResult, Values},
        scope, server, setup,
    },
};

/// Options of `verify`.
///
/// Each migration is applied to a scratch server, rolled back and applied again. Its down side must
/// lead back to the schema before it, and the second way up to the schema of the first. Where each
/// has a down side, all are rolled back to an empty database at the end, and applied again. The same
/// is tried with made-up rows: values have to stay, and sequences to go on.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Use PostgreSQL N; by default, the version installed here
    #[arg(long, value_name = "N")]
    major: Option<u32>,
}

#[derive(Serialize)]
struct Verified {
    server_version: String,
    migrations: usize,
    reversible: usize,
    irreversible: Vec<String>,
    without_down: Vec<String>,
    keeps_rows: Vec<String>,
    proofs: Vec<Proof>,
}

/// How well a migration is proven.
#[derive(Serialize)]
struct Proof {
    migration: String,
    with_rows: bool,
    note: String,
}

/// What came of it.
#[derive(Default)]
struct Replay {
    wrong: Vec<Failure>,
    /// Whose down side keeps rows that the up side cannot be applied over.
    keeps_rows: Vec<String>,
    proofs: Vec<Proof>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let directory = project.folder()?.read_warned(output)?;
        let server = server::start(project, self.major)?;
        setup::note_skipped(project, &server, &directory, output)?;
        let directory = setup::replayable(project, &server, directory)?;
        let mut replay_database = ReplayDatabase::new(project, &server, &directory)?;
        let mut replay = all(&mut replay_database, &directory, project, output);
        if let Some(failure) = Failure::all(std::mem::take(&mut replay.wrong)) {
            return Err(failure);
        }
        let verified = verified(&directory, &server, replay);
        output.result(&verified, || describe(&verified));
        Ok(Exit::Done)
    }
}

/// What is wrong, from the first migration to the last one that can be reached.
fn all(
    replay_database: &mut ReplayDatabase<'_, '_>,
    directory: &Directory,
    project: &Project,
    output: &Output,
) -> Replay {
    let mut replay = Replay::default();
    let many = directory.migrations().len();
    for (it, place) in directory.migrations().iter().zip(1..) {
        output.note(&format!("replaying {} ({place} of {many})", title(it)));
        if let Err(failure) = replay.one(replay_database, it, project, output) {
            replay.wrong.push(failure);
            return replay;
        }
    }
    let is_reversible = many > 0 && directory.migrations().iter().all(|it| it.down.is_some());
    if replay.wrong.is_empty() && is_reversible {
        replay.wrong.extend(replay_database.round_trip().err());
    }
    replay
}

impl Replay {
    /// Tries one, empty and with rows. An error is one that nothing comes after.
    fn one(
        &mut self,
        replay_database: &mut ReplayDatabase<'_, '_>,
        it: &Migration,
        project: &Project,
        output: &Output,
    ) -> Result<(), Failure> {
        let before = scratch::copy(&replay_database.database)?;
        match replay_database.one(it, &before)? {
            Ok(ReapplyResult::Works) => {
                let scope = scope::scope(project, &[&before])?;
                match row_test::try_on(&before, it, &scope, Values::MayChange, None) {
                    Ok(tried) => self.proofs.push(Proof::of(it, &tried)),
                    Err(failure) => self.wrong.push(failure),
                }
            }
            Ok(ReapplyResult::MeetsRows(why)) => {
                output.warning(&format!(
                    "the down side of `{}` keeps the rows that it wrote, and it cannot be applied \
                     to them again: {}",
                    title(it),
                    why.line()
                ));
                let note = "structure only: it cannot be applied to the rows that it wrote";
                self.proofs.push(Proof {
                    migration: title(it),
                    with_rows: false,
                    note: note.into(),
                });
                self.keeps_rows.push(title(it));
            }
            Err(failure) => self.wrong.push(failure),
        }
        Ok(())
    }
}

impl Proof {
    fn of(it: &Migration, tried: &RowTestResult) -> Self {
        let note = match it.down {
            Some(_) => tried.to_string(),
            None => format!("the up side alone: {tried}"),
        };
        Self { migration: title(it), with_rows: tried.is_with_rows(), note }
    }
}

fn verified(directory: &Directory, server: &Server, replay: Replay) -> Verified {
    let Replay { keeps_rows, proofs, .. } = replay;
    let all = directory.migrations();
    let titles = |which: fn(&&Migration) -> bool| all.iter().filter(which).map(title).collect();
    Verified {
        server_version: server.version().to_string(),
        migrations: all.len(),
        reversible: all.iter().filter(|it| it.down.is_some()).count() - keeps_rows.len(),
        irreversible: titles(|it| it.irreversible.is_some()),
        without_down: titles(|it| it.irreversible.is_none() && it.down.is_none()),
        keeps_rows,
        proofs,
    }
}

fn describe(it: &Verified) -> String {
    let Verified { server_version, migrations, reversible, .. } = it;
    let mut lines = vec![format!(
        "on PostgreSQL {server_version}, {reversible} of {migrations} migrations lead up, down and \
         up again"
    )];
    lines.extend(it.proofs.iter().map(|it| format!("{}: {}", it.migration, it.note)));
    lines.extend(it.irreversible.iter().map(|it| format!("irreversible: {it}")));
    lines.extend(it.without_down.iter().map(|it| format!("no down side: {it}")));
    let keeps = it.keeps_rows.iter();
    lines.extend(keeps.map(|it| format!("not again over the rows it keeps: {it}")));
    lines.join("\n  ")
}
