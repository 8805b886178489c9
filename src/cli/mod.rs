//! The command inside a service, and what the `upfront` command shares with it (feature `cli`).
//!
//! A service mounts it in its own clap application with one line:
//!
//! ```no_run
//! # use std::process::ExitCode;
//! use clap::{Parser, Subcommand};
//!
//! #[derive(Parser)]
//! struct Service {
//!     #[command(subcommand)]
//!     command: Command,
//! }
//!
//! #[derive(Subcommand)]
//! enum Command {
//!     /// Serves requests.
//!     Serve,
//!     /// Migrates the database.
//!     Migrate(upfront::cli::Migrate),
//! }
//!
//! # async fn serve() -> ExitCode { ExitCode::SUCCESS }
//! # async fn run(service: Service, migrator: upfront::Migrator) -> ExitCode {
//! match service.command {
//!     Command::Serve => serve().await,
//!     Command::Migrate(it) => it.run(&migrator).await,
//! }
//! # }
//! ```
//!
//! Results go to the standard output, as text or as one JSON document; progress, warnings and the
//! text of errors go to the standard error. What the exit code says is [`Exit`].

mod check;
mod command_line;
mod consent;
mod down;
mod exit;
mod interrupt;
mod log;
mod operator;
mod output;
mod plan;
mod progress;
mod resolve;
mod rollback;
mod status;
mod table;
mod up;

use std::process::ExitCode;

pub use exit::Exit;
pub use operator::Operator;
pub use output::{Format, Output};
#[doc(hidden)]
pub use rollback::Rollback;

use crate::Migrator;

/// A command `migrate` with a sub-command for each verb, for a service's own clap application.
#[derive(Debug, Clone, clap::Args)]
pub struct Migrate {
    #[command(subcommand)]
    verb: Verb,
    /// The schema of upfront's own tables, in place of the program's
    #[arg(long, value_name = "SCHEMA", global = true)]
    schema: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Migrate {
    /// Does what the command line asked for, and prints it.
    ///
    /// Errors are printed too; the exit code says which sort it was.
    pub async fn run(&self, migrator: &Migrator) -> ExitCode {
        let migrator = match &self.schema {
            None => migrator.clone(),
            Some(schema) => match migrator.in_schema(schema) {
                Ok(it) => it,
                Err(err) => return self.output.failed(&err).into(),
            },
        };
        self.verb.run(&migrator, &Operator::Service, &self.output).await.into()
    }
}

/// What can be done to a database from a command line.
#[derive(Debug, Clone, clap::Subcommand)]
#[non_exhaustive]
pub enum Verb {
    /// Shows what is applied, pending, ahead and diverged
    #[command(alias = "info")]
    Status(status::Arguments),
    /// Shows what `up` would do, with the exact SQL; the same as `up --dry-run`
    Plan(plan::Arguments),
    /// Applies what is pending
    #[command(aliases = ["apply", "migrate", "run"])]
    Up(up::Arguments),
    /// Rolls back, newest first: one migration where nothing is said
    Down(down::Arguments),
    /// Succeeds where nothing is pending and nothing diverged
    Check(check::Arguments),
    /// Record that a migration was undone or applied by hand, without running it
    Resolve(resolve::Arguments),
    /// Shows who changed the schema, when and how, newest first
    Log(log::Arguments),
}

impl Verb {
    /// Does it, and prints what came of it.
    pub async fn run(&self, migrator: &Migrator, operator: &Operator, output: &Output) -> Exit {
        let done = match self {
            Self::Status(it) => it.run(migrator, output).await,
            Self::Plan(it) => it.run(migrator, output).await,
            Self::Up(it) => it.run(migrator, operator, output).await,
            Self::Down(it) => it.run(migrator, operator, output).await,
            Self::Check(it) => it.run(migrator, output).await,
            Self::Resolve(it) => it.run(migrator, operator, output).await,
            Self::Log(it) => it.run(migrator, output).await,
        };
        done.unwrap_or_else(|err| output.failed(&err))
    }
}
