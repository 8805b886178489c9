//! Objects that are left alone, by their names.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Kind, Result};
use crate::facts::{Fact, Facts};
use crate::identity::Identity;
use crate::rule;

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
    kind: &'static str,
    path: String,
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: String| Kind::Answer { given: text.to_owned(), why };
        let (kind, path) = text.trim().rsplit_once(' ').ok_or_else(|| {
            invalid("a kind and a name are wanted, such as `table legacy.*`".to_owned())
        })?;
        let kind = kind.trim();
        let rule = rule::find(kind).ok_or_else(|| invalid(format!("there is no kind `{kind}`")))?;
        Ok(Self { kind: rule.kind, path: path.to_owned() })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path)
    }
}

impl Pattern {
    fn fits(&self, id: &Identity) -> bool {
        id.kind == self.kind && glob(&self.path, &id.names.join("."))
    }
}

impl Facts {
    /// These facts without what the patterns name and what is in it.
    pub(crate) fn without(self, patterns: &[Pattern]) -> Self {
        if patterns.is_empty() {
            return self;
        }
        let stays: Vec<_> = (0..self.all.len()).map(|at| !self.is_named(at, patterns)).collect();
        let kept = (0..self.all.len()).filter(|at| stays[*at]);
        let places: HashMap<_, _> = kept.zip(0..).collect();
        let moved = |at: Option<usize>| at.and_then(|it| places.get(&it).copied());
        let fact = |(_, it): (usize, &Fact)| Fact {
            parent: moved(it.parent),
            origin: moved(it.origin),
            ..it.clone()
        };
        let all = self.all.iter().enumerate().filter(|(at, _)| stays[*at]).map(fact).collect();
        let mut facts = Facts::new(all, self.casts);
        for (user, uses) in self.uses.iter().enumerate() {
            for (base, how) in uses {
                if let (Some(user), Some(base)) = (moved(Some(user)), moved(Some(*base))) {
                    facts.connect(user, base, *how);
                }
            }
        }
        facts
    }

    /// Whether it, or anything that it stands in, is named.
    fn is_named(&self, at: usize, patterns: &[Pattern]) -> bool {
        let mut next = Some(at);
        while let Some(it) = next.map(|at| &self.all[at]) {
            if patterns.iter().any(|pattern| pattern.fits(&it.id)) {
                return true;
            }
            next = it.parent;
        }
        false
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
        check("users", "`users`: a kind and a name are wanted, such as `table legacy.*`");
        check("furniture x.y", "`furniture x.y`: there is no kind `furniture`");
    }
}
