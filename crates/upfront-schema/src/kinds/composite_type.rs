//! Composite types.

use serde_json::{Map, Value};

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome, alter_owner, plain_drop, with_owner},
        object_kind::{ObjectKind, RecreatePolicy},
    },
    quote,
    sql::Sql,
};

pub(super) static COMPOSITE: Definition = Definition {
    kind: ObjectKind::CompositeType,
    creation_order: 45,
    query: "
SELECT 'pg_type'::regclass::oid, c.reltype, 0, 'composite type', ARRAY[c.nspname, c.relname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.relowner), current_user),
    'fields', (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)
      || coalesce(' COLLATE ' || (SELECT format('%I.%I', n.nspname, o.collname) FROM pg_collation o
        JOIN pg_namespace n ON n.oid = o.collnamespace JOIN pg_type t ON t.oid = a.atttypid
        WHERE o.oid = a.attcollation AND a.attcollation <> t.typcollation), ''))
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)))::text,
  jsonb_build_object('order', (SELECT jsonb_agg(a.attname ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))::text
FROM relation c WHERE c.relkind = 'c'",
    create,
    drop: plain_drop,
    attributes: &[("owner", alter_owner), ("fields", alter_fields)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn fields(fact: &Fact) -> Map<String, Value> {
    fact.attributes.get("fields").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn order(fact: &Fact) -> Vec<&str> {
    crate::kinds::definition::strings(fact.notes.get("order"))
}

fn typed(fields: &Map<String, Value>, name: &str) -> String {
    let kind = fields.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {kind}", quote::name(name))
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fields = fields(it.fact);
    let lines = order(it.fact).into_iter().map(|name| format!("\n  {}", typed(&fields, name)));
    let lines = lines.collect::<Vec<_>>().join(",");
    let end = if lines.is_empty() { "" } else { "\n" };
    let text = format!("CREATE TYPE {} AS ({lines}{end})", it.fact.id.path());
    with_owner(it, vec![Sql::whole(text)])
}

/// Fields come last when they are new.
fn alter_fields(it: &Change<'_>) -> Outcome {
    let (old, new) = (fields(it.from), fields(it.to));
    let is_retyped = |(name, kind): (&String, &Value)| new.get(name).is_some_and(|it| it != kind);
    if old.iter().any(is_retyped) && is_stored(it.a, it.from) {
        return recreate(it);
    }
    let gone = order(it.from).into_iter().filter(|it| !new.contains_key(*it));
    let mut clauses: Vec<_> =
        gone.map(|it| format!("DROP ATTRIBUTE {}", quote::name(it))).collect();
    for name in order(it.to) {
        let kind = new.get(name).and_then(Value::as_str).unwrap_or_default();
        match old.get(name) {
            None => clauses.push(format!("ADD ATTRIBUTE {}", typed(&new, name))),
            Some(old) if old.as_str() != Some(kind) => {
                clauses.push(format!("ALTER ATTRIBUTE {} TYPE {kind}", quote::name(name)));
            }
            Some(_) => {}
        }
    }
    let path = it.to.id.path();
    let mut sql = Sql::whole(format!("ALTER TYPE {path} {}", clauses.join(", ")));
    if old.keys().any(|it| !new.contains_key(it)) {
        sql = sql.loses(format!("the values of fields of {path}"));
    }
    Outcome::Retype(vec![sql])
}

/// The server changes no field of a type whose values are stored. They move over to a new type, by
/// their texts.
fn recreate(it: &Change<'_>) -> Outcome {
    match order(it.from) == order(it.to) {
        true => Outcome::Replace,
        false => Outcome::Refuse(format!(
            "{} is stored in tables: a migration can give its fields other types, or have other \
             fields, and not both",
            it.to.id
        )),
    }
}

/// Whether a column is of this type, or of one that is made of it.
fn is_stored(facts: &Facts, of: &Fact) -> bool {
    let users = facts.find(&of.id).map_or(&[][..], |at| &facts.users[at]);
    users.iter().map(|(at, _)| &facts.all[*at]).any(|user| match user.id.kind {
        ObjectKind::Column => true,
        _ => user.id.kind.recreate() == RecreatePolicy::BySwap && is_stored(facts, user),
    })
}
