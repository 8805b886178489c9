//! `atlas.sum`: a hash of the directory, which makes two branches that add migrations conflict.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The contents of an `atlas.sum`.
///
/// Each line's hash covers the names and raw bytes of its file and of all files before it; the
/// first line covers the lines. It prints as the text of the file. The algorithm is that of
/// `NewHashFile`, `Sum` and `MarshalText` in
/// <https://github.com/ariga/atlas/blob/master/sql/migrate/dir.go>.
///
/// ```
/// # use upfront_directory::Sum;
/// let sum = Sum::of([("1_a.sql", b"SELECT 1;\n".as_slice())]);
/// assert_eq!(sum.to_string().parse(), Ok(sum));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    lines: Vec<(String, String)>,
}

/// Computes the hashes of an `atlas.sum`, line by line.
///
/// ```
/// # use upfront_directory::{SumHasher, Sum};
/// let mut running = SumHasher::default();
/// let hash = running.update("1_a.sql", b"SELECT 1;\n");
/// assert_eq!(Sum::of([("1_a.sql", b"SELECT 1;\n".as_slice())]).hash("1_a.sql"), hash.as_deref());
/// ```
#[derive(Clone, Debug, Default)]
pub struct SumHasher(Sha256);

impl SumHasher {
    /// Adds the next file and returns the hash in its line, without `h1:`. A file that the sum
    /// ignores has none.
    pub fn update(&mut self, name: &str, bytes: &[u8]) -> Option<String> {
        self.0.update(name);
        if is_ignored(bytes) {
            return None;
        }
        self.0.update(bytes);
        Some(STANDARD.encode(self.0.clone().finalize()))
    }
}

/// The first difference between a directory and its `atlas.sum`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file's name.
    pub file: String,
    /// What happened to it.
    pub change: Change,
    /// The line of the file in `atlas.sum`, or where it would be.
    pub line: u32,
}

/// What happened to a file since `atlas.sum` was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// Its bytes have changed.
    Edited,
    /// It was removed.
    Removed,
}

impl Sum {
    /// Computes the sum of these files, name and bytes, in the order of the directory.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Sum {
        let mut running = SumHasher::default();
        let line = |(name, bytes): (&'a str, &'a [u8])| {
            running.update(name, bytes).map(|hash| (name.to_owned(), hash))
        };
        Sum { lines: files.into_iter().filter_map(line).collect() }
    }

    /// The hash in the line of a file, without `h1:`, as Atlas records it in its history.
    ///
    /// It covers the file and all files before it.
    ///
    /// ```
    /// # use upfront_directory::Sum;
    /// let sum = Sum::of([("1_a.sql", b"SELECT 1;\n".as_slice())]);
    /// assert!(sum.to_string().contains(sum.hash("1_a.sql").unwrap()));
    /// assert_eq!(sum.hash("2_b.sql"), None);
    /// ```
    #[must_use]
    pub fn hash(&self, file: &str) -> Option<&str> {
        self.lines.iter().find(|(name, _)| name == file).map(|(_, hash)| hash.as_str())
    }

    fn total(&self) -> String {
        let mut total = Sha256::new();
        for (name, hash) in &self.lines {
            total.update(name);
            total.update(hash);
        }
        STANDARD.encode(total.finalize())
    }

    /// The first difference between this recorded sum and the sum of the directory, `actual`.
    #[must_use]
    pub fn difference(&self, actual: &Sum) -> Option<Difference> {
        let end = self.lines.len().max(actual.lines.len());
        let at = (0..end).find(|&at| self.lines.get(at) != actual.lines.get(at))?;
        let holds = |sum: &Sum, name: &str| sum.lines.iter().any(|line| line.0 == name);
        let (file, change) = match (self.lines.get(at), actual.lines.get(at)) {
            (Some((recorded, _)), Some((found, _))) if recorded == found => {
                (recorded, Change::Edited)
            }
            (Some((recorded, _)), _) if !holds(actual, recorded) => (recorded, Change::Removed),
            (_, Some((found, _))) => (found, Change::Added),
            (Some((recorded, _)), None) => (recorded, Change::Removed),
            (None, None) => return None,
        };
        Some(Difference { file: file.clone(), change, line: crate::location::number(at + 2) })
    }
}

/// Whether the first line has the directive that leaves a file out of the sum, after any printable
/// characters.
pub(crate) fn is_ignored(bytes: &[u8]) -> bool {
    let line = bytes.split(|it| *it == b'\n').next().unwrap_or_default();
    let printable = line.iter().position(|it| !(b' '..=b'~').contains(it)).unwrap_or(line.len());
    let is_word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    let mark = b"atlas:";
    let starts =
        (0..line.len()).rev().filter(|at| *at <= printable && line[*at..].starts_with(mark));
    let mut found = starts
        .map(|at| &line[at + mark.len()..])
        .filter(|it| it.first().copied().is_some_and(is_word));
    let Some(rest) = found.next() else {
        return false;
    };
    let (name, value) =
        rest.split_at(rest.iter().position(|it| !is_word(*it)).unwrap_or(rest.len()));
    let blanks = value.iter().take_while(|it| **it == b' ').count();
    name == b"sum" && blanks > 0 && &value[blanks..] == b"ignore"
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "h1:{}", self.total())?;
        self.lines.iter().try_for_each(|(name, hash)| writeln!(f, "{name} h1:{hash}"))
    }
}

impl FromStr for Sum {
    type Err = ParseSumError;

    fn from_str(text: &str) -> Result<Sum, ParseSumError> {
        let mut rows = text.lines().zip(1..);
        let total = rows.next().and_then(|(row, _)| row.strip_prefix("h1:"));
        let total = total.ok_or_else(|| ParseSumError::at(1, text))?;
        let mut lines = Vec::new();
        for (row, line) in rows {
            let (name, hash) =
                row.split_once("h1:").ok_or_else(|| ParseSumError::at(line, text))?;
            lines.push((name.trim().to_owned(), hash.to_owned()));
        }
        let sum = Sum { lines };
        if sum.total() == total {
            Ok(sum)
        } else {
            Err(ParseSumError { line: 1, kind: ParseSumErrorKind::Total })
        }
    }
}

/// The error for a text that is not an `atlas.sum`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSumError {
    line: u32,
    kind: ParseSumErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParseSumErrorKind {
    Format,
    Conflict,
    Total,
}

impl ParseSumError {
    fn at(line: u32, text: &str) -> ParseSumError {
        let row = text.lines().nth(line as usize - 1).unwrap_or_default();
        let conflict =
            ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|it| row.starts_with(it));
        ParseSumError {
            line,
            kind: if conflict { ParseSumErrorKind::Conflict } else { ParseSumErrorKind::Format },
        }
    }

    /// The invalid line, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl fmt::Display for ParseSumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ParseSumErrorKind::Format => "this line is not valid in an `atlas.sum`",
            ParseSumErrorKind::Conflict => "this line is a merge conflict marker",
            ParseSumErrorKind::Total => "the hash in the first line does not match the other lines",
        })
    }
}

impl std::error::Error for ParseSumError {}
