//! Finds passwords and other secrets in SQL text, so that no message shows them.
//!
//! A secret is known by what stands before it (`PASSWORD '…'`, `api_key => '…'`, a column of that
//! name in an `INSERT`), by the function that takes it (`crypt`, `pgp_sym_encrypt`), by what is put
//! into a statement that wants one (`format('… PASSWORD %L', '…')`), or by its own look (a URL
//! with a password, a private key). Texts are searched within texts: the body of a function, a
//! statement that it executes, a connection string in that.
//!
//! It errs on the side of silence, a literal at a time: what is taken for a secret is merely shown
//! less. It never fails, whatever the text is.

mod block;
mod known_secrets;
mod lexer;
mod lists;
mod names;
mod patterns;
mod scan;
mod value;
mod view;

use std::{borrow::Cow, ops::Range};

pub use known_secrets::KnownSecrets;

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// Finds the secrets in statements of SQL: their places in bytes, in order, without overlap.
///
/// ```
/// let sql = "ALTER ROLE app PASSWORD 'hunter2' VALID UNTIL '2030-01-01'";
/// let secrets = upfront_redact::secrets(sql);
/// assert_eq!(secrets.into_iter().map(|it| &sql[it]).collect::<Vec<_>>(), ["hunter2"]);
/// ```
#[must_use]
pub fn secrets(sql: &str) -> Vec<Range<usize>> {
    match may_contain_secret(sql) {
        true => merged(scan::statements(sql)),
        false => Vec::new(),
    }
}

/// Replaces the secrets in statements of SQL.
///
/// ```
/// let shown = upfront_redact::redact("DO $$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', 'x1');END$$");
/// assert_eq!(shown, "DO $$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', '***');END$$");
/// ```
#[must_use]
pub fn redact(sql: &str) -> Cow<'_, str> {
    mask_ranges(sql, &secrets(sql))
}

/// The line of a text of SQL in which a byte stands, without its secrets; and how many characters of
/// it stand before the byte. Within a secret, that is where the secret starts.
///
/// ```
/// let sql = "SELECT 1;\nALTER ROLE a PASSWORD 'hunter2' LOGIN NOSUCH;\n";
/// let at = sql.find("NOSUCH").unwrap();
/// let (line, column) = upfront_redact::redact_line(sql, at);
/// assert_eq!(line, "ALTER ROLE a PASSWORD '***' LOGIN NOSUCH;");
/// assert_eq!(line.find("NOSUCH"), Some(column));
/// ```
#[must_use]
pub fn redact_line(sql: &str, at: usize) -> (String, usize) {
    let start = sql[..at].rfind('\n').map_or(0, |it| it + 1);
    let end = sql[at..].find('\n').map_or(sql.len(), |it| at + it);
    let secrets = secrets(sql);
    let shown = |range: Range<usize>| {
        let within = secrets.iter().filter(|it| it.start < range.end && range.start < it.end);
        let within = within
            .map(|it| it.start.max(range.start) - range.start..it.end.min(range.end) - range.start);
        mask_ranges(&sql[range.clone()], &within.collect::<Vec<_>>()).into_owned()
    };
    let hidden = secrets.iter().find(|it| it.contains(&at)).map_or(at, |it| it.start.max(start));
    (shown(start..end), shown(start..hidden).chars().count())
}

/// Replaces the secrets in what a server says, which quotes statements, connection strings and
/// rows.
///
/// ```
/// let context = r#"SQL statement "ALTER ROLE a PASSWORD 'hunter2'""#;
/// let shown = upfront_redact::redact_message(context);
/// assert_eq!(shown, r#"SQL statement "ALTER ROLE a PASSWORD '***'""#);
/// ```
#[must_use]
pub fn redact_message(text: &str) -> Cow<'_, str> {
    match may_contain_secret(text) {
        true => mask_ranges(text, &merged(scan::message(text))),
        false => text.into(),
    }
}

/// Replaces these places of a text, which are in order and do not overlap.
#[must_use]
pub fn mask_ranges<'a>(text: &'a str, places: &[Range<usize>]) -> Cow<'a, str> {
    if places.is_empty() {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for it in places {
        shown.push_str(&text[from..it.start]);
        shown.push_str(MASK);
        from = it.end;
    }
    shown.push_str(&text[from..]);
    shown.into()
}

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

fn merged(mut places: Vec<Range<usize>>) -> Vec<Range<usize>> {
    places.retain(|it| it.start < it.end);
    places.sort_by_key(|it| (it.start, it.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(places.len());
    for it in places {
        match merged.last_mut() {
            Some(last) if it.start <= last.end => last.end = last.end.max(it.end),
            _ => merged.push(it),
        }
    }
    merged
}
