//! `down`

use crate::{
    Migrator, Result, Target,
    cli::{consent::Consent, exit::Exit, operator::Operator, output::Output, plan},
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
    /// Print the plan with its SQL and its data loss, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show passwords and other secrets in the SQL of `--dry-run`
    #[arg(long, requires = "dry_run")]
    show_secrets: bool,
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
        if self.show_secrets {
            plan.show_secrets(true);
        }
        if self.dry_run {
            return Ok(plan::show(&plan, &self.consent, operator, output));
        }
        if !plan.is_empty() {
            operator.warning(&plan).iter().for_each(|it| output.warning(it));
            if let Err(refused) = self.consent.give(&mut plan, operator) {
                return Ok(refused.print(output));
            }
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
