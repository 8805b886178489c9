//! Hashes of migrations, chains and fingerprints.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// A SHA-256.
///
/// It prints as 64 lower-case hexadecimal digits, and parses from them.
///
/// ```
/// # use upfront_directory::Hash;
/// let hash = Hash::of(b"SELECT 1;\n");
/// assert_eq!(hash.to_string().parse(), Ok(hash));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// 32 zero bytes: the start of a chain, and the fingerprint of an empty history.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// Creates a hash from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Hash {
        Hash(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The link of one migration: a hash over this migration and all before it.
///
/// SHA-256 over the previous link, then version, name and hash, each with its length before it
/// (eight bytes, big-endian), so that no two histories share a link. The first migration's
/// `previous` is [`Hash::ZERO`].
#[must_use]
pub fn chain(previous: &Hash, version: &str, name: &str, hash: &Hash) -> Hash {
    let mut link = Sha256::new();
    link.update(previous.0);
    for part in [version.as_bytes(), name.as_bytes(), &hash.0] {
        link.update((part.len() as u64).to_be_bytes());
        link.update(part);
    }
    Hash(link.finalize().into())
}

/// The part of a migration that a fingerprint covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The version.
    pub version: &'a str,
    /// The name.
    pub name: &'a str,
    /// The hash of the up side.
    pub hash: Hash,
    /// The link in the chain.
    pub chain: Hash,
    /// Whether older programs cannot work on the schema that it leaves.
    pub breaking: bool,
}

impl Row<'_> {
    fn hash(&self) -> Hash {
        let Row { version, name, hash, chain, breaking } = self;
        let breaking = if *breaking { 't' } else { 'f' };
        Hash::of(format!("{version}/{name}/{hash}/{chain}/{breaking}").as_bytes())
    }
}

/// One hash over a set of migrations, in any order.
///
/// It is the exclusive or of one SHA-256 for each row, over `version/name/hash/chain/breaking`
/// (hashes in hexadecimal, `breaking` as `t` or `f`), so that PostgreSQL computes the same with
/// `bit_xor` and needs no sort.
#[must_use]
pub fn fingerprint<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Hash {
    rows.into_iter().fold(Hash::ZERO, |mut all, row| {
        all.0.iter_mut().zip(row.hash().0).for_each(|(byte, other)| *byte ^= other);
        all
    })
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The error for a text that is not a [`struct@Hash`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHashError(());

impl fmt::Display for ParseHashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash has 64 hexadecimal digits")
    }
}

impl std::error::Error for ParseHashError {}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Hash, ParseHashError> {
        if text.len() != 64 || !text.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(ParseHashError(()));
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16)
                .map_err(|_| ParseHashError(()))?;
        }
        Ok(Hash(bytes))
    }
}
