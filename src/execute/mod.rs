//! Applying and rolling back.

pub(crate) mod approval;
pub(crate) mod attempt;
pub(crate) mod consent;
pub(crate) mod context;
pub(crate) mod data_loss;
pub(crate) mod down;
pub(crate) mod duplicate_history;
pub(crate) mod execution;
pub(crate) mod existing;
pub(crate) mod finish_rollback;
pub(crate) mod index_build;
pub(crate) mod lock;
pub(crate) mod metadata_tables;
pub(crate) mod protection;
pub(crate) mod send;
pub(crate) mod statements;
pub(crate) mod transaction;
pub(crate) mod up;
#[cfg(feature = "dev")]
pub(crate) mod watched;
