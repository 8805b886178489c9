//! `plan`

use super::{Exit, Output};
use crate::{Migrator, Result};

/// Options of `plan`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {}

impl Arguments {
    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        show(migrator, output).await
    }
}

/// Prints what `up` would do.
pub(super) async fn show(migrator: &Migrator, output: &Output) -> Result<Exit> {
    let plan = migrator.plan_up().await?;
    output.result(&plan, || plan.to_string());
    Ok(Exit::Done)
}
