//! Defaults of columns, of tables and of views.

use crate::facts::{Fact, Facts};
use crate::quote;
use crate::rule::{Change, Created, Nature, Outcome, Rule, table};
use crate::sql::Sql;

pub(super) static DEFAULT: Rule = Rule {
    kind: "default value",
    noun: "DEFAULT",
    weight: 120,
    query: "
SELECT 'pg_attrdef'::regclass::oid, d.oid, 0, 'default value',
  ARRAY[c.nspname, c.relname, a.attname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, a.attnum::int4,
  jsonb_build_object('expression', pg_get_expr(d.adbin, d.adrelid))::text, '{}'
FROM pg_attrdef d JOIN relation c ON c.oid = d.adrelid
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE a.attgenerated = '' AND NOT (a.attinhcount > 0 AND EXISTS (
  SELECT FROM pg_inherits i JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname
  JOIN pg_attrdef e ON e.adrelid = p.attrelid AND e.adnum = p.attnum
  WHERE i.inhrelid = c.oid
  AND pg_get_expr(e.adbin, e.adrelid) = pg_get_expr(d.adbin, d.adrelid)))",
    create: |it: &Created<'_>| vec![clause(it.fact, &set(it.fact))],
    drop: |_: &Facts, fact| vec![clause(fact, "DROP DEFAULT")],
    attributes: &[("expression", alter)],
    nature: Nature::Definition,
    folds: true,
    blocks_retype: false,
};

pub(super) fn expression(fact: &Fact) -> &str {
    fact.text("expression").unwrap_or_default()
}

fn set(fact: &Fact) -> String {
    format!("SET DEFAULT {}", expression(fact))
}

fn alter(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![clause(it.to, &set(it.to))])
}

fn clause(fact: &Fact, text: &str) -> Sql {
    let column = quote::name(fact.id.name());
    Sql::clause(table::head(&fact.id.names), format!("ALTER COLUMN {column} {text}"))
}
