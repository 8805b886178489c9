//! Lists and counts, in words.

use std::fmt;

use crate::Direction;

pub(crate) fn done(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "applied",
        Direction::Down => "rolled back",
    }
}

pub(crate) fn list(f: &mut fmt::Formatter<'_>, what: &str, names: &[String]) -> fmt::Result {
    const SHOWN: usize = 10;
    for it in names.iter().take(SHOWN) {
        write!(f, "\n  {what}: {it}")?;
    }
    match names.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}
