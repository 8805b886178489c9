//! Range types.

use serde_json::Value;

use crate::{
    kinds::{
        definition::{Created, Definition, alter_owner, plain_drop, replace, with_owner},
        object_kind::ObjectKind,
    },
    sql::Sql,
};

pub(super) static RANGE: Definition = Definition {
    kind: ObjectKind::RangeType,
    creation_order: 46,
    query: "
SELECT 'pg_type'::regclass::oid, t.oid, 0, 'range type', ARRAY[s.nspname, t.typname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(t.typowner), current_user),
    'parts', jsonb_strip_nulls(jsonb_build_object(
      'subtype', format_type(r.rngsubtype, NULL),
      'subtype_opclass', (SELECT format('%I.%I', n.nspname, o.opcname) FROM pg_opclass o
        JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault),
      'collation', (SELECT format('%I.%I', n.nspname, o.collname) FROM pg_collation o
        JOIN pg_namespace n ON n.oid = o.collnamespace JOIN pg_type b ON b.oid = r.rngsubtype
        WHERE o.oid = r.rngcollation AND r.rngcollation <> b.typcollation),
      'canonical', NULLIF(r.rngcanonical::oid, 0)::regproc,
      'subtype_diff', NULLIF(r.rngsubdiff::oid, 0)::regproc,
      'multirange_type_name', (SELECT format('%I.%I', n.nspname, m.typname) FROM pg_type m
        JOIN pg_namespace n ON n.oid = m.typnamespace WHERE m.oid = r.rngmultitypid)))))::text, '{}'
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN space s ON s.oid = t.typnamespace
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)",
    create,
    drop: plain_drop,
    attributes: &[("owner", alter_owner), ("parts", replace)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let parts = it.fact.attributes.get("parts").and_then(Value::as_object);
    let one =
        |(key, value): (&String, &Value)| format!("{key} = {}", value.as_str().unwrap_or_default());
    let parts = parts.into_iter().flatten().map(one).collect::<Vec<_>>().join(", ");
    let text = format!("CREATE TYPE {} AS RANGE ({parts})", it.fact.id.path());
    with_owner(it, vec![Sql::whole(text)])
}
