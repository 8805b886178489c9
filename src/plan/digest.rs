//! The digest of a plan, which stands for the plan where it is approved.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::plan::checksum::hex;

/// How many digits of a digest are enough.
const SHORTEST: usize = 8;

const LONGEST: usize = 64;

/// The digest of a plan: SHA-256 in hex, whole or abbreviated to its first 8 digits or more.
///
/// ```
/// use upfront::Digest;
///
/// let whole: Digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".parse()?;
/// let short: Digest = "01234567".parse()?;
/// assert!(short.matches(&whole));
/// assert_eq!(short.to_string(), "01234567");
/// assert!("0123456".parse::<Digest>().is_err());
/// # Ok::<(), upfront::ParseDigestError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest(String);

/// A text that is not a [`Digest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseDigestError(String);

impl Digest {
    /// Returns the hexadecimal digits, in lowercase.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns `true` if one of the two begins with the other.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits = text.trim().to_ascii_lowercase();
        let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
        match is_hex && (SHORTEST..=LONGEST).contains(&digits.len()) {
            true => Ok(Self(digits)),
            false => Err(ParseDigestError(text.to_owned())),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'a> serde::Deserialize<'a> for Digest {
    fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'a, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ParseDigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "`{text}` is not the digest of a plan: expected 8 to 64 hexadecimal digits\n  help: copy \
             the digest that the plan prints, or its first 8 digits"
        )
    }
}

impl std::error::Error for ParseDigestError {}

/// Hashes texts, each with its length before it, behind a tag that says what they are.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new(tag: &str) -> Self {
        let mut it = Self(Sha256::new());
        it.part(tag);
        it
    }

    pub(crate) fn part(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest(hex(&self.0.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_eight_digits_or_more() {
        let whole = "0123456789abcdef".repeat(4);
        let digest: Digest = whole.parse().unwrap();
        let check = |approved: &str| match approved.parse::<Digest>() {
            Ok(it) if it.matches(&digest) => "fits",
            Ok(_) => "another",
            Err(_) => "no digest",
        };
        assert_eq!(check(&whole), "fits");
        assert_eq!(check("01234567"), "fits");
        assert_eq!(check(" 0123456789ABC\n"), "fits");
        assert_eq!(check("0123456"), "no digest");
        assert_eq!(check(""), "no digest");
        assert_eq!(check("0123456z"), "no digest");
        assert_eq!(check(&format!("{whole}0")), "no digest");
        assert_eq!(check("01234568"), "another");
    }
}
