//! `release`

use serde::Serialize;
use upfront::{
    Released, Utc,
    cli::{Exit, Output},
};

use crate::{
    config::Project,
    connection::database::{Requires, with},
    output::failure::Failure,
};

/// Options of `release`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Release {
    /// Versions that are held, as `status` shows them
    #[arg(required = true, value_name = "VERSION")]
    pub(crate) versions: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct ReleaseReport {
    pub(crate) released: Vec<Released>,
}

impl Release {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<Exit, Failure> {
        with(project, output, Requires::Nothing, async |it| {
            match it.migrator.release(&self.versions).await {
                Ok(released) => {
                    let back = ReleaseReport { released };
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

pub(crate) fn line(it: &Released) -> String {
    let Released { version, name, held_at, held_by, .. } = it;
    let name = if name.is_empty() { String::new() } else { format!("_{name}") };
    format!("released {version}{name}, which {held_by} rolled back at {} UTC", Utc(*held_at))
}
