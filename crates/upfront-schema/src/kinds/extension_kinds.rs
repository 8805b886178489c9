//! Kinds that occur more often in extensions than in schemas.

use crate::kinds::{
    definition::{Definition, opaque},
    object_kind::ObjectKind,
};

pub(super) static OPERATOR: Definition = opaque(
    ObjectKind::Operator,
    254,
    "
SELECT 'pg_operator'::regclass::oid, o.oid, 0, 'operator', ARRAY[s.nspname, o.oprname]::text[],
  ARRAY[CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END,
    format_type(o.oprright, NULL)], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(o.oprowner), current_user),
    'statements', jsonb_build_array(
      format('CREATE OPERATOR %I.%s (', s.nspname, o.oprname) || concat_ws(', ',
        'FUNCTION = ' || o.oprcode,
        'LEFTARG = ' || CASE WHEN o.oprleft <> 0 THEN format_type(o.oprleft, NULL) END,
        'RIGHTARG = ' || format_type(o.oprright, NULL),
        (SELECT format('COMMUTATOR = OPERATOR(%I.%s)', n.nspname, c.oprname) FROM pg_operator c
          JOIN pg_namespace n ON n.oid = c.oprnamespace WHERE c.oid = o.oprcom),
        (SELECT format('NEGATOR = OPERATOR(%I.%s)', n.nspname, c.oprname) FROM pg_operator c
          JOIN pg_namespace n ON n.oid = c.oprnamespace WHERE c.oid = o.oprnegate),
        'RESTRICT = ' || NULLIF(o.oprrest::oid, 0)::regproc,
        'JOIN = ' || NULLIF(o.oprjoin::oid, 0)::regproc,
        CASE WHEN o.oprcanhash THEN 'HASHES' END,
        CASE WHEN o.oprcanmerge THEN 'MERGES' END) || ')')))::text, '{}'
FROM pg_operator o JOIN space s ON s.oid = o.oprnamespace
WHERE o.oprcode <> 0 AND NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_operator'::regclass AND m.objid = o.oid)",
);

pub(super) static CONVERSION: Definition = opaque(
    ObjectKind::Conversion,
    254,
    "
SELECT 'pg_conversion'::regclass::oid, c.oid, 0, 'conversion', ARRAY[s.nspname, c.conname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.conowner), current_user),
    'statements', jsonb_build_array(format('CREATE %sCONVERSION %I.%I FOR %L TO %L FROM %s',
      CASE WHEN c.condefault THEN 'DEFAULT ' ELSE '' END, s.nspname, c.conname,
      pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding),
      c.conproc))))::text, '{}'
FROM pg_conversion c JOIN space s ON s.oid = c.connamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_conversion'::regclass AND m.objid = c.oid)",
);

pub(super) static LANGUAGE: Definition = opaque(
    ObjectKind::Language,
    28,
    "
SELECT 'pg_language'::regclass::oid, l.oid, 0, 'language', ARRAY[l.lanname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(l.lanowner), current_user),
    'statements', jsonb_build_array(concat_ws(' ', 'CREATE',
      CASE WHEN l.lanpltrusted THEN 'TRUSTED' END, format('LANGUAGE %I', l.lanname),
      'HANDLER ' || l.lanplcallfoid::regproc,
      'INLINE ' || NULLIF(l.laninline, 0)::regproc,
      'VALIDATOR ' || NULLIF(l.lanvalidator, 0)::regproc))))::text, '{}'
FROM pg_language l WHERE l.lanispl AND l.oid >= 16384 AND NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_language'::regclass AND m.objid = l.oid)",
);

pub(super) static ACCESS_METHOD: Definition = opaque(
    ObjectKind::AccessMethod,
    29,
    "
SELECT 'pg_am'::regclass::oid, a.oid, 0, 'access method', ARRAY[a.amname]::text[], '{}'::text[],
  NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('statements', jsonb_build_array(format(
    'CREATE ACCESS METHOD %I TYPE %s HANDLER %s', a.amname,
    CASE a.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, a.amhandler)))::text, '{}'
FROM pg_am a WHERE a.oid >= 16384 AND NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_am'::regclass AND m.objid = a.oid)",
);

pub(super) static TRANSFORM: Definition = opaque(
    ObjectKind::Transform,
    256,
    "
SELECT 'pg_transform'::regclass::oid, t.oid, 0, 'transform', ARRAY[l.lanname]::text[],
  ARRAY[format_type(t.trftype, NULL)], NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('statements', jsonb_build_array(format('CREATE TRANSFORM FOR %s LANGUAGE %I (',
    format_type(t.trftype, NULL), l.lanname) || concat_ws(', ',
      'FROM SQL WITH FUNCTION ' || NULLIF(t.trffromsql::oid, 0)::regprocedure,
      'TO SQL WITH FUNCTION ' || NULLIF(t.trftosql::oid, 0)::regprocedure) || ')'))::text, '{}'
FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_transform'::regclass AND m.objid = t.oid)
AND NOT EXISTS (SELECT FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace
  WHERE y.oid = t.trftype AND n.nspname = ANY ($1))",
);
