//! The kinds of objects: one row a kind, with what the rest of the crate asks about it.
//!
//! A new kind is a row here and a file beside this one, which [`registry`](super::registry) then
//! asks for.

use std::{fmt, str::FromStr};

use crate::kinds::groups::Group;

/// Declares the kinds. Each column is required, so that no kind can be without a capability.
macro_rules! object_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $noun:literal $reference:ident $schema:ident
       $namespace:ident $grants:expr, $rename:ident $visibility:ident $text:ident
       $recreate:ident $group:expr;)*) => {
        /// The kind of an object, as `table`, `column` or `table constraint`.
        ///
        /// [`Display`](fmt::Display) and [`FromStr`] use the names of `upfront.toml`, which are
        /// those of PostgreSQL's `pg_identify_object` where it has the kind.
        ///
        /// ```
        /// use upfront_schema::ObjectKind;
        ///
        /// let kind: ObjectKind = "table constraint".parse()?;
        /// assert_eq!(kind, ObjectKind::TableConstraint);
        /// assert_eq!(kind.to_string(), "table constraint");
        /// # Ok::<(), upfront_schema::UnknownKind>(())
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ObjectKind {
            $($(#[$doc])* #[doc = concat!("`", $name, "`")] $kind,)*
        }

        impl ObjectKind {
            /// All kinds, in the order in which they are read from the catalog.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            fn capabilities(self) -> Capabilities {
                match self {
                    $(Self::$kind => Capabilities {
                        name: $name,
                        noun: $noun,
                        reference: Reference::$reference,
                        schema: SchemaPart::$schema,
                        namespace: Namespace::$namespace,
                        grants: $grants,
                        rename: RenameSupport::$rename,
                        visibility: Visibility::$visibility,
                        text: QueryText::$text,
                        recreate: RecreatePolicy::$recreate,
                        group: $group,
                    },)*
                }
            }
        }
    };
}

/// What is known about a kind without its SQL.
struct Capabilities {
    name: &'static str,
    /// What SQL calls it.
    noun: &'static str,
    reference: Reference,
    schema: SchemaPart,
    namespace: Namespace,
    grants: Option<Grants>,
    rename: RenameSupport,
    visibility: Visibility,
    text: QueryText,
    recreate: RecreatePolicy,
    /// None for kinds that no desired schema manages.
    group: Option<Group>,
}

/// How SQL refers to an object behind its noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// By its qualified name.
    Path,
    /// `name ON table`.
    OnTable,
    /// `name ON DOMAIN domain`.
    OnDomain,
    /// By name and argument types.
    Routine,
    /// The same, where no argument is `*`.
    Aggregate,
    /// `(source AS target)`.
    Cast,
    /// By name and operand types.
    Operator,
    /// `name USING method`.
    UsingMethod,
    /// `FOR type LANGUAGE language`.
    Transform,
    /// `FOR user SERVER server`.
    UserMapping,
    /// By the kind and name of the object that it is on.
    Target,
}

/// Which of the names of an object is that of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SchemaPart {
    First,
    Second,
    /// The object belongs to the database.
    None,
}

/// With which other objects an object shares the uniqueness of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Namespace {
    /// With tables, types and indexes of the same schema.
    Relation,
    /// The same for constraints that have an index.
    OfIndex,
    /// With functions, procedures and aggregates that take the same arguments.
    Routine,
    /// With objects of its own kind in the same object.
    Own,
}

/// The privileges on objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grants {
    /// What `GRANT` calls it.
    pub(crate) noun: &'static str,
    /// The letter of its default privileges in `pg_default_acl`.
    pub(crate) default: Option<&'static str>,
}

const fn grants(noun: &'static str, letter: &'static str) -> Grants {
    Grants { noun, default: Some(letter) }
}

const fn grants_alone(noun: &'static str) -> Grants {
    Grants { noun, default: None }
}

/// How a rename of an object can be stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RenameSupport {
    /// By `--rename` and by a comment in the desired schema.
    Option,
    /// By a comment in the desired schema alone.
    Comment,
    Unsupported,
}

/// Whether programs name objects of a kind in their SQL, so that they break if one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visibility {
    Program,
    Internal,
}

/// Whether the definition holds a query, and so may hold lists of column aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum QueryText {
    Query,
    Plain,
}

/// Whether it can be dropped and made again for the sake of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecreatePolicy {
    /// It holds rows, or the place of something that does.
    Never,
    /// Its users move over from the old one to the new one.
    BySwap,
    /// At any time.
    Anytime,
}

#[rustfmt::skip]
object_kinds! {
    Schema "schema" "SCHEMA" Path None Own Some(grants("SCHEMA", "n")), Option Program Plain Never Some(Group::Schemas);
    Extension "extension" "EXTENSION" Path None Own None, Unsupported Program Plain Never Some(Group::Extensions);
    Language "language" "LANGUAGE" Path None Own None, Unsupported Internal Plain Anytime Some(Group::Languages);
    AccessMethod "access method" "ACCESS METHOD" Path None Own None, Unsupported Internal Plain Anytime Some(Group::AccessMethods);
    Collation "collation" "COLLATION" Path First Own None, Comment Internal Plain Anytime Some(Group::Collations);
    Enum "enum" "TYPE" Path First Relation Some(grants("TYPE", "T")), Option Program Plain BySwap Some(Group::Enums);
    ShellType "shell type" "TYPE" Path First Own None, Unsupported Internal Plain BySwap Some(Group::Types);
    BaseType "base type" "TYPE" Path First Relation Some(grants("TYPE", "T")), Unsupported Internal Plain Anytime Some(Group::Types);
    Domain "domain" "DOMAIN" Path First Relation Some(grants("TYPE", "T")), Option Program Plain BySwap Some(Group::Domains);
    CompositeType "composite type" "TYPE" Path First Relation Some(grants("TYPE", "T")), Option Program Plain BySwap Some(Group::Types);
    RangeType "range type" "TYPE" Path First Relation Some(grants("TYPE", "T")), Option Program Plain BySwap Some(Group::Types);
    ForeignDataWrapper "foreign-data wrapper" "FOREIGN DATA WRAPPER" Path None Own Some(grants_alone("FOREIGN DATA WRAPPER")), Unsupported Internal Plain Anytime Some(Group::ForeignData);
    Server "server" "SERVER" Path None Own Some(grants_alone("FOREIGN SERVER")), Unsupported Internal Plain Anytime Some(Group::ForeignData);
    UserMapping "user mapping" "USER MAPPING" UserMapping None Own None, Unsupported Internal Plain Anytime Some(Group::ForeignData);
    Sequence "sequence" "SEQUENCE" Path First Relation Some(grants("SEQUENCE", "S")), Option Program Plain Never Some(Group::Sequences);
    Table "table" "TABLE" Path First Relation Some(grants("TABLE", "r")), Option Program Plain Never Some(Group::Tables);
    ForeignTable "foreign table" "FOREIGN TABLE" Path First Relation Some(grants("TABLE", "r")), Option Program Plain Anytime Some(Group::ForeignData);
    Column "column" "COLUMN" Path First Own Some(grants_alone("TABLE")), Option Program Plain Never Some(Group::Columns);
    DefaultValue "default value" "DEFAULT" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Defaults);
    SequenceOwner "sequence owner" "SEQUENCE" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Sequences);
    Inheritance "inheritance" "PARTITION" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Partitions);
    TableConstraint "table constraint" "CONSTRAINT" OnTable First OfIndex None, Option Internal Plain Anytime Some(Group::Constraints);
    DomainConstraint "domain constraint" "CONSTRAINT" OnDomain First Own None, Unsupported Internal Plain Anytime Some(Group::Domains);
    Function "function" "FUNCTION" Routine First Routine Some(grants("FUNCTION", "f")), Comment Program Query Anytime Some(Group::Functions);
    Procedure "procedure" "PROCEDURE" Routine First Routine Some(grants("PROCEDURE", "f")), Comment Program Query Anytime Some(Group::Functions);
    Aggregate "aggregate" "AGGREGATE" Aggregate First Routine Some(grants("FUNCTION", "f")), Comment Program Plain Anytime Some(Group::Functions);
    Operator "operator" "OPERATOR" Operator First Own None, Unsupported Internal Plain Anytime Some(Group::Operators);
    OperatorFamily "operator family" "OPERATOR FAMILY" UsingMethod First Own None, Unsupported Internal Plain Anytime Some(Group::Operators);
    OperatorClass "operator class" "OPERATOR CLASS" UsingMethod First Own None, Unsupported Internal Plain Anytime Some(Group::Operators);
    OperatorFamilyMember "operator family member" "OPERATOR FAMILY" UsingMethod First Own None, Unsupported Internal Plain Anytime Some(Group::Operators);
    Conversion "conversion" "CONVERSION" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Conversions);
    Cast "cast" "CAST" Cast None Own None, Unsupported Internal Plain Anytime Some(Group::Casts);
    Transform "transform" "TRANSFORM" Transform None Own None, Unsupported Internal Plain Anytime Some(Group::Casts);
    TextSearchParser "text search parser" "TEXT SEARCH PARSER" Path First Own None, Unsupported Internal Plain Anytime Some(Group::TextSearch);
    TextSearchTemplate "text search template" "TEXT SEARCH TEMPLATE" Path First Own None, Unsupported Internal Plain Anytime Some(Group::TextSearch);
    TextSearchDictionary "text search dictionary" "TEXT SEARCH DICTIONARY" Path First Own None, Unsupported Internal Plain Anytime Some(Group::TextSearch);
    TextSearchConfiguration "text search configuration" "TEXT SEARCH CONFIGURATION" Path First Own None, Unsupported Internal Plain Anytime Some(Group::TextSearch);
    View "view" "VIEW" Path First Relation Some(grants("TABLE", "r")), Option Program Query Anytime Some(Group::Views);
    MaterializedView "materialized view" "MATERIALIZED VIEW" Path First Relation Some(grants("TABLE", "r")), Option Program Query Anytime Some(Group::MaterializedViews);
    Index "index" "INDEX" Path First Relation None, Option Internal Plain Anytime Some(Group::Indexes);
    ReplicaIdentity "replica identity" "REPLICA IDENTITY" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Storage);
    StatisticsObject "statistics object" "STATISTICS" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Statistics);
    Trigger "trigger" "TRIGGER" OnTable First Own None, Option Internal Plain Anytime Some(Group::Triggers);
    TriggerState "trigger state" "TRIGGER" Path First Own None, Unsupported Internal Plain Anytime Some(Group::Triggers);
    Rule "rule" "RULE" OnTable First Own None, Comment Internal Query Anytime Some(Group::Rules);
    Policy "policy" "POLICY" OnTable First Own None, Option Internal Query Anytime Some(Group::Policies);
    EventTrigger "event trigger" "EVENT TRIGGER" Path None Own None, Unsupported Internal Plain Anytime Some(Group::EventTriggers);
    Publication "publication" "PUBLICATION" Path None Own None, Comment Internal Plain Anytime Some(Group::Publications);
    PublicationRelation "publication relation" "TABLE" Path Second Own None, Unsupported Internal Plain Anytime Some(Group::Publications);
    PublicationNamespace "publication namespace" "SCHEMA" Path Second Own None, Unsupported Internal Plain Anytime Some(Group::Publications);
    Privileges "privileges" "PRIVILEGES" Target None Own None, Unsupported Internal Plain Anytime Some(Group::Grants);
    DefaultPrivileges "default privileges" "DEFAULT PRIVILEGES" Path Second Own None, Unsupported Internal Plain Anytime Some(Group::Grants);
    Comment "comment" "COMMENT" Target None Own None, Unsupported Internal Plain Anytime Some(Group::Comments);
    /// A value of an enum, which can be renamed:
    EnumValue "enum value" "VALUE" Path First Own None, Unsupported Internal Plain Anytime None;
    /// A field of a composite type, which can be renamed:
    Attribute "attribute" "ATTRIBUTE" Path First Own None, Unsupported Internal Plain Anytime None;
    /// Row-level security of a table, which is an attribute of it:
    RowSecurity "row security" "ROW LEVEL SECURITY" Path First Own None, Unsupported Internal Plain Anytime None;
    /// Only to be excluded:
    SecurityLabel "security label" "SECURITY LABEL" Path First Own None, Unsupported Internal Plain Anytime None;
    /// Only to be excluded:
    Subscription "subscription" "SUBSCRIPTION" Path None Own None, Unsupported Internal Plain Anytime None;
    /// Only to be excluded, as a type without a definition:
    Type "type" "TYPE" Path First Own None, Unsupported Internal Plain Anytime None;
}

impl ObjectKind {
    /// The name in `upfront.toml` and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.capabilities().name
    }

    /// What SQL calls it.
    pub(crate) fn noun(self) -> &'static str {
        self.capabilities().noun
    }

    /// How SQL refers to one.
    pub(crate) fn reference(self) -> Reference {
        self.capabilities().reference
    }

    /// Which of the names is that of the schema.
    pub(crate) fn schema_part(self) -> Option<usize> {
        match self.capabilities().schema {
            SchemaPart::First => Some(0),
            SchemaPart::Second => Some(1),
            SchemaPart::None => None,
        }
    }

    /// Where its name has to be unique.
    pub(crate) fn namespace(self) -> Namespace {
        self.capabilities().namespace
    }

    /// Whether `exclude` takes it: parts of an object cannot be excluded alone.
    pub(crate) fn is_excludable(self) -> bool {
        !matches!(self, Self::EnumValue | Self::Attribute)
    }

    /// Its privileges, if it has any.
    pub(crate) fn grants(self) -> Option<Grants> {
        self.capabilities().grants
    }

    /// The letter of the default privileges for it.
    pub(crate) fn default_privileges(self) -> Option<&'static str> {
        self.grants()?.default
    }

    /// Whether it is called by the object that it is on: a comment or privileges.
    pub(crate) fn is_on_target(self) -> bool {
        self.reference() == Reference::Target
    }

    /// Whether `--rename` takes it.
    pub(crate) fn is_renamed_by_option(self) -> bool {
        self.capabilities().rename == RenameSupport::Option
    }

    /// Whether a comment in the desired schema may state its old name.
    pub(crate) fn is_renamed_by_comment(self) -> bool {
        self.capabilities().rename != RenameSupport::Unsupported
    }

    /// Whether programs may name it in their SQL.
    pub(crate) fn is_visible_to_programs(self) -> bool {
        self.capabilities().visibility == Visibility::Program
    }

    /// Whether its definition may hold a list of column aliases.
    pub(crate) fn holds_query(self) -> bool {
        self.capabilities().text == QueryText::Query
    }

    /// Whether it can be dropped and created again for the sake of something else.
    pub(crate) fn recreate(self) -> RecreatePolicy {
        self.capabilities().recreate
    }

    /// The group of kinds that `manages` names.
    pub(crate) fn group(self) -> Option<Group> {
        self.capabilities().group
    }
}

/// By name, as messages and `manages` list them.
impl Ord for ObjectKind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}

impl PartialOrd for ObjectKind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ObjectKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let kind = Self::ALL.iter().copied().find(|kind| kind.name() == text);
        kind.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// A text that names no [`ObjectKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKind(String);

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no kind `{}`", self.0)
    }
}

impl std::error::Error for UnknownKind {}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::ObjectKind;

    #[test]
    fn names_are_read_as_they_are_written() {
        let names: HashSet<_> = ObjectKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), ObjectKind::ALL.len());
        for &kind in ObjectKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let unknown = "furniture".parse::<ObjectKind>().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no kind `furniture`");
    }

    /// The compiler finds a missing arm for a kind, but not a misspelled name.
    #[test]
    fn no_other_module_spells_a_kind() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        search(&source, &literals(), &mut found);
        assert_eq!(found, [""; 0]);
    }

    fn search(folder: &Path, literals: &[String], found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("kinds") {
                search(&path, literals, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().zip(1..).filter(|(line, _)| spells_kind(line, literals));
                let one = |(line, number)| format!("{}:{number}: {line}", path.display());
                found.extend(lines.map(one));
            }
        }
    }

    /// The kinds as literals of Rust and of SQL. `type` is an attribute, too.
    fn literals() -> Vec<String> {
        let kinds = ObjectKind::ALL.iter().filter(|kind| **kind != ObjectKind::Type);
        kinds.flat_map(|it| [format!("\"{it}\""), format!("'{it}'")]).collect()
    }

    fn spells_kind(line: &str, literals: &[String]) -> bool {
        let code = line.split("//").next().unwrap_or_default();
        code.contains(['"', '\'']) && literals.iter().any(|it| code.contains(it))
    }

    #[test]
    fn finds_a_spelled_kind() {
        let spells = |line| spells_kind(line, &literals());
        assert!(spells("it.kind == \"table constraint\""));
        assert!(spells("SELECT 'sequence', 1"));
        assert!(!spells("// \"table\""));
        assert!(!spells("\"the table\""));
    }
}
