//! Objects that are left alone, by their names.

use std::{collections::HashMap, fmt, str::FromStr};

use crate::{
    catalog::{
        extract::Scope,
        facts::{Dependency, Fact, Facts},
        identity::Identity,
    },
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
            None => "a kind and a name are wanted, such as `table legacy.*`".to_owned(),
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
    fn fits(&self, id: &Identity) -> bool {
        match id.names.is_empty() {
            true => self.names(id.kind, &id.arguments.join(" AS ")),
            false => self.names(id.kind, &id.names.join(".")),
        }
    }

    /// Whether it is the schema of something.
    fn holds(&self, id: &Identity) -> bool {
        self.kind == ObjectKind::Schema && id.schema().is_some_and(|it| glob(&self.path, it))
    }

    /// Whether something of this kind and name is left alone by it.
    #[must_use]
    pub fn names(&self, kind: ObjectKind, path: &str) -> bool {
        self.kind == kind && glob(&self.path, path)
    }
}

impl Scope {
    /// Whether something that has no fact is left alone by its name or by its schema's.
    pub(crate) fn leaves_alone(&self, kind: &str, path: &str, schema: &str) -> bool {
        let known = kind.parse().ok();
        let is_in = |it: &Pattern| !schema.is_empty() && it.names(ObjectKind::Schema, schema);
        self.exclude.iter().any(|it| known.is_some_and(|kind| it.names(kind, path)) || is_in(it))
            || self.setup.has(kind, path, schema)
    }
}

impl Facts {
    /// These facts without those that are left alone.
    pub(crate) fn without(self, left_alone: &[bool]) -> Self {
        let stays: Vec<_> = left_alone.iter().map(|it| !it).collect();
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

    /// Takes the flags of row-level security from tables where that is left alone.
    pub(crate) fn leave_row_security_alone(&mut self, patterns: &[Pattern]) {
        let is_named = |it: &Fact| {
            patterns
                .iter()
                .any(|pattern| pattern.names(ObjectKind::RowSecurity, &it.id.names.join(".")))
        };
        for it in self.all.iter_mut().filter(|it| it.id.kind == ObjectKind::Table && is_named(it)) {
            it.attributes.remove("row_security");
            it.attributes.remove("force_row_security");
        }
    }

    /// Which of them the patterns name, with all that stands in these or goes with them.
    pub(crate) fn left_alone(&self, patterns: &[Pattern]) -> Vec<bool> {
        let mut left = vec![false; self.all.len()];
        let is_named = |id| patterns.iter().any(|it| it.fits(id) || it.holds(id));
        let mut open: Vec<_> =
            (0..self.all.len()).filter(|at| is_named(&self.all[*at].id)).collect();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut left[at], true) {
                continue;
            }
            let goes_along = |(user, how): &(usize, Dependency)| {
                matches!(how, Dependency::DroppedWith | Dependency::OnlyDroppedWith)
                    || matches!(self.all[*user].id.kind, ObjectKind::Cast | ObjectKind::Transform)
            };
            let users = self.users[at].iter().copied();
            open.extend(users.filter(goes_along).map(|(user, _)| user));
        }
        left
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
        check("users", "`users`: a kind and a name are wanted, such as `table legacy.*`");
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
