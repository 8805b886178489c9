//! What a desired schema manages: the kinds of object that its source can express.

use std::str::FromStr;

use crate::{
    error::{Error, Kind},
    kinds::{groups::Group, object_kind::ObjectKind},
};

/// Attributes that do not belong to the group of their kind.
const ATTRIBUTES: [(Group, ObjectKind, &str); 22] = [
    (Group::Identity, ObjectKind::Column, "identity"),
    (Group::Identity, ObjectKind::Column, "identity_options"),
    (Group::Generated, ObjectKind::Column, "generated"),
    (Group::Partitions, ObjectKind::Table, "partition_key"),
    (Group::RowSecurity, ObjectKind::Table, "row_security"),
    (Group::RowSecurity, ObjectKind::Table, "force_row_security"),
    (Group::Statistics, ObjectKind::Column, "statistics"),
    (Group::Statistics, ObjectKind::Index, "statistics"),
    (Group::Storage, ObjectKind::Table, "options"),
    (Group::Storage, ObjectKind::Table, "access_method"),
    (Group::Storage, ObjectKind::Table, "tablespace"),
    (Group::Storage, ObjectKind::Table, "persistence"),
    (Group::Storage, ObjectKind::Column, "storage"),
    (Group::Storage, ObjectKind::Column, "compression"),
    (Group::Storage, ObjectKind::Column, "options"),
    (Group::Storage, ObjectKind::Index, "options"),
    (Group::Storage, ObjectKind::Index, "tablespace"),
    (Group::Storage, ObjectKind::Index, "clustered"),
    (Group::Storage, ObjectKind::TableConstraint, "options"),
    (Group::Storage, ObjectKind::TableConstraint, "tablespace"),
    (Group::Storage, ObjectKind::TableConstraint, "clustered"),
    (Group::Storage, ObjectKind::Sequence, "persistence"),
];

/// The attribute that each kind has in a group of its own.
const OWNER: &str = "owner";

/// How many of the groups the output of programs manages by default.
const OF_PROGRAMS: usize = 9;
/// How many of the groups models manage by default.
const OF_MODELS: usize = 11;

/// The name for all groups.
const EVERYTHING: &str = "everything";

/// States of objects that only SQL written by hand can express.
const BY_HAND: [(ObjectKind, &str); 2] =
    [(ObjectKind::TableConstraint, "not_valid"), (ObjectKind::Index, "invalid")];

impl FromStr for Group {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let group = Self::ALL.iter().copied().find(|group| group.name() == text);
        group.ok_or_else(|| unknown(text))
    }
}

/// The kinds of object that a desired schema creates, alters and drops. Objects of other kinds stay
/// as they are.
///
/// ```
/// use upfront_schema::{Manages, ObjectKind};
///
/// let manages = Manages::only(&["tables", "columns"])?;
/// assert!(manages.kind(ObjectKind::Column) && !manages.kind(ObjectKind::Policy));
/// assert!(Manages::only(&["furniture"]).is_err());
/// # Ok::<(), upfront_schema::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manages {
    groups: Vec<Group>,
    strictness: Strictness,
}

/// What becomes of an object of an unmanaged kind that the desired schema contains all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strictness {
    /// It is managed like any other.
    ManagesWhatIsThere,
    /// It is ignored.
    Strict,
}

impl Manages {
    /// All kinds: the desired schema is complete.
    #[must_use]
    pub fn everything() -> Self {
        Self { groups: Group::ALL.to_vec(), strictness: Strictness::Strict }
    }

    /// What the SQL that an ORM prints can express. An object of another kind is managed if the
    /// desired schema contains it.
    #[must_use]
    pub fn of_programs() -> Self {
        Self::first(OF_PROGRAMS)
    }

    /// The same for derived models, which know identities and generated columns besides.
    #[must_use]
    pub fn of_models() -> Self {
        Self::first(OF_MODELS)
    }

    fn first(many: usize) -> Self {
        let groups = Group::ALL[..many].to_vec();
        Self { groups, strictness: Strictness::ManagesWhatIsThere }
    }

    /// These groups and nothing else.
    ///
    /// # Errors
    ///
    /// If there is no group of a name, or if one needs another that is not in the list.
    pub fn only(names: &[impl AsRef<str>]) -> Result<Self, Error> {
        if names.iter().any(|it| it.as_ref().trim() == EVERYTHING) {
            return Ok(Self::everything());
        }
        let groups = names.iter().map(|it| it.as_ref().trim().parse());
        let groups = groups.collect::<Result<Vec<Group>, Error>>()?;
        if groups.contains(&Group::Columns) && !groups.contains(&Group::Tables) {
            let why = "it needs `tables` in the same list".to_owned();
            return Err(Kind::Answer { given: Group::Columns.name().to_owned(), why }.into());
        }
        Ok(Self { groups, strictness: Strictness::Strict })
    }

    /// The names that [`only`](Self::only) knows.
    pub fn known() -> impl Iterator<Item = &'static str> {
        Group::ALL.iter().map(|group| group.name()).chain([EVERYTHING])
    }

    /// Whether nothing is left unmanaged.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        Group::ALL.iter().all(|group| self.groups.contains(group))
    }

    /// Whether objects of this kind are managed.
    #[must_use]
    pub fn kind(&self, kind: ObjectKind) -> bool {
        kind.group().is_some_and(|group| self.groups.contains(&group))
    }

    /// Whether an attribute comes from the desired schema, where it is `wanted`.
    pub(crate) fn decides(&self, kind: ObjectKind, attribute: &str, is_wanted: bool) -> bool {
        if self.is_everything() {
            return true;
        }
        let is_managed = match group_of(kind, attribute) {
            Some(group) => self.groups.contains(&group),
            None if BY_HAND.contains(&(kind, attribute)) => false,
            None => self.kind(kind) || !self.is_strict(),
        };
        is_managed || is_wanted && !self.is_strict()
    }

    /// Whether objects of unmanaged kinds are ignored even if the desired schema contains them.
    pub(crate) fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }
}

/// The group of an attribute that does not belong to its kind.
fn group_of(kind: ObjectKind, attribute: &str) -> Option<Group> {
    if attribute == OWNER {
        return Some(Group::Owners);
    }
    let mut all = ATTRIBUTES.iter();
    all.find(|(_, of, name)| *of == kind && *name == attribute).map(|(group, ..)| *group)
}

/// What messages call an attribute, as far as it is not managed with its kind.
pub(crate) fn name_of(kind: ObjectKind, attribute: &str) -> Option<&'static str> {
    match group_of(kind, attribute) {
        Some(group) => Some(group.name()),
        None => BY_HAND.contains(&(kind, attribute)).then_some("state"),
    }
}

fn unknown(name: &str) -> Error {
    let known: Vec<_> = Manages::known().map(|it| format!("`{it}`")).collect();
    let why = format!("no kind of object has this name; the known ones are {}", known.join(", "));
    Kind::Answer { given: name.to_owned(), why }.into()
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES, BY_HAND, Manages, OF_MODELS, OF_PROGRAMS};
    use crate::kinds::{groups::Group, registry};

    #[test]
    fn defaults_end_before_what_sources_cannot_express() {
        assert_eq!(Group::ALL[OF_PROGRAMS], Group::Identity);
        assert_eq!(Group::ALL[OF_MODELS], Group::Partitions);
    }

    #[test]
    fn each_attribute_is_one() {
        let of_groups = ATTRIBUTES.iter().map(|(_, kind, attribute)| (*kind, *attribute));
        for (kind, attribute) in of_groups.chain(BY_HAND) {
            let all = registry::definition(kind).unwrap().attributes;
            assert!(all.iter().any(|(name, _)| *name == attribute), "{kind} {attribute}");
        }
    }

    #[test]
    fn names_what_it_knows() {
        let err = Manages::only(&["tables", "furniture"]).unwrap_err().to_string();
        assert!(
            err.starts_with("`furniture`: no kind of object has this name; the known ones are")
        );
        assert!(err.contains("`tables`, `columns`") && err.ends_with("`everything`"), "{err}");
        let err = Manages::only(&["columns"]).unwrap_err().to_string();
        assert_eq!(err, "`columns`: it needs `tables` in the same list");
        assert!(Manages::only(&["everything"]).unwrap().is_everything());
    }
}
