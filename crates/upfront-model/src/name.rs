//! Names, quoted as SQL wants them.

use std::fmt;

/// A table's or a type's name, with its schema if it says one.
///
/// [`Display`](fmt::Display) quotes it; without a schema the `search_path` decides.
///
/// ```
/// use upfront_model::Name;
///
/// assert_eq!(Name::new("order").to_string(), r#""order""#);
/// assert_eq!(Name::new("Users").in_schema("app").to_string(), r#""app"."Users""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    schema: Option<&'static str>,
    name: &'static str,
}

impl Name {
    /// That name in whatever schema the `search_path` says.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { schema: None, name }
    }

    /// The same name in that schema.
    #[must_use]
    pub const fn in_schema(self, schema: &'static str) -> Self {
        Self { schema: Some(schema), name: self.name }
    }

    /// The schema, where one is given.
    #[must_use]
    pub const fn schema(&self) -> Option<&'static str> {
        self.schema
    }

    /// The name without its schema, not quoted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = self.schema {
            write!(f, "{}.", Quoted(schema))?;
        }
        write!(f, "{}", Quoted(self.name))
    }
}

/// An identifier in double quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// Identifiers in double quotes, with commas in between.
pub(crate) struct List<'a>(pub(crate) &'a [&'a str]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, it) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{}", Quoted(it))?;
        }
        Ok(())
    }
}

/// An identifier as a person writes it: in quotes only where it would not be itself without them.
///
/// It is used in comments, where reserved words need no quotes.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts = self.0.starts_with(|it: char| it.is_ascii_lowercase() || it == '_');
        let rest = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        match starts && self.0.chars().all(rest) {
            true => f.write_str(self.0),
            false => write!(f, "{}", Quoted(self.0)),
        }
    }
}

/// A string in single quotes.
pub(crate) struct Literal<'a>(pub(crate) &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_whatever_a_name_holds() {
        let check = |name, expected: &str| assert_eq!(Name::new(name).to_string(), expected);
        check("users", r#""users""#);
        check("Two Words", r#""Two Words""#);
        check(r#"a"b"#, r#""a""b""#);
        check("a.b", r#""a.b""#);
    }

    #[test]
    fn quotes_in_a_comment_only_what_needs_it() {
        let check = |name, expected: &str| assert_eq!(Plain(name).to_string(), expected);
        check("nick", "nick");
        check("order", "order");
        check("_a1", "_a1");
        check("Nick", r#""Nick""#);
        check("1a", r#""1a""#);
        check("", r#""""#);
        check("a b", r#""a b""#);
    }

    #[test]
    fn doubles_the_quotes_of_a_literal() {
        assert_eq!(Literal("it's").to_string(), "'it''s'");
    }
}
