//! Connections to the server: borrowed for a look, taken for good before a lock.

pub(crate) mod backoff;
pub(crate) mod connector;
pub(crate) mod session;
pub(crate) mod session_settings;
