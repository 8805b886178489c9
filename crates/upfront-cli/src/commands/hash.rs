//! `hash`

use serde::Serialize;
use upfront::cli::Output;
use upfront_directory::write_sums;

use crate::{config::Project, output::failure::Failure};

/// Options of `hash`.
///
/// Where the folder has mistakes, they are reported and nothing is written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail where the folder has mistakes, or `atlas.sum` is missing or out of date
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
struct Hashed {
    written: Vec<String>,
}

impl Arguments {
    pub(crate) fn run(&self, project: &Project, output: &Output) -> Result<(), Failure> {
        let folder = &project.folder()?;
        let mut written = Vec::new();
        if self.check {
            let directory = folder.read_warned(output)?;
            let sums = [("atlas.sum", true), ("down/atlas.sum", directory.down_sum().is_some())];
            let is_missing = |it: &(&str, bool)| it.1 && !folder.path.join(it.0).is_file();
            if let Some((file, _)) = sums.into_iter().find(is_missing) {
                let title = format!("there is no `{file}`");
                return Err(Failure::mistake(title)
                    .file(folder.label.as_str())
                    .help("run `upfront hash`, which writes it"));
            }
        } else {
            folder.read_without_sum(output)?;
            let files = write_sums(&folder.path).map_err(|it| folder.mistakes(&it))?;
            written = files.iter().map(|it| folder.shown(it)).collect();
        }
        output.result(&Hashed { written: written.clone() }, || match written.as_slice() {
            [] => format!("{}/atlas.sum is up to date", folder.label),
            files => files.iter().map(|it| format!("wrote {it}")).collect::<Vec<_>>().join("\n"),
        });
        Ok(())
    }
}
