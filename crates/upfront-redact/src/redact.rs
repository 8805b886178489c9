//! Texts without their secrets.

use std::{borrow::Cow, ops::Range};

use crate::{prefilter::may_contain_secret, scan};

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
