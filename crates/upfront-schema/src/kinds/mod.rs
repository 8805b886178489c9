//! What can be done to each kind of object: one row a kind.
//!
//! The rest of the crate knows no kinds. A kind without a row here, or an attribute that a row does
//! not name, is an error that names it.

/// The options of `pg_sequence s` that are not the usual ones, as JSON.
macro_rules! sequence_options {
    () => {
        "jsonb_strip_nulls(jsonb_build_object(
        'type', NULLIF(format_type(s.seqtypid, NULL), 'bigint'),
        'start', NULLIF(s.seqstart, CASE WHEN s.seqincrement > 0 THEN s.seqmin ELSE s.seqmax END),
        'increment', NULLIF(s.seqincrement, 1),
        'min', NULLIF(s.seqmin, CASE WHEN s.seqincrement > 0 THEN 1 ELSE CASE s.seqtypid
          WHEN 21 THEN -32768 WHEN 23 THEN -2147483648 ELSE -9223372036854775808 END END),
        'max', NULLIF(s.seqmax, CASE WHEN s.seqincrement < 0 THEN -1 ELSE CASE s.seqtypid
          WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END END),
        'cache', NULLIF(s.seqcache, 1),
        'cycle', NULLIF(s.seqcycle, false)))"
    };
}

/// The storage parameters of a list, as JSON. Those that begin with `pg_` belong to the server: it
/// sets them by itself and to other values each time, as `pg_attver` of a column.
macro_rules! storage_options {
    ($list:literal) => {
        concat!(
            "(SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(",
            $list,
            ") WHERE option_name !~ '^pg_')"
        )
    };
}

#[macro_use]
mod probe;

mod base_type;
mod cast;
mod collation;
mod column;
mod column_type;
mod comment;
mod composite_type;
mod constraint;
mod conversion_check;
mod default_value;
mod domain;
mod enum_type;
mod event_trigger;
mod extension_kinds;
mod foreign_data;
mod grant;
mod identity_column;
mod index;
mod inheritance;
mod not_null;
mod operator_class;
mod parameters;
mod policy;
mod privileges;
mod publication;
mod range_type;
mod routine;
mod schema;
mod sequence;
mod sequence_replacement;
mod statistics;
mod table;
mod text_search;
mod trigger;
mod view;

use serde_json::Value;

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    options::Options,
    quote,
    sql::Sql,
};

pub(crate) use base_type::break_base_type_cycle;
pub(crate) use column::set_not_null;
pub(crate) use column_type::force as force_column;
pub(crate) use enum_type::temporary_name;
pub(crate) use privileges::{
    by_default as privileges_by_default, given_by_default, grant_anew, is_on_table_of,
    subtract_grants,
};
pub(crate) use sequence::{column_of, is_serial};
pub(crate) use sequence_replacement::SequenceReplacement;

/// All that is known of a kind.
pub(crate) struct Definition {
    pub(crate) kind: &'static str,
    /// What SQL calls it.
    pub(crate) noun: &'static str,
    /// Where it is made among what could be made at the same time; drops go the other way round.
    pub(crate) creation_order: u16,
    /// Rows of address, kind, names, arguments, address of the parent, attributes, notes. Empty if
    /// the query of another row returns this kind too.
    pub(crate) query: &'static str,
    pub(crate) create: fn(&Created<'_>) -> Vec<Sql>,
    pub(crate) drop: fn(&Facts, &Fact) -> Vec<Sql>,
    pub(crate) attributes: &'static [(&'static str, Alter)],
    pub(crate) recreate: RecreatePolicy,
    /// Whether the statement that makes its parent can make it too.
    pub(crate) created_with_parent: bool,
    /// Whether it stands in the way when a column that it uses changes its type.
    pub(crate) blocks_retype: bool,
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

/// How an attribute changes.
pub(crate) type Alter = fn(&Change<'_>) -> Outcome;

/// What a change comes to.
pub(crate) enum Outcome {
    InPlace(Vec<Sql>),
    /// In place, and whoever uses the column must be out of the way.
    Retype(Vec<Sql>),
    /// Only by dropping it and making it again.
    Replace,
    /// Not without being told how.
    Refuse(String),
}

/// One attribute that differs.
pub(crate) struct Change<'a> {
    pub(crate) a: &'a Facts,
    pub(crate) b: &'a Facts,
    pub(crate) from: &'a Fact,
    pub(crate) to: &'a Fact,
    pub(crate) attribute: &'a str,
    pub(crate) options: &'a Options,
}

impl Change<'_> {
    pub(crate) fn old_value(&self) -> Option<&Value> {
        self.from.attributes.get(self.attribute)
    }

    pub(crate) fn wanted_value(&self) -> Option<&Value> {
        self.to.attributes.get(self.attribute)
    }

    pub(crate) fn wanted_text(&self) -> Option<&str> {
        self.to.text(self.attribute)
    }

    /// Whether another attribute differs too.
    pub(crate) fn also(&self, attribute: &str) -> bool {
        self.from.attributes.get(attribute) != self.to.attributes.get(attribute)
    }
}

/// Something to be made, with what the same statement makes in it.
pub(crate) struct Created<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) fact: &'a Fact,
    pub(crate) folded: Vec<Created<'a>>,
    /// The facts of the database as it was before.
    pub(crate) before: &'a Facts,
}

/// The rules in the order in which their kinds are read.
pub(crate) fn all() -> impl Iterator<Item = &'static Definition> {
    ALL.iter().copied()
}

static ALL: &[&Definition] = &[
    &schema::SCHEMA,
    &schema::EXTENSION,
    &extension_kinds::LANGUAGE,
    &extension_kinds::ACCESS_METHOD,
    &collation::COLLATION,
    &enum_type::ENUM,
    &base_type::SHELL,
    &base_type::BASE,
    &domain::DOMAIN,
    &composite_type::COMPOSITE,
    &range_type::RANGE,
    &foreign_data::WRAPPER,
    &foreign_data::SERVER,
    &foreign_data::MAPPING,
    &sequence::SEQUENCE,
    &table::TABLE,
    &table::FOREIGN_TABLE,
    &column::COLUMN,
    &default_value::DEFAULT,
    &sequence::OWNER,
    &inheritance::INHERITANCE,
    &constraint::TABLE_CONSTRAINT,
    &constraint::DOMAIN_CONSTRAINT,
    &routine::FUNCTION,
    &routine::PROCEDURE,
    &routine::AGGREGATE,
    &extension_kinds::OPERATOR,
    &operator_class::FAMILY,
    &operator_class::CLASS,
    &operator_class::MEMBER,
    &extension_kinds::CONVERSION,
    &cast::CAST,
    &extension_kinds::TRANSFORM,
    &text_search::PARSER,
    &text_search::TEMPLATE,
    &text_search::DICTIONARY,
    &text_search::CONFIGURATION,
    &view::VIEW,
    &view::MATERIALIZED,
    &index::INDEX,
    &index::REPLICA_IDENTITY,
    &statistics::STATISTICS,
    &trigger::TRIGGER,
    &trigger::STATE,
    &trigger::RULE,
    &policy::POLICY,
    &event_trigger::EVENT_TRIGGER,
    &publication::PUBLICATION,
    &publication::TABLE,
    &publication::SCHEMA,
    &privileges::PRIVILEGES,
    &privileges::DEFAULT,
    &comment::COMMENT,
];

/// The rule of a kind.
pub(crate) fn find(kind: &str) -> Option<&'static Definition> {
    all().find(|it| it.kind == kind)
}

/// The attributes that a change of the column above, or of its default, overwrites.
pub(crate) fn inherited_attributes(kind: &str) -> &'static [&'static str] {
    match kind {
        "column" => &["not_null", "statistics", "storage"],
        "default value" => &["expression"],
        _ => &[],
    }
}

/// The rule of a fact, which was read by one.
pub(crate) fn of(fact: &Fact) -> &'static Definition {
    find(fact.id.kind).expect("a fact has a kind of the table")
}

/// How SQL refers to something behind its noun.
pub(crate) fn reference(id: &Identity) -> String {
    let own = quote::name(id.name());
    match id.kind {
        "table constraint" | "trigger" | "rule" | "policy" => {
            format!("{own} ON {}", id.owner_path())
        }
        "domain constraint" => format!("{own} ON DOMAIN {}", id.owner_path()),
        "function" | "procedure" => format!("{}({})", id.path(), id.arguments.join(", ")),
        "aggregate" => format!("{}({})", id.path(), routine::aggregate_arguments(id)),
        "cast" => format!("({})", id.arguments.join(" AS ")),
        "operator" => {
            let schema = quote::name(&id.names[0]);
            format!("{schema}.{} ({})", id.name(), id.arguments.join(", "))
        }
        "operator class" | "operator family" | "operator family member" => {
            operator_class::using(&id.names, &id.arguments)
        }
        "transform" => format!("FOR {} LANGUAGE {own}", id.arguments.join(", ")),
        "user mapping" => foreign_data::mapping(id),
        _ => id.path(),
    }
}

/// Schema and name, where it shares its name with no other table, type or index.
pub(crate) fn relation_name(fact: &Fact) -> Option<Vec<String>> {
    let names = &fact.id.names;
    match fact.id.kind {
        "table" | "foreign table" | "view" | "materialized view" | "sequence" | "index"
        | "base type" | "enum" | "domain" | "composite type" | "range type" => Some(names.clone()),
        "table constraint" if matches!(fact.note("type"), Some("p" | "u" | "x")) => {
            Some(vec![names[0].clone(), fact.id.name().to_owned()])
        }
        _ => None,
    }
}

fn plain_drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    vec![Sql::whole(format!("DROP {} {}", of(fact).noun, reference(&fact.id)))]
}

/// A kind that is known by the statements that make it, and made anew where they differ.
const fn opaque(
    kind: &'static str,
    noun: &'static str,
    creation_order: u16,
    query: &'static str,
) -> Definition {
    Definition {
        kind,
        noun,
        creation_order,
        query,
        create: as_stated,
        drop: plain_drop,
        attributes: &[("owner", alter_owner), ("statements", replace)],
        recreate: RecreatePolicy::Anytime,
        created_with_parent: false,
        blocks_retype: false,
    }
}

fn as_stated(it: &Created<'_>) -> Vec<Sql> {
    let statements = strings(it.fact.attributes.get("statements"));
    with_owner(it, statements.into_iter().map(Sql::whole).collect())
}

/// For what goes with its parent and cannot go alone.
fn no_drop(_: &Facts, _: &Fact) -> Vec<Sql> {
    Vec::new()
}

fn replace(_: &Change<'_>) -> Outcome {
    Outcome::Replace
}

/// The statements, and the one that gives it to its owner if that is not who runs them.
fn with_owner(it: &Created<'_>, mut sql: Vec<Sql>) -> Vec<Sql> {
    sql.extend(
        it.fact.text("owner").map(|owner| Sql::whole(owner_to(it.fact, &quote::name(owner)))),
    );
    sql
}

fn alter_owner(it: &Change<'_>) -> Outcome {
    let owner = it.wanted_text().map_or_else(|| "CURRENT_USER".to_owned(), quote::name);
    Outcome::InPlace(vec![Sql::whole(owner_to(it.to, &owner))])
}

fn owner_to(fact: &Fact, owner: &str) -> String {
    format!("ALTER {} {} OWNER TO {owner}", of(fact).noun, reference(&fact.id))
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}
