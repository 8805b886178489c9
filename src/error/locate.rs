//! Where in a migration an error comes from: the line within a function's body or within the data
//! of a `COPY`, where the server knows it.

use std::ops::Range;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::embedded::{Routine, Side, Statement};

/// The byte of the body at which an error happened, as closely as the server says.
///
/// `sent_from` is the byte at which the message that failed begins, and `failed` the statement.
pub(crate) fn locate(
    side: &Side,
    failed: Option<&Statement>,
    sent_from: usize,
    err: &DbError,
) -> Option<usize> {
    let body = side.body();
    let source = Source { body, routines: routines(side, failed), failed };
    match err.position() {
        Some(ErrorPosition::Original(at)) => character(body, sent_from, *at),
        Some(ErrorPosition::Internal { position, query }) => {
            source.within(err.where_(), query, *position).or_else(|| source.context(err.where_()))
        }
        None => source.context(err.where_()),
    }
}

/// The byte of the body that an error names as one of the message.
pub(crate) fn named(side: &Side, sent_from: usize, err: &DbError) -> Option<usize> {
    match err.position() {
        Some(ErrorPosition::Original(at)) => character(side.body(), sent_from, *at),
        _ => None,
    }
}

/// The byte at which a character stands; the server counts characters from one.
fn character(text: &str, from: usize, characters: u32) -> Option<usize> {
    let rest = text.get(from..)?;
    let within = rest.char_indices().nth((characters as usize).checked_sub(1)?);
    within.map(|(at, _)| from + at)
}

/// The routines that are there when a statement runs, the newest first.
fn routines<'a>(side: &'a Side, failed: Option<&'a Statement>) -> Vec<&'a Routine> {
    let end = failed.map_or(usize::MAX, |it| it.start);
    let statements = side.statements().iter().rev().filter(|it| it.start <= end);
    statements.filter_map(|it| it.routine.as_ref()).collect()
}

struct Source<'a> {
    body: &'a str,
    routines: Vec<&'a Routine>,
    failed: Option<&'a Statement>,
}

impl Source<'_> {
    /// A place in a query that the server ran within another: the body of a function, a statement
    /// or an expression of it.
    fn within(&self, context: Option<&str>, query: &str, position: u32) -> Option<usize> {
        let at = self.frames(context).find_map(|(routine, line)| {
            let range = routine.body.clone();
            let from = line.and_then(|it| line_start(&self.body[range.clone()], it)).unwrap_or(0);
            self.find(range.start + from..range.end, routine.is_quoted, query, position)
        });
        at.or_else(|| {
            let statement = self.failed?;
            let is_quoted = statement.routine.as_ref().is_some_and(|it| it.is_quoted);
            self.find(statement.start..statement.end, is_quoted, query, position)
        })
    }

    /// The character of a query that is in a range of the body.
    fn find(
        &self,
        range: Range<usize>,
        is_quoted: bool,
        query: &str,
        position: u32,
    ) -> Option<usize> {
        let text = &self.body[range.clone()];
        let wanted = (position as usize).checked_sub(1)?;
        let found = |query: &str, wanted| {
            let starts = text.char_indices().map(|(at, _)| at);
            let mut places =
                starts.filter_map(|at| Some(at + matches(&text[at..], query, is_quoted, wanted)?));
            Some(range.start + places.next()?)
        };
        // Before PostgreSQL 14 an expression came with a word of the server's own.
        found(query, wanted).or_else(|| {
            let rest = query.strip_prefix("SELECT ")?;
            found(rest, wanted.checked_sub("SELECT ".len())?)
        })
    }

    /// The place that the lines of an error's context name, the innermost that is in this file.
    fn context(&self, context: Option<&str>) -> Option<usize> {
        context?.lines().find_map(|it| self.line(it))
    }

    fn line(&self, context: &str) -> Option<usize> {
        if let Some((routine, number)) = self.frame(context) {
            return self.place(routine, context, number?);
        }
        let data = self.failed?.data.as_ref()?.lines.clone();
        let (_, rest) = context.strip_prefix("COPY ")?.split_once(", ")?;
        let line = line_start(&self.body[data.clone()], first_number(rest)?)?;
        let at = data.start + line;
        let row = self.body[at..data.end].split('\n').next().unwrap_or_default();
        Some(at + value(rest).and_then(|it| row.find(it)).unwrap_or(0))
    }

    fn place(&self, routine: &Routine, context: &str, number: usize) -> Option<usize> {
        if !context.contains("PL/pgSQL") {
            return routine.statements.get(number.checked_sub(1)?).copied();
        }
        let body = &self.body[routine.body.clone()];
        let at = line_start(body, number)?;
        let indent = body[at..].find(|it: char| !it.is_whitespace()).unwrap_or(0);
        Some(routine.body.start + at + indent)
    }

    /// The routines of this file that a context names, and the lines in them.
    fn frames<'a>(
        &'a self,
        context: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Routine, Option<usize>)> {
        context.unwrap_or_default().lines().filter_map(|it| self.frame(it))
    }

    /// `PL/pgSQL function f(integer) line 3 at RAISE`, `SQL function "f" statement 1`, in whatever
    /// language the server speaks.
    fn frame(&self, context: &str) -> Option<(&Routine, Option<usize>)> {
        let is_plpgsql = context.contains("PL/pgSQL");
        if !is_plpgsql && !context.contains("SQL") {
            return None;
        }
        if let Some((_, rest)) = context.split_once("inline_code_block") {
            let routine = self.failed?.routine.as_ref().filter(|it| it.name.is_empty())?;
            return Some((routine, first_number(rest)));
        }
        let named = |it: &&Routine| !it.name.is_empty();
        self.routines.iter().copied().filter(named).find_map(|it| {
            let rest = after_name(context, it.name, is_plpgsql)?;
            Some((it, first_number(rest)))
        })
    }
}

/// What follows the name of a function in a context, and its arguments where there are some.
fn after_name<'a>(context: &'a str, name: &str, is_plpgsql: bool) -> Option<&'a str> {
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    // PL/pgSQL while it compiles, and SQL, quote the bare name.
    let whole = format!("\"{name}\"");
    if let Some((_, rest)) = context.split_once(&whole).filter(|(_, it)| !it.starts_with('(')) {
        return Some(rest);
    }
    if !is_plpgsql {
        return None;
    }
    [quoted.as_str(), name].into_iter().find_map(|it| {
        let at = context.find(&format!("{it}("))?;
        let starts = context[..at].ends_with([' ', '.', '\u{a0}', '»', '«', '-', '"']);
        let (_, rest) = context[at..].split_once(')')?;
        starts.then_some(rest)
    })
}

fn first_number(text: &str) -> Option<usize> {
    let at = text.find(|it: char| it.is_ascii_digit())?;
    let digits = text[at..].find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len() - at);
    text[at..at + digits].parse().ok()
}

/// `column id: "x"`
fn value(context: &str) -> Option<&str> {
    let (_, rest) = context.split_once(": \"")?;
    rest.strip_suffix('"').filter(|it| !it.is_empty())
}

/// The byte at which a line starts, counted from one.
fn line_start(text: &str, number: usize) -> Option<usize> {
    match number.checked_sub(2) {
        None => (number == 1).then_some(0),
        Some(before) => text.match_indices('\n').nth(before).map(|(at, _)| at + 1),
    }
}

/// Whether a query stands at the start of a text, and where its character so and so is.
///
/// PL/pgSQL puts blanks in place of an `INTO` and its variables.
fn matches(text: &str, query: &str, is_quoted: bool, wanted: usize) -> Option<usize> {
    let mut rest = text.char_indices();
    let mut found = None;
    for (count, it) in query.chars().enumerate() {
        let (at, there) = rest.next()?;
        if there != it && (it != ' ' || count == 0) {
            return None;
        }
        if is_quoted && there == '\'' {
            rest.next();
        }
        if count == wanted {
            found = Some(at);
        }
    }
    // The end of a text is a place, too.
    found.or_else(|| (wanted == query.chars().count()).then(|| rest.offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_counts_characters_from_one() {
        assert_eq!(character("abc", 0, 1), Some(0));
        assert_eq!(character("äbc", 0, 2), Some(2));
        assert_eq!(character("abc", 1, 2), Some(2));
        assert_eq!(character("abc", 0, 0), None);
        assert_eq!(character("abc", 0, 4), None);
        assert_eq!(character("äbc", 1, 1), None, "the middle of a character");
    }

    #[test]
    fn lines_are_counted_from_one() {
        let text = "a\nb\n\nc";
        let starts = (0..=5).map(|it| line_start(text, it)).collect::<Vec<_>>();
        assert_eq!(starts, [None, Some(0), Some(2), Some(4), Some(5), None]);
    }

    #[test]
    fn finds_the_line_behind_the_name_of_a_function() {
        let number = |context, name, is_plpgsql| {
            after_name(context, name, is_plpgsql).and_then(first_number)
        };
        let check = |context, name, is_plpgsql, expected| {
            assert_eq!(number(context, name, is_plpgsql), expected, "{context}");
        };
        check("PL/pgSQL function f(integer) line 3 at RAISE", "f", true, Some(3));
        check("PL/pgSQL function s.f(integer) line 3 at RAISE", "f", true, Some(3));
        check("PL/pgSQL function off(integer) line 3 at RAISE", "f", true, None);
        check("PL/pgSQL function \"F g\"(integer) line 12 at RAISE", "F g", true, Some(12));
        check("PL/pgSQL function f2(text) line 4 at RAISE", "f2", true, Some(4));
        check("compilation of PL/pgSQL function \"f\" near line 2", "f", true, Some(2));
        check("SQL function \"f\" statement 2", "f", false, Some(2));
        check("SQL function \"f\" during startup", "f", false, None);
        check("SQL function f(integer) statement 2", "f", false, None);
    }

    #[test]
    fn reads_the_value_of_a_copied_column() {
        assert_eq!(value("column id: \"x\""), Some("x"));
        assert_eq!(value("column id: \"a\"b\""), Some("a\"b"));
        assert_eq!(value("column id: \"\""), None);
        assert_eq!(value("line 3: too few columns"), None);
    }

    #[test]
    fn a_query_matches_text_with_doubled_quotes_and_blanked_variables() {
        assert_eq!(matches("SELECT x", "SELECT x", false, 7), Some(7));
        assert_eq!(matches("SELECT y", "SELECT x", false, 7), None);
        assert_eq!(matches("SELECT", "SELECT x", false, 7), None);
        assert_eq!(
            matches("SELECT a INTO b FROM t", "SELECT a        FROM t", false, 16),
            Some(16)
        );
        assert_eq!(matches("SELECT ''a'' || x", "SELECT 'a' || x", true, 14), Some(16));
        assert_eq!(matches("SELECT x", "SELECT x", false, 8), Some(8), "the end of the text");
        assert_eq!(matches("x", " ", false, 0), None, "a query does not start with a blank");
    }
}
