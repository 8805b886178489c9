//! The secrets of statements, and of the messages of a server.

use std::ops::Range;

use crate::{
    block::{Context, read},
    names::is_secret,
    patterns,
    view::View,
};

/// So many of a sentence are tried.
const MAX_APOSTROPHES: usize = 12;

/// The secrets of statements.
pub(crate) fn statements(sql: &str) -> Vec<Range<usize>> {
    let mut found = patterns::find(sql);
    found.extend(read(&View::of(sql), Context::Code, 0).found);
    found
}

/// The secrets of what a server says.
pub(crate) fn message(text: &str) -> Vec<Range<usize>> {
    let mut found = patterns::find(text);
    found.extend(rows(text));
    // An apostrophe of the sentence is no quote of the statement in it.
    let apostrophes = text.match_indices('\'').map(|(at, _)| at + 1).take(MAX_APOSTROPHES);
    for start in std::iter::once(0).chain(apostrophes) {
        let part = read(&View::of(&text[start..]), Context::Text, 0).found;
        found.extend(part.into_iter().map(|it| it.start + start..it.end + start));
    }
    found
}

/// Values of rows in a server's words: `Key (name, password)=(a, b)`, `column password: "b"`.
fn rows(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_name = |it: char| it.is_alphanumeric() || it == '_';
        if let Some((names, values)) = line.split_once(")=(")
            && names.split(|it| !is_name(it)).any(is_secret)
        {
            let from = start + names.len() + 3;
            found.push(from..from + values.rfind(')').unwrap_or(values.len()));
        }
        if let Some((_, rest)) = line.split_once(", column ")
            && let Some((name, value)) = rest.split_once(": \"")
            && is_secret(name)
        {
            let from = start + line.len() - value.len();
            found.push(from..from + value.rfind('"').unwrap_or(value.len()));
        }
        start += line.len();
    }
    found
}
