//! Triggers and rules.

use crate::{
    catalog::facts::Fact,
    kinds::{
        alter_table,
        definition::{Change, Created, Definition, Outcome, plain_drop, replace},
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static TRIGGER: Definition = Definition {
    kind: ObjectKind::Trigger,
    creation_order: 300,
    query: "
SELECT 'pg_trigger'::regclass::oid, t.oid, 0, 'trigger',
  ARRAY[c.nspname, c.relname, t.tgname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', pg_get_triggerdef(t.oid),
    'enabled', NULLIF(t.tgenabled, 'O')))::text,
  jsonb_build_object('kind', c.relkind)::text
FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_trigger'::regclass AND m.objid = t.oid)",
    create,
    drop: plain_drop,
    attributes: &[("definition", replace), ("enabled", alter_enabled)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

pub(super) static STATE: Definition = Definition {
    kind: ObjectKind::TriggerState,
    creation_order: 301,
    query: "
SELECT 'pg_trigger'::regclass::oid, t.oid, 0, 'trigger state',
  ARRAY[c.nspname, c.relname, t.tgname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_build_object('enabled', t.tgenabled)::text,
  jsonb_build_object('usual', p.tgenabled, 'needs', (
    SELECT jsonb_agg(jsonb_build_array(class::oid::int8, object::int8, sub)) FROM (
      VALUES ('pg_trigger'::regclass, p.oid, 0) UNION ALL
      SELECT 'pg_inherits'::regclass, i.inhrelid, i.inhseqno FROM pg_inherits i
      WHERE i.inhrelid = c.oid) n (class, object, sub)))::text
FROM pg_trigger t JOIN relation c ON c.oid = t.tgrelid JOIN pg_trigger p ON p.oid = t.tgparentid
WHERE NOT p.tgisinternal AND t.tgenabled <> p.tgenabled",
    create: |it| vec![enable(it.fact, it.fact.text("enabled").unwrap_or("O"))],
    drop: |_, fact| vec![enable(fact, fact.note("usual").unwrap_or("O"))],
    attributes: &[("enabled", alter_enabled)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static RULE: Definition = Definition {
    kind: ObjectKind::Rule,
    creation_order: 305,
    query: "
SELECT 'pg_rewrite'::regclass::oid, r.oid, 0, 'rule',
  ARRAY[c.nspname, c.relname, r.rulename]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', rtrim(pg_get_ruledef(r.oid), ';'),
    'enabled', NULLIF(r.ev_enabled, 'O')))::text,
  jsonb_build_object('kind', c.relkind)::text
FROM pg_rewrite r JOIN relation c ON c.oid = r.ev_class
WHERE r.rulename <> '_RETURN'",
    create,
    drop: plain_drop,
    attributes: &[("definition", alter_rule), ("enabled", alter_enabled)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let mut sql = vec![Sql::whole(it.fact.text("definition").unwrap_or_default())];
    sql.extend(it.fact.text("enabled").map(|state| enable(it.fact, state)));
    sql
}

fn alter_rule(it: &Change<'_>) -> Outcome {
    let text =
        it.wanted_text().unwrap_or_default().replacen("CREATE RULE", "CREATE OR REPLACE RULE", 1);
    Outcome::InPlace(vec![Sql::whole(text)])
}

fn enable(fact: &Fact, state: &str) -> Sql {
    let verb = match state {
        "D" => "DISABLE",
        "R" => "ENABLE REPLICA",
        "A" => "ENABLE ALWAYS",
        _ => "ENABLE",
    };
    let noun = fact.id.kind.noun();
    let clause = format!("{verb} {noun} {}", quote::name(fact.id.name()));
    Sql::clause(alter_table::head(&fact.id.names), clause)
}

fn alter_enabled(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![enable(it.to, it.wanted_text().unwrap_or("O"))])
}
