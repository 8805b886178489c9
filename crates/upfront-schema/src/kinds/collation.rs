//! Collations.

use crate::{
    kinds::{
        definition::{Created, Definition, alter_owner, plain_drop, replace, with_owner},
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static COLLATION: Definition = Definition {
    kind: ObjectKind::Collation,
    creation_order: 25,
    query: "
SELECT 'pg_collation'::regclass::oid, o.oid, 0, 'collation', ARRAY[s.nspname, o.collname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  (jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(o.collowner), current_user),
    'provider', CASE o.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
    'nondeterministic', NULLIF(NOT o.collisdeterministic, false),
    'lc_collate', to_jsonb(o) ->> 'collcollate', 'lc_ctype', to_jsonb(o) ->> 'collctype',
    'locale', coalesce(to_jsonb(o) ->> 'colliculocale', to_jsonb(o) ->> 'colllocale'),
    'rules', to_jsonb(o) ->> 'collicurules')))::text, '{}'
FROM pg_collation o JOIN space s ON s.oid = o.collnamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_collation'::regclass AND m.objid = o.oid)",
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("provider", replace),
        ("nondeterministic", replace),
        ("lc_collate", replace),
        ("lc_ctype", replace),
        ("locale", replace),
        ("rules", replace),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let mut parts = vec![format!("provider = {}", fact.text("provider").unwrap_or("libc"))];
    for key in ["lc_collate", "lc_ctype", "locale", "rules"] {
        parts.extend(fact.text(key).map(|it| format!("{key} = {}", quote::literal(it))));
    }
    if fact.is("nondeterministic") {
        parts.push("deterministic = false".to_owned());
    }
    let text = format!("CREATE COLLATION {} ({})", fact.id.path(), parts.join(", "));
    with_owner(it, vec![Sql::whole(text)])
}
