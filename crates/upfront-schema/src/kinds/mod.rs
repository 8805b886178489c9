//! The kinds of objects: what each is called, how it is read, created, altered and dropped.
//!
//! [`object_kind`] has a row a kind, the other files have the SQL. An attribute that no definition
//! names is an error that names it.

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

pub(crate) mod alter_table;
pub(crate) mod base_type;
pub(crate) mod cast;
pub(crate) mod collation;
pub(crate) mod column;
pub(crate) mod column_type;
pub(crate) mod comment;
pub(crate) mod composite_type;
pub(crate) mod constraint;
pub(crate) mod conversion_check;
pub(crate) mod default_value;
pub(crate) mod definition;
pub(crate) mod domain;
pub(crate) mod enum_type;
pub(crate) mod event_trigger;
pub(crate) mod extension_kinds;
pub(crate) mod foreign_data;
pub(crate) mod grant;
pub(crate) mod groups;
pub(crate) mod identity_column;
pub(crate) mod index;
pub(crate) mod inheritance;
pub(crate) mod not_null;
pub(crate) mod object_kind;
pub(crate) mod operator_class;
pub(crate) mod parameters;
pub(crate) mod policy;
pub(crate) mod privileges;
pub(crate) mod publication;
pub(crate) mod queries;
pub(crate) mod range_type;
pub(crate) mod reference;
pub(crate) mod registry;
pub(crate) mod routine;
pub(crate) mod schema;
pub(crate) mod sequence;
pub(crate) mod sequence_options;
pub(crate) mod sequence_replacement;
pub(crate) mod statistics;
pub(crate) mod table;
pub(crate) mod text_search;
pub(crate) mod trigger;
pub(crate) mod view;
