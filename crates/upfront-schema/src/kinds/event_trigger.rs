//! Event triggers.

use crate::{
    catalog::facts::Fact,
    kinds::{
        definition::{
            Created, Definition, Outcome, alter_owner, plain_drop, replace, strings, with_owner,
        },
        object_kind::ObjectKind,
    },
    quote,
    sql::Sql,
};

pub(super) static EVENT_TRIGGER: Definition = Definition {
    kind: ObjectKind::EventTrigger,
    // Last, so that it does not see the changes around it.
    creation_order: 900,
    query: "
SELECT 'pg_event_trigger'::regclass::oid, e.oid, 0, 'event trigger', ARRAY[e.evtname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(e.evtowner), current_user),
    'event', e.evtevent, 'tags', e.evttags, 'function', format('%I.%I', n.nspname, p.proname),
    'enabled', NULLIF(e.evtenabled, 'O')))::text, '{}'
FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE NOT EXISTS (SELECT FROM member m
  WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = e.oid)",
    create,
    drop: plain_drop,
    attributes: &[
        ("owner", alter_owner),
        ("event", replace),
        ("tags", replace),
        ("function", replace),
        ("enabled", |it| Outcome::InPlace(vec![enable(it.to)])),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn create(it: &Created<'_>) -> Vec<Sql> {
    let fact = it.fact;
    let tags: Vec<_> =
        strings(fact.attributes.get("tags")).into_iter().map(quote::literal).collect();
    let when = match tags.is_empty() {
        true => String::new(),
        false => format!("\n  WHEN TAG IN ({})", tags.join(", ")),
    };
    let (event, function) = (fact.text("event").unwrap_or_default(), fact.text("function"));
    let text = format!(
        "CREATE EVENT TRIGGER {} ON {event}{when}\n  EXECUTE FUNCTION {}()",
        fact.id.path(),
        function.unwrap_or_default()
    );
    let mut sql = vec![Sql::whole(text)];
    sql.extend(fact.text("enabled").map(|_| enable(fact)));
    with_owner(it, sql)
}

fn enable(fact: &Fact) -> Sql {
    let verb = match fact.text("enabled") {
        Some("D") => "DISABLE",
        Some("R") => "ENABLE REPLICA",
        Some("A") => "ENABLE ALWAYS",
        _ => "ENABLE",
    };
    Sql::whole(format!("ALTER EVENT TRIGGER {} {verb}", fact.id.path()))
}
