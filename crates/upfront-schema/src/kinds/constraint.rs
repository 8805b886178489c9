//! Constraints of tables and of domains.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        alter_table,
        definition::{Change, Created, Definition, Outcome, replace},
        object_kind::ObjectKind,
        parameters, probe,
    },
    quote,
    sql::{Probe, Sql},
};

pub(super) static TABLE_CONSTRAINT: Definition = Definition {
    kind: ObjectKind::TableConstraint,
    creation_order: 200,
    query: concat!(
        "
SELECT 'pg_constraint'::regclass::oid, k.oid, 0, 'table constraint',
  ARRAY[c.nspname, c.relname, k.conname]::text[], '{}'::text[], 'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', regexp_replace(pg_get_constraintdef(k.oid),
      '( DEFERRABLE)?( INITIALLY DEFERRED)?( NOT VALID)?$', ''),
    'deferrable', CASE WHEN k.condeferred THEN 'DEFERRABLE INITIALLY DEFERRED'
      WHEN k.condeferrable THEN 'DEFERRABLE' END,
    'not_valid', NULLIF(NOT k.convalidated, false),
    'clustered', NULLIF(x.indisclustered, false),
    'options', CASE WHEN k.contype <> 'x' THEN ",
        storage_options!("i.reloptions"),
        " END,
    'attached_to', CASE WHEN k.contype IN ('p', 'u', 'x') THEN (
      SELECT format('%I.%I', n.nspname, p.relname) FROM pg_inherits h
      JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
      WHERE h.inhrelid = k.conindid) END,
    'tablespace', s.spcname))::text,
  jsonb_strip_nulls(jsonb_build_object(
    'type', k.contype,
    'index', CASE WHEN k.contype IN ('p', 'u') THEN pg_get_indexdef(k.conindid) END,
    'predicate', pg_get_expr(x.indpred, x.indrelid),
    'local', NULLIF(k.conislocal, false),
    'probe', ",
        constraint_probe!(),
        ",
    'from', CASE WHEN k.conparentid <> 0 THEN jsonb_build_array(
        'pg_constraint'::regclass::oid::int8, k.conparentid::int8, 0)
      WHEN k.coninhcount > 0 THEN (
        SELECT jsonb_build_array('pg_constraint'::regclass::oid::int8, p.oid::int8, 0)
        FROM pg_inherits i JOIN pg_constraint p ON p.conrelid = i.inhparent
          AND p.conname = k.conname AND p.contype = k.contype
        WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) END))::text
FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
LEFT JOIN pg_index x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_class i ON i.oid = x.indexrelid LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
WHERE k.contype IN ('p', 'u', 'f', 'c', 'x') AND NOT EXISTS (
  SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)"
    ),
    create,
    drop,
    attributes: &[
        ("definition", replace),
        ("deferrable", alter_deferrable),
        ("not_valid", alter_valid),
        ("clustered", alter_clustered),
        ("options", alter_options),
        ("attached_to", alter_attachment),
        ("tablespace", replace),
    ],
    inherited: &[],
    created_with_parent: true,
    blocks_retype: false,
};

pub(super) static DOMAIN_CONSTRAINT: Definition = Definition {
    kind: ObjectKind::DomainConstraint,
    creation_order: 50,
    query: "
SELECT 'pg_constraint'::regclass::oid, k.oid, 0, 'domain constraint',
  ARRAY[s.nspname, t.typname, k.conname]::text[], '{}'::text[], 'pg_type'::regclass::oid, t.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', ''),
    'not_valid', NULLIF(NOT k.convalidated, false)))::text,
  jsonb_build_object('check', pg_get_expr(k.conbin, 0))::text
FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN space s ON s.oid = t.typnamespace
WHERE k.contype = 'c' AND NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)",
    create: |it| {
        let sql = Sql::whole(format!(
            "ALTER DOMAIN {} ADD {}",
            it.fact.id.owner_path(),
            definition(it.fact)
        ));
        vec![domain_may_fail(sql, it.before, it.fact)]
    },
    drop: |_, fact| {
        let name = quote::name(fact.id.name());
        vec![Sql::whole(format!("ALTER DOMAIN {} DROP CONSTRAINT {name}", fact.id.owner_path()))]
    },
    attributes: &[("definition", replace), ("not_valid", alter_domain_valid)],
    inherited: &[],
    created_with_parent: true,
    blocks_retype: false,
};

/// The statement that creates the index of a key.
pub(crate) fn index_definition(fact: &Fact) -> Option<&str> {
    fact.note("index")
}

/// The constraint as a list of a table or domain has it.
pub(super) fn definition(fact: &Fact) -> String {
    let mut parts = vec![format!("CONSTRAINT {}", quote::name(fact.id.name()))];
    parts.extend(fact.text("definition").map(|it| with_index(it, fact)));
    parts.extend(fact.text("deferrable").map(str::to_owned));
    if fact.is("not_valid") {
        parts.push("NOT VALID".to_owned());
    }
    parts.join(" ")
}

/// Storage parameters and tablespace of the index stand before the predicate of an exclusion, whose
/// definition has the parameters already.
fn with_index(definition: &str, fact: &Fact) -> String {
    let place = fact
        .text("tablespace")
        .map(|it| format!(" USING INDEX TABLESPACE {}", quote::name(it)))
        .unwrap_or_default();
    let index = parameters::with(fact.attributes.get("options")) + &place;
    let predicate = fact.note("predicate").map(|it| format!(" WHERE ({it})")).unwrap_or_default();
    match definition.strip_suffix(&predicate) {
        Some(keys) => format!("{keys}{index}{predicate}"),
        None => format!("{definition}{index}"),
    }
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let head = alter_table::head(&it.fact.id.names);
    let only = if it.fact.is_noted("only") { " ONLY" } else { "" };
    let sql = Sql::clause(format!("{head}{only}"), format!("ADD {}", definition(it.fact)));
    let mut all = vec![match it.fact.is("not_valid") || probe::is_without_rows(it) {
        true => sql,
        false => may_fail(sql, it.fact, probe::of_created(it)),
    }];
    all.extend(it.fact.is("clustered").then(|| cluster(it.fact)));
    all
}

fn may_fail(sql: Sql, fact: &Fact, probe: Probe) -> Sql {
    let (table, name) = (fact.id.owner_path(), quote::name(fact.id.name()));
    sql.may_fail(format!("each row of {table} has to fit {name}"), probe)
}

/// The same for the values of a domain, in the columns that there were before.
fn domain_may_fail(sql: Sql, before: &Facts, fact: &Fact) -> Sql {
    let domain = fact.id.owner_path();
    let condition = format!("({}) IS FALSE", fact.note("check").unwrap_or("true"));
    match probe::of_domain(before, &domain, &condition) {
        Some(it) => sql.may_fail(format!("each value of {domain} has to fit"), it),
        None => sql,
    }
}

fn drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    let clause = format!("DROP CONSTRAINT {}", quote::name(fact.id.name()));
    vec![Sql::clause(alter_table::head(&fact.id.names), clause)]
}

fn cluster(fact: &Fact) -> Sql {
    let clause = format!("CLUSTER ON {}", quote::name(fact.id.name()));
    Sql::clause(alter_table::head(&fact.id.names), clause)
}

fn alter_deferrable(it: &Change<'_>) -> Outcome {
    if it.to.note("type") != Some("f") {
        return Outcome::Replace;
    }
    let how = it.wanted_text().unwrap_or("NOT DEFERRABLE");
    let clause = format!("ALTER CONSTRAINT {} {how}", quote::name(it.to.id.name()));
    Outcome::InPlace(vec![Sql::clause(alter_table::head(&it.to.id.names), clause)])
}

fn alter_valid(it: &Change<'_>) -> Outcome {
    if it.wanted_value().is_some() {
        return Outcome::Replace;
    }
    let clause = format!("VALIDATE CONSTRAINT {}", quote::name(it.to.id.name()));
    let sql = Sql::whole(format!("{} {clause}", alter_table::head(&it.to.id.names)));
    Outcome::InPlace(vec![may_fail(sql, it.to, probe::of(it.to))])
}

fn alter_domain_valid(it: &Change<'_>) -> Outcome {
    if it.wanted_value().is_some() {
        return Outcome::Replace;
    }
    let name = quote::name(it.to.id.name());
    let sql = format!("ALTER DOMAIN {} VALIDATE CONSTRAINT {name}", it.to.id.owner_path());
    Outcome::InPlace(vec![domain_may_fail(Sql::whole(sql), it.a, it.to)])
}

/// Those of the index. The server does not change them where the table is partitioned.
fn alter_options(it: &Change<'_>) -> Outcome {
    if it.b.parent(it.to).is_some_and(|it| it.attributes.contains_key("partition_key")) {
        return Outcome::Replace;
    }
    let index = quote::qualified(&[it.to.id.names[0].clone(), it.to.id.name().to_owned()]);
    let clauses = parameters::change(it.old_value(), it.wanted_value());
    let sql = |clause| Sql::whole(format!("ALTER INDEX {index} {clause}"));
    Outcome::InPlace(clauses.into_iter().map(sql).collect())
}

/// The key of a partition becomes part of the key above, and leaves it with its table alone.
fn alter_attachment(it: &Change<'_>) -> Outcome {
    let is_partition = |facts: &Facts, key: &Fact, within: &Facts| {
        let above = key.origin.and_then(|at| facts.parent(&facts.all[at]));
        let names = above.map(|above| [&key.id.names[..2], &above.id.names[..]].concat());
        names.is_some_and(|names| within.get(ObjectKind::Inheritance, &names).is_some())
    };
    let key_above = it.from.origin.map(|at| &it.a.all[at].id);
    if key_above.is_some_and(|key| it.b.get(key.kind, &key.names).is_none()) {
        // It goes with the key above.
        return Outcome::Replace;
    }
    if it.old_value().is_some() && is_partition(it.a, it.from, it.b) {
        let why =
            format!("{} is part of the key of the parent table and cannot be detached", it.to.id);
        return Outcome::Refuse(why);
    }
    let index = quote::qualified(&[it.to.id.names[0].clone(), it.to.id.name().to_owned()]);
    match it.wanted_text().filter(|_| is_partition(it.b, it.to, it.a)) {
        Some(above) => {
            let sql = format!("ALTER INDEX {above} ATTACH PARTITION {index}");
            Outcome::InPlace(vec![Sql::whole(sql)])
        }
        None => Outcome::InPlace(Vec::new()),
    }
}

fn alter_clustered(it: &Change<'_>) -> Outcome {
    let without = || Sql::clause(alter_table::head(&it.to.id.names), "SET WITHOUT CLUSTER");
    Outcome::InPlace(vec![it.wanted_value().map_or_else(without, |_| cluster(it.to))])
}
