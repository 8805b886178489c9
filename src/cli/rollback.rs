//! A rollback as a part of a command that does more.

use std::ops::ControlFlow;

use crate::{
    Migrator, Plan, Report, Result,
    cli::{
        consent::Consent,
        exit::Exit,
        operator::Operator,
        output::Output,
        plan::{self, DryRun},
    },
};

/// What a person agrees to of a rollback.
#[doc(hidden)]
#[derive(Debug, Clone, clap::Args)]
pub struct Rollback {
    #[command(flatten)]
    consent: Consent,
    /// Hold the rolled back migrations: nothing applies them until `release`
    #[arg(long)]
    hold: bool,
}

impl Rollback {
    /// Runs a plan that was agreed to. What is refused or interrupted is printed, and gives an exit
    /// code.
    ///
    /// # Errors
    ///
    /// As [`Migrator::apply`].
    pub async fn run(
        &self,
        migrator: &Migrator,
        mut plan: Plan,
        operator: &Operator,
        output: &Output,
    ) -> Result<Result<Report, Exit>> {
        let begun = plan::begin(&mut plan, &DryRun::default(), &self.consent, operator, output);
        if let ControlFlow::Break(exit) = begun {
            return Ok(Err(exit));
        }
        if self.hold {
            plan.hold(true);
        }
        plan::run(migrator, &plan, output).await
    }

    /// The command line that runs a plan which was shown.
    #[must_use]
    pub fn command(&self, plan: &Plan, operator: &Operator) -> String {
        self.consent.command(plan, operator)
    }
}
