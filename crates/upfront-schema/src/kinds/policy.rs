//! Policies of row security.

use crate::{
    catalog::facts::Fact,
    kinds::{
        definition::{Change, Created, Definition, Outcome, plain_drop, replace, strings},
        object_kind::ObjectKind,
        reference::reference,
    },
    quote,
    sql::Sql,
};

pub(super) static POLICY: Definition = Definition {
    kind: ObjectKind::Policy,
    creation_order: 310,
    query: "
SELECT 'pg_policy'::regclass::oid, p.oid, 0, 'policy',
  ARRAY[c.nspname, c.relname, p.polname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
      WHEN 'd' THEN 'DELETE' END,
    'restrictive', NULLIF(NOT p.polpermissive, false),
    'roles', (SELECT jsonb_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END
      ORDER BY 1) FROM unnest(p.polroles) r WHERE p.polroles <> '{0}'),
    'using', pg_get_expr(p.polqual, p.polrelid),
    'check', pg_get_expr(p.polwithcheck, p.polrelid)))::text, '{}'
FROM pg_policy p JOIN relation c ON c.oid = p.polrelid",
    create,
    drop: plain_drop,
    attributes: &[
        ("command", replace),
        ("restrictive", replace),
        ("roles", |it| Outcome::InPlace(vec![alter(it, &to(it.to))])),
        ("using", |it| alter_expression(it, "USING")),
        ("check", |it| alter_expression(it, "WITH CHECK")),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

fn to(fact: &Fact) -> String {
    let roles = strings(fact.attributes.get("roles"));
    if roles.is_empty() { "TO PUBLIC".to_owned() } else { format!("TO {}", roles.join(", ")) }
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let mut text = format!("CREATE POLICY {}", reference(&fact.id));
    if fact.is("restrictive") {
        text.push_str(" AS RESTRICTIVE");
    }
    text.extend(fact.text("command").map(|it| format!(" FOR {it}")));
    if fact.attributes.contains_key("roles") {
        text.extend([" ", &to(fact)]);
    }
    text.extend(fact.text("using").map(|it| format!("\n  USING {}", grouped(it))));
    text.extend(fact.text("check").map(|it| format!("\n  WITH CHECK {}", grouped(it))));
    vec![Sql::whole(text)]
}

fn grouped(expression: &str) -> String {
    format!("({expression})")
}

fn alter(it: &Change<'_>, clause: &str) -> Sql {
    let name = quote::name(it.to.id.name());
    Sql::whole(format!("ALTER POLICY {name} ON {} {clause}", it.to.id.owner_path()))
}

/// An expression may change and come, but not go.
fn alter_expression(it: &Change<'_>, word: &str) -> Outcome {
    match it.wanted_text() {
        Some(expression) => {
            Outcome::InPlace(vec![alter(it, &format!("{word} {}", grouped(expression)))])
        }
        None => Outcome::Replace,
    }
}
