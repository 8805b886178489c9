//! The `upfront` command: PostgreSQL migrations from a terminal.

mod args;
mod commands;
mod config;
mod connection;
mod context;
mod exit;
mod output;
mod scratch;

fn main() -> std::process::ExitCode {
    args::run()
}
