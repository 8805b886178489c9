//! `check`

use serde::Serialize;

use crate::{
    Migrator, Result,
    cli::{exit::Exit, output::Output},
};

/// Options of `check`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {}

#[derive(Serialize)]
struct Checked {
    settled: bool,
}

impl Arguments {
    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        migrator.check().await?;
        output.result(&Checked { settled: true }, || "nothing is pending".into());
        Ok(Exit::Done)
    }
}
