//! What runs on databases of a scratch server.

pub(crate) mod apply;
pub(crate) mod load;
pub(crate) mod observe;
pub(crate) mod preflight;
pub(crate) mod role;
pub(crate) mod roles;
pub(crate) mod routine_bodies;
pub(crate) mod run_setup;
pub(crate) mod session;
pub(crate) mod source;
