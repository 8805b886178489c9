//! Prints the SQL that turns one schema into another.
//!
//! `cargo run -p upfront-schema --example diff -- --from a.sql --to b.sql`: each of them a SQL file,
//! a folder, a migrations directory or a URL. Nothing is printed that was not proven on a scratch
//! server.

use std::error::Error;

use clap::Parser;
use upfront_schema::{Scope, Source, diff};
use upfront_scratch::Server;

#[derive(Parser)]
struct Arguments {
    /// The schema that there is.
    #[arg(long)]
    from: Source,
    /// The schema that is wanted.
    #[arg(long)]
    to: Source,
    /// Prints the way back.
    #[arg(long)]
    down: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let server = Server::start()?;
    let proof = diff(&server, &arguments.from, &arguments.to, &Scope::default())?;
    print!("{}", if arguments.down { proof.down } else { proof.up });
    Ok(())
}
