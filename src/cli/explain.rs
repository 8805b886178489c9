//! `explain`

use serde::Serialize;

use crate::{
    ErrorKind,
    cli::{exit::Exit, output::Output},
};

/// Options of `explain`.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The kind of error, as the last line of an error names it; all kinds if omitted
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

#[derive(Serialize)]
struct Page {
    kind: ErrorKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'static str>,
    summary: &'static str,
}

impl Arguments {
    pub(super) fn run(&self, output: &Output) -> Exit {
        let Some(name) = &self.kind else {
            let pages: Vec<_> = ErrorKind::ALL.iter().map(|it| Page::listed(*it)).collect();
            output.result(&pages, || list(&pages));
            return Exit::Done;
        };
        let Some(kind) = find(name) else {
            output.error(Exit::Failed, &unknown(name));
            return Exit::Failed;
        };
        let text = kind.explanation();
        let page = Page { text: Some(text), ..Page::listed(kind) };
        output.result(&page, || text.trim_end().to_owned());
        Exit::Done
    }
}

impl Page {
    fn listed(kind: ErrorKind) -> Self {
        Self { kind, text: None, summary: summary(kind.explanation()) }
    }
}

/// The first line of a page below its title.
fn summary(page: &'static str) -> &'static str {
    page.lines().skip(1).find(|it| !it.is_empty()).unwrap_or_default()
}

fn list(pages: &[Page]) -> String {
    let wide = pages.iter().map(|it| it.kind.word().len()).max().unwrap_or_default();
    let line = |it: &Page| format!("{:wide$}  {}", it.kind.word(), it.summary);
    pages.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn find(name: &str) -> Option<ErrorKind> {
    let name = spelled(name);
    ErrorKind::ALL.iter().copied().find(|it| it.word() == name)
}

fn spelled(name: &str) -> String {
    name.trim().replace('-', "_").to_ascii_lowercase()
}

fn unknown(name: &str) -> String {
    let spelled = spelled(name);
    let mut near: Vec<_> =
        ErrorKind::ALL.iter().map(|it| (distance(&spelled, it.word()), it.word())).collect();
    near.sort_unstable();
    let near: Vec<_> = near.iter().take(3).map(|(_, it)| format!("`{it}`")).collect();
    format!(
        "there is no kind of error `{name}`\n  nearest: {}\n  help: `upfront explain` lists all kinds",
        near.join(", ")
    )
}

/// The Levenshtein distance of two words.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<_> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in right.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, find, summary, unknown};

    #[test]
    fn finds_kinds_and_their_neighbors() {
        assert_eq!(find("Lock-Lost"), Some(ErrorKind::LockLost));
        assert_eq!(find("lost"), None);
        assert!(unknown("edit").contains("`edited`"), "{}", unknown("edit"));
        for it in ErrorKind::ALL {
            let page = it.explanation();
            assert!(page.starts_with(&format!("# {it}\n")), "{it}");
            assert!(!summary(page).is_empty(), "{it}");
        }
    }
}
