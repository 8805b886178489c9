//! `COPY … FROM STDIN` and its data, which is between two statements and is not SQL.

use std::fmt;
use std::ops::Range;

use crate::cursor::Cursor;
use crate::lexer::{Lexer, Token};

/// A `COPY` that exchanges rows with the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    FromStdin,
    ToStdout,
}

/// Whether a statement is such a `COPY`.
pub(crate) fn stream(mut it: Cursor<'_>) -> Option<Stream> {
    if !it.eat("COPY") {
        return None;
    }
    it.group();
    it.positions().find_map(|mut it| {
        if it.eat("FROM STDIN") {
            return Some(Stream::FromStdin);
        }
        it.eat("TO STDOUT").then_some(Stream::ToStdout)
    })
}

/// The data of a `COPY … FROM STDIN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyData {
    /// Its range in the body, in bytes: whole lines, without the `\.` that ends it.
    pub lines: Range<usize>,
    /// An `EXPLAIN` that takes the same locks as the `COPY` and fails if the table or a column does
    /// not exist or is not writable; empty if the table is unknown.
    pub probe: String,
}

/// The location of the data of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Data {
    /// The data: whole lines.
    pub(crate) lines: Range<usize>,
    /// Where the SQL continues.
    pub(crate) end: usize,
}

const END: &str = "\\.";

/// The data of a statement that ends at this offset, as psql reads it: from the next line up to a
/// line that is `\.`.
///
/// See `handleCopyIn` in
/// <https://github.com/postgres/postgres/blob/master/src/bin/psql/copy.c>. psql also accepts the
/// end of the file; here a missing `\.` would swallow statements.
pub(crate) fn data(
    body: &str,
    statement: &[Token],
    end: usize,
) -> Option<Result<Data, (usize, CopyError)>> {
    if stream(Cursor::of(body, statement)) != Some(Stream::FromStdin) {
        return None;
    }
    let start = statement[0].start;
    let Some(line) = body[end..].find('\n') else {
        return Some(Err((start, CopyError::Unended)));
    };
    let first = end + line + 1;
    if let Some(at) = first_significant(&body[end..first]) {
        return Some(Err((end + at, CopyError::SameLine)));
    }
    let mut at = first;
    for line in body[first..].split_inclusive('\n') {
        if line.strip_suffix('\n').unwrap_or(line) == END {
            return Some(Ok(Data { lines: first..at, end: at + END.len() }));
        }
        at += line.len();
    }
    Some(Err((start, CopyError::Unended)))
}

/// Where the SQL continues after invalid data, so that one mistake is one error.
pub(crate) fn end_of_mistaken(body: &str, end: usize) -> usize {
    body[end..].find("\n\\.\n").map_or(body.len(), |at| end + at + 1 + END.len())
}

fn first_significant(line: &str) -> Option<usize> {
    Lexer::of(line).find_map(|it| match it {
        Ok(token) => token.is_significant().then_some(token.start),
        Err((at, _)) => Some(at),
    })
}

/// See [`CopyData::probe`].
pub(crate) fn probe(mut it: Cursor<'_>) -> String {
    it.eat("COPY");
    it.eat("BINARY");
    let Some(table) = it.name() else { return String::new() };
    let columns = it.group().map(|mut it| it.names()).unwrap_or_default();
    match columns.as_slice() {
        [] => format!("EXPLAIN INSERT INTO {table} DEFAULT VALUES"),
        columns => format!(
            "EXPLAIN INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            columns.join(", "),
            vec!["DEFAULT"; columns.len()].join(", ")
        ),
    }
}

/// An `INSERT` of one row into the same columns, to find columns with secrets.
pub(crate) fn insert(mut it: Cursor<'_>) -> Option<String> {
    it.eat("COPY");
    it.eat("BINARY");
    let table = it.name()?;
    let columns = it.group()?.names();
    let values = vec!["'value'"; columns.len()].join(", ");
    Some(format!("INSERT INTO {table} ({}) VALUES ({values})", columns.join(", ")))
}

/// What is wrong with the data of a `COPY … FROM STDIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CopyError {
    /// More SQL on the line of the statement. psql would run it after it has read the data below.
    SameLine,
    Unended,
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CopyError::SameLine => "more SQL follows on the line of a `COPY … FROM STDIN`",
            CopyError::Unended => "the data of this `COPY … FROM STDIN` has no end marker",
        })
    }
}

impl CopyError {
    pub(crate) fn help(self) -> &'static str {
        match self {
            CopyError::SameLine => "start a new line after the `\\.` that ends the data",
            CopyError::Unended => {
                "end the statement with `;`, write the rows on the lines after it, and `\\.` \
                 alone on \
                 the line after the last row"
            }
        }
    }
}
