//! What an operator does to a history by hand: protection, holds, the log.

pub(crate) mod log;
pub(crate) mod protect;
pub(crate) mod resolve;
