//! A fast check, as most SQL contains no secret.

/// Whether the text may contain a secret: false if it contains none of the words that identify one.
///
/// Build scripts run this over large files without optimization, so it is a single pass that looks at
/// pairs of bytes before it compares words.
#[must_use]
pub fn may_contain_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        if PAIRS[bytes[at - 1] as usize][bytes[at] as usize] && starts_secret(bytes, at - 1) {
            return true;
        }
        at += 1;
    }
    false
}

/// The first two bytes of each word of [`may_contain_secret`], in either case.
static PAIRS: [[bool; 256]; 256] = {
    let mut pairs = [[false; 256]; 256];
    let mut first = u8::MAX;
    while first > 0 {
        let rests = rests(first);
        let mut at = 0;
        while at < rests.len() {
            let second = rests[at].as_bytes()[0];
            pairs[first as usize][second as usize] = true;
            pairs[first as usize][second.to_ascii_uppercase() as usize] = true;
            at += 1;
        }
        first -= 1;
    }
    pairs
};

fn starts_secret(bytes: &[u8], at: usize) -> bool {
    let behind = &bytes[at + 1..];
    rests(bytes[at]).iter().any(|it| starts_with(behind, it.as_bytes()))
        && !is_key_constraint(&bytes[..at], behind)
}

/// `PRIMARY KEY` and `FOREIGN KEY`, which are in most files that create tables.
fn is_key_constraint(before: &[u8], behind: &[u8]) -> bool {
    let is_key = starts_with(behind, b"ey")
        && !behind.get(2).is_some_and(|it| it.is_ascii_alphanumeric() || *it == b'_');
    let before = before.trim_ascii_end();
    let ends_with = |word: &[u8]| {
        let start = before.len().checked_sub(word.len());
        start.is_some_and(|it| before[it..].eq_ignore_ascii_case(word))
    };
    is_key && (ends_with(b"primary") || ends_with(b"foreign"))
}

/// The words of [`may_contain_secret`] that start with this byte: their rests, in lower case.
const fn rests(first: u8) -> &'static [&'static str] {
    match first {
        b'p' | b'P' => &["ass", "w", "sw"],
        b's' | b'S' => {
            &["ecret", "ha2", "ha3", "ha5", "cram", "ervice_account", "k_live_", "k_test_"]
        }
        b't' | b'T' => &["oken"],
        b'k' | b'K' => &["ey"],
        b'c' | b'C' => &["redential", "rypt"],
        b'a' | b'A' => &["uthoriz", "kia"],
        b'b' | b'B' => &["earer", "asic "],
        b'd' | b'D' => &["igest"],
        b'h' | b'H' => &["mac"],
        b'm' | b'M' => &["d5", "apping"],
        b':' => &["//"],
        b'-' => &["u "],
        b'e' | b'E' => &["yj"],
        b'g' | b'G' => &["hp_", "ho_", "hs_", "ithub_pat_", "lpat-"],
        b'x' | b'X' => &["ox"],
        b'w' | b'W' => &["hsec_"],
        b'r' | b'R' => &["k_live_"],
        _ => &[],
    }
}

fn starts_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes.first().is_some_and(|it| it.to_ascii_lowercase() == word[0])
        && bytes.get(..word.len()).is_some_and(|it| it.eq_ignore_ascii_case(word))
}
