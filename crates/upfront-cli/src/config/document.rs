//! The text of `upfront.toml`: its variables, and mistakes with their place.

use std::{ops::Range, path::PathBuf};

use super::{values::Text, variables::Variables};
use crate::{connection::redact, output::failure::Failure};

/// The file as it was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// The folder of the file.
    pub(crate) root: PathBuf,
    /// The name of the file in messages.
    pub(crate) label: String,
    pub(super) text: String,
}

impl Document {
    /// The text with its variables put in: `${NAME}`, `${NAME:-default}`; `$$` is a dollar sign.
    pub(super) fn expand(&self, it: &Text, variables: &Variables) -> Result<String, Failure> {
        let mut expanded = String::new();
        let mut rest = it.raw.as_str();
        while let Some(at) = rest.find('$') {
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                expanded.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let end = after.find('}').ok_or_else(|| self.open(it))?;
                expanded.push_str(&self.variable(it, &after[..end], variables)?);
                rest = &after[end + 1..];
            } else {
                expanded.push('$');
            }
        }
        expanded.push_str(rest);
        match expanded.trim().is_empty() {
            true => Err(self
                .failure("this value is empty".into(), it.at.clone())
                .help("write a value, or take the key out")),
            false => Ok(expanded),
        }
    }

    fn open(&self, it: &Text) -> Failure {
        self.failure("a `${` here has no `}`".into(), it.at.clone())
            .help("write `${NAME}`, or `$$` for a dollar sign")
    }

    fn variable(&self, it: &Text, text: &str, variables: &Variables) -> Result<String, Failure> {
        let (name, default) = match text.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (text, None),
        };
        let lack = if variables.is_empty(name) { "is empty" } else { "is not set" };
        variables.get(name).or(default).ok_or_else(|| {
            self.failure(format!("variable `{name}` {lack}"), self.within(it, text))
                .help(format!("set it in the environment or in `.env`, or write `${{{name}:-…}}`"))
        })
    }

    /// The place of a variable in the file, as far as the text is written as it is meant.
    fn within(&self, it: &Text, variable: &str) -> Range<usize> {
        let written = &self.text[it.at.clone()];
        let variable = format!("${{{variable}}}");
        match written.find(&variable) {
            Some(at) => it.at.start + at..it.at.start + at + variable.len(),
            None => it.at.clone(),
        }
    }

    pub(super) fn failure(&self, title: String, at: Range<usize>) -> Failure {
        Failure::mistake(title).at(&self.label, &redact::file(&self.text), at)
    }
}
