//! An expression for the values of a column.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    generate::lookup::{not, parts},
};

/// `users.nick=lower(name)`: a column and an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnExpression {
    pub(crate) column: Vec<String>,
    pub(crate) expression: String,
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
        read().ok_or_else(|| {
            not(text, "expected a column and an expression, such as `users.nick=''`")
        })
    }
}

impl fmt::Display for ColumnExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column.join("."), self.expression)
    }
}
