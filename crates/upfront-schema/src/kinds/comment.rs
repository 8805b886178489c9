//! Comments on anything.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome},
        object_kind::ObjectKind,
        reference::reference,
    },
    quote,
    sql::Sql,
};

pub(super) static COMMENT: Definition = Definition {
    kind: ObjectKind::Comment,
    creation_order: 500,
    query: "
SELECT d.classoid, d.objoid, -1 - d.objsubid, 'comment',
  ARRAY[CASE WHEN i.type LIKE '%column' THEN 'column' ELSE i.type END] || i.object_names,
  i.object_args, d.classoid, d.objoid, d.objsubid,
  jsonb_build_object('text', d.description)::text, '{}'
FROM pg_description d
CROSS JOIN LATERAL pg_identify_object_as_address(d.classoid, d.objoid, d.objsubid) i
LEFT JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
WHERE (d.objoid >= 16384 OR d.classoid IN ('pg_namespace'::regclass, 'pg_extension'::regclass)
  AND (SELECT count(*) FROM space s WHERE d.objoid = s.oid
    OR d.classoid = 'pg_extension'::regclass) > 0)
AND NOT EXISTS (SELECT FROM member m WHERE m.classid = d.classoid AND m.objid = d.objoid)
AND (c.oid IS NULL OR c.relnamespace IN (SELECT oid FROM space))
AND i.object_names[1] <> ALL ($1)",
    create: |it: &Created<'_>| vec![comment(it.fact, it.fact.text("text"))],
    drop: |_: &Facts, fact| vec![comment(fact, None)],
    attributes: &[("text", alter)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn alter(it: &Change<'_>) -> Outcome {
    Outcome::InPlace(vec![comment(it.to, it.wanted_text())])
}

fn comment(fact: &Fact, text: Option<&str>) -> Sql {
    let text = text.map_or_else(|| "NULL".to_owned(), quote::literal);
    Sql::whole(format!("COMMENT ON {} IS {text}", target(fact)))
}

fn target(fact: &Fact) -> String {
    fact.id.target().map_or_else(String::new, |id| format!("{} {}", id.kind.noun(), reference(&id)))
}
