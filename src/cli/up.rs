//! `up`

use super::{Exit, Output, plan, progress::Progress};
use crate::{Migrator, Result};

/// Options of `up`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Show what would be done, with the exact SQL, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Arguments {
    pub(super) fn writes(&self) -> bool {
        !self.dry_run
    }

    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        if self.dry_run {
            return plan::show(migrator, output).await;
        }
        let progress = Progress::new(output);
        let report = migrator.listened_to(progress.listener()).up().await;
        progress.end();
        let report = report?;
        output.result(&report, || report.to_string());
        Ok(Exit::Done)
    }
}
