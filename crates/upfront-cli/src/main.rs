//! The `upfront` command: PostgreSQL migrations from a terminal.

mod adopt;
mod arguments;
mod cargo;
mod completions;
mod connection;
mod database;
mod desired;
mod diff;
mod differences;
mod directory;
mod drift;
mod failure;
mod generate;
mod hash;
mod import;
mod init;
mod live;
mod mask;
mod new;
mod other_tools;
mod package;
mod preset;
mod progress;
mod project;
mod proof;
mod protect;
mod rm;
mod schema;
mod scratch;
mod setup;
mod source;
mod staging;
mod verify;

fn main() -> std::process::ExitCode {
    arguments::run()
}
