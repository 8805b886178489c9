//! What `gen` prints once its files are proven.

use serde::Serialize;

use super::{summary::Line, text::File};
use crate::config::folder::Folder;

#[derive(Serialize)]
pub(super) struct Generated {
    pub(super) written: Vec<String>,
    pub(super) files: Vec<File>,
    pub(super) summary: Vec<Line>,
    pub(super) proofs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) left: Option<Vec<String>>,
    /// What the desired schema lacks and nothing allows to drop.
    pub(super) kept: Vec<String>,
}

pub(super) fn describe(it: &Generated, folder: &Folder) -> String {
    let mut lines: Vec<_> = it.written.iter().map(|it| format!("wrote {it}")).collect();
    if it.written.is_empty() {
        lines.extend(it.files.iter().map(|it| it.shown(&folder.label)));
    }
    lines.extend(it.summary.iter().map(Line::text));
    lines.push("proven: up, down and up again".to_owned());
    lines.extend(it.proofs.iter().map(|it| format!("  {it}")));
    lines.join("\n")
}
