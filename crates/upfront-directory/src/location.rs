//! Offsets in a text as lines and columns.

/// Where something stands: line and column from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    pub(crate) line: u32,
    pub(crate) column: Option<u32>,
}

impl Location {
    pub(crate) fn line(line: usize) -> Location {
        Location { line: number(line), column: None }
    }

    pub(crate) fn at(line: usize, column: usize) -> Location {
        Location { line: number(line), column: Some(number(column)) }
    }
}

/// A text and where its lines start.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Lines<'a> {
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines { text, starts: std::iter::once(0).chain(after).collect() }
    }

    pub(crate) fn location(&self, offset: usize) -> Location {
        let line = self.line(offset);
        let before = &self.text[self.starts[line - 1]..offset];
        Location::at(line, before.chars().count() + 1)
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }
}

pub(crate) fn number(it: usize) -> u32 {
    u32::try_from(it).unwrap_or(u32::MAX)
}
