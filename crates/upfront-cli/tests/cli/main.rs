//! The command as a person runs it: what it prints, and its exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod annotations;
mod asking;
mod connections;
mod down;
mod explain;
mod files;
mod generate;
mod import;
mod init;
mod input;
mod internal_options;
mod interrupted;
mod managed;
mod models;
mod moving;
mod pictures;
mod place;
mod proof;
mod readme;
mod removal;
mod roles;
mod session;
mod settings;
mod supabase;
mod terminal;
mod tls;
mod verbs;
