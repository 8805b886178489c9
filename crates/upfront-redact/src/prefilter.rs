//! A first look at a text: most texts of SQL hold no secret.

/// Is there any word without which a text holds no secret? A first look, as most texts of SQL hold
/// none and there are large ones, which build scripts read without optimization: one pass.
#[must_use]
pub fn may_contain_secret(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if STARTS[bytes[at] as usize] && starts_secret(bytes, at) {
            return true;
        }
        at += 1;
    }
    false
}

/// The bytes with which the words of [`may_contain_secret`] start.
const STARTS: [bool; 256] = {
    let mut starts = [false; 256];
    let mut byte = u8::MAX;
    while byte > 0 {
        starts[byte as usize] = !rests(byte).is_empty();
        byte -= 1;
    }
    starts
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

/// What follows this letter in the words of [`may_contain_secret`], in lower case.
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
