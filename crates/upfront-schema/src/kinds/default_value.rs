//! Defaults of columns, of tables and of views.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        alter_table,
        definition::{Change, Created, Definition, Outcome},
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static DEFAULT: Definition = Definition {
    kind: ObjectKind::DefaultValue,
    creation_order: 120,
    query: "
SELECT 'pg_attrdef'::regclass::oid, d.oid, 0, 'default value',
  ARRAY[c.nspname, c.relname, a.attname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, a.attnum::int4,
  jsonb_build_object('expression', pg_get_expr(d.adbin, d.adrelid))::text,
  jsonb_strip_nulls(jsonb_build_object('from', CASE WHEN a.attinhcount > 0 THEN (
    SELECT jsonb_build_array('pg_attrdef'::regclass::oid::int8, e.oid::int8, 0)
    FROM pg_inherits i JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname
    JOIN pg_attrdef e ON e.adrelid = p.attrelid AND e.adnum = p.attnum
    WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) END))::text
FROM pg_attrdef d JOIN relation c ON c.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE a.attgenerated = ''",
    create: |it: &Created<'_>| vec![clause(it.fact, &set(it.fact))],
    drop: |_: &Facts, fact| vec![clause(fact, "DROP DEFAULT")],
    attributes: &[("expression", alter)],
    inherited: &["expression"],
    created_with_parent: true,
    blocks_retype: false,
};

pub(super) fn expression(fact: &Fact) -> &str {
    fact.text("expression").unwrap_or_default()
}

fn set(fact: &Fact) -> String {
    format!("SET DEFAULT {}", expression(fact))
}

fn alter(it: &Change<'_>) -> Outcome {
    if alter_table::comes_from_parent(it) {
        return Outcome::InPlace(Vec::new());
    }
    Outcome::InPlace(vec![clause(it.to, &set(it.to))])
}

fn clause(fact: &Fact, text: &str) -> Sql {
    let column = quote::name(fact.id.name());
    Sql::clause(alter_table::head(&fact.id.names), format!("ALTER COLUMN {column} {text}"))
}
