//! `down`

use std::ops::ControlFlow;

use crate::{
    Migrator, Result, Target,
    cli::{
        consent::Consent,
        exit::Exit,
        operator::Operator,
        output::Output,
        plan::{self, DryRun},
    },
};

/// Options of `down`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Roll back the newest N migrations
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "to",
          value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Roll back everything newer than VERSION
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
    #[command(flatten)]
    consent: Consent,
    /// Hold the rolled back migrations: nothing applies them until `release`
    #[arg(long)]
    hold: bool,
}

impl Arguments {
    pub(super) async fn run(
        &self,
        migrator: &Migrator,
        operator: &Operator,
        output: &Output,
    ) -> Result<Exit> {
        let mut plan = migrator.plan_down(self.target()).await?;
        let begun = plan::begin(&mut plan, &self.dry_run, &self.consent, operator, output);
        if let ControlFlow::Break(exit) = begun {
            return Ok(exit);
        }
        if self.hold {
            plan.hold(true);
        }
        plan::apply(migrator, &plan, output).await
    }

    fn target(&self) -> Target {
        match &self.to {
            Some(version) => Target::To(version.clone()),
            None => Target::Steps(self.steps as usize),
        }
    }
}
