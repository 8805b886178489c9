//! Calls for operators: protection, holds, the log, and `resolve`.

pub(crate) mod log;
pub(crate) mod protect;
pub(crate) mod resolve;
