//! Connections to the server: borrowed for a look, taken for good before a lock.

pub(crate) mod answer;
pub(crate) mod backend_key;
pub(crate) mod backoff;
pub(crate) mod connector;
pub(crate) mod locked;
pub(crate) mod server_info;
pub(crate) mod session;
pub(crate) mod session_settings;
pub(crate) mod sql;
