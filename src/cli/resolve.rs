//! `resolve`

use std::env;

use clap::ArgGroup;

use crate::{
    Migrator, Resolution, Resolve, Resolved, Result,
    cli::{
        command_line::again,
        consent::{Approval, unapproved},
        exit::Exit,
        operator::Operator,
        output::Output,
    },
    embedded::title,
};

/// Options of `resolve`.
///
/// Nothing of a migration runs: the command changes the history alone, in one transaction with a line
/// of the log, and under the migration lock. On a terminal it asks first.
#[derive(Debug, Clone, clap::Args)]
#[command(
    group = ArgGroup::new("outcome")
        .required(true)
        .args(["applied", "rolled_back", "done", "not_done"]),
    group = ArgGroup::new("part").args(["statement", "edited"])
)]
#[expect(clippy::struct_excessive_bools, reason = "they are options of the command line")]
pub struct Arguments {
    /// The version of the migration, with or without its name
    #[arg(value_name = "VERSION", required_unless_present = "all")]
    version: Option<String>,
    /// Resolve all migrations of the app, as after `DROP SCHEMA`
    #[arg(long, conflicts_with_all = ["version", "part"])]
    all: bool,
    /// Record that the migration is applied
    #[arg(long, conflicts_with = "part")]
    applied: bool,
    /// Record that the migration is rolled back
    #[arg(long, conflicts_with = "part")]
    rolled_back: bool,
    /// Resolve statement N of a partially applied migration
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    statement: Option<u32>,
    /// Resolve a partially applied migration whose file was edited
    #[arg(long)]
    edited: bool,
    /// Record that the statement, or the new statements of the file, took effect
    #[arg(long, requires = "part")]
    done: bool,
    /// Record that the statement, or the new statements of the file, did not take effect
    #[arg(long, requires = "part")]
    not_done: bool,
    /// Print what would be recorded, and record nothing
    #[arg(long)]
    dry_run: bool,
    /// Record without asking
    #[arg(short, long)]
    yes: bool,
    /// Hold the migration: nothing applies it until `release`
    #[arg(long)]
    hold: bool,
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
        let mut plan = migrator.plan_resolve(self.asked()).await?;
        let command = || self.command(&plan, operator);
        if self.dry_run {
            output.result(&plan, || plan.to_string());
            if !plan.is_empty() && !output.is_json() {
                output.note(&format!("to record this: {}", command()));
            }
            return Ok(Exit::Done);
        }
        if !plan.is_empty() {
            let approved = &self.approval.approve;
            if approved.is_none() && operator.wants_approval_where(plan.protected) {
                let text = unapproved(plan.protected, operator, &plan.digest, &command());
                output.error(Exit::Refused, &text);
                return Ok(Exit::Refused);
            }
            let is_agreed = self.yes || approved.is_some();
            if !is_agreed && output.confirm(&question(&plan)) == Some(false) {
                output.error(Exit::Refused, "not confirmed; nothing was recorded");
                return Ok(Exit::Refused);
            }
        }
        if let Some(digest) = &self.approval.approve {
            plan.approve(digest.clone());
        }
        if self.hold {
            plan.hold(true);
        }
        let resolved = migrator.resolve(&plan).await?;
        output.result(&resolved, || resolved.to_string());
        Ok(Exit::Done)
    }

    fn asked(&self) -> Resolve {
        let outcome = match self.applied || self.done {
            true => Resolution::Applied,
            false => Resolution::RolledBack,
        };
        let version = self.version.clone().unwrap_or_default();
        match (self.statement, self.edited) {
            _ if self.all => Resolve::All { outcome },
            (Some(statement), _) => {
                Resolve::Statement { version, statement: statement as usize, outcome }
            }
            (None, true) => Resolve::Edited { version, outcome },
            (None, false) => Resolve::Migration { version, outcome },
        }
    }

    /// The command line once more, with what it needs to run.
    fn command(&self, plan: &Resolved, operator: &Operator) -> String {
        let needs_approval =
            self.approval.approve.is_some() || operator.wants_approval_where(plan.protected);
        let approval = ["--approve".to_owned(), plan.digest.to_string()];
        again(env::args(), if needs_approval { &approval } else { &[] })
    }
}

fn question(plan: &Resolved) -> String {
    let mut titles: Vec<_> = plan.changes.iter().map(|it| title(&it.version, &it.name)).collect();
    titles.dedup();
    let after = plan.changes.first().map_or(String::new(), |it| match it.statement {
        Some(statement) if it.after == Resolution::Applied => format!("statement {statement} done"),
        Some(statement) => format!("statement {statement} not done"),
        None => it.after.to_string(),
    });
    format!("Record as {after}, without running anything: {}?", titles.join(", "))
}
