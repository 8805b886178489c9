//! What was applied to a database before upfront: by the history of another tool, or a person.

use std::fmt;

use crate::{
    embedded::{Migration, Set},
    plan::{foreign_history::Tool, rows::Head},
};

/// Migrations that were here before upfront.
#[derive(Debug)]
pub(crate) struct ExternalHistory {
    /// Where it is written; nowhere, if a person says so.
    pub(crate) source: Option<Source>,
    /// All up to the newest, in order.
    pub(crate) old: Vec<ExternalRevision>,
    /// What comes after them.
    pub(crate) pending: &'static [Migration],
    /// Where upfront's own history ends, which they go on.
    pub(crate) after: Head,
}

/// Another tool's table.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Qualified, and quoted where needed.
    pub(crate) table: String,
    pub(crate) tool: Tool,
}

/// One migration of before.
#[derive(Debug)]
pub(crate) struct ExternalRevision {
    pub(crate) migration: &'static Migration,
    /// When it came, as the server prints a moment.
    pub(crate) applied_at: Option<String>,
    /// A hash in the history says that the file is what was applied.
    pub(crate) checked: bool,
}

impl ExternalHistory {
    /// Everything up to a version, on a person's word; without the first ones, which have rows.
    pub(crate) fn up_to(set: &'static Set, at: usize, recorded: usize, after: Head) -> Self {
        let (old, pending) = set.migrations.split_at(at + 1);
        let of = |migration| ExternalRevision { migration, applied_at: None, checked: false };
        Self { source: None, old: old[recorded..].iter().map(of).collect(), pending, after }
    }
}

/// What a file may have been when another tool ran it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) source: &'a str,
    pub(crate) line_end: LineEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    Unix,
    Windows,
}

impl LineEnd {
    /// A canonical text with this line end.
    pub(crate) fn of(self, source: &str) -> String {
        match self {
            Self::Unix => source.to_owned(),
            Self::Windows => source.replace('\n', "\r\n"),
        }
    }
}

/// A file as it is, and without the directives at its start, which upfront may have asked for
/// later; each with either line end.
pub(crate) fn texts(source: &str) -> Vec<Text<'_>> {
    let sources = std::iter::once(source).chain(without_directives(source));
    let text = |source| [LineEnd::Unix, LineEnd::Windows].map(|line_end| Text { source, line_end });
    sources.flat_map(text).collect()
}

/// The text behind the directives at its start, with the blank line that ends them and without.
fn without_directives(source: &str) -> Vec<&str> {
    let mut rest = source;
    while let Some((_, after)) = rest.split_once('\n').filter(|(line, _)| is_directive(line)) {
        rest = after;
    }
    match rest.len() == source.len() {
        true => Vec::new(),
        false => std::iter::once(rest).chain(rest.strip_prefix('\n')).collect(),
    }
}

fn is_directive(line: &str) -> bool {
    let comment = line.strip_prefix("--").map(str::trim_start);
    comment.is_some_and(|it| it.starts_with("atlas:") || it.starts_with("upfront:"))
}

/// One way in which another tool's history is not that of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The text is not what was applied.
    Edited { title: String, path: &'static str, recorded: String, found: String, scope: Scope },
    /// Its hash covers a file that is not what it was.
    Unchecked { title: String, because: String },
    /// The same version under another name.
    Renamed { title: String, path: &'static str, recorded: String },
    /// A row without a file.
    Missing { title: String },
    /// A file without a row, below the newest row.
    Skipped { title: String, path: &'static str, newest: String },
    /// A file without a row, below the oldest row, which is no baseline.
    Older { title: String, path: &'static str, oldest: String },
    /// It was cut off.
    Partial { title: String, applied: i64, total: i64 },
    /// Its row says that it failed.
    Failed { title: String, error: String },
    /// A row of a kind that nobody knows here.
    Strange { title: String, kind: i64 },
}

/// What a hash covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// This file alone.
    File,
    /// This file, and all before it; up to the named one they are as they were.
    Since(Option<String>),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { title, path, recorded, found, scope } => {
                write!(f, "  migration `{title}` is not what was applied\n    file: {path}")?;
                write!(f, "\n    applied:   {recorded}\n    directory: {found}\n    ")?;
                match scope {
                    Scope::File => f.write_str("the file was changed after it was applied"),
                    Scope::Since(None) => f.write_str(
                        "the hash covers this file and all before it: one of them was changed, \
                         added or removed",
                    ),
                    Scope::Since(Some(it)) => write!(
                        f,
                        "up to `{it}` all is as it was: this file was changed, or one in between \
                         was added or removed"
                    ),
                }?;
                f.write_str("\n    help: bring back the text that was applied")
            }
            Self::Unchecked { title, because } => write!(
                f,
                "  migration `{title}` cannot be checked\n    its hash covers `{because}` too, \
                 which is not what it was\n    help: settle `{because}` first"
            ),
            Self::Renamed { title, path, recorded } => write!(
                f,
                "  migration `{recorded}` is now called `{title}`\n    file: {path}\n    help: \
                 give the file its old name back"
            ),
            Self::Missing { title } => write!(
                f,
                "  migration `{title}` was applied and has no file\n    help: bring the file back"
            ),
            Self::Skipped { title, path, newest } => write!(
                f,
                "  migration `{title}` was never applied and is older than `{newest}`, the newest \
                 applied\n    file: {path}\n    help: give it a version after `{newest}`, or apply \
                 it with the other tool first"
            ),
            Self::Older { title, path, oldest } => write!(
                f,
                "  migration `{title}` was never applied: the history starts at `{oldest}`, which \
                 is neither a baseline nor a checkpoint\n    file: {path}\n    help: give it a \
                 version after the newest applied, or delete it"
            ),
            Self::Partial { title, applied, total } => write!(
                f,
                "  migration `{title}` is partially applied: {applied} of {total} statements\n    \
                 help: let the other tool finish it, or settle its row"
            ),
            Self::Failed { title, error } => {
                write!(f, "  migration `{title}` failed")?;
                // The other tool's text may quote a part of a statement, without the context that marks secrets.
                let shown = !error.to_ascii_lowercase().contains("password");
                if shown && !error.is_empty() {
                    let error = upfront_redact::redact_message(error);
                    write!(f, ": {}", error.replace('\n', "\n    "))?;
                }
                f.write_str("\n    help: let the other tool finish it, or settle its row")
            }
            Self::Strange { title, kind } => write!(
                f,
                "  migration `{title}` has a row of type {kind}, which is unknown here\n    help: \
                 settle it with the tool that wrote it"
            ),
        }
    }
}
