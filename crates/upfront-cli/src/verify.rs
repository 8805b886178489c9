//! `verify`

use serde::Serialize;
use upfront::cli::{Exit, Output};
use upfront_directory::{Directory, Migration};
use upfront_scratch::Server;

use crate::{
    failure::Failure,
    project::Project,
    proof::{Again, Bench, title},
    scratch,
};

/// Options of `verify`.
///
/// Each migration is applied to a scratch server, rolled back and applied again. Its down side must
/// lead back to the schema before it, and the second way up to the schema of the first. Where each
/// has a down side, all are rolled back to an empty database at the end, and applied again.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// The major version of PostgreSQL; that of this machine where nothing is said
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
}

/// What came of it.
#[derive(Default)]
struct Replay {
    wrong: Vec<Failure>,
    /// Whose down side keeps rows that the up side cannot be applied over.
    keeps_rows: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let directory = project.folder()?.read_warned(output)?;
        let server = scratch::start(project, self.major)?;
        let replay = all(&mut Bench::new(project, &server, &directory)?, &directory, output);
        if let Some(failure) = Failure::all(replay.wrong) {
            return Err(failure);
        }
        let verified = verified(&directory, &server, replay.keeps_rows);
        output.result(&verified, || told(&verified));
        Ok(Exit::Done)
    }
}

/// What is wrong, from the first migration to the last one that can be reached.
fn all(bench: &mut Bench<'_>, directory: &Directory, output: &Output) -> Replay {
    let Replay { mut wrong, mut keeps_rows } = Replay::default();
    let many = directory.migrations().len();
    for (it, place) in directory.migrations().iter().zip(1..) {
        output.note(&format!("replaying {} ({place} of {many})", title(it)));
        match bench.one(it) {
            Ok(Ok(Again::Works)) => {}
            Ok(Ok(Again::MeetsRows(why))) => {
                output.warning(&format!(
                    "the down side of `{}` keeps the rows that it wrote, and it cannot be applied \
                     to them again: {}",
                    title(it),
                    why.line()
                ));
                keeps_rows.push(title(it));
            }
            Ok(Err(failure)) => wrong.push(failure),
            Err(failure) => {
                wrong.push(failure);
                return Replay { wrong, keeps_rows };
            }
        }
    }
    let is_reversible = many > 0 && directory.migrations().iter().all(|it| it.down.is_some());
    if wrong.is_empty() && is_reversible {
        wrong.extend(bench.round_trip().err());
    }
    Replay { wrong, keeps_rows }
}

fn verified(directory: &Directory, server: &Server, keeps_rows: Vec<String>) -> Verified {
    let all = directory.migrations();
    let titles = |which: fn(&&Migration) -> bool| all.iter().filter(which).map(title).collect();
    Verified {
        server_version: server.version().to_string(),
        migrations: all.len(),
        reversible: all.iter().filter(|it| it.down.is_some()).count() - keeps_rows.len(),
        irreversible: titles(|it| it.irreversible.is_some()),
        without_down: titles(|it| it.irreversible.is_none() && it.down.is_none()),
        keeps_rows,
    }
}

fn told(it: &Verified) -> String {
    let Verified { server_version, migrations, reversible, irreversible, without_down, keeps_rows } =
        it;
    let mut lines = vec![format!(
        "on PostgreSQL {server_version}, {reversible} of {migrations} migrations lead up, down and \
         up again"
    )];
    lines.extend(irreversible.iter().map(|it| format!("irreversible: {it}")));
    lines.extend(without_down.iter().map(|it| format!("no down side: {it}")));
    lines.extend(keeps_rows.iter().map(|it| format!("not again over the rows it keeps: {it}")));
    lines.join("\n  ")
}
