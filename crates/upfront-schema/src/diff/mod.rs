//! From two schemas to a plan. Pure: no I/O.

pub(crate) mod actions;
pub(crate) mod difference;
pub(crate) mod effect;
pub(crate) mod graph;
pub(crate) mod plan;
pub(crate) mod steps;
pub(crate) mod uncompared;
