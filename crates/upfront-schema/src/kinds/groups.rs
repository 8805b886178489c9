//! Groups of kinds and attributes, as `manages` in `upfront.toml` names them.

/// Declares the groups in the order in which messages list them.
macro_rules! groups {
    ($($group:ident $name:literal,)*) => {
        /// Kinds and attributes that a desired schema manages together.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Group { $($group,)* }

        impl Group {
            pub(crate) const ALL: &[Self] = &[$(Self::$group,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$group => $name,)* }
            }
        }
    };
}

// Those that models can express come first.
groups! {
    Schemas "schemas",
    Tables "tables",
    Columns "columns",
    Constraints "constraints",
    Indexes "indexes",
    Enums "enums",
    Sequences "sequences",
    Defaults "defaults",
    Comments "comments",
    Identity "identity",
    Generated "generated",
    Partitions "partitions",
    RowSecurity "row security",
    Policies "policies",
    Views "views",
    MaterializedViews "materialized views",
    Functions "functions",
    Triggers "triggers",
    EventTriggers "event triggers",
    Rules "rules",
    Grants "grants",
    Owners "owners",
    Extensions "extensions",
    Domains "domains",
    Types "types",
    Casts "casts",
    Operators "operators",
    Collations "collations",
    Conversions "conversions",
    TextSearch "text search",
    Languages "languages",
    AccessMethods "access methods",
    Statistics "statistics",
    Storage "storage",
    ForeignData "foreign data",
    Publications "publications",
}
