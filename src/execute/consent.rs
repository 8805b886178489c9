//! Whether a plan was agreed to.

use crate::{
    Plan, Result,
    error::rejection::{Rejection, Stale},
    execute::approval,
    plan::Consent,
};

/// How exactly a plan is to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanMatch {
    /// The plan was shown to somebody: the database must not have moved since.
    Exact,
    /// The plan was made a moment ago: what somebody else has rolled back meanwhile is done.
    RollbackScope,
}

/// Was the plan that is to run, which is made again as `now`, agreed to?
pub(crate) fn consent(consent: &Consent, plan: &Plan, now: &Plan, fit: PlanMatch) -> Result<()> {
    let digest = now.digest.clone();
    if let Some(approved) = &consent.approval {
        approval::verify(approved, &digest).map_err(Rejection::Stale)?;
    }
    if fit == PlanMatch::Exact && plan.digest != digest {
        let made = plan.digest.clone();
        return Err(Rejection::Stale(Stale::Moved { made, now: Some(digest) }).into());
    }
    if now.protected && consent.approval.is_none() {
        let warning = now.warnings.first().cloned();
        let direction = Some(now.direction);
        return Err(Rejection::Protected { direction, digest: Some(digest), warning }.into());
    }
    Ok(())
}
