//! The `upfront` command: PostgreSQL migrations from a terminal.

mod adopt;
mod arguments;
mod completions;
mod connection;
mod database;
mod directory;
mod failure;
mod hash;
mod import;
mod init;
mod mask;
mod new;
mod project;
mod protect;
mod verify;

fn main() -> std::process::ExitCode {
    arguments::run()
}
