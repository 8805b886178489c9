//! Where in a file a statement stands, and the line itself.

use std::fmt;

use tokio_postgres::error::DbError;

use crate::{
    embedded::{Side, Statement},
    error::locate::locate,
};

/// A place in a migration's file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Location {
    /// The file, with the directory as the build script named it.
    pub file: String,
    /// The line, from one.
    pub line: usize,
    /// The column in characters, from one.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}

/// A line of a migration, with the place that the server complained about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    path: &'static str,
    /// One-based.
    line: usize,
    /// One-based, in characters.
    column: usize,
    /// The line, without its secrets.
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
        let start = statement.map_or(sent_from, |it| it.start);
        Self::at(side, locate(side, statement, sent_from, err).unwrap_or(start))
    }

    /// The start of a statement.
    pub(crate) fn start(side: &'static Side, statement: &Statement) -> Self {
        Self::at(side, statement.start)
    }

    /// The end of a migration: what fails there is no statement's fault alone.
    pub(crate) fn end(side: &'static Side) -> Self {
        Self::at(side, side.statements().last().map_or(0, |it| it.start))
    }

    fn at(side: &'static Side, at: usize) -> Self {
        // The body has the same places, and fewer lines where a delimiter is made of line ends.
        let source = side.source;
        let line_start = source[..at].rfind('\n').map_or(0, |it| it + 1);
        let (text, caret) = if is_secret_data(side, at) {
            ("(not shown: rows with a secret)".to_owned(), 0)
        } else {
            let (window, start) = window(side, line_start, at);
            upfront_redact::redact_line(window, at - start)
        };
        Self {
            path: side.path,
            line: source[..at].matches('\n').count() + 1,
            column: source[line_start..at].chars().count() + 1,
            text,
            caret,
        }
    }

    pub(crate) fn location(&self) -> Location {
        let Self { path, line, column, .. } = self;
        Location { file: (*path).to_owned(), line: *line, column: *column }
    }

    /// `migrations/1_a.sql:3:14`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}:{}", self.path, self.line, self.column)
    }
}

/// Whether a place is in the data of a `COPY` into a column of secrets.
fn is_secret_data(side: &Side, at: usize) -> bool {
    let is_data = |it: &Statement| it.data.as_ref().is_some_and(|it| it.lines.contains(&at));
    side.any().secret && side.statements().iter().any(|it| it.secret && is_data(it))
}

/// The text from the start of the first statement of a line to the end of the last one, without
/// the secrets in the line are unknown; and where it starts.
fn window(side: &Side, line_start: usize, at: usize) -> (&'static str, usize) {
    let source = side.source;
    let line_end = source[at..].find('\n').map_or(source.len(), |it| at + it);
    let touches = |it: &&Statement| it.start <= line_end && line_start <= it.end;
    let (mut start, mut end) = (line_start, line_end);
    for it in side.statements().iter().filter(touches) {
        start = start.min(it.start);
        end = end.max(it.end);
    }
    source.get(start..end).map_or((source, 0), |it| (it, start))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, caret: usize, expected: &str) {
        let path = "migrations/1_a.sql";
        let it = Excerpt { path, line: 12, column: caret + 1, text: text.to_owned(), caret };
        assert_eq!(it.to_string(), expected);
        assert_eq!(it.place(), format!("migrations/1_a.sql:12:{}", caret + 1));
    }

    #[test]
    fn the_caret_is_below_the_character() {
        check("SELECT x", 7, "     |\n  12 | SELECT x\n     |        ^");
        check("", 0, "     |\n  12 | \n     | ^");
        check("\tSELECT", 1, "     |\n  12 | \tSELECT\n     | \t^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_caret() {
        let text = format!("{}x{}", "a".repeat(300), "b".repeat(300));
        let it = Excerpt { path: "m", line: 1, column: 301, text, caret: 300 }.to_string();
        let lines: Vec<_> = it.lines().collect();
        let shown = lines[1].strip_prefix("  1 | ").unwrap();
        assert_eq!(shown.chars().count(), 160);
        assert_eq!(lines[2].find('^').map(|it| it - 6), shown.find('x'));
    }
}
