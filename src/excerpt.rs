//! Where in a file a statement stands, and the line itself.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::embedded::{Side, Statement};

/// A line of a migration, with the place that the server complained about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    path: &'static str,
    /// One-based.
    line: usize,
    /// One-based, in characters.
    column: usize,
    /// The line, without the secrets that stand in it.
    text: String,
    /// Where the caret stands below it, in characters from zero.
    caret: usize,
}

impl Excerpt {
    /// The place that an error names, else the start of the statement which failed.
    ///
    /// `sent_from` is the byte of the body where the message that was sent begins.
    pub(crate) fn of(
        side: &'static Side,
        statement: Option<&Statement>,
        sent_from: usize,
        err: &DbError,
    ) -> Self {
        let start = statement.map_or(sent_from, |it| it.start as usize);
        Self::at(side, Self::position(side, sent_from, err).unwrap_or(start))
    }

    /// The byte of the body that an error names.
    pub(crate) fn position(side: &Side, sent_from: usize, err: &DbError) -> Option<usize> {
        match err.position() {
            Some(ErrorPosition::Original(it)) => position(side.body(), sent_from, *it),
            _ => None,
        }
    }

    /// The start of a statement.
    pub(crate) fn start(side: &'static Side, statement: &Statement) -> Self {
        Self::at(side, statement.start as usize)
    }

    /// The end of a migration: what fails there is no statement's fault alone.
    pub(crate) fn end(side: &'static Side) -> Self {
        Self::at(side, side.statements().last().map_or(0, |it| it.start as usize))
    }

    fn at(side: &'static Side, at: usize) -> Self {
        // The body has the same places, and fewer lines where a delimiter is made of line ends.
        let source = side.source;
        let line_start = source[..at].rfind('\n').map_or(0, |it| it + 1);
        let (window, start) = window(side, line_start, at);
        let (text, caret) = upfront_redact::redact_line(window, at - start);
        Self {
            path: side.path,
            line: source[..at].matches('\n').count() + 1,
            column: source[line_start..at].chars().count() + 1,
            text,
            caret,
        }
    }

    /// `migrations/1_a.sql:3:14`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}:{}", self.path, self.line, self.column)
    }
}

/// The text from the start of the first statement of a line to the end of the last one, without
/// which secrets in the line cannot be told; and where it starts.
fn window(side: &Side, line_start: usize, at: usize) -> (&'static str, usize) {
    let source = side.source;
    let line_end = source[at..].find('\n').map_or(source.len(), |it| at + it);
    let touches = |it: &&Statement| it.start as usize <= line_end && line_start <= it.end as usize;
    let (mut start, mut end) = (line_start, line_end);
    for it in side.statements().iter().filter(touches) {
        start = start.min(it.start as usize);
        end = end.max(it.end as usize);
    }
    source.get(start..end).map_or((source, 0), |it| (it, start))
}

/// The byte at which a character stands; the server counts characters from one.
fn position(body: &str, sent_from: usize, characters: u32) -> Option<usize> {
    let sent = body.get(sent_from..)?;
    let within = sent.char_indices().nth((characters as usize).checked_sub(1)?);
    within.map(|(at, _)| sent_from + at)
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// More of a line helps nobody.
        const SHOWN: usize = 160;
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let from = (self.caret + 1).saturating_sub(SHOWN / 2);
        let text: String = self.text.chars().skip(from).take(SHOWN).collect();
        let indent: String = text
            .chars()
            .take(self.caret - from.min(self.caret))
            .map(|it| if it == '\t' { '\t' } else { ' ' })
            .collect();
        write!(f, "  {margin} |\n  {number} | {text}\n  {margin} | {indent}^")
    }
}
