//! The classes, by what they disturb.

pub(crate) mod failover;
pub(crate) mod herd;
pub(crate) mod hostile;
pub(crate) mod link;
pub(crate) mod pooler;
pub(crate) mod race;
pub(crate) mod scarce;
pub(crate) mod session;

use crate::{
    Result,
    migrate::Verb,
    point::Point,
    scenario::{self, Scenario},
};

/// A scenario and a place in it.
pub(crate) type Spots = Vec<(String, String)>;

/// The scenarios that this build can run: without debug assertions `dev` follows no directory.
pub(crate) fn scenarios() -> impl Iterator<Item = &'static Scenario> {
    scenario::ALL.iter().filter(|it| cfg!(debug_assertions) || it.verb != Verb::Dev)
}

/// The scenario of a point.
pub(crate) fn scenario(point: &Point) -> Result<&'static Scenario> {
    scenario_of(&point.scenario)
}

/// The scenario with a name.
pub(crate) fn scenario_of(name: &str) -> Result<&'static Scenario> {
    let found = scenarios().chain(scenario::SPECIAL).find(|it| it.name == name);
    found.ok_or_else(|| format!("`{name}` is not a scenario of this build").into())
}
