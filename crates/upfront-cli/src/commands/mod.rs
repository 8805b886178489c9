//! The verbs of the command, a file each.

pub(crate) mod adopt;
pub(crate) mod baseline;
pub(crate) mod check_schema;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod hash;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod other_tools;
pub(crate) mod protect;
pub(crate) mod release;
pub(crate) mod rm;
pub(crate) mod schema;
pub(crate) mod shared;
pub(crate) mod verify;
