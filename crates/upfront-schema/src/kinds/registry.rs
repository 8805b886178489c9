//! The definition of each kind.

use crate::{
    catalog::facts::Fact,
    kinds::{
        base_type, cast, collation, column, comment, composite_type, constraint, default_value,
        definition::Definition,
        domain, enum_type, event_trigger, extension_kinds, foreign_data, index, inheritance,
        object_kind::{Namespace, ObjectKind},
        operator_class, policy, privileges, publication, range_type, routine, schema, sequence,
        statistics, table, text_search, trigger, view,
    },
};

/// The definition of a kind, unless it is a part of another or can only be excluded.
pub(crate) fn definition(kind: ObjectKind) -> Option<&'static Definition> {
    Some(match kind {
        ObjectKind::Schema => &schema::SCHEMA,
        ObjectKind::Extension => &schema::EXTENSION,
        ObjectKind::Language => &extension_kinds::LANGUAGE,
        ObjectKind::AccessMethod => &extension_kinds::ACCESS_METHOD,
        ObjectKind::Collation => &collation::COLLATION,
        ObjectKind::Enum => &enum_type::ENUM,
        ObjectKind::ShellType => &base_type::SHELL,
        ObjectKind::BaseType => &base_type::BASE,
        ObjectKind::Domain => &domain::DOMAIN,
        ObjectKind::CompositeType => &composite_type::COMPOSITE,
        ObjectKind::RangeType => &range_type::RANGE,
        ObjectKind::ForeignDataWrapper => &foreign_data::WRAPPER,
        ObjectKind::Server => &foreign_data::SERVER,
        ObjectKind::UserMapping => &foreign_data::MAPPING,
        ObjectKind::Sequence => &sequence::SEQUENCE,
        ObjectKind::Table => &table::TABLE,
        ObjectKind::ForeignTable => &table::FOREIGN_TABLE,
        ObjectKind::Column => &column::COLUMN,
        ObjectKind::DefaultValue => &default_value::DEFAULT,
        ObjectKind::SequenceOwner => &sequence::OWNER,
        ObjectKind::Inheritance => &inheritance::INHERITANCE,
        ObjectKind::TableConstraint => &constraint::TABLE_CONSTRAINT,
        ObjectKind::DomainConstraint => &constraint::DOMAIN_CONSTRAINT,
        ObjectKind::Function => &routine::FUNCTION,
        ObjectKind::Procedure => &routine::PROCEDURE,
        ObjectKind::Aggregate => &routine::AGGREGATE,
        ObjectKind::Operator => &extension_kinds::OPERATOR,
        ObjectKind::OperatorFamily => &operator_class::FAMILY,
        ObjectKind::OperatorClass => &operator_class::CLASS,
        ObjectKind::OperatorFamilyMember => &operator_class::MEMBER,
        ObjectKind::Conversion => &extension_kinds::CONVERSION,
        ObjectKind::Cast => &cast::CAST,
        ObjectKind::Transform => &extension_kinds::TRANSFORM,
        ObjectKind::TextSearchParser => &text_search::PARSER,
        ObjectKind::TextSearchTemplate => &text_search::TEMPLATE,
        ObjectKind::TextSearchDictionary => &text_search::DICTIONARY,
        ObjectKind::TextSearchConfiguration => &text_search::CONFIGURATION,
        ObjectKind::View => &view::VIEW,
        ObjectKind::MaterializedView => &view::MATERIALIZED,
        ObjectKind::Index => &index::INDEX,
        ObjectKind::ReplicaIdentity => &index::REPLICA_IDENTITY,
        ObjectKind::StatisticsObject => &statistics::STATISTICS,
        ObjectKind::Trigger => &trigger::TRIGGER,
        ObjectKind::TriggerState => &trigger::STATE,
        ObjectKind::Rule => &trigger::RULE,
        ObjectKind::Policy => &policy::POLICY,
        ObjectKind::EventTrigger => &event_trigger::EVENT_TRIGGER,
        ObjectKind::Publication => &publication::PUBLICATION,
        ObjectKind::PublicationRelation => &publication::TABLE,
        ObjectKind::PublicationNamespace => &publication::SCHEMA,
        ObjectKind::Privileges => &privileges::PRIVILEGES,
        ObjectKind::DefaultPrivileges => &privileges::DEFAULT,
        ObjectKind::Comment => &comment::COMMENT,
        ObjectKind::EnumValue
        | ObjectKind::Attribute
        | ObjectKind::RowSecurity
        | ObjectKind::SecurityLabel
        | ObjectKind::Subscription
        | ObjectKind::Type => return None,
    })
}

/// The definitions in the order in which their kinds are read.
pub(crate) fn all() -> impl Iterator<Item = &'static Definition> {
    ObjectKind::ALL.iter().filter_map(|kind| definition(*kind))
}

/// The definition of a fact, which was read by one.
pub(crate) fn of(fact: &Fact) -> &'static Definition {
    definition(fact.id.kind).expect("a fact was read by the definition of its kind")
}

/// The query that returns the objects of a kind. Some queries return several kinds.
pub(crate) fn query_of(kind: ObjectKind) -> &'static str {
    let read_with = match kind {
        ObjectKind::ShellType => ObjectKind::BaseType,
        ObjectKind::ForeignTable => ObjectKind::Table,
        ObjectKind::Procedure => ObjectKind::Function,
        ObjectKind::MaterializedView => ObjectKind::View,
        other => other,
    };
    definition(read_with).map_or("", |it| it.query)
}

/// Schema and name, where it shares its name with no other table, type or index.
pub(crate) fn relation_name(fact: &Fact) -> Option<Vec<String>> {
    let names = &fact.id.names;
    match fact.id.kind.namespace() {
        Namespace::Relation => Some(names.clone()),
        Namespace::OfIndex if matches!(fact.note("type"), Some("p" | "u" | "x")) => {
            Some(vec![names[0].clone(), fact.id.name().to_owned()])
        }
        Namespace::OfIndex | Namespace::Routine | Namespace::Own => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{ObjectKind, all, definition, query_of};

    #[test]
    fn each_definition_is_of_its_kind() {
        for &kind in ObjectKind::ALL {
            assert!(definition(kind).is_none_or(|it| it.kind == kind), "{kind}");
            let is_read = kind.group().is_some();
            assert_eq!(definition(kind).is_some(), is_read, "{kind}");
            assert_eq!(query_of(kind).is_empty(), !is_read, "{kind}");
        }
    }

    #[test]
    fn each_attribute_is_listed_once() {
        for it in all() {
            let names: HashSet<_> = it.attributes.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), it.attributes.len(), "{}", it.kind);
            assert!(it.inherited.iter().all(|it| names.contains(it)), "{}", it.kind);
        }
    }
}
