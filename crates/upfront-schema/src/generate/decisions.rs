//! Decisions of the author that the schemas alone do not show.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    generate::{
        annotations::Annotations,
        column_expression::ColumnExpression,
        kept::KeptObjects,
        lookup::{not, parts},
    },
};

/// The decisions for one change.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// Objects that are renamed.
    pub renames: Vec<Rename>,
    /// The old names of objects that are dropped although a rename seems likely.
    pub not_renamed: Vec<String>,
    /// Values of existing rows for columns that become NOT NULL.
    pub fills: Vec<ColumnExpression>,
    /// Conversions of the values of columns whose type changes.
    pub usings: Vec<ColumnExpression>,
    /// The same for the down script.
    pub usings_down: Vec<ColumnExpression>,
    /// Objects that are kept this time although the desired schema lacks them.
    pub kept: KeptObjects,
    /// Annotations in the desired schema. The fields above take precedence.
    pub annotated: Annotations,
}

/// `users.nick=handle`: an object and its new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub(crate) old: Vec<String>,
    pub(crate) new: String,
}

impl FromStr for Rename {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (old, new) = text.split_once('=')?;
            Some(Self { old: parts(old)?, new: parts(new)?.pop()? })
        };
        read()
            .ok_or_else(|| not(text, "expected an old and a new name, such as `users.nick=handle`"))
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.old.join("."), self.new)
    }
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
            "`users`: expected an old and a new name, such as `users.nick=handle`",
        );
        check(
            "nick=1".parse::<ColumnExpression>().unwrap_err(),
            "`nick=1`: expected a column and an expression, such as `users.nick=''`",
        );
    }
}
