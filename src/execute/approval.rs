//! Approvals: the digest of a plan, whole or by its first digits, as git takes the names of commits.

use crate::{Digest, error::rejection::Stale};

/// Does an approval name the plan with this digest?
///
/// # Errors
///
/// It is the digest of another plan.
pub(crate) fn verify(approved: &Digest, digest: &Digest) -> Result<(), Stale> {
    match approved.matches(digest) {
        true => Ok(()),
        false => Err(Stale::Approval { approved: approved.clone(), digest: digest.clone() }),
    }
}
