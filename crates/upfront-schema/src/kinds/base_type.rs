//! Base types: a shell, the functions that read and write values, and then the type itself.
//!
//! Type and functions use each other, so the shell is a fact of its own that is made first, and the
//! functions go with the type.

use serde_json::Value;

use crate::{
    catalog::facts::{Dependency, Facts},
    kinds::{
        definition::{
            Change, Created, Definition, Outcome, alter_owner, no_drop, replace, with_owner,
        },
        object_kind::ObjectKind,
        reference::reference,
    },
    sql::Sql,
};

pub(super) static SHELL: Definition = Definition {
    kind: ObjectKind::ShellType,
    creation_order: 32,
    query: "",
    create: |it: &Created<'_>| vec![Sql::whole(format!("CREATE TYPE {}", it.fact.id.path()))],
    drop: no_drop,
    attributes: &[],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static BASE: Definition = Definition {
    kind: ObjectKind::BaseType,
    creation_order: 33,
    query: "
, base AS (
  SELECT t.*, s.nspname FROM pg_type t JOIN space s ON s.oid = t.typnamespace
  WHERE t.typtype = 'b' AND t.typisdefined AND NOT EXISTS (
    SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
)
SELECT 'pg_type'::regclass::oid, t.oid, 0, 'base type', ARRAY[t.nspname, t.typname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(t.typowner), current_user),
    'parts', jsonb_strip_nulls(jsonb_build_object(
      'INPUT', t.typinput::regproc, 'OUTPUT', t.typoutput::regproc,
      'INTERNALLENGTH', CASE t.typlen WHEN -1 THEN 'VARIABLE' ELSE t.typlen::text END,
      'PASSEDBYVALUE', CASE WHEN t.typbyval THEN 'true' END,
      'ALIGNMENT', CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'd' THEN 'double'
        ELSE 'int4' END,
      'CATEGORY', quote_literal(NULLIF(t.typcategory::text, 'U')),
      'PREFERRED', CASE WHEN t.typispreferred THEN 'true' END,
      'DEFAULT', quote_literal(t.typdefault),
      'ELEMENT', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END,
      'DELIMITER', quote_literal(NULLIF(t.typdelim::text, ',')),
      'COLLATABLE', CASE WHEN t.typcollation <> 0 THEN 'true' END)),
    'receive', NULLIF(t.typreceive::oid, 0)::regproc,
    'send', NULLIF(t.typsend::oid, 0)::regproc,
    'typmod_in', NULLIF(t.typmodin::oid, 0)::regproc,
    'typmod_out', NULLIF(t.typmodout::oid, 0)::regproc,
    'analyze', NULLIF(t.typanalyze::oid, 0)::regproc,
    'subscript', NULLIF(t.typsubscript::oid, 0)::regproc,
    'storage', CASE t.typstorage WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended'
      WHEN 'm' THEN 'main' ELSE 'plain' END))::text, '{}'
FROM base t
UNION ALL SELECT 'pg_type'::regclass::oid, t.oid, -1, 'shell type',
  ARRAY[t.nspname, t.typname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4, '{}', '{}'
FROM base t",
    create,
    // With the functions that read and write its values, which cannot go before it.
    drop: |_, fact| {
        let name = reference(&fact.id);
        let sql = Sql::whole(format!("DROP TYPE {name} CASCADE"));
        vec![sql.loses(format!("whatever else uses {name}"))]
    },
    attributes: &[
        ("owner", alter_owner),
        ("parts", replace),
        ("receive", set),
        ("send", set),
        ("typmod_in", set),
        ("typmod_out", set),
        ("analyze", set),
        ("subscript", set),
        ("storage", set),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

/// What `ALTER TYPE … SET` knows, and what is written in its own word.
const SETTINGS: [&str; 7] =
    ["receive", "send", "typmod_in", "typmod_out", "analyze", "subscript", "storage"];

fn create(it: &Created<'_>) -> Vec<Sql> {
    let parts = it.fact.attributes.get("parts").and_then(Value::as_object);
    let one =
        |(key, value): (&String, &Value)| format!("{key} = {}", value.as_str().unwrap_or_default());
    let mut all: Vec<_> = parts.into_iter().flatten().map(one).collect();
    let setting = |name: &&str| Some(format!("{} = {}", name.to_uppercase(), it.fact.text(name)?));
    all.extend(SETTINGS.iter().filter_map(setting));
    let text = format!("CREATE TYPE {} (\n  {}\n)", it.fact.id.path(), all.join(",\n  "));
    with_owner(it, vec![Sql::whole(text)])
}

fn set(it: &Change<'_>) -> Outcome {
    // From plain to anything else it may not go.
    if it.attribute == "storage" && it.old_value().and_then(Value::as_str) == Some("plain") {
        return Outcome::Replace;
    }
    let (name, value) = (it.attribute.to_uppercase(), it.wanted_text().unwrap_or("NONE"));
    let sql = format!("ALTER TYPE {} SET ({name} = {value})", it.to.id.path());
    Outcome::InPlace(vec![Sql::whole(sql)])
}

/// Takes the circle of types and their functions apart: these come after the shell and go with the
/// type, which comes after them.
pub(crate) fn break_base_type_cycle(facts: &mut Facts) {
    let bases: Vec<_> =
        (0..facts.all.len()).filter(|at| facts.all[*at].id.kind == BASE.kind).collect();
    for base in bases {
        let names = facts.all[base].id.names.clone();
        let shell = facts.find(&crate::catalog::identity::Identity::new(SHELL.kind, &names));
        let Some(shell) = shell else { continue };
        let used = facts.uses[base].iter().map(|(it, _)| *it);
        let functions: Vec<_> = used.filter(|it| facts.uses(*it, base)).collect();
        for function in functions {
            facts.replace_dependency(base, function, Dependency::CreatedAfter);
            facts.replace_dependency(function, base, Dependency::OnlyDroppedWith);
            facts.connect(function, shell, Dependency::Requires);
        }
        facts.connect(base, shell, Dependency::CreatedAfter);
        facts.connect(shell, base, Dependency::OnlyDroppedWith);
    }
}
