//! Values of `upfront.toml`, each with its place in the file.

use std::{borrow::Cow, ops::Range, time::Duration};

use jiff::SignedDuration;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A text that may hold variables, and its place in the file.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub(super) raw: String,
    pub(super) at: Range<usize>,
}

/// What is wrong, and where.
pub(super) type ValueError = (String, Range<usize>, Option<String>);

pub(super) fn no_key(key: &Spanned<Cow<'_, str>>, known: &[&str]) -> ValueError {
    let known: Vec<_> = known.iter().map(|it| format!("`{it}`")).collect();
    let help = format!("the keys here are {}", known.join(", "));
    (format!("there is no key `{}` here", key.get_ref()), key.span(), Some(help))
}

pub(super) fn wanted(value: &Spanned<DeValue<'_>>, what: &str) -> ValueError {
    (format!("{what} is wanted here"), value.span(), None)
}

pub(super) fn table<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
) -> Result<&'a DeTable<'i>, ValueError> {
    value.get_ref().as_table().ok_or_else(|| wanted(value, "a table, such as `[env.dev]`,"))
}

pub(super) fn text(value: &Spanned<DeValue<'_>>) -> Result<Text, ValueError> {
    let raw = value.get_ref().as_str().ok_or_else(|| wanted(value, "a text in quotes"))?;
    Ok(Text { raw: raw.to_owned(), at: value.span() })
}

pub(super) fn texts(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ValueError> {
    let list = value.get_ref().as_array().ok_or_else(|| wanted(value, "a list of texts"))?;
    list.iter().map(|it| Ok(text(it)?.raw)).collect()
}

pub(super) fn truth(value: &Spanned<DeValue<'_>>) -> Result<bool, ValueError> {
    value.get_ref().as_bool().ok_or_else(|| wanted(value, "`true` or `false`"))
}

pub(super) fn duration(value: &Spanned<DeValue<'_>>) -> Result<Duration, ValueError> {
    let it = value.get_ref().as_str().and_then(|it| it.parse::<SignedDuration>().ok());
    it.and_then(|it| it.try_into().ok())
        .ok_or_else(|| wanted(value, "a time, such as `\"500ms\"`, `\"5s\"` or `\"10min\"`,"))
}
