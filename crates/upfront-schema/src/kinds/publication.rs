//! Publications and what they publish.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{
            Change, Created, Definition, Outcome, alter_owner, plain_drop, replace, with_owner,
        },
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static PUBLICATION: Definition = Definition {
    kind: ObjectKind::Publication,
    creation_order: 350,
    query: "
SELECT 'pg_publication'::regclass::oid, p.oid, 0, 'publication', ARRAY[p.pubname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(p.pubowner), current_user),
    'all_tables', NULLIF(p.puballtables, false),
    'publish', concat_ws(', ', CASE WHEN p.pubinsert THEN 'insert' END,
      CASE WHEN p.pubupdate THEN 'update' END, CASE WHEN p.pubdelete THEN 'delete' END,
      CASE WHEN p.pubtruncate THEN 'truncate' END),
    'via_root', p.pubviaroot))::text, '{}'
FROM pg_publication p",
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("all_tables", replace),
        ("publish", alter),
        ("via_root", alter),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static TABLE: Definition = Definition {
    kind: ObjectKind::PublicationRelation,
    creation_order: 351,
    query: "
SELECT 'pg_publication_rel'::regclass::oid, r.oid, 0, 'publication relation',
  ARRAY[p.pubname, c.nspname, c.relname]::text[], '{}'::text[],
  'pg_publication'::regclass::oid, p.oid, 0,
  jsonb_strip_nulls(jsonb_build_object(
    'columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs)),
    'where', pg_get_expr(r.prqual, c.oid)))::text, '{}'
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
JOIN relation c ON c.oid = r.prrelid",
    create: |it| vec![Sql::whole(format!("{} ADD TABLE {}", head(it.fact), table(it.fact)))],
    drop: |_: &Facts, fact| {
        let table = quote::qualified(&fact.id.names[1..]);
        vec![Sql::whole(format!("{} DROP TABLE {table}", head(fact)))]
    },
    attributes: &[("columns", replace), ("where", replace)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: true,
};

pub(super) static SCHEMA: Definition = Definition {
    kind: ObjectKind::PublicationNamespace,
    creation_order: 352,
    query: "
SELECT 'pg_publication_namespace'::regclass::oid, r.oid, 0, 'publication namespace',
  ARRAY[p.pubname, s.nspname]::text[], '{}'::text[], 'pg_publication'::regclass::oid, p.oid, 0,
  '{}', '{}'
FROM pg_publication_namespace r JOIN pg_publication p ON p.oid = r.pnpubid
JOIN space s ON s.oid = r.pnnspid",
    create: |it| vec![schema(it.fact, "ADD")],
    drop: |_: &Facts, fact| vec![schema(fact, "DROP")],
    attributes: &[],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn head(fact: &Fact) -> String {
    let publication = fact.id.names.first().map(String::as_str).unwrap_or_default();
    format!("ALTER PUBLICATION {}", quote::name(publication))
}

fn table(fact: &Fact) -> String {
    let columns = fact.text("columns").map(|it| format!(" ({it})")).unwrap_or_default();
    let filter = fact.text("where").map(|it| format!(" WHERE ({it})")).unwrap_or_default();
    format!("{}{columns}{filter}", quote::qualified(&fact.id.names[1..]))
}

fn schema(fact: &Fact, verb: &str) -> Sql {
    let name = quote::name(fact.id.name());
    Sql::whole(format!("{} {verb} TABLES IN SCHEMA {name}", head(fact)))
}

fn parameters(fact: &Fact) -> String {
    let publish = quote::literal(fact.text("publish").unwrap_or_default());
    format!("(publish = {publish}, publish_via_partition_root = {})", fact.is("via_root"))
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    let all = if it.fact.is("all_tables") { " FOR ALL TABLES" } else { "" };
    let path = it.fact.id.path();
    let text = format!("CREATE PUBLICATION {path}{all} WITH {}", parameters(it.fact));
    with_owner(it, vec![Sql::whole(text)])
}

fn alter(it: &Change<'_>) -> Outcome {
    let sql = format!("ALTER PUBLICATION {} SET {}", it.to.id.path(), parameters(it.to));
    Outcome::InPlace(vec![Sql::whole(sql)])
}
