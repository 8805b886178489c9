//! Operator families, their loose members, and operator classes.
//!
//! A family is made before its classes, which then name it: the server does the same where a class
//! names none. What spans two types is a loose member, wherever it was written.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Created, Definition, opaque, replace, strings},
        object_kind::ObjectKind,
        reference::reference,
    },
    sql::Sql,
};

pub(super) static FAMILY: Definition = opaque(
    ObjectKind::OperatorFamily,
    257,
    "
SELECT 'pg_opfamily'::regclass::oid, f.oid, 0, 'operator family', ARRAY[s.nspname, f.opfname]::text[],
  ARRAY[m.amname]::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(f.opfowner), current_user),
    'statements', jsonb_build_array(
      format('CREATE OPERATOR FAMILY %I.%I USING %I', s.nspname, f.opfname, m.amname))))::text, '{}'
FROM pg_opfamily f JOIN space s ON s.oid = f.opfnamespace JOIN pg_am m ON m.oid = f.opfmethod
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_opfamily'::regclass AND m.objid = f.oid)",
);

pub(super) static CLASS: Definition = opaque(
    ObjectKind::OperatorClass,
    258,
    "
SELECT 'pg_opclass'::regclass::oid, o.oid, 0, 'operator class', ARRAY[s.nspname, o.opcname]::text[],
  ARRAY[m.amname]::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(o.opcowner), current_user),
    'statements', jsonb_build_array(
      format('CREATE OPERATOR CLASS %I.%I%s FOR TYPE %s USING %I FAMILY %I.%I AS', s.nspname,
        o.opcname, CASE WHEN o.opcdefault THEN ' DEFAULT' ELSE '' END,
        format_type(o.opcintype, NULL), m.amname, n.nspname, f.opfname)
      || E'\\n  ' || concat_ws(E',\\n  ',
        'STORAGE ' || format_type(COALESCE(NULLIF(o.opckeytype, 0),
          CASE WHEN p.members IS NULL THEN o.opcintype END), NULL), p.members))))::text, '{}'
FROM pg_opclass o JOIN space s ON s.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod
JOIN pg_opfamily f ON f.oid = o.opcfamily JOIN pg_namespace n ON n.oid = f.opfnamespace
CROSS JOIN LATERAL (SELECT string_agg(words, E',\\n  ' ORDER BY kind, number, words) AS members FROM (
  SELECT 1 AS kind, a.amopstrategy AS number, format('OPERATOR %s %s%s', a.amopstrategy,
    a.amopopr::regoperator, (SELECT format(' FOR ORDER BY %I.%I', k.nspname, b.opfname)
      FROM pg_opfamily b JOIN pg_namespace k ON k.oid = b.opfnamespace
      WHERE b.oid = a.amopsortfamily)) AS words
  FROM pg_depend d JOIN pg_amop a ON a.oid = d.objid WHERE d.classid = 'pg_amop'::regclass
    AND d.refclassid = 'pg_opclass'::regclass AND d.refobjid = o.oid AND d.deptype = 'i'
  UNION ALL SELECT 2, a.amprocnum, format('FUNCTION %s (%s, %s) %s', a.amprocnum,
    format_type(a.amproclefttype, NULL), format_type(a.amprocrighttype, NULL),
    a.amproc::regprocedure)
  FROM pg_depend d JOIN pg_amproc a ON a.oid = d.objid WHERE d.classid = 'pg_amproc'::regclass
    AND d.refclassid = 'pg_opclass'::regclass AND d.refobjid = o.oid AND d.deptype = 'i') a) p
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_opclass'::regclass AND m.objid = o.oid)",
);

/// Of a family in one of these schemas, or of the server's own.
pub(super) static MEMBER: Definition = Definition {
    kind: ObjectKind::OperatorFamilyMember,
    creation_order: 259,
    query: "
, loose AS (
  SELECT 'pg_amop'::regclass::oid AS class, a.oid AS object, a.amopfamily AS family,
    'OPERATOR' AS what, a.amopstrategy AS number, a.amoplefttype AS l, a.amoprighttype AS r,
    format('%s%s', a.amopopr::regoperator, (SELECT format(' FOR ORDER BY %I.%I', k.nspname, b.opfname)
      FROM pg_opfamily b JOIN pg_namespace k ON k.oid = b.opfnamespace
      WHERE b.oid = a.amopsortfamily)) AS definition FROM pg_amop a WHERE a.oid >= 16384
  UNION ALL SELECT 'pg_amproc'::regclass, a.oid, a.amprocfamily, 'FUNCTION', a.amprocnum,
    a.amproclefttype, a.amprocrighttype, a.amproc::regprocedure::text
  FROM pg_amproc a WHERE a.oid >= 16384
)
SELECT t.class, t.object, 0, 'operator family member', ARRAY[n.nspname, f.opfname]::text[],
  ARRAY[m.amname, t.what, t.number::text, format_type(t.l, NULL), format_type(t.r, NULL)],
  'pg_opfamily'::regclass::oid, f.oid, 0,
  jsonb_build_object('statements', jsonb_build_array(t.definition))::text, '{}'
FROM loose t JOIN pg_opfamily f ON f.oid = t.family JOIN pg_am m ON m.oid = f.opfmethod
JOIN pg_namespace n ON n.oid = f.opfnamespace
WHERE (n.nspname = 'pg_catalog' OR n.oid IN (SELECT oid FROM space))
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = t.class AND d.objid = t.object
  AND d.refclassid = 'pg_opclass'::regclass)
AND NOT EXISTS (SELECT FROM pg_depend d JOIN member b ON b.classid = d.refclassid
  AND b.objid = d.refobjid WHERE d.classid = t.class AND d.objid = t.object AND d.deptype = 'a')",
    create: |it: &Created<'_>| {
        let words = strings(it.fact.attributes.get("statements")).join("");
        let types = match &it.fact.id.arguments[..] {
            [_, what, _, left, right] if what == "FUNCTION" => format!(" ({left}, {right})"),
            _ => String::new(),
        };
        vec![Sql::whole(format!("{} ADD {}{types} {words}", head(it.fact), number(it.fact)))]
    },
    drop: |_: &Facts, fact| {
        let types = fact.id.arguments[3..].join(", ");
        vec![Sql::whole(format!("{} DROP {} ({types})", head(fact), number(fact)))]
    },
    attributes: &[("statements", replace)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn head(member: &Fact) -> String {
    format!("ALTER OPERATOR FAMILY {}", reference(&member.id))
}

/// As `OPERATOR 1`.
fn number(member: &Fact) -> String {
    member.id.arguments[1..3].join(" ")
}
