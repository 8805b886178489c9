//! Indexes that no constraint owns, and by which of them a table's rows are known to replicas.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        alter_table,
        definition::{Change, Created, Definition, Outcome, plain_drop, replace},
        object_kind::ObjectKind,
        parameters, probe,
    },
    quote,
    sql::Sql,
};

pub(super) static INDEX: Definition = Definition {
    kind: ObjectKind::Index,
    creation_order: 270,
    query: concat!(
        "
SELECT 'pg_class'::regclass::oid, i.oid, 0, 'index', ARRAY[t.nspname, i.relname]::text[],
  '{}'::text[], 'pg_class'::regclass::oid, t.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'definition', replace(pg_get_indexdef(i.oid), ' WITH (' || coalesce((
      SELECT string_agg(format('%I=%s', option_name, CASE WHEN quote_ident(option_value) = option_value
        THEN option_value ELSE quote_literal(option_value) END), ', ' ORDER BY o.ordinality)
      FROM pg_options_to_table(i.reloptions) WITH ORDINALITY o), '') || ')', ''),
    'options', ",
        storage_options!("i.reloptions"),
        ",
    'clustered', NULLIF(x.indisclustered, false),
    'invalid', NULLIF(NOT x.indisvalid, false),
    'attached_to', (SELECT format('%I.%I', n.nspname, p.relname) FROM pg_inherits h
      JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace n ON n.oid = p.relnamespace
      WHERE h.inhrelid = i.oid),
    'tablespace', s.spcname,
    'statistics', (SELECT jsonb_object_agg(a.attnum, a.attstattarget) FROM pg_attribute a
      WHERE a.attrelid = i.oid AND a.attstattarget >= 0)))::text,
  jsonb_strip_nulls(jsonb_build_object('predicate', pg_get_expr(x.indpred, x.indrelid), 'probe', CASE WHEN x.indisunique THEN ",
        unique_probe!("t"),
        " END, 'from', (
    SELECT jsonb_build_array('pg_class'::regclass::oid::int8, h.inhparent::int8, 0)
    FROM pg_inherits h WHERE h.inhrelid = i.oid)))::text
FROM pg_index x JOIN relation t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_tablespace s ON s.oid = i.reltablespace
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
  AND d.objid = i.oid AND d.refclassid = 'pg_constraint'::regclass AND d.deptype = 'i')"
    ),
    create,
    drop: plain_drop,
    attributes: &[
        ("definition", replace),
        ("options", alter_options),
        ("clustered", alter_clustered),
        ("invalid", alter_invalid),
        ("attached_to", alter_attachment),
        ("tablespace", alter_tablespace),
        ("statistics", alter_statistics),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static REPLICA_IDENTITY: Definition = Definition {
    kind: ObjectKind::ReplicaIdentity,
    creation_order: 280,
    query: "
SELECT 'pg_index'::regclass::oid, c.oid, 0, 'replica identity',
  ARRAY[c.nspname, c.relname]::text[], '{}'::text[], 'pg_class'::regclass::oid, c.oid, 0,
  jsonb_build_object('by', CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
    ELSE coalesce('USING INDEX ' || quote_ident(i.relname), 'NOTHING') END)::text,
  jsonb_strip_nulls(jsonb_build_object('needs', CASE WHEN i.oid IS NOT NULL THEN
    jsonb_build_array(jsonb_build_array('pg_class'::regclass::oid::int8, i.oid::int8, 0)) END))::text
FROM relation c LEFT JOIN pg_index x ON x.indrelid = c.oid AND x.indisreplident
LEFT JOIN pg_class i ON i.oid = x.indexrelid
WHERE c.relkind IN ('r', 'p', 'm') AND c.relreplident <> 'd'",
    create: |it| vec![identify(it.fact, it.fact.text("by"))],
    drop: |_: &Facts, fact| vec![identify(fact, None)],
    attributes: &[("by", |it| Outcome::InPlace(vec![identify(it.to, it.wanted_text())]))],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn identify(fact: &Fact, by: Option<&str>) -> Sql {
    let by = by.unwrap_or("DEFAULT");
    Sql::clause(alter_table::head(&fact.id.names), format!("REPLICA IDENTITY {by}"))
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let own = quote::name(fact.id.name());
    let (only, all) = (format!("INDEX {own} ON ONLY "), format!("INDEX {own} ON "));
    let text = fact.text("definition").unwrap_or_default().replacen(&only, &all, 1);
    let text = with_options(&text, fact);
    let sql = Sql::whole(text);
    let unique = fact.text("definition").is_some_and(|it| it.starts_with("CREATE UNIQUE"));
    let mut all = vec![match unique && !probe::is_without_rows(it) {
        true => sql.may_fail("no two rows may be alike", probe::of_created(it)),
        false => sql,
    }];
    all.extend(fact.is("clustered").then(|| cluster(it.facts, fact)).flatten());
    all.extend(statistics(fact, None));
    all
}

/// Storage parameters and tablespace stand before the predicate.
fn with_options(text: &str, fact: &Fact) -> String {
    let tablespace = fact.text("tablespace").map(|it| format!(" TABLESPACE {}", quote::name(it)));
    let extra = parameters::with(fact.attributes.get("options")) + &tablespace.unwrap_or_default();
    let predicate = fact.note("predicate").map(|it| format!(" WHERE {it}")).unwrap_or_default();
    match text.strip_suffix(&predicate) {
        Some(keys) => format!("{keys}{extra}{predicate}"),
        None => format!("{text}{extra}"),
    }
}

fn cluster(facts: &Facts, fact: &Fact) -> Option<Sql> {
    let table = facts.parent(fact)?;
    let clause = format!("CLUSTER ON {}", quote::name(fact.id.name()));
    Some(Sql::clause(alter_table::head(&table.id.names), clause))
}

fn alter_clustered(it: &Change<'_>) -> Outcome {
    let table = it.b.parent(it.to).map(|it| alter_table::head(&it.id.names)).unwrap_or_default();
    let sql = match it.wanted_value() {
        Some(_) => cluster(it.b, it.to),
        None => Some(Sql::clause(table, "SET WITHOUT CLUSTER")),
    };
    Outcome::InPlace(sql.into_iter().collect())
}

/// The server does not change those of an index of a partitioned table.
fn alter_options(it: &Change<'_>) -> Outcome {
    if it.b.parent(it.to).is_some_and(|it| it.attributes.contains_key("partition_key")) {
        return Outcome::Replace;
    }
    let path = it.to.id.path();
    let clauses = parameters::change(it.old_value(), it.wanted_value());
    let sql = |clause| Sql::whole(format!("ALTER INDEX {path} {clause}"));
    Outcome::InPlace(clauses.into_iter().map(sql).collect())
}

/// An index that is valid by the wish and not in fact is what a `CONCURRENTLY` left behind. That of
/// a partitioned table is valid once each partition has its part of it.
fn alter_invalid(it: &Change<'_>) -> Outcome {
    let table = it.b.parent(it.to);
    let is_partitioned = table.is_some_and(|it| it.attributes.contains_key("partition_key"));
    match it.wanted_value() {
        None if is_partitioned => Outcome::InPlace(Vec::new()),
        None => Outcome::Replace,
        Some(_) if is_partitioned => Outcome::Replace,
        Some(_) => {
            Outcome::Refuse(format!("the desired schema has {} as an invalid index", it.to.id))
        }
    }
}

/// An index that is attached can only leave that of the table above with its partition, or by a new
/// one in the place of both. To attach one is up to the steps.
fn alter_attachment(it: &Change<'_>) -> Outcome {
    let is_partition = |facts: &Facts, index: &Fact| {
        let above = index.origin.and_then(|at| facts.parent(&facts.all[at]));
        let names = facts
            .parent(index)
            .zip(above)
            .map(|(own, above)| [own.id.names.clone(), above.id.names.clone()].concat());
        names.is_some_and(|names| it.b.get(ObjectKind::Inheritance, &names).is_some())
    };
    match it.old_value() {
        Some(_) if is_partition(it.a, it.from) => Outcome::Replace,
        _ => Outcome::InPlace(Vec::new()),
    }
}

fn alter_tablespace(it: &Change<'_>) -> Outcome {
    let place = quote::name(it.wanted_text().unwrap_or("pg_default"));
    let sql = format!("ALTER INDEX {} SET TABLESPACE {place}", it.to.id.path());
    Outcome::InPlace(vec![Sql::whole(sql)])
}

fn alter_statistics(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(statistics(it.to, it.old_value()))
}

fn statistics(fact: &Fact, old: Option<&Value>) -> Vec<Sql> {
    let keys = |it: Option<&Value>| -> Vec<String> {
        it.and_then(Value::as_object).map(|it| it.keys().cloned().collect()).unwrap_or_default()
    };
    let new = fact.attributes.get("statistics");
    let mut all = keys(new);
    all.extend(keys(old));
    all.sort();
    all.dedup();
    let target =
        |key: &String| new.and_then(|it| it.get(key)).map_or(-1, |it| it.as_i64().unwrap_or(-1));
    let path = fact.id.path();
    let sql = |key| format!("ALTER INDEX {path} ALTER COLUMN {key} SET STATISTICS {}", target(key));
    all.iter().map(|key| Sql::whole(sql(key))).collect()
}
