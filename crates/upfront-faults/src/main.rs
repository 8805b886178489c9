//! The fault suite: a migrator runs against scratch servers, and whatever may fail around it fails,
//! point by point.
//!
//! ```text
//! cargo faults list                      # classes, scenarios and the number of points
//! cargo faults run                       # all points, on the installed PostgreSQL
//! cargo faults run --major 17 --short    # an evenly spread sample
//! cargo faults report                    # docs/faults.md and docs/faults.svg
//! ```
//!
//! A point is one fault in one scenario. Wherever faults can be counted, an undisturbed run counts
//! them first, and then each is a run of its own. After the fault an undisturbed migrator must reach
//! the end state that psql makes of the same files; see [`oracle`].

mod arena;
mod class;
mod classes;
mod database;
mod failure;
mod lab;
mod migrate;
mod oracle;
mod point;
mod process;
mod protocol;
mod proxy;
mod report;
mod results;
mod run;
mod scenario;
mod snapshot;
mod statements;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::migrate::Order;

/// Disturb migrators and check that upfront keeps its promises
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Count the points of each class
    List(run::Selection),
    /// Try points and record what became of them
    Run(run::Options),
    /// Write the report of what was recorded
    Report(report::Sources),
    /// Run one migrator, as the suite does in a process of its own
    #[command(hide = true)]
    Migrate(Order),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Migrate(order) => return migrate::main(&order),
        Verb::List(selection) => run::list(&selection),
        Verb::Run(options) => run::run(&options),
        Verb::Report(sources) => report::report(&sources),
    };
    match result {
        Ok(code) => code,
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::FAILURE
        }
    }
}
