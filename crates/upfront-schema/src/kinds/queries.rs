//! Queries beside those of the definitions that return kinds: in SQL, too, only this folder names
//! one.

/// Kinds within others come first, as then the others have their names still; routines do, as the
/// types of their arguments have. Within each step the names decide, not the order of the catalog.
/// The last column is the schema of what can be moved to another.
pub(crate) const OBJECT_NAMES: &str = "
WITH space AS (SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (SELECT c.oid, c.relkind, c.reloftype, c.relnamespace, s.nspname, c.relname
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace WHERE NOT EXISTS (
    SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid))
SELECT 1, 'pg_proc'::regclass::oid, p.oid, 0,
  CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
  ARRAY[s.nspname, p.proname]::text[],
  (pg_identify_object_as_address('pg_proc'::regclass, p.oid, 0)).object_args, p.pronamespace
FROM pg_proc p JOIN space s ON s.oid = p.pronamespace WHERE NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
  AND d.deptype IN ('e', 'i'))
UNION ALL SELECT 2, 'pg_enum'::regclass, e.oid, 0, 'enum value',
  ARRAY[s.nspname, t.typname, e.enumlabel], '{}', NULL
FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN space s ON s.oid = t.typnamespace
WHERE NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
UNION ALL SELECT 3, 'pg_class'::regclass, r.oid, a.attnum::int4,
  CASE r.relkind WHEN 'c' THEN 'attribute' ELSE 'column' END,
  ARRAY[r.nspname, r.relname, a.attname]::text[], '{}'::text[], NULL::oid
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
WHERE r.relkind IN ('r', 'p', 'f', 'c') AND r.reloftype = 0 AND a.attnum > 0
AND NOT a.attisdropped AND a.attinhcount = 0
UNION ALL SELECT 4, 'pg_constraint'::regclass, k.oid, 0, 'table constraint',
  ARRAY[r.nspname, r.relname, k.conname], '{}', NULL
FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND k.coninhcount = 0 AND k.conparentid = 0
UNION ALL SELECT 5, 'pg_trigger'::regclass, t.oid, 0, 'trigger',
  ARRAY[r.nspname, r.relname, t.tgname], '{}', NULL
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL SELECT 6, 'pg_policy'::regclass, p.oid, 0, 'policy',
  ARRAY[r.nspname, r.relname, p.polname], '{}', NULL
FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
UNION ALL SELECT 7, 'pg_class'::regclass, r.oid, 0, CASE r.relkind WHEN 'v' THEN 'view'
    WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
    WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'composite type' ELSE 'table' END,
  ARRAY[r.nspname, r.relname], '{}',
  CASE WHEN r.relkind NOT IN ('i', 'I') AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND r.relkind = 'S'
    AND d.deptype IN ('a', 'i')) THEN r.relnamespace END
FROM relation r WHERE NOT EXISTS (SELECT FROM pg_constraint k
  WHERE k.conindid = r.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL SELECT 8, 'pg_type'::regclass, t.oid, 0,
  CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' ELSE 'range type' END,
  ARRAY[s.nspname, t.typname], '{}', t.typnamespace
FROM pg_type t JOIN space s ON s.oid = t.typnamespace
WHERE t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
UNION ALL SELECT 9, 'pg_namespace'::regclass, s.oid, 0, 'schema', ARRAY[s.nspname], '{}', NULL
FROM space s";

/// What hangs on objects that have a rule, or cannot be seen by everybody: what it is on, its kind
/// and its name, and the schema.
pub(crate) const UNMODELED_LABELS: &str = "
SELECT l.classoid, l.objoid, l.objsubid, 'security label', coalesce(i.identity, i.name),
  'security label on ' || i.type || ' ' || i.identity, coalesce(i.schema, '')
FROM pg_seclabel l CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) i
UNION ALL SELECT 'pg_subscription'::regclass, s.oid, 0, 'subscription', s.subname,
  'subscription ' || quote_ident(s.subname), '' FROM pg_subscription s
  JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
ORDER BY 6";

/// Partitions are one with their table.
pub(crate) const DIAGRAM_TABLES: &str = "
SELECT c.oid, c.nspname::text, c.relname::text,
  CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END,
  (SELECT count(*) FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition
    WHERE i.inhparent = c.oid),
  array(SELECT i.inhparent FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno)
FROM relation c WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition ORDER BY 2, 3";

pub(crate) const ROUTINE_BODIES: &str = "
SELECT format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
  n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind IN ('f', 'p', 'w') AND l.lanname NOT IN ('c', 'internal')
AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> ALL ($1)
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
  AND d.objid = p.oid AND d.deptype = 'e')";
