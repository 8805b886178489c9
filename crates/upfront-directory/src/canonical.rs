//! Converts the bytes of a file to the canonical text, which is hashed, stored and executed.

use std::fmt;

use crate::location::Location;

/// The text of a file without byte order mark and without carriage returns at line ends.
#[derive(Debug)]
pub(crate) struct Canonical {
    pub(crate) text: String,
    pub(crate) normalized: Normalized,
}

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Normalized {
    Nothing,
    ByteOrderMark,
    CarriageReturns,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EncodingError {
    Utf16,
    InvalidUtf8(u8),
    Nul,
    LoneCarriageReturn,
    ConflictMarker,
}

/// Reads the bytes of a file.
///
/// Hashes must not depend on the checkout. In <https://github.com/openai/codex/issues/23777>, Windows
/// and Linux builds refused each other's database.
pub(crate) fn read(bytes: &[u8]) -> Result<Canonical, (Location, EncodingError)> {
    let (marked, bytes) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    if is_utf16(bytes) {
        return Err((Location::line(1), EncodingError::Utf16));
    }
    let text = std::str::from_utf8(bytes).map_err(|err| {
        let at = err.valid_up_to();
        (location(bytes, at), EncodingError::InvalidUtf8(bytes[at]))
    })?;
    if let Some(at) = text.find('\0') {
        return Err((location(bytes, at), EncodingError::Nul));
    }
    let returns = text.contains('\r');
    let text = text.replace("\r\n", "\n");
    if let Some(at) = text.find('\r') {
        return Err((location(text.as_bytes(), at), EncodingError::LoneCarriageReturn));
    }
    if let Some(line) = conflict(&text) {
        return Err((Location::line(line), EncodingError::ConflictMarker));
    }
    let normalized = match (marked, returns) {
        (true, _) => Normalized::ByteOrderMark,
        (false, true) => Normalized::CarriageReturns,
        (false, false) => Normalized::Nothing,
    };
    Ok(Canonical { text, normalized })
}

/// A mark, or the zero bytes that Latin letters have in UTF-16.
fn is_utf16(bytes: &[u8]) -> bool {
    let marked = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
    let zeros = |from: usize| bytes.iter().skip(from).step_by(2).take(8).filter(|it| **it == 0);
    marked
        || (bytes.len() >= 4
            && (0..2).any(|from| zeros(from).count() >= 2 && zeros(1 - from).count() == 0))
}

/// The line of an unresolved merge conflict. All three markers are required, as valid text may
/// contain one.
fn conflict(text: &str) -> Option<usize> {
    let first = marker(text, 0, "<<<<<<< ")?;
    let middle = marker(text, first, "=======")?;
    marker(text, middle, ">>>>>>> ")?;
    Some(text[..first].matches('\n').count() + 1)
}

/// The offset of the first line from `from` on that starts with the marker.
fn marker(text: &str, from: usize, marker: &str) -> Option<usize> {
    let found = text[from..].match_indices(marker).map(|(at, _)| from + at);
    found.into_iter().find(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
}

/// The place of a byte in a text that is valid up to there.
fn location(bytes: &[u8], at: usize) -> Location {
    let before = &bytes[..at];
    let start = before.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
    let line = before.split(|it| *it == b'\n').count();
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    Location::at(line, column)
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodingError::Utf16 => f.write_str("this file is written in UTF-16"),
            EncodingError::InvalidUtf8(byte) => {
                write!(f, "the byte 0x{byte:02X} is not valid UTF-8 here")
            }
            EncodingError::Nul => f.write_str("there is a NUL byte here"),
            EncodingError::LoneCarriageReturn => {
                f.write_str("there is a carriage return without a line feed here")
            }
            EncodingError::ConflictMarker => f.write_str("a merge conflict starts here"),
        }
    }
}

impl EncodingError {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            EncodingError::Utf16 => {
                "save it as UTF-8; PowerShell's `>` writes UTF-16, `Set-Content -Encoding utf8` \
                 does not"
            }
            EncodingError::InvalidUtf8(_) => {
                "save the file as UTF-8, for instance `iconv -f latin1 -t utf8`"
            }
            EncodingError::Nul => "remove it; PostgreSQL text cannot contain it",
            EncodingError::LoneCarriageReturn => {
                "end lines with a line feed; in a string write E'\\r'"
            }
            EncodingError::ConflictMarker => "resolve the conflict and delete its three markers",
        }
    }
}
