//! Casts.

use crate::{
    kinds::{
        definition::{Definition, plain_drop, replace},
        object_kind::ObjectKind,
        reference::reference,
    },
    sql::Sql,
};

pub(super) static CAST: Definition = Definition {
    kind: ObjectKind::Cast,
    creation_order: 255,
    query: "
SELECT 'pg_cast'::regclass::oid, c.oid, 0, 'cast', '{}'::text[],
  ARRAY[format_type(c.castsource, NULL), format_type(c.casttarget, NULL)], NULL::oid, NULL::oid,
  NULL::int4, jsonb_build_object(
    'by', CASE c.castmethod WHEN 'i' THEN 'WITH INOUT' WHEN 'b' THEN 'WITHOUT FUNCTION'
      ELSE 'WITH FUNCTION ' || c.castfunc::regprocedure END,
    'context', CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT'
      ELSE '' END)::text, '{}'
FROM pg_cast c WHERE c.oid >= 16384 AND NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_cast'::regclass AND d.objid = c.oid
  AND d.deptype IN ('e', 'i'))
AND NOT EXISTS (SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE t.oid IN (c.castsource, c.casttarget) AND n.nspname = ANY ($1))",
    create: |it| {
        let part = |attribute| it.fact.text(attribute).unwrap_or_default();
        let name = reference(&it.fact.id);
        vec![Sql::whole(format!("CREATE CAST {name} {}{}", part("by"), part("context")))]
    },
    drop: plain_drop,
    attributes: &[("by", replace), ("context", replace)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};
