//! Secrets that are known, in what a server says of the statement in which they stand.

use std::{cmp::Reverse, ops::Range};

use crate::redact::{mask_ranges, redact_message, secrets};

/// Secrets that must not be shown when a statement fails.
///
/// ```
/// let secrets = upfront_redact::KnownSecrets::of("DO $$BEGIN EXECUTE format('… PASSWORD %L', 'hunter2'); END$$");
/// assert_eq!(secrets.redact("role \"a\" does not exist"), "role \"a\" does not exist");
/// assert_eq!(secrets.redact("near \"hunter2\""), "(not shown: it quotes a secret)");
/// ```
#[derive(Clone, Debug, Default)]
pub struct KnownSecrets {
    /// Those in the statement. The server may have put them together, or taken them apart.
    statement: Vec<String>,
    others: Vec<String>,
}

const NOT_SHOWN: &str = "(not shown: it quotes a secret)";

impl KnownSecrets {
    /// The secrets of the statement that fails.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        Self { statement: values(sql), others: Vec::new() }
    }

    /// Adds those of another statement: a function that it made may be what fails.
    pub fn add(&mut self, sql: &str) {
        self.others.extend(values(sql));
        self.others.sort_by_key(|it| Reverse(it.len()));
        self.others.dedup();
    }

    /// The server's words as they may be shown.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let shown = redact_message(text).into_owned();
        let is_quoted = |it: &String| !places(&shown, it).is_empty() || quotes_part(&shown, it);
        if self.statement.iter().any(is_quoted) {
            return NOT_SHOWN.to_owned();
        }
        self.others
            .iter()
            .fold(shown, |shown, secret| mask_ranges(&shown, &places(&shown, secret)).into_owned())
    }
}

/// The secrets of a statement as they stand there, and as the server sees them.
fn values(sql: &str) -> Vec<String> {
    let mut values = Vec::new();
    for it in secrets(sql) {
        let mut value = sql[it].to_owned();
        while value.contains("''") {
            values.push(value.clone());
            value = value.replace("''", "'");
        }
        values.push(value);
    }
    values.retain(|it| !it.trim().is_empty());
    values
}

/// Does the text quote a word of a secret: `syntax error at or near "…"`?
fn quotes_part(text: &str, secret: &str) -> bool {
    const QUOTES: [char; 7] = ['"', '\'', '`', '«', '»', '„', '“'];
    let mut words = secret.split(|it: char| !it.is_alphanumeric()).filter(|it| it.len() > 1);
    let quoted: Vec<_> = text.split(QUOTES).map(str::trim).collect();
    words.any(|word| quoted.iter().any(|it| it.eq_ignore_ascii_case(word)))
}

/// The positions of a secret in a text, in either case. A short one counts as a word of its own: it is
/// part of too many others. The server cuts long values off.
fn places(text: &str, secret: &str) -> Vec<Range<usize>> {
    const SHORT: usize = 4;
    const LONG: usize = 32;
    let (text, secret) = (text.to_ascii_lowercase(), secret.trim().to_ascii_lowercase());
    let end = (0..=LONG.min(secret.len())).rev().find(|it| secret.is_char_boundary(*it));
    let start = &secret[..end.unwrap_or_default()];
    let is_short = secret.chars().count() < SHORT;
    let is_word = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    let found = text.match_indices(start).filter_map(|(at, start)| {
        let rest = &text[at..];
        let end = at + if rest.starts_with(&secret) { secret.len() } else { start.len() };
        let is_part =
            is_word(text[..at].chars().next_back()) || is_word(text[end..].chars().next());
        (!(is_short && is_part)).then_some(at..end)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::KnownSecrets;

    #[test]
    fn hides_what_is_quoted() {
        let sql = "DO $$BEGIN EXECUTE format('ALTER ROLE a PASSWORD %L', 'it''s x1'); END$$";
        check(sql, "role \"a\" does not exist", "role \"a\" does not exist");
        check(sql, "near \"it's x1\"", super::NOT_SHOWN);
        check(sql, "near \"IT''S X1\"", super::NOT_SHOWN);
        check("ALTER ROLE a PASSWORD 'one-two'", "at or near \"one\"", super::NOT_SHOWN);
        check("ALTER ROLE a PASSWORD 'x'", "extension \"x\"", super::NOT_SHOWN);
        check("ALTER ROLE a PASSWORD 'x'", "extension \"xy\"", "extension \"xy\"");
        let context = "SQL statement \"ALTER ROLE b PASSWORD 'y'\"";
        check(sql, context, "SQL statement \"ALTER ROLE b PASSWORD '***'\"");
    }

    fn check(sql: &str, text: &str, expected: &str) {
        assert_eq!(KnownSecrets::of(sql).redact(text), expected, "{sql}");
    }
}
