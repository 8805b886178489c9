//! A rollback as a part of a command that does more.

use crate::{
    Migrator, Plan, Report, Result,
    cli::{consent::Consent, exit::Exit, operator::Operator, output::Output, plan},
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
        operator.warning(&plan).iter().for_each(|it| output.warning(it));
        if let Err(refused) = self.consent.give(&mut plan, operator) {
            return Ok(Err(refused.print(output)));
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
