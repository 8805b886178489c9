//! Patterns of objects, by kind and name.

use std::{fmt, str::FromStr};

use crate::{
    catalog::identity::Identity,
    error::{Error, Kind, Result},
    kinds::object_kind::ObjectKind,
};

/// Objects by kind and name, in which `*` stands for any text: `table legacy.*`.
///
/// What is in such an object is left alone too, as the columns of a table.
///
/// ```
/// use upfront_schema::Pattern;
///
/// let pattern: Pattern = "function public.x*".parse()?;
/// assert_eq!(pattern.to_string(), "function public.x*");
/// assert!("furniture public.*".parse::<Pattern>().is_err());
/// # Ok::<(), upfront_schema::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    kind: ObjectKind,
    path: String,
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: String| Kind::Answer { given: text.to_owned(), why };
        let text = text.trim();
        let kinds = ObjectKind::ALL.iter().copied().filter(|kind| kind.is_excludable());
        let read = |kind: ObjectKind| {
            Some((kind, text.strip_prefix(kind.name())?.strip_prefix(' ')?.trim()))
        };
        // `table constraint` is no `table` called `constraint …`.
        if let Some((kind, path)) = kinds.filter_map(read).max_by_key(|(kind, _)| kind.name().len())
        {
            return Ok(Self { kind, path: path.to_owned() });
        }
        Err(invalid(match text.rsplit_once(' ') {
            Some((kind, _)) => format!("there is no kind `{}`", kind.trim()),
            None => "expected a kind and a name, such as `table legacy.*`".to_owned(),
        })
        .into())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path)
    }
}

impl Pattern {
    pub(crate) fn fits(&self, id: &Identity) -> bool {
        match id.names.is_empty() {
            true => self.names(id.kind, &id.arguments.join(" AS ")),
            false => self.names(id.kind, &id.names.join(".")),
        }
    }

    /// Whether it is the schema of something.
    pub(crate) fn holds(&self, id: &Identity) -> bool {
        self.kind == ObjectKind::Schema && id.schema().is_some_and(|it| glob(&self.path, it))
    }

    /// Whether something of this kind and name is left alone by it.
    #[must_use]
    pub fn names(&self, kind: ObjectKind, path: &str) -> bool {
        self.kind == kind && glob(&self.path, path)
    }
}

/// Whether the text is as the pattern says, in which `*` stands for any characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let ends = (0..=text.len()).filter(|it| text.is_char_boundary(*it));
    ends.into_iter().any(|it| glob(rest, &text[it..]))
}

#[cfg(test)]
mod tests {
    use crate::kinds::object_kind::ObjectKind;

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |pattern, text, expected| assert_eq!(super::glob(pattern, text), expected);
        check("public.users", "public.users", true);
        check("public.users", "public.users2", false);
        check("public.u*", "public.users", true);
        check("*.users", "public.users", true);
        check("*.*_old", "a.b_old", true);
        check("*.*_old", "a.b_older", false);
    }

    #[test]
    fn says_what_is_wrong_with_a_pattern() {
        let check = |it: &str, expected: &str| {
            let err = it.parse::<super::Pattern>().unwrap_err();
            assert_eq!(err.to_string(), expected);
        };
        check("users", "`users`: expected a kind and a name, such as `table legacy.*`");
        check("furniture x.y", "`furniture x.y`: there is no kind `furniture`");
    }

    #[test]
    fn the_longest_kind_counts() {
        let check = |it: &str, kind, path| {
            let pattern: super::Pattern = it.parse().unwrap();
            assert!(pattern.names(kind, path), "{it}");
        };
        check("table constraint a.b.c", ObjectKind::TableConstraint, "a.b.c");
        check("table a.my table", ObjectKind::Table, "a.my table");
        check("subscription *", ObjectKind::Subscription, "s");
    }
}
