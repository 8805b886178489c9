//! Kinds of a few words: collations and casts.

use crate::quote;
use crate::rule::{Created, Nature, Rule, alter_owner, plain_drop, reference, replace, with_owner};
use crate::sql::Sql;

pub(super) static COLLATION: Rule = Rule {
    kind: "collation",
    noun: "COLLATION",
    weight: 25,
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
    create: create_collation,
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
    nature: Nature::Definition,
    folds: false,
    blocks_retype: false,
};

pub(super) static CAST: Rule = Rule {
    kind: "cast",
    noun: "CAST",
    weight: 255,
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
    nature: Nature::Definition,
    folds: false,
    blocks_retype: false,
};

fn create_collation(it: &Created<'_>) -> Vec<Sql> {
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
