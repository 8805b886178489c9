//! What a person agrees to on the command line, and the command that would say so.

use std::{env, fmt::Write};

use crate::{
    Digest, Direction, Plan,
    cli::{command_line::again, exit::Exit, operator::Operator, output::Output},
};

/// `--approve`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Approval {
    /// Approve the plan with this digest, or at least its first 8 digits
    ///
    /// `--dry-run` prints the digest. A protected database requires it.
    #[arg(long, value_name = "DIGEST")]
    pub(super) approve: Option<Digest>,
}

/// `--approve` and `--allow`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Consent {
    #[command(flatten)]
    approval: Approval,
    /// Allow this effect
    #[arg(long, value_enum, value_name = "WHAT")]
    allow: Vec<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Allowed {
    /// Delete the data that the plan names
    DataLoss,
}

/// Why a plan is not run: what to print, and the exit code.
pub(super) struct Refused(Exit, String);

impl Refused {
    pub(super) fn print(&self, output: &Output) -> Exit {
        output.error(self.0, &self.1);
        self.0
    }
}

/// What is applied needs no more: what it takes away is its author's decision.
impl From<Approval> for Consent {
    fn from(approval: Approval) -> Self {
        Self { approval, ..Self::default() }
    }
}

impl Consent {
    pub(super) fn is_given(&self) -> bool {
        self.approval.approve.is_some()
    }

    /// Puts what was agreed to into the plan; refuses what was not.
    pub(super) fn give(&self, plan: &mut Plan, operator: &Operator) -> Result<(), Refused> {
        if plan.loses_data() && plan.direction == Direction::Down && !self.allows_loss() {
            return Err(Refused(Exit::DataLoss, self.loses(plan, operator)));
        }
        if self.approval.approve.is_none() && operator.wants_approval(plan) {
            return Err(Refused(Exit::Refused, self.unapproved(plan, operator)));
        }
        if self.allows_loss() {
            plan.accept_data_loss(true);
        }
        if let Some(digest) = &self.approval.approve {
            plan.approve(digest.clone());
        }
        Ok(())
    }

    /// The command that runs a plan once it was read.
    pub(super) fn command(&self, plan: &Plan, operator: &Operator) -> String {
        let mut more = Vec::new();
        if plan.loses_data() && plan.direction == Direction::Down {
            more.extend(["--allow".to_owned(), "data-loss".to_owned()]);
        }
        if self.approval.approve.is_some() || operator.wants_approval(plan) {
            more.extend(["--approve".to_owned(), plan.digest.to_string()]);
        }
        again(env::args(), &more)
    }

    fn allows_loss(&self) -> bool {
        self.allow.contains(&Allowed::DataLoss)
    }

    fn loses(&self, plan: &Plan, operator: &Operator) -> String {
        let mut text = "rolling back would lose data; nothing was rolled back".to_owned();
        for (step, loss) in plan.losses() {
            let _ = write!(text, "\n  {}: {loss}", step.title());
        }
        let command = self.command(plan, operator);
        text + "\n  help: make a backup of it; to lose it: `" + &command + "`"
    }

    fn unapproved(&self, plan: &Plan, operator: &Operator) -> String {
        unapproved(plan.protected, operator, &plan.digest, &self.command(plan, operator))
    }
}

/// The error for a plan that lacks its approval; `command` runs it with that.
pub(super) fn unapproved(
    protected: bool,
    operator: &Operator,
    digest: &Digest,
    command: &str,
) -> String {
    let what = match (protected, operator) {
        (false, Operator::Person { protected: Some(name) }) => {
            format!("environment `{name}` is protected")
        }
        _ => "the database is protected".to_owned(),
    };
    let read = again(env::args(), &["--dry-run".to_owned()]);
    format!(
        "{what}, and the plan is not approved; nothing was changed\n  plan: {digest}\n  help: have \
         the plan read, which `{read}` prints; then: `{command}`"
    )
}
