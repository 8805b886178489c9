//! Plans that were tested on a copy.

use upfront_scratch::{Database, Server};

use crate::{
    catalog::{extract::extract, scope::Scope},
    diff::{
        difference::{Difference, difference},
        plan::{Plan, plan},
        uncompared,
    },
    error::{Kind, Result},
    options::Options,
    scratch::{apply, routine_bodies::RoutineBodies, session, source::Source},
    verify::normalize::{self, LoadedSchema},
};

/// A plan and its rollback, both tested.
#[derive(Debug)]
pub struct Proof {
    /// From the first schema to the second.
    pub up: Plan,
    /// And back.
    pub down: Plan,
}

/// Plans the change from one database to another and its rollback, and tests both on a copy.
///
/// Neither database is changed. The up side on a copy of the first gives the second, the down side
/// on that gives the first, and the up side works again after it.
///
/// # Errors
///
/// If there is something that is not modelled, a difference that cannot be written, or if a side
/// fails or leaves a difference: no SQL that was not proven is returned.
pub fn prove(a: &Database<'_>, b: &Database<'_>, options: &Options) -> Result<Proof> {
    let (old, new) = compared(a, b, &options.scope)?;
    let mut up = plan(&old.1, &new.1, options)?;
    let copy = a.copy()?;
    step(&copy, &mut up, "up", &new, &options.scope)?;
    let mut down = match old.1.has_aliases() || new.1.has_aliases() {
        // Lists of aliases depend on the order in which the columns are by then.
        true => plan(&compared(&copy, a, &options.scope)?.0.1, &old.1, &options.reversed())?,
        false => plan(&new.1, &old.1, &options.reversed())?,
    };
    step(&copy, &mut down, "down", &old, &options.scope)?;
    step(&copy, &mut up.clone(), "second up", &new, &options.scope)?;
    Ok(Proof { up, down })
}

/// The same without the rollback.
///
/// # Errors
///
/// As [`prove`].
pub fn prove_up(a: &Database<'_>, b: &Database<'_>, options: &Options) -> Result<Plan> {
    let (old, new) = compared(a, b, &options.scope)?;
    let mut up = plan(&old.1, &new.1, options)?;
    step(&a.copy()?, &mut up, "up", &new, &options.scope)?;
    Ok(up)
}

/// How two databases differ, expressions in the form that stays.
///
/// # Errors
///
/// If there is something that is not modelled.
pub fn compare(a: &Database<'_>, b: &Database<'_>, scope: &Scope) -> Result<Vec<Difference>> {
    let (old, new) = compared(a, b, scope)?;
    Ok(difference(&old.1, &new.1))
}

/// The SQL that turns one schema into the other, proven.
///
/// # Errors
///
/// Those of [`Source::load`] and of [`prove_up`].
pub fn diff(server: &Server, from: &Source, to: &Source, options: &Options) -> Result<Plan> {
    let (a, b) = (from.load(server, &options.scope)?, to.load(server, &options.scope)?);
    prove_up(&a, &b, options)
}

pub(crate) fn load_schema<'a>(of: &'a Database<'_>, scope: &Scope) -> Result<LoadedSchema<'a>> {
    Ok((of, extract(&mut session::open(of)?, scope)?))
}

pub(crate) fn compared<'a>(
    a: &'a Database<'_>,
    b: &'a Database<'_>,
    scope: &Scope,
) -> Result<(LoadedSchema<'a>, LoadedSchema<'a>)> {
    let (mut old, mut new) = (load_schema(a, scope)?, load_schema(b, scope)?);
    normalize::normalize(&mut old, &mut new, scope)?;
    Ok((old, new))
}

/// Runs a side on the copy, which then has to be like the goal.
pub(crate) fn step(
    copy: &Database<'_>,
    plan: &mut Plan,
    side: &'static str,
    goal: &LoadedSchema<'_>,
    scope: &Scope,
) -> Result<()> {
    let bodies = RoutineBodies::read(copy, scope)?;
    let locks = apply::apply(&mut session::open(copy)?, plan, side)?;
    let mut there = load_schema(copy, scope)?;
    let mut left = difference(&there.1, &goal.1);
    if !left.is_empty() {
        let mut wanted = load_schema(goal.0, scope)?;
        normalize::normalize(&mut there, &mut wanted, scope)?;
        left = difference(&there.1, &wanted.1);
    }
    if !left.is_empty() {
        let remains = left.iter().map(ToString::to_string).collect();
        return Err(Kind::NotProven { side, remains }.into());
    }
    plan.observed(locks);
    plan.notes = uncompared::uncompared_differences(&there.1, &goal.1);
    plan.notes.extend(bodies.broken_since(copy, scope)?);
    Ok(())
}
