//! Extended statistics.

use crate::{
    catalog::facts::Fact,
    kinds::{
        definition::{Created, Definition, Outcome, alter_owner, plain_drop, replace, with_owner},
        object_kind::ObjectKind,
    },
    sql::Sql,
};

pub(super) static STATISTICS: Definition = Definition {
    kind: ObjectKind::StatisticsObject,
    creation_order: 285,
    query: "
SELECT 'pg_statistic_ext'::regclass::oid, x.oid, 0, 'statistics object',
  ARRAY[s.nspname, x.stxname]::text[], '{}'::text[], 'pg_class'::regclass::oid, c.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(x.stxowner), current_user),
    'definition', pg_get_statisticsobjdef(x.oid),
    'target', NULLIF(x.stxstattarget, -1)))::text, '{}'
FROM pg_statistic_ext x JOIN space s ON s.oid = x.stxnamespace JOIN relation c ON c.oid = x.stxrelid",
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("definition", replace),
        ("target", |it| Outcome::InPlace(vec![target(it.to)])),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let mut sql = vec![Sql::whole(it.fact.text("definition").unwrap_or_default())];
    sql.extend(it.fact.attributes.get("target").map(|_| target(it.fact)));
    with_owner(it, sql)
}

fn target(fact: &Fact) -> Sql {
    let value = fact.attributes.get("target").and_then(serde_json::Value::as_i64).unwrap_or(-1);
    Sql::whole(format!("ALTER STATISTICS {} SET STATISTICS {value}", fact.id.path()))
}
