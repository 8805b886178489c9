//! Enums.

use crate::{
    catalog::{facts::Fact, identity::Identity},
    kinds::{
        definition::{
            Change, Created, Definition, Outcome, alter_owner, plain_drop, strings, with_owner,
        },
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static ENUM: Definition = Definition {
    kind: ObjectKind::Enum,
    creation_order: 30,
    query: "
SELECT 'pg_type'::regclass::oid, t.oid, 0, 'enum', ARRAY[s.nspname, t.typname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(t.typowner), current_user),
    'labels', (SELECT coalesce(jsonb_agg(e.enumlabel ORDER BY e.enumsortorder), '[]')
      FROM pg_enum e WHERE e.enumtypid = t.oid)))::text, '{}'
FROM pg_type t JOIN space s ON s.oid = t.typnamespace
WHERE t.typtype = 'e' AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)",
    create,
    drop: plain_drop,
    attributes: &[("owner", alter_owner), ("labels", alter_labels)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

/// What the old one is called while its users move over.
pub(crate) fn temporary_name(id: &Identity) -> String {
    // The server cuts names at 63 bytes, and would make the same of both.
    let name = id.name();
    let fits = (0..=58.min(name.len())).rev().find(|it| name.is_char_boundary(*it));
    format!("{}__old", &name[..fits.unwrap_or(0)])
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let labels = labels(it.fact).into_iter().map(quote::literal).collect::<Vec<_>>().join(", ");
    let text = format!("CREATE TYPE {} AS ENUM ({labels})", it.fact.id.path());
    with_owner(it, vec![Sql::whole(text)])
}

fn labels(fact: &Fact) -> Vec<&str> {
    strings(fact.attributes.get("labels"))
}

/// New labels go in where they belong; one that is gone or elsewhere needs another type.
fn alter_labels(it: &Change<'_>) -> Outcome {
    let (old, new) = (labels(it.from), labels(it.to));
    if !new.iter().filter(|it| old.contains(it)).eq(old.iter()) {
        return Outcome::Replace;
    }
    let mut sql = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for label in &new {
        if !old.contains(label) {
            sql.push(add(it.to, label, seen.last().copied(), &old));
        }
        seen.push(label);
    }
    Outcome::InPlace(sql)
}

fn add(to: &Fact, label: &str, after: Option<&str>, old: &[&str]) -> Sql {
    let place = match (after, old.first()) {
        (Some(it), _) if old.last() == Some(&it) => String::new(),
        (Some(it), _) => format!(" AFTER {}", quote::literal(it)),
        (None, Some(it)) => format!(" BEFORE {}", quote::literal(it)),
        (None, None) => String::new(),
    };
    let label = quote::literal(label);
    Sql::whole(format!("ALTER TYPE {} ADD VALUE {label}{place}", to.id.path()))
}
