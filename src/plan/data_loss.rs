//! The data that a statement deletes.

use std::fmt;

use crate::embedded::{self, LossKind};

/// Data that a statement deletes, with its present amount.
///
/// Counting takes at most one second for each object, and five for a plan. Larger objects are
/// estimated from the server's statistics, and marked as [`estimated`](Self::estimated).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DataLoss {
    /// The statement's line in its file, from one.
    pub line: u32,
    /// The object, with its name as the statement spells it: `table users`. Empty if the text does
    /// not show it, as with `DO`.
    pub what: String,
    /// The number of rows; of rows that are deleted or overwritten, an upper bound.
    pub rows: Option<u64>,
    /// The number of values that are not null, if columns are deleted.
    pub values: Option<u64>,
    /// The size in bytes; of a whole table with its indexes.
    pub bytes: Option<u64>,
    /// Whether the numbers are the server's estimate, as counting took too long.
    pub estimated: bool,
    /// Whether the object is certainly empty, so no data is lost.
    pub empty: bool,
    /// A further remark.
    pub note: Option<String>,
}

impl DataLoss {
    pub(crate) fn new(line: u32, loss: &embedded::Loss) -> Self {
        let what = what(loss);
        let (rows, values, bytes) = (None, None, None);
        Self { line, what, rows, values, bytes, estimated: false, empty: false, note: None }
    }

    pub(crate) fn nothing(mut self, note: &str) -> Self {
        (self.empty, self.note) = (true, Some(note.to_owned()));
        self
    }

    pub(crate) fn noted(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub(crate) fn counted(mut self, of: LossKind, count: &Count) -> Self {
        let of_columns = matches!(of, LossKind::Column | LossKind::ColumnType | LossKind::Type);
        let known =
            |it: u64, expected: bool| Some(it).filter(|it| !count.unknown && (expected || *it > 0));
        self.rows = known(count.rows, !of_columns);
        self.values = known(count.values, of_columns);
        self.empty = !count.estimated && !count.unknown && count.rows == 0 && count.values == 0;
        self.bytes = Some(count.bytes).filter(|_| !self.empty && !count.unknown);
        self.estimated = count.estimated;
        self
    }
}

pub(crate) fn what(loss: &embedded::Loss) -> String {
    let embedded::Loss { kind, name, column } = loss;
    let kind = match kind {
        LossKind::Table => "table",
        LossKind::Column => "column",
        LossKind::ColumnType => "the type of column",
        LossKind::Rows => "rows of",
        LossKind::Type => "type",
        LossKind::Schema => "schema",
        LossKind::Sequence => "sequence",
        LossKind::Extension => "extension",
        LossKind::Unknown => return String::new(),
    };
    match column {
        Some(column) => format!("{kind} {name}.{column}"),
        None => format!("{kind} {name}"),
    }
}

impl fmt::Display for DataLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what.as_str() {
            "" => write!(f, "line {}: may lose data", self.line)?,
            what => write!(f, "line {}: {what}", self.line)?,
        }
        let about = if self.estimated { "about " } else { "" };
        let mut separator = ": ";
        for (number, one, many) in [(self.rows, "row", "rows"), (self.values, "value", "values")] {
            if let Some(number) = number {
                let word = if number == 1 { one } else { many };
                write!(f, "{separator}{about}{} {word}", thousands(number))?;
                separator = ", ";
            }
        }
        if let Some(bytes) = self.bytes {
            write!(f, "{separator}{}", size(bytes))?;
            separator = ", ";
        }
        match &self.note {
            Some(it) => write!(f, "{separator}{it}"),
            None => Ok(()),
        }
    }
}

/// `1204567` as `1,204,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|it| String::from_utf8_lossy(it)).collect::<Vec<_>>().join(",")
}

/// As `pg_size_pretty` writes it.
pub(crate) fn size(bytes: u64) -> String {
    let (mut size, mut unit) = (bytes, "bytes");
    for larger in ["kB", "MB", "GB", "TB"] {
        if size < 10 * 1024 {
            break;
        }
        (size, unit) = (size.div_ceil(1024), larger);
    }
    format!("{size} {unit}")
}

/// The contents of tables and columns.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) rows: u64,
    pub(crate) values: u64,
    pub(crate) bytes: u64,
    pub(crate) estimated: bool,
    /// Not even the server has an idea.
    pub(crate) unknown: bool,
}

impl Count {
    /// As many values as there are rows.
    pub(crate) fn of_values(self) -> Self {
        Self { rows: 0, values: self.rows, ..self }
    }

    pub(crate) fn add(self, other: &Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            values: self.values + other.values,
            bytes: self.bytes + other.bytes,
            estimated: self.estimated || other.estimated,
            unknown: self.unknown || other.unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (number, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_204_567, "1,204,567")]
        {
            assert_eq!(thousands(number), expected);
        }
        for (bytes, expected) in
            [(0, "0 bytes"), (10_239, "10239 bytes"), (16_384, "16 kB"), (104_857_600, "100 MB")]
        {
            assert_eq!(size(bytes), expected);
        }
    }
}
