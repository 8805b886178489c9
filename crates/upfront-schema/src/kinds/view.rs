//! Views and materialized views.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome, alter_owner, replace, with_owner},
        object_kind::ObjectKind,
        parameters,
    },
    quote,
    sql::Sql,
};

pub(super) static VIEW: Definition = Definition {
    kind: ObjectKind::View,
    creation_order: 260,
    query: concat!(
        "
SELECT 'pg_class'::regclass::oid, c.oid, 0,
  CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END,
  ARRAY[c.nspname, c.relname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.relowner), current_user),
    'definition', rtrim(pg_get_viewdef(c.oid), '; '),
    'columns', (SELECT jsonb_agg(jsonb_build_array(a.attname,
        format_type(a.atttypid, a.atttypmod), a.attcollation::text) ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'options', ",
        storage_options!("c.reloptions"),
        ",
    'access_method', NULLIF(am.amname, 'heap'),
    'tablespace', t.spcname,
    'settings', CASE c.relkind WHEN 'm' THEN (
      SELECT jsonb_object_agg(a.attname, s) FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
      CROSS JOIN LATERAL jsonb_strip_nulls(jsonb_build_object(
        'STATISTICS', NULLIF(a.attstattarget, -1)::text,
        'STORAGE', CASE WHEN a.attstorage <> y.typstorage THEN CASE a.attstorage
          WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
        'COMPRESSION', CASE a.attcompression WHEN 'l' THEN 'lz4' WHEN 'p' THEN 'pglz' END,
        '', '(' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attoptions) o
          WHERE o !~ '^pg_') || ')')) s
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND s <> '{}') END,
    'unpopulated', CASE WHEN c.relkind = 'm' THEN NULLIF(NOT c.relispopulated, false) END))::text,
  '{}'
FROM relation c LEFT JOIN pg_am am ON am.oid = c.relam
LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
WHERE c.relkind IN ('v', 'm')"
    ),
    create,
    drop: |_: &Facts, fact| vec![Sql::whole(format!("DROP VIEW {}", fact.id.path()))],
    attributes: &[
        ("owner", alter_owner),
        ("definition", alter_definition),
        ("columns", alter_definition),
        ("options", alter_options),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

pub(super) static MATERIALIZED: Definition = Definition {
    kind: ObjectKind::MaterializedView,
    creation_order: 265,
    query: "",
    create: create_materialized,
    drop: |_: &Facts, fact| vec![Sql::whole(format!("DROP MATERIALIZED VIEW {}", fact.id.path()))],
    attributes: &[
        ("owner", alter_owner),
        ("definition", replace),
        ("columns", replace),
        ("options", alter_options),
        ("access_method", replace),
        ("tablespace", replace),
        ("settings", alter_settings),
        ("unpopulated", |_| Outcome::InPlace(Vec::new())),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

fn definition(fact: &Fact) -> &str {
    fact.text("definition").unwrap_or_default().trim()
}

/// One that has no columns has no list of them either.
fn create(it: &Created<'_>) -> Vec<Sql> {
    let with = parameters::with(it.fact.attributes.get("options"));
    let text = format!("CREATE VIEW {}{with} AS\n{}", it.fact.id.path(), definition(it.fact));
    with_owner(it, vec![Sql::whole(text)])
}

fn create_materialized(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let using = fact.text("access_method").map(|it| format!(" USING {}", quote::name(it)));
    let place = fact.text("tablespace").map(|it| format!(" TABLESPACE {}", quote::name(it)));
    let text = format!(
        "CREATE MATERIALIZED VIEW {}{}{}{} AS\n{}{}",
        fact.id.path(),
        using.unwrap_or_default(),
        parameters::with(fact.attributes.get("options")),
        place.unwrap_or_default(),
        definition(fact),
        if fact.is("unpopulated") { "\nWITH NO DATA" } else { "" }
    );
    let mut sql = vec![Sql::whole(text)];
    sql.extend(settings(fact, None));
    with_owner(it, sql)
}

/// What sets the columns' storage and statistics where they are not as before.
fn settings(fact: &Fact, before: Option<&Value>) -> Vec<Sql> {
    let all = fact.attributes.get("settings").and_then(Value::as_object);
    let each = all.into_iter().flatten().flat_map(|(column, settings)| {
        let settings = settings.as_object().into_iter().flatten();
        settings.map(move |(what, value)| (column, what, value.as_str().unwrap_or_default()))
    });
    let is_other = |(column, what, value): &(&String, &String, &str)| {
        let old = before.and_then(|it| it.get(column)).and_then(|it| it.get(what));
        old.and_then(Value::as_str) != Some(value)
    };
    let path = fact.id.path();
    let sql = |(column, what, value): (&String, &String, &str)| {
        let words = format!("SET {what} {value}").replace("  ", " ");
        Sql::whole(format!(
            "ALTER MATERIALIZED VIEW {path} ALTER COLUMN {} {words}",
            quote::name(column)
        ))
    };
    each.filter(is_other).map(sql).collect()
}

/// There is no word for the usual storage of a type, so what is taken back needs a new view.
fn alter_settings(it: &Change<'_>) -> Outcome {
    let columns = |of: Option<&Value>| of.and_then(Value::as_object).cloned().unwrap_or_default();
    let (old, new) = (columns(it.old_value()), columns(it.wanted_value()));
    let keeps = |(column, settings): (&String, &Value)| {
        let settings = settings.as_object().into_iter().flatten();
        settings
            .into_iter()
            .all(|(what, _)| new.get(column).is_some_and(|it| it.get(what).is_some()))
    };
    match old.iter().all(keeps) {
        true => Outcome::InPlace(settings(it.to, it.old_value())),
        false => Outcome::Replace,
    }
}

/// A view keeps its name if its columns stay and new ones come last.
fn alter_definition(it: &Change<'_>) -> Outcome {
    let columns = |fact: &Fact| {
        let all = fact.attributes.get("columns").and_then(Value::as_array);
        all.cloned().unwrap_or_default()
    };
    if !columns(it.to).starts_with(&columns(it.from)) {
        return Outcome::Replace;
    }
    if it.attribute == "columns" && it.also("definition") {
        return Outcome::InPlace(Vec::new());
    }
    let with = parameters::with(it.to.attributes.get("options"));
    let path = it.to.id.path();
    let text = format!("CREATE OR REPLACE VIEW {path}{with} AS\n{}", definition(it.to));
    Outcome::InPlace(vec![Sql::whole(text)])
}

fn alter_options(it: &Change<'_>) -> Outcome {
    if it.also("definition") {
        return Outcome::InPlace(Vec::new());
    }
    let head = format!("ALTER {} {}", it.to.id.kind.noun(), it.to.id.path());
    let clauses = parameters::change(it.old_value(), it.wanted_value());
    Outcome::InPlace(clauses.iter().map(|it| Sql::whole(format!("{head} {it}"))).collect())
}
