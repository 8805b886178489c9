//! What commands print: failures, differences and progress.

pub(crate) mod differences;
pub(crate) mod failure;
pub(crate) mod progress;
