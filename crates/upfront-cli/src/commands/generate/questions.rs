//! Questions that the schemas leave open, and the options that answer them.

use upfront_schema::{Identity, Question};

use crate::output::failure::Note;

pub(super) fn asked(question: &Question) -> Note {
    match question {
        Question::Rename(old, new) => {
            let to = own_name(new);
            let [yes, no] = [("rename", format!("{}={to}", path(old))), ("no-rename", path(old))]
                .map(|(name, value)| option(name, &value));
            Note::new(format!("is {new} the same as {old}, under another name?"))
                .help(format!(
                    "if it is, and its rows stay: `{yes}`, or `-- renamed from: {}` before it",
                    own_name(old)
                ))
                .help(format!("if it is not: `{no}`"))
        }
        Question::Fill(column) => {
            let fill = option("fill", &format!("{}=EXPRESSION", path(column)));
            Note::new(format!("{column} is NOT NULL, and rows that are there have no value for it"))
                .help(format!("say what they get: `{fill}`"))
                .help("or in the schema: `-- fill: EXPRESSION` before it, `#[col(fill = \"…\")]` in a model")
                .help(
                    "or give it a default, or `--allow may-fail` if the table has no rows anywhere",
                )
        }
    }
}

/// Its own name, quoted as in SQL.
pub(super) fn own_name(of: &Identity) -> String {
    path(&Identity { names: of.names.last().cloned().into_iter().collect(), ..of.clone() })
}

/// The names, quoted as in SQL.
pub(super) fn path(of: &Identity) -> String {
    of.signature()
}

/// An option as a shell takes it.
pub(super) fn option(name: &str, value: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "_.=-".contains(it);
    match value.chars().all(is_plain) {
        true => format!("--{name} {value}"),
        false => format!("--{name} '{}'", value.replace('\'', "'\\''")),
    }
}
