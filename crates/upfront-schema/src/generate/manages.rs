//! What a desired schema manages: the kinds of object that its source can express.

use crate::error::{Error, Kind};

/// Kinds of object, and attributes of them, under one name.
struct Group {
    name: &'static str,
    kinds: &'static [&'static str],
    /// Kind and attribute; `*` is any kind.
    attributes: &'static [(&'static str, &'static str)],
}

const fn group(name: &'static str, kinds: &'static [&'static str]) -> Group {
    Group { name, kinds, attributes: &[] }
}

/// All groups, those first that a program's models can express.
const GROUPS: [Group; 36] = [
    group("schemas", &["schema"]),
    group("tables", &["table"]),
    group("columns", &["column"]),
    group("constraints", &["table constraint"]),
    group("indexes", &["index"]),
    group("enums", &["enum"]),
    group("sequences", &["sequence", "sequence owner"]),
    group("defaults", &["default value"]),
    group("comments", &["comment"]),
    Group {
        name: "identity",
        kinds: &[],
        attributes: &[("column", "identity"), ("column", "identity_options")],
    },
    Group { name: "generated", kinds: &[], attributes: &[("column", "generated")] },
    Group {
        name: "partitions",
        kinds: &["inheritance"],
        attributes: &[("table", "partition_key")],
    },
    Group {
        name: "row security",
        kinds: &[],
        attributes: &[("table", "row_security"), ("table", "force_row_security")],
    },
    group("policies", &["policy"]),
    group("views", &["view"]),
    group("materialized views", &["materialized view"]),
    group("functions", &["function", "procedure", "aggregate"]),
    group("triggers", &["trigger", "trigger state"]),
    group("event triggers", &["event trigger"]),
    group("rules", &["rule"]),
    group("grants", &["privileges", "default privileges"]),
    Group { name: "owners", kinds: &[], attributes: &[("*", "owner")] },
    group("extensions", &["extension"]),
    group("domains", &["domain", "domain constraint"]),
    group("types", &["composite type", "range type", "base type", "shell type"]),
    group("casts", &["cast", "transform"]),
    group(
        "operators",
        &["operator", "operator class", "operator family", "operator family member"],
    ),
    group("collations", &["collation"]),
    group("conversions", &["conversion"]),
    group(
        "text search",
        &[
            "text search parser",
            "text search template",
            "text search dictionary",
            "text search configuration",
        ],
    ),
    group("languages", &["language"]),
    group("access methods", &["access method"]),
    Group {
        name: "statistics",
        kinds: &["statistics object"],
        attributes: &[("column", "statistics"), ("index", "statistics")],
    },
    Group {
        name: "storage",
        kinds: &["replica identity"],
        attributes: &[
            ("table", "options"),
            ("table", "access_method"),
            ("table", "tablespace"),
            ("table", "persistence"),
            ("column", "storage"),
            ("column", "compression"),
            ("column", "options"),
            ("index", "options"),
            ("index", "tablespace"),
            ("index", "clustered"),
            ("table constraint", "options"),
            ("table constraint", "tablespace"),
            ("table constraint", "clustered"),
            ("sequence", "persistence"),
        ],
    },
    group("foreign data", &["foreign-data wrapper", "server", "user mapping", "foreign table"]),
    group("publications", &["publication", "publication relation", "publication namespace"]),
];

/// How many of [`GROUPS`] the output of programs manages by default.
const OF_PROGRAMS: usize = 9;
/// How many of [`GROUPS`] models manage by default.
const OF_MODELS: usize = 11;

/// The name for all groups.
const EVERYTHING: &str = "everything";

/// States of objects that only SQL written by hand can express.
const BY_HAND: [(&str, &str); 2] = [("table constraint", "not_valid"), ("index", "invalid")];

/// The kinds of object that a desired schema creates, alters and drops. Objects of other kinds stay
/// as they are.
///
/// ```
/// use upfront_schema::Manages;
///
/// let manages = Manages::only(&["tables", "columns"])?;
/// assert!(manages.kind("column") && !manages.kind("policy"));
/// assert!(Manages::only(&["furniture"]).is_err());
/// # Ok::<(), upfront_schema::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manages {
    names: Vec<&'static str>,
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
        let names = GROUPS.iter().map(|it| it.name).collect();
        Self { names, strictness: Strictness::Strict }
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
        let names = GROUPS[..many].iter().map(|it| it.name).collect();
        Self { names, strictness: Strictness::ManagesWhatIsThere }
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
        let mut all = Vec::new();
        for it in names.iter().map(|it| it.as_ref().trim()) {
            let group = GROUPS.iter().find(|group| group.name == it);
            all.push(group.ok_or_else(|| unknown(it))?.name);
        }
        if all.contains(&"columns") && !all.contains(&"tables") {
            let why = "it needs `tables` in the same list".to_owned();
            return Err(Kind::Answer { given: "columns".to_owned(), why }.into());
        }
        Ok(Self { names: all, strictness: Strictness::Strict })
    }

    /// The names that [`only`](Self::only) knows.
    pub fn known() -> impl Iterator<Item = &'static str> {
        GROUPS.iter().map(|it| it.name).chain([EVERYTHING])
    }

    /// Whether nothing is left unmanaged.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        GROUPS.iter().all(|it| self.names.contains(&it.name))
    }

    /// Whether objects of this kind are managed.
    #[must_use]
    pub fn kind(&self, kind: &str) -> bool {
        self.groups().any(|it| it.kinds.contains(&kind))
    }

    /// Whether an attribute comes from the desired schema, where it is `wanted`.
    pub(crate) fn decides(&self, kind: &str, attribute: &str, is_wanted: bool) -> bool {
        if self.is_everything() {
            return true;
        }
        let is_managed = match group_of(kind, attribute) {
            Some(group) => self.names.contains(&group.name),
            None if BY_HAND.contains(&(kind, attribute)) => false,
            None => self.kind(kind) || !self.is_strict(),
        };
        is_managed || is_wanted && !self.is_strict()
    }

    /// Whether objects of unmanaged kinds are ignored even if the desired schema contains them.
    pub(crate) fn is_strict(&self) -> bool {
        self.strictness == Strictness::Strict
    }

    fn groups(&self) -> impl Iterator<Item = &'static Group> {
        GROUPS.iter().filter(|it| self.names.contains(&it.name))
    }
}

/// The group of an attribute that does not belong to its kind.
fn group_of(kind: &str, attribute: &str) -> Option<&'static Group> {
    let is_it = |(of, name): &(&str, &str)| *name == attribute && (*of == "*" || *of == kind);
    GROUPS.iter().find(|it| it.attributes.iter().any(is_it))
}

/// What messages call an attribute, as far as it is not managed with its kind.
pub(crate) fn name_of(kind: &str, attribute: &str) -> Option<&'static str> {
    match group_of(kind, attribute) {
        Some(it) => Some(it.name),
        None => BY_HAND.contains(&(kind, attribute)).then_some("state"),
    }
}

fn unknown(name: &str) -> Error {
    let known: Vec<_> = Manages::known().map(|it| format!("`{it}`")).collect();
    let why = format!("there is no kind of object of this name; known are {}", known.join(", "));
    Kind::Answer { given: name.to_owned(), why }.into()
}

#[cfg(test)]
mod tests {
    use super::{BY_HAND, GROUPS, Manages, OF_MODELS, OF_PROGRAMS};
    use crate::kinds;

    #[test]
    fn each_kind_is_in_one_group() {
        for it in kinds::all() {
            let groups = GROUPS.iter().filter(|group| group.kinds.contains(&it.kind));
            assert_eq!(groups.count(), 1, "{}", it.kind);
        }
        assert_eq!(GROUPS[OF_PROGRAMS].name, "identity");
        assert_eq!(GROUPS[OF_MODELS].name, "partitions");
    }

    #[test]
    fn each_attribute_is_one() {
        let of_groups = GROUPS.iter().flat_map(|it| it.attributes);
        for (kind, attribute) in of_groups.chain(&BY_HAND).filter(|(kind, _)| *kind != "*") {
            let all = kinds::find(kind).unwrap().attributes;
            assert!(all.iter().any(|(name, _)| name == attribute), "{kind} {attribute}");
        }
    }

    #[test]
    fn names_what_it_knows() {
        let err = Manages::only(&["tables", "furniture"]).unwrap_err().to_string();
        assert!(err.starts_with("`furniture`: there is no kind of object of this name; known are"));
        assert!(err.contains("`tables`, `columns`") && err.ends_with("`everything`"), "{err}");
        let err = Manages::only(&["columns"]).unwrap_err().to_string();
        assert_eq!(err, "`columns`: it needs `tables` in the same list");
        assert!(Manages::only(&["everything"]).unwrap().is_everything());
    }
}
