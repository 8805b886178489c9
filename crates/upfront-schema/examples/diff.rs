//! Prints the SQL that turns one schema into another.
//!
//! `cargo run -p upfront-schema --example diff -- --from a.sql --to b.sql`: each of them a SQL file,
//! a folder, a migrations directory or a URL. Nothing is printed that was not proven on a scratch
//! server.

use std::process::ExitCode;

use clap::Parser;
use upfront_schema::{Error, Options, Plan, Source, diff};
use upfront_scratch::Server;

#[derive(Parser)]
struct Arguments {
    /// The schema that there is.
    #[arg(long)]
    from: Source,
    /// The schema that is wanted.
    #[arg(long)]
    to: Source,
    /// How the values of a column become those of its new type: `table.column=expression`.
    #[arg(long, value_name = "COLUMN=EXPRESSION", value_parser = using)]
    using: Vec<(String, String)>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(plan) => {
            for it in &plan.notes {
                eprintln!("note: {it}");
            }
            print!("{}", if plan.is_empty() { String::new() } else { plan.script() });
            ExitCode::SUCCESS
        }
        Err(err) => {
            eprintln!("error: {err}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<Plan, Error> {
    let server = Server::start()?;
    let using = arguments.using.into_iter().collect();
    let options = Options { using, ..Options::default() };
    diff(&server, &arguments.from, &arguments.to, &options)
}

fn using(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("there is no `=` in it")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}
