//! Schemas and extensions.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome, alter_owner, plain_drop, with_owner},
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static SCHEMA: Definition = Definition {
    kind: ObjectKind::Schema,
    creation_order: 10,
    query: "
SELECT 'pg_namespace'::regclass::oid, n.oid, 0, 'schema', ARRAY[n.nspname]::text[], '{}'::text[],
  NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(n.nspowner), current_user)))::text, '{}'
FROM pg_namespace n JOIN space s ON s.oid = n.oid
WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = n.oid)",
    create: |it| with_owner(it, vec![Sql::whole(format!("CREATE SCHEMA {}", it.fact.id.path()))]),
    drop: plain_drop,
    attributes: &[("owner", alter_owner)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static EXTENSION: Definition = Definition {
    kind: ObjectKind::Extension,
    creation_order: 20,
    query: "
SELECT 'pg_extension'::regclass::oid, e.oid, 0, 'extension', ARRAY[e.extname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('schema', n.nspname)::text, jsonb_build_object('version', e.extversion)::text
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE n.nspname <> ALL ($1)",
    create,
    drop,
    attributes: &[("schema", alter_schema)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let schema = quote::name(it.fact.text("schema").unwrap_or("public"));
    vec![Sql::whole(format!("CREATE EXTENSION {} WITH SCHEMA {schema}", it.fact.id.path()))]
}

fn drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    vec![Sql::whole(format!("DROP EXTENSION {}", fact.id.path()))]
}

fn alter_schema(it: &Change<'_>) -> Outcome {
    let schema = quote::name(it.wanted_text().unwrap_or("public"));
    let sql = format!("ALTER EXTENSION {} SET SCHEMA {schema}", it.to.id.path());
    Outcome::InPlace(vec![Sql::whole(sql)])
}
