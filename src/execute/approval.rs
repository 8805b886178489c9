//! Approvals: the digest of a plan, whole or by its first digits, as git takes the names of commits.

use crate::error::rejection::Stale;

/// How many digits of a digest are enough.
const SHORTEST: usize = 8;

/// Does an approval name the plan with this digest?
///
/// # Errors
///
/// It is too short or no digest, or another plan's.
pub(crate) fn verify(approved: &str, digest: &str) -> Result<(), Stale> {
    let (approved, digest) = (approved.trim().to_ascii_lowercase(), digest.to_owned());
    let is_hex = approved.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_hex || !(SHORTEST..=digest.len()).contains(&approved.len()) {
        return Err(Stale::NoDigest { approved, digest });
    }
    match digest.starts_with(&approved) {
        true => Ok(()),
        false => Err(Stale::Approval { approved, digest }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_eight_digits_or_more() {
        let digest = "0123456789abcdef".repeat(4);
        let check = |approved: &str| match verify(approved, &digest) {
            Ok(()) => "fits",
            Err(Stale::NoDigest { .. }) => "no digest",
            Err(_) => "another",
        };
        assert_eq!(check(&digest), "fits");
        assert_eq!(check("01234567"), "fits");
        assert_eq!(check("0123456789ABC"), "fits");
        assert_eq!(check("0123456"), "no digest");
        assert_eq!(check(""), "no digest");
        assert_eq!(check("0123456z"), "no digest");
        assert_eq!(check(&format!("{digest}0")), "no digest");
        assert_eq!(check("01234568"), "another");
    }
}
