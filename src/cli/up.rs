//! `up`

use crate::{
    Migrator, Result,
    cli::{
        consent::{Approval, Consent},
        exit::Exit,
        operator::Operator,
        output::Output,
        plan,
        progress::Progress,
    },
};

/// Options of `up`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Print the plan with its SQL, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show passwords and other secrets in the SQL of `--dry-run`
    #[arg(long, requires = "dry_run")]
    show_secrets: bool,
    #[command(flatten)]
    approval: Approval,
}

impl Arguments {
    pub(super) async fn run(
        &self,
        migrator: &Migrator,
        operator: &Operator,
        output: &Output,
    ) -> Result<Exit> {
        let consent = Consent::from(self.approval.clone());
        if self.dry_run {
            let mut plan = migrator.plan_up().await?;
            if self.show_secrets {
                plan.show_secrets(true);
            }
            return Ok(plan::show(&plan, &consent, operator, output));
        }
        if *operator == Operator::Service && !consent.is_given() {
            return deploy(migrator, output).await;
        }
        let mut plan = migrator.plan_up().await?;
        let is_protected = operator.wants_approval(&plan) || consent.is_given();
        if plan.is_empty() || !is_protected {
            return deploy(migrator, output).await;
        }
        operator.warning(&plan).iter().for_each(|it| output.warning(it));
        match consent.give(&mut plan, operator) {
            Ok(()) => plan::apply(migrator, &plan, output).await,
            Err(refused) => Ok(refused.print(output)),
        }
    }
}

async fn deploy(migrator: &Migrator, output: &Output) -> Result<Exit> {
    let progress = Progress::new(output);
    let listened = migrator.listened_to(progress.listener());
    progress.watch(migrator, Box::pin(listened.up())).await
}
