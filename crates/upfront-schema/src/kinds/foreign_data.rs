//! Foreign data wrappers, servers and user mappings.

use crate::{
    kinds::{
        definition::{
            Change, Created, Definition, Outcome, alter_owner, plain_drop, replace, with_owner,
        },
        object_kind::ObjectKind,
        parameters,
        reference::reference,
    },
    quote,
    sql::Sql,
};

pub(super) static WRAPPER: Definition = Definition {
    kind: ObjectKind::ForeignDataWrapper,
    creation_order: 50,
    query: "
SELECT 'pg_foreign_data_wrapper'::regclass::oid, w.oid, 0, 'foreign-data wrapper',
  ARRAY[w.fdwname]::text[], '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(w.fdwowner), current_user),
    'handler', CASE WHEN w.fdwhandler <> 0 THEN w.fdwhandler::regproc END,
    'validator', CASE WHEN w.fdwvalidator <> 0 THEN w.fdwvalidator::regproc END,
    'options', (SELECT jsonb_object_agg(option_name, coalesce(option_value, ''))
      FROM pg_options_to_table(w.fdwoptions))))::text, '{}'
FROM pg_foreign_data_wrapper w WHERE NOT EXISTS (
  SELECT FROM member m WHERE m.classid = 'pg_foreign_data_wrapper'::regclass AND m.objid = w.oid)",
    create: |it| {
        let part = |attribute, word: &str| {
            it.fact.text(attribute).map(|it| format!(" {word} {it}")).unwrap_or_default()
        };
        create(it, &(part("handler", "HANDLER") + &part("validator", "VALIDATOR")))
    },
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("handler", replace),
        ("validator", replace),
        ("options", alter_options),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static SERVER: Definition = Definition {
    kind: ObjectKind::Server,
    creation_order: 51,
    query: "
SELECT 'pg_foreign_server'::regclass::oid, s.oid, 0, 'server', ARRAY[s.srvname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(s.srvowner), current_user),
    'type', s.srvtype, 'version', s.srvversion, 'wrapper', w.fdwname,
    'options', (SELECT jsonb_object_agg(option_name, coalesce(option_value, ''))
      FROM pg_options_to_table(s.srvoptions))))::text, '{}'
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_foreign_server'::regclass AND m.objid = s.oid)",
    create: |it| {
        let part = |attribute, word: &str| {
            let value = it.fact.text(attribute).map(quote::literal);
            value.map(|it| format!(" {word} {it}")).unwrap_or_default()
        };
        let wrapper = quote::name(it.fact.text("wrapper").unwrap_or_default());
        let about = part("type", "TYPE") + &part("version", "VERSION");
        create(it, &format!("{about} FOREIGN DATA WRAPPER {wrapper}"))
    },
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("type", replace),
        ("version", alter_version),
        ("wrapper", replace),
        ("options", alter_options),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static MAPPING: Definition = Definition {
    kind: ObjectKind::UserMapping,
    creation_order: 52,
    query: "
SELECT 'pg_user_mapping'::regclass::oid, u.oid, 0, 'user mapping',
  ARRAY[CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(u.umuser) END, s.srvname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object('options', (
    SELECT jsonb_object_agg(option_name, coalesce(option_value, ''))
    FROM pg_options_to_table(u.umoptions))))::text, '{}'
FROM pg_user_mapping u JOIN pg_foreign_server s ON s.oid = u.umserver",
    create: |it| create(it, ""),
    drop: plain_drop,
    attributes: &[("options", alter_options)],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>, middle: &str) -> Vec<Sql> {
    let options = parameters::foreign(it.fact.attributes.get("options"));
    let noun = it.fact.id.kind.noun();
    let text = format!("CREATE {noun} {}{middle}{options}", reference(&it.fact.id));
    with_owner(it, vec![Sql::whole(text)])
}

fn alter_options(it: &Change<'_>) -> Outcome {
    let change = parameters::change_foreign(it.old_value(), it.wanted_value());
    let noun = it.to.id.kind.noun();
    Outcome::InPlace(vec![Sql::whole(format!("ALTER {noun} {} {change}", reference(&it.to.id)))])
}

fn alter_version(it: &Change<'_>) -> Outcome {
    match it.wanted_text().map(quote::literal) {
        Some(to) => {
            let sql = format!("ALTER SERVER {} VERSION {to}", it.to.id.path());
            Outcome::InPlace(vec![Sql::whole(sql)])
        }
        None => Outcome::Replace,
    }
}
