//! `protect` and `release`

use serde::Serialize;
use upfront::{
    Protect, Protection, Released,
    cli::{Exit, Output},
};

use crate::{
    database::{Needs, with},
    failure::Failure,
    project::Project,
};

/// Options of `protect`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Make the mark that came along in a copy this database's own
    #[arg(long, conflicts_with = "remove")]
    renew: bool,
    /// Take the mark away
    #[arg(long)]
    remove: bool,
}

#[derive(Serialize)]
struct Marked {
    protection: Option<Protection>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        let what = match (self.renew, self.remove) {
            (true, _) => Protect::Renew,
            (_, true) => Protect::Remove,
            _ => Protect::Set,
        };
        with(project, output, Needs::Nothing, async |it| match it.migrator.protect(what).await {
            Ok(protection) => {
                let marked = Marked { protection };
                output.result(&marked, || told(marked.protection.as_ref()));
                Ok(Exit::Done)
            }
            Err(err) => Ok(output.failed(&err)),
        })
    }
}

fn told(protection: Option<&Protection>) -> String {
    match protection {
        Some(Protection { at, by, .. }) => format!(
            "the database is protected, by {by} at {at} UTC: `up` and `down` want the digest of a \
             plan, which `--dry-run` prints"
        ),
        None => "the database is not protected".into(),
    }
}

/// Options of `release`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Release {
    /// Versions that are held, as `status` shows them
    #[arg(required = true, value_name = "VERSION")]
    versions: Vec<String>,
}

#[derive(Serialize)]
struct Back {
    released: Vec<Released>,
}

impl Release {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Needs::Nothing, async |it| {
            match it.migrator.release(&self.versions).await {
                Ok(released) => {
                    let back = Back { released };
                    output.result(&back, || {
                        back.released.iter().map(line).collect::<Vec<_>>().join("\n")
                    });
                    Ok(Exit::Done)
                }
                Err(err) => Ok(output.failed(&err)),
            }
        })
    }
}

fn line(it: &Released) -> String {
    let Released { version, name, held_at, held_by, .. } = it;
    let name = if name.is_empty() { String::new() } else { format!("_{name}") };
    format!("released {version}{name}, which {held_by} rolled back at {held_at} UTC")
}
