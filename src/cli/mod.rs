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
mod examples;
mod exit;
mod explain;
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
    /// Use upfront's tables in this schema instead of the program's
    #[arg(long, value_name = "SCHEMA", global = true, help_heading = "Global options")]
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

/// The verbs on a database.
#[derive(Debug, Clone, clap::Subcommand)]
#[non_exhaustive]
pub enum Verb {
    /// Show the state of each migration
    #[command(alias = "info", after_long_help = examples::of("status", MOUNTED))]
    Status(status::Arguments),
    /// Show the pending migrations with their SQL, as `up --dry-run` does
    #[command(after_long_help = examples::of("plan", MOUNTED))]
    Plan(plan::Arguments),
    /// Apply the pending migrations
    #[command(aliases = ["apply", "migrate", "run"], after_long_help = examples::of("up", MOUNTED))]
    Up(up::Arguments),
    /// Roll back the newest migration, or more
    #[command(after_long_help = examples::of("down", MOUNTED))]
    Down(down::Arguments),
    /// Check that nothing is pending and nothing diverged
    #[command(after_long_help = examples::of("check", MOUNTED))]
    Check(check::Arguments),
    /// Record that a migration was undone or applied by hand, without running it
    #[command(after_long_help = examples::of("resolve", MOUNTED))]
    Resolve(resolve::Arguments),
    /// Show who changed the schema, when and how, newest first
    #[command(after_long_help = examples::of("log", MOUNTED))]
    Log(log::Arguments),
    /// Explain a kind of error: what happened, why, and what to do
    #[command(after_long_help = examples::of("explain", MOUNTED))]
    Explain(explain::Arguments),
}

/// What services usually call the command that they mount.
const MOUNTED: &str = "migrate";

/// Puts the examples of a command's verbs below their help.
#[doc(hidden)]
#[must_use]
pub fn with_examples(
    command: clap::Command,
    program: &str,
    own: &[(&str, &[(&str, &str)])],
) -> clap::Command {
    let names: Vec<_> = command.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let text = match own.iter().find(|(verb, _)| *verb == name) {
            Some((_, it)) => examples::listed(it, program),
            None => examples::of(&name, program),
        };
        command.mut_subcommand(name, |it| it.after_long_help(text))
    })
}

impl Verb {
    /// Runs a verb that needs no database; nothing for the others.
    #[doc(hidden)]
    #[must_use]
    pub fn run_offline(&self, output: &Output) -> Option<Exit> {
        match self {
            Self::Explain(it) => Some(it.run(output)),
            _ => None,
        }
    }

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
            Self::Explain(it) => Ok(it.run(output)),
        };
        done.unwrap_or_else(|err| output.failed(&err))
    }
}
