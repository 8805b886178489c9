//! Domains. Their constraints are facts of their own.

use crate::{
    kinds::{
        constraint,
        definition::{
            Change, Created, Definition, Outcome, alter_owner, plain_drop, replace, with_owner,
        },
        object_kind::ObjectKind,
        probe,
    },
    sql::Sql,
};

pub(super) static DOMAIN: Definition = Definition {
    kind: ObjectKind::Domain,
    creation_order: 40,
    query: "
SELECT 'pg_type'::regclass::oid, t.oid, 0, 'domain', ARRAY[s.nspname, t.typname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(t.typowner), current_user),
    'base', format_type(t.typbasetype, t.typtypmod),
    'not_null', NULLIF(t.typnotnull, false),
    'default', coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass),
      quote_literal(t.typdefault) || '::' || format_type(t.typbasetype, t.typtypmod)),
    'collation', CASE WHEN t.typcollation <> b.typcollation THEN (
      SELECT format('%I.%I', n.nspname, o.collname) FROM pg_collation o
      JOIN pg_namespace n ON n.oid = o.collnamespace WHERE o.oid = t.typcollation) END))::text, '{}'
FROM pg_type t JOIN space s ON s.oid = t.typnamespace JOIN pg_type b ON b.oid = t.typbasetype
WHERE t.typtype = 'd' AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)",
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("base", replace),
        ("not_null", alter_not_null),
        ("default", alter_default),
        ("collation", replace),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let mut text =
        format!("CREATE DOMAIN {} AS {}", fact.id.path(), fact.text("base").unwrap_or_default());
    let mut add = |it: String| {
        text.push(' ');
        text.push_str(&it);
    };
    fact.text("collation").map(|it| format!("COLLATE {it}")).map(&mut add);
    fact.text("default").map(|it| format!("DEFAULT {it}")).map(&mut add);
    fact.is("not_null").then(|| "NOT NULL".to_owned()).map(&mut add);
    // A constraint that is not valid can only be added later.
    let (late, now): (Vec<_>, Vec<_>) = it.folded.iter().partition(|it| it.fact.is("not_valid"));
    now.iter().map(|it| constraint::definition(it.fact)).for_each(&mut add);
    let mut sql = vec![Sql::whole(text)];
    sql.extend(late.iter().flat_map(|it| (constraint::DOMAIN_CONSTRAINT.create)(it)));
    with_owner(it, sql)
}

fn in_place(it: &Change<'_>, text: &str) -> Sql {
    Sql::whole(format!("ALTER DOMAIN {} {text}", it.to.id.path()))
}

fn alter_not_null(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![match it.wanted_value() {
        Some(_) => {
            let sql = in_place(it, "SET NOT NULL");
            match probe::of_domain(it.a, &it.to.id.path(), "value IS NULL") {
                Some(probe) => sql.may_fail("no value may be NULL", probe),
                None => sql,
            }
        }
        None => in_place(it, "DROP NOT NULL"),
    }])
}

fn alter_default(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![match it.wanted_text() {
        Some(expression) => in_place(it, &format!("SET DEFAULT {expression}")),
        None => in_place(it, "DROP DEFAULT"),
    }])
}
