//! Plans that have been seen to work.

use upfront_scratch::{Database, Server};

use crate::apply;
use crate::difference::{Difference, difference};
use crate::error::{Kind, Result};
use crate::extract::{Scope, extract};
use crate::observe::Lock;
use crate::plan::{Plan, plan};
use crate::session;
use crate::settle::{self, Seen};
use crate::source::Source;

/// Two plans, one the way back of the other, both proven.
#[derive(Debug)]
pub struct Proof {
    /// From the first schema to the second.
    pub up: Plan,
    /// And back.
    pub down: Plan,
}

/// Plans the way from one database to another and back, and proves both on a copy.
///
/// Neither database is changed. The up side on a copy of the first gives the second, the down side
/// on that gives the first, and the up side works again after it.
///
/// # Errors
///
/// If there is something that is not modelled, a difference that cannot be written, or if a side
/// fails or leaves a difference: no SQL that was not proven is returned.
pub fn prove(a: &Database<'_>, b: &Database<'_>, scope: &Scope) -> Result<Proof> {
    let (old, new) = compared(a, b, scope)?;
    let mut proof = Proof { up: plan(&old.1, &new.1)?, down: plan(&new.1, &old.1)? };
    let copy = a.copy()?;
    let up = step(&copy, &proof.up, "up", &new, scope)?;
    let down = step(&copy, &proof.down, "down", &old, scope)?;
    step(&copy, &proof.up, "second up", &new, scope)?;
    proof.up.observed(up);
    proof.down.observed(down);
    Ok(proof)
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

/// The SQL that turns one schema into the other, proven with its way back.
///
/// # Errors
///
/// Those of [`Source::load`] and of [`prove`].
pub fn diff(server: &Server, from: &Source, to: &Source, scope: &Scope) -> Result<Proof> {
    prove(&from.load(server, scope)?, &to.load(server, scope)?, scope)
}

fn seen<'a>(of: &'a Database<'_>, scope: &Scope) -> Result<Seen<'a>> {
    Ok((of, extract(&mut session::open(of)?, scope)?))
}

fn compared<'a>(
    a: &'a Database<'_>,
    b: &'a Database<'_>,
    scope: &Scope,
) -> Result<(Seen<'a>, Seen<'a>)> {
    let (mut old, mut new) = (seen(a, scope)?, seen(b, scope)?);
    settle::settle(&mut old, &mut new, scope)?;
    Ok((old, new))
}

fn step(
    copy: &Database<'_>,
    plan: &Plan,
    side: &'static str,
    goal: &Seen<'_>,
    scope: &Scope,
) -> Result<Vec<Vec<Lock>>> {
    let locks = apply::apply(&mut session::open(copy)?, plan, side)?;
    let mut there = seen(copy, scope)?;
    let mut left = difference(&there.1, &goal.1);
    if !left.is_empty() {
        let mut wanted = seen(goal.0, scope)?;
        settle::settle(&mut there, &mut wanted, scope)?;
        left = difference(&there.1, &wanted.1);
    }
    if left.is_empty() {
        return Ok(locks);
    }
    let remains = left.iter().map(ToString::to_string).collect();
    Err(Kind::NotProven { side, remains }.into())
}
