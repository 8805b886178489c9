//! Columns of tables. Defaults are facts of their own; generation and identity are not.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        alter_table::{self, clause, comes_from_parent, in_place, typed},
        column_type, default_value,
        definition::{Change, Created, Definition, Outcome},
        identity_column::{self, list},
        not_null,
        object_kind::ObjectKind,
        parameters, probe, sequence,
    },
    quote,
    sql::Sql,
};

pub(super) static COLUMN: Definition = Definition {
    kind: ObjectKind::Column,
    creation_order: 110,
    query: concat!(
        "
SELECT 'pg_class'::regclass::oid, c.oid, a.attnum::int4, 'column',
  ARRAY[c.nspname, c.relname, a.attname]::text[], '{}'::text[],
  'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'type', format_type(a.atttypid, a.atttypmod),
    'not_null', NULLIF(a.attnotnull, false),
    'not_null_how', (SELECT NULLIF(concat_ws(' ', CASE WHEN k.connoinherit THEN 'NO INHERIT' END,
        CASE WHEN NOT k.convalidated THEN 'NOT VALID' END), '') FROM pg_constraint k
      WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]),
    'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
    'identity_options', CASE WHEN a.attidentity <> '' THEN (
      SELECT NULLIF(",
        sequence_options!(),
        " - 'type' || jsonb_strip_nulls(jsonb_build_object(
          'persistence', CASE WHEN current_setting('server_version_num')::int4 >= 150000 THEN
            NULLIF(q.relpersistence, c.relpersistence) END,
          'name', NULLIF(format('%I.%I', n.nspname, q.relname),
            format('%I.%I', c.nspname, c.relname || '_' || a.attname || '_seq')))), '{}')
      FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
      JOIN pg_class q ON q.oid = s.seqrelid JOIN pg_namespace n ON n.oid = q.relnamespace
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i') END,
    'generated', CASE WHEN a.attgenerated <> '' THEN (
      SELECT '(' || pg_get_expr(d.adbin, d.adrelid) || ') '
        || CASE a.attgenerated WHEN 'v' THEN 'VIRTUAL' ELSE 'STORED' END FROM pg_attrdef d
      WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END,
    'collation', CASE WHEN a.attcollation <> t.typcollation THEN (
      SELECT format('%I.%I', n.nspname, o.collname) FROM pg_collation o
      JOIN pg_namespace n ON n.oid = o.collnamespace WHERE o.oid = a.attcollation) END,
    'storage', NULLIF(a.attstorage, t.typstorage),
    'compression', NULLIF(a.attcompression, ''),
    'statistics', NULLIF(a.attstattarget, -1),
    'options', ",
        storage_options!("a.attoptions"),
        ",
    'foreign_options', (SELECT jsonb_object_agg(option_name, coalesce(option_value, ''))
      FROM pg_options_to_table(a.attfdwoptions))))::text,
  jsonb_strip_nulls(jsonb_build_object(
    'position', a.attnum,
    'base', format_type(a.atttypid, NULL),
    'root', format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END, NULL),
    'category', t.typcategory,
    'usual_storage', t.typstorage,
    'not_null_name', (SELECT k.conname FROM pg_constraint k
      WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]),
    'local', NULLIF(a.attislocal, false),
    'from', CASE WHEN a.attinhcount > 0 THEN (
      SELECT jsonb_build_array('pg_class'::regclass::oid::int8, p.attrelid::int8, p.attnum)
      FROM pg_inherits i JOIN pg_attribute p ON p.attrelid = i.inhparent AND p.attname = a.attname
      WHERE i.inhrelid = c.oid ORDER BY i.inhseqno LIMIT 1) END))::text
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped"
    ),
    create,
    drop,
    attributes: &[
        ("type", column_type::alter_type),
        ("collation", column_type::alter_collation),
        ("generated", alter_generated),
        ("not_null", alter_not_null),
        ("not_null_how", not_null::alter),
        ("identity", identity_column::alter_identity),
        ("identity_options", identity_column::alter_identity_options),
        ("storage", alter_storage),
        ("compression", |it| set(it, "COMPRESSION", compression(it.to))),
        ("statistics", |it| set(it, "STATISTICS", &statistics(it.to))),
        ("options", alter_options),
        ("foreign_options", alter_foreign),
    ],
    inherited: &["not_null", "statistics", "storage"],
    created_with_parent: true,
    // Only one that is generated uses another.
    blocks_retype: true,
};

/// The column as the list of a table has it.
pub(super) fn definition(it: &Created<'_>) -> String {
    let fact = it.fact;
    let serial = sequence::serial_type(it);
    let mut parts = vec![quote::name(fact.id.name())];
    parts.push(serial.map_or_else(|| typed(fact), str::to_owned));
    parts.extend(fact.text("collation").map(|it| format!("COLLATE {it}")));
    if fact.attributes.contains_key("foreign_options") {
        parts.push(parameters::foreign(fact.attributes.get("foreign_options")).trim().to_owned());
    }
    if serial.is_none() {
        parts.extend(not_null::words(fact));
    }
    parts.extend(fact.text("generated").map(|it| format!("GENERATED ALWAYS AS {it}")));
    parts.extend(
        fact.text("identity").map(|it| format!("GENERATED {it} AS IDENTITY{}", list(fact))),
    );
    let default = it.folded.iter().find(|it| it.fact.id.kind == ObjectKind::DefaultValue);
    if let Some(it) = default.filter(|_| serial.is_none()) {
        parts.push(format!("DEFAULT {}", default_value::expression(it.fact)));
    }
    parts.join(" ")
}

/// What `CREATE TABLE` and `ADD COLUMN` have no words for in every version.
pub(super) fn after_create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let has =
        |attribute| fact.id.kind == ObjectKind::Column && fact.attributes.contains_key(attribute);
    let mut clauses = Vec::new();
    let strict = has("not_null_how").then(|| not_null::unchecked(fact)).flatten();
    if has("storage") {
        clauses.push(format!("SET STORAGE {}", storage(fact, "storage")));
    }
    if has("compression") {
        clauses.push(format!("SET COMPRESSION {}", compression(fact)));
    }
    if has("statistics") {
        clauses.push(format!("SET STATISTICS {}", statistics(fact)));
    }
    if has("options") {
        clauses.extend(parameters::change(None, fact.attributes.get("options")));
    }
    let persistence = has("identity").then(|| identity_column::persistence(fact)).flatten();
    let clauses = clauses.into_iter().map(|it| clause(fact, &it));
    clauses.chain(strict).chain(persistence).collect()
}

/// A column that comes from the table above and forbids NULL on its own.
pub(super) fn stricter(facts: &Facts, fact: &Fact) -> Option<Sql> {
    let origin = fact.origin.filter(|_| fact.id.kind == ObjectKind::Column)?;
    let is_own = fact.is("not_null") && !facts.all[origin].is("not_null");
    (is_own && !fact.is_noted("local")).then(|| clause(fact, "SET NOT NULL"))
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let head = alter_table::head(&it.fact.id.names);
    let mut sql = Sql::clause(head, format!("ADD COLUMN {}", definition(it)));
    let filled = ["generated", "identity"].iter().any(|a| it.fact.attributes.contains_key(*a));
    let takes_null = not_null::words(it.fact).is_none() && !probe::has_strict_domain(it);
    if !takes_null && it.folded.is_empty() && !filled && !probe::is_without_rows(it) {
        let why = format!("{} is NOT NULL and rows have no value", it.fact.id.path());
        sql = sql.may_fail(why, probe::rows(&it.fact.id.owner_path()));
    }
    let mut all = vec![sql];
    all.extend(after_create(it));
    all
}

fn drop(_: &Facts, fact: &Fact) -> Vec<Sql> {
    let head = alter_table::head(&fact.id.names);
    let sql = Sql::clause(head, format!("DROP COLUMN {}", quote::name(fact.id.name())));
    vec![match fact.attributes.contains_key("generated") {
        true => sql,
        false => sql.loses(format!("all values of {}", fact.id.path())),
    }]
}

fn set(it: &Change<'_>, what: &str, value: &str) -> Outcome {
    in_place(it, &format!("SET {what} {value}"))
}

fn alter_generated(it: &Change<'_>) -> Outcome {
    match it.wanted_value() {
        Some(_) => Outcome::Replace,
        None => in_place(it, "DROP EXPRESSION"),
    }
}

fn alter_not_null(it: &Change<'_>) -> Outcome {
    if comes_from_parent(it) {
        return Outcome::InPlace(Vec::new());
    }
    match it.wanted_value() {
        Some(_) if it.to.attributes.contains_key("not_null_how") => {
            Outcome::InPlace(vec![not_null::add(it.to)])
        }
        // An identity column is NOT NULL before it is one.
        Some(_) => Outcome::InPlace(vec![set_not_null(it.to)]),
        None if identity_column::loses_identity(it) => Outcome::InPlace(Vec::new()),
        None => Outcome::InPlace(vec![clause(it.to, "DROP NOT NULL")]),
    }
}

pub(crate) fn set_not_null(column: &Fact) -> Sql {
    let why = format!("no row may have NULL in {}", column.id.path());
    clause(column, "SET NOT NULL").may_fail(why, probe::nulls(column))
}

fn storage(fact: &Fact, which: &str) -> &'static str {
    match fact.text(which).or_else(|| fact.note("usual_storage")) {
        Some("p") => "PLAIN",
        Some("e") => "EXTERNAL",
        Some("m") => "MAIN",
        _ => "EXTENDED",
    }
}

fn alter_storage(it: &Change<'_>) -> Outcome {
    set(it, "STORAGE", storage(it.to, "storage"))
}

fn compression(fact: &Fact) -> &'static str {
    match fact.text("compression") {
        Some("l") => "lz4",
        Some(_) => "pglz",
        None => "default",
    }
}

fn statistics(fact: &Fact) -> String {
    fact.attributes.get("statistics").map_or_else(|| "-1".to_owned(), Value::to_string)
}

fn alter_options(it: &Change<'_>) -> Outcome {
    let clauses = parameters::change(it.old_value(), it.wanted_value());
    Outcome::InPlace(clauses.iter().map(|text| clause(it.to, text)).collect())
}

fn alter_foreign(it: &Change<'_>) -> Outcome {
    in_place(it, &parameters::change_foreign(it.old_value(), it.wanted_value()))
}
