//! Which table a table is a partition of, or inherits from.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Definition, replace},
        object_kind::ObjectKind,
        probe,
    },
    quote,
    sql::Sql,
};

pub(super) static INHERITANCE: Definition = Definition {
    kind: ObjectKind::Inheritance,
    creation_order: 140,
    query: concat!(
        "
SELECT 'pg_inherits'::regclass::oid, c.oid, i.inhseqno, 'inheritance',
  ARRAY[c.nspname, c.relname, p.nspname, p.relname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object('bound', pg_get_expr(c.relpartbound, c.oid)))::text,
  jsonb_build_object('check', ",
        partition_check!(),
        ", 'needs', jsonb_build_array(jsonb_build_array(
      'pg_class'::regclass::oid::int8, p.oid::int8, 0)), 'after', (
    SELECT jsonb_agg(jsonb_build_array('pg_class'::regclass::oid::int8, a.attrelid::int8, a.attnum))
    FROM (SELECT attrelid, attnum FROM pg_attribute
      WHERE attrelid IN (c.oid, p.oid) AND attnum > 0 AND NOT attisdropped) a))::text
FROM pg_inherits i JOIN relation c ON c.oid = i.inhrelid JOIN relation p ON p.oid = i.inhparent
WHERE c.relkind IN ('r', 'p', 'f')"
    ),
    create: |it| vec![attach(it.before, it.fact)],
    drop: detach,
    attributes: &[("bound", replace)],
    inherited: &[],
    created_with_parent: true,
    blocks_retype: false,
};

/// The table above it.
pub(super) fn parent(fact: &Fact) -> String {
    quote::qualified(&fact.id.names[2..])
}

fn child(fact: &Fact) -> String {
    quote::qualified(&fact.id.names[..2])
}

fn attach(before: &Facts, fact: &Fact) -> Sql {
    let (parent, child) = (parent(fact), child(fact));
    match fact.text("bound") {
        Some(it) => {
            let sql = Sql::whole(format!("ALTER TABLE {parent} ATTACH PARTITION {child} {it}"));
            may_fail(sql, before, fact)
        }
        None => Sql::whole(format!("ALTER TABLE {child} INHERIT {parent}")),
    }
}

/// Rows that do not belong into the partition are in the way, and those elsewhere that do.
pub(super) fn may_fail(sql: Sql, before: &Facts, fact: &Fact) -> Sql {
    let bound = fact.text("bound").unwrap_or_default();
    match probe::of_partition(before, fact) {
        Some(it) => sql.may_fail(format!("rows have to fit {} {bound}", child(fact)), it),
        None => sql,
    }
}

fn detach(_: &Facts, fact: &Fact) -> Vec<Sql> {
    let (parent, child) = (parent(fact), child(fact));
    vec![match fact.text("bound") {
        Some(_) => Sql::whole(format!("ALTER TABLE {parent} DETACH PARTITION {child}")),
        None => Sql::whole(format!("ALTER TABLE {child} NO INHERIT {parent}")),
    }]
}
