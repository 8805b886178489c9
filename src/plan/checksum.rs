//! Hashes: the chain that ties each revision to all before it, and the lock's key.

use sha2::{Digest as _, Sha256};

/// Where every chain starts.
pub(crate) const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// `SHA-256(previous chain, then version, name and hash, each with its length before it)`.
///
/// Lengths are eight bytes, big endian; hashes are taken as bytes, not as hex. The build computes
/// the same for a whole directory; a database whose history holds an accepted older text continues
/// from its own last link.
pub(crate) fn link(previous: &str, version: &str, name: &str, hash: &str) -> String {
    let mut it = Sha256::new();
    it.update(bytes(previous));
    for part in [version.as_bytes(), name.as_bytes(), &bytes(hash)] {
        it.update((part.len() as u64).to_be_bytes());
        it.update(part);
    }
    hex(&it.finalize())
}

/// SHA-256 in hex.
pub(crate) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// The advisory lock's key for an app: the first eight bytes, big endian, of
/// `SHA-256("upfront lock v1\0" schema "\0" app)`.
pub(crate) fn lock_key(schema: &str, app: &str) -> i64 {
    let digest = Sha256::digest(format!("upfront lock v1\0{schema}\0{app}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(first)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|it| [it >> 4, it & 15]).map(|it| DIGITS[it as usize] as char).collect()
}

/// The bytes of a hex text; a pair that is no hex counts as zero, so that a row edited by hand
/// gives a different link instead of a panic.
fn bytes(hex: &str) -> Vec<u8> {
    let digit = |it: u8| match it {
        b'0'..=b'9' => it - b'0',
        b'a'..=b'f' => it - b'a' + 10,
        _ => 0,
    };
    hex.as_bytes()
        .chunks(2)
        .map(|it| digit(it[0]) << 4 | it.get(1).map_or(0, |it| digit(*it)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_schema_and_app_alone() {
        assert_eq!(lock_key("upfront", "main"), lock_key("upfront", "main"));
        assert_ne!(lock_key("upfront", "main"), lock_key("upfront", "billing"));
        assert_ne!(lock_key("upfront", "main"), lock_key("other", "main"));
    }
}
