//! `plan`, and what is done with a plan.

use std::ops::ControlFlow;

use crate::{
    Migrator, Plan, Report, Result,
    cli::{consent::Consent, exit::Exit, operator::Operator, output::Output, progress::Progress},
};

/// Options of `plan`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Show passwords and other secrets in the SQL
    #[arg(long)]
    show_secrets: bool,
}

impl Arguments {
    pub(super) async fn run(&self, migrator: &Migrator, output: &Output) -> Result<Exit> {
        let mut plan = migrator.plan_up().await?;
        if self.show_secrets {
            plan.show_secrets(true);
        }
        output.result(&plan, || plan.to_string());
        Ok(Exit::Done)
    }
}

/// `--dry-run` and `--show-secrets`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct DryRun {
    /// Print the plan with its SQL, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Show passwords and other secrets in the SQL of `--dry-run`
    #[arg(long, requires = "dry_run")]
    show_secrets: bool,
}

impl DryRun {
    pub(super) fn is_set(&self) -> bool {
        self.dry_run
    }
}

/// What comes before a plan runs: a dry run or a missing consent ends the command.
pub(super) fn begin(
    plan: &mut Plan,
    dry_run: &DryRun,
    consent: &Consent,
    operator: &Operator,
    output: &Output,
) -> ControlFlow<Exit> {
    if dry_run.show_secrets {
        plan.show_secrets(true);
    }
    if dry_run.dry_run {
        return ControlFlow::Break(show(plan, consent, operator, output));
    }
    if plan.is_empty() {
        return ControlFlow::Continue(());
    }
    operator.warning(plan).iter().for_each(|it| output.warning(it));
    match consent.give(plan, operator) {
        Ok(()) => ControlFlow::Continue(()),
        Err(refused) => ControlFlow::Break(refused.print(output)),
    }
}

/// Prints a plan, and on the standard error the command that runs it.
fn show(plan: &Plan, consent: &Consent, operator: &Operator, output: &Output) -> Exit {
    operator.warning(plan).iter().for_each(|it| output.warning(it));
    output.result(plan, || plan.to_string());
    if !plan.is_empty() && !output.is_json() {
        output.note(&format!("to run this plan: {}", consent.command(plan, operator)));
    }
    Exit::Done
}

/// Runs a plan that was agreed to, and prints what it did.
pub(super) async fn apply(migrator: &Migrator, plan: &Plan, output: &Output) -> Result<Exit> {
    Ok(match run(migrator, plan, output).await? {
        Ok(report) => {
            output.result(&report, || report.to_string());
            Exit::Done
        }
        Err(exit) => exit,
    })
}

/// Runs a plan that was agreed to; an exit code if it was interrupted, which is printed.
pub(super) async fn run(
    migrator: &Migrator,
    plan: &Plan,
    output: &Output,
) -> Result<Result<Report, Exit>> {
    let progress = Progress::new(output);
    let listened = migrator.listened_to(progress.listener());
    progress.watch_quietly(migrator, Box::pin(listened.apply(plan))).await
}
