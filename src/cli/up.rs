//! `up`

use std::ops::ControlFlow;

use crate::{
    Migrator, Result,
    cli::{
        consent::{Approval, Consent},
        exit::Exit,
        operator::Operator,
        output::Output,
        plan::{self, DryRun},
        progress::Progress,
    },
};

/// Options of `up`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    dry_run: DryRun,
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
        let is_dry = self.dry_run.is_set();
        if !is_dry && *operator == Operator::Service && !consent.is_given() {
            return deploy(migrator, output).await;
        }
        let mut plan = migrator.plan_up().await?;
        let is_protected = operator.wants_approval(&plan) || consent.is_given();
        if !is_dry && (plan.is_empty() || !is_protected) {
            return deploy(migrator, output).await;
        }
        match plan::begin(&mut plan, &self.dry_run, &consent, operator, output) {
            ControlFlow::Continue(()) => plan::apply(migrator, &plan, output).await,
            ControlFlow::Break(exit) => Ok(exit),
        }
    }
}

async fn deploy(migrator: &Migrator, output: &Output) -> Result<Exit> {
    let progress = Progress::new(output);
    let listened = migrator.listened_to(progress.listener());
    progress.watch(migrator, Box::pin(listened.up())).await
}
