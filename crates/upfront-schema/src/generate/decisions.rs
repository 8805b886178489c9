//! What the author of a migration says where the schemas alone do not.

use std::{fmt, str::FromStr};

use crate::{
    catalog::facts::{Fact, Facts},
    error::{Error, Kind, Result},
    generate::{annotations::Annotations, removals::KeptObjects},
    kinds::object_kind::ObjectKind,
};

/// All that was said.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// What is the same under another name.
    pub renames: Vec<Rename>,
    /// What looks like a rename and is none: the old names.
    pub not_renamed: Vec<String>,
    /// What rows get in a column that shall not be NULL.
    pub fills: Vec<ColumnExpression>,
    /// How the values of a column become those of another type.
    pub usings: Vec<ColumnExpression>,
    /// The same for the way back.
    pub usings_down: Vec<ColumnExpression>,
    /// What stays for this time although the desired schema lacks it.
    pub kept: KeptObjects,
    /// What the desired schema itself says; what is said above counts before it.
    pub annotated: Annotations,
}

/// `users.nick=handle`: an object and its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub(crate) old: Vec<String>,
    pub(crate) new: String,
}

/// `users.nick=lower(name)`: a column and an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnExpression {
    pub(crate) column: Vec<String>,
    pub(crate) expression: String,
}

impl FromStr for Rename {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (old, new) = text.split_once('=')?;
            Some(Self { old: parts(old)?, new: parts(new)?.pop()? })
        };
        read().ok_or_else(|| not(text, "an old and a new name are wanted, as `users.nick=handle`"))
    }
}

impl FromStr for ColumnExpression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (column, expression) = text.split_once('=')?;
            let column = parts(column).filter(|it| it.len() > 1)?;
            let expression = Some(expression.trim()).filter(|it| !it.is_empty())?.to_owned();
            Some(Self { column, expression })
        };
        read().ok_or_else(|| not(text, "a column and an expression are wanted, as `users.nick=''`"))
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old.join("."), self.new)
    }
}

impl fmt::Display for ColumnExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column.join("."), self.expression)
    }
}

/// An answer that fits nothing.
pub(crate) fn not(given: impl Into<String>, why: impl Into<String>) -> Error {
    Kind::Answer { given: given.into(), why: why.into() }.into()
}

/// The one object of these kinds with this name, whose schema may be left out.
pub(crate) fn find<'a>(
    facts: &'a Facts,
    kinds: &[ObjectKind],
    name: &[String],
) -> Result<&'a Fact, String> {
    let is_meant = |it: &&Fact| kinds.contains(&it.id.kind) && is_named(&it.id.names, name);
    let all: Vec<_> = facts.iter().filter(is_meant).collect();
    let public = all.iter().filter(|it| it.id.names.first().is_some_and(|it| it == "public"));
    let public: Vec<_> = public.collect();
    match (all.as_slice(), public.as_slice()) {
        ([it], _) => Ok(it),
        ([], _) => Err("there is nothing of this name".to_owned()),
        (_, [it]) => Ok(it),
        (all, _) => {
            let names: Vec<_> = all.iter().map(|it| it.id.to_string()).collect();
            Err(format!("this is {}", names.join(" or ")))
        }
    }
}

/// Whether it is called so, with or without its schema.
pub(crate) fn is_named(names: &[String], given: &[String]) -> bool {
    names.ends_with(given) && names.len() - given.len() < 2
}

/// The parts of a name with dots, where `"` holds dots together.
pub(crate) fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut rest = text.trim().chars().peekable();
    while let Some(it) = rest.next() {
        let last = parts.last_mut()?;
        match it {
            '"' if quoted && rest.peek() == Some(&'"') => last.extend(rest.next()),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            it => last.push(it),
        }
    }
    (!quoted && parts.iter().all(|it| !it.is_empty())).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::{ColumnExpression, Rename, parts};

    #[test]
    fn takes_a_name_apart() {
        let check = |it, expected: &[&str]| assert_eq!(parts(it).unwrap(), expected);
        check("users", &["users"]);
        check(" app.users.nick ", &["app", "users", "nick"]);
        check("\"Odd.name\".c", &["Odd.name", "c"]);
        check("\"a\"\"b\"", &["a\"b"]);
        assert_eq!(parts("a..b"), None);
        assert_eq!(parts("\"a"), None);
    }

    #[test]
    fn reads_answers() {
        let check = |it: &str, expected: &str| {
            assert_eq!(it.parse::<Rename>().unwrap().to_string(), expected);
        };
        check("users.nick=handle", "users.nick=handle");
        check("users.nick = users.handle", "users.nick=handle");
        let it: ColumnExpression = "users.nick= lower(a) || '='".parse().unwrap();
        assert_eq!(it.to_string(), "users.nick=lower(a) || '='");
    }

    #[test]
    fn says_what_an_answer_lacks() {
        let check = |err: crate::Error, expected: &str| assert_eq!(err.to_string(), expected);
        check(
            "users".parse::<Rename>().unwrap_err(),
            "`users`: an old and a new name are wanted, as `users.nick=handle`",
        );
        check(
            "nick=1".parse::<ColumnExpression>().unwrap_err(),
            "`nick=1`: a column and an expression are wanted, as `users.nick=''`",
        );
    }
}
