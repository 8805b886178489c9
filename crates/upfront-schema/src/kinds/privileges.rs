//! Privileges on objects and columns, and those that new objects get.

use serde_json::{Map, Value, json};

use crate::{
    catalog::{
        facts::{Fact, Facts},
        identity::Identity,
    },
    kinds::{
        definition::{Change, Definition, Outcome},
        grant::{self, Grants},
        object_kind::ObjectKind,
        reference::reference,
    },
    quote,
    sql::Sql,
};

/// Notes that grants are beside those of the setup of scratch databases.
const BESIDE: &str = "beside_setup";

pub(super) static PRIVILEGES: Definition = Definition {
    kind: ObjectKind::Privileges,
    creation_order: 450,
    query: "
, acl AS (
  SELECT 'pg_class'::regclass::oid AS class, c.oid AS object, 0 AS sub, c.relacl AS acl,
    c.relowner AS owner, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\",
    c.relowner) AS usual FROM pg_class c JOIN space s ON s.oid = c.relnamespace
  UNION ALL SELECT 'pg_class'::regclass, c.oid, a.attnum, a.attacl, c.relowner, NULL
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE NOT a.attisdropped
  UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspacl, n.nspowner,
    acldefault('n', n.nspowner) FROM pg_namespace n JOIN space USING (oid)
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, p.proacl, p.proowner,
    acldefault('f', p.proowner) FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
  UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, t.typacl, t.typowner,
    acldefault('T', t.typowner) FROM pg_type t JOIN space s ON s.oid = t.typnamespace
  UNION ALL SELECT 'pg_foreign_server'::regclass, f.oid, 0, f.srvacl, f.srvowner,
    acldefault('S', f.srvowner) FROM pg_foreign_server f
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, f.oid, 0, f.fdwacl, f.fdwowner,
    acldefault('F', f.fdwowner) FROM pg_foreign_data_wrapper f
), acl_with_grants AS (
  SELECT a.*, n.grants, u.grants AS usually FROM (
    SELECT a.class, a.object, a.sub, a.acl, a.owner, coalesce(i.initprivs, a.usual) AS usual
    FROM acl a
    LEFT JOIN pg_init_privs i ON i.classoid = a.class AND i.objoid = a.object
      AND i.objsubid = a.sub AND i.privtype = 'e'
    WHERE a.acl IS NOT NULL
  ) a
  CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(whom, what), '{}') AS grants FROM (
    SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' WHEN a.owner THEN '@owner'
      ELSE pg_get_userbyid(x.grantee) END AS whom,
      jsonb_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END) AS what
    FROM aclexplode(a.acl) x GROUP BY 1) g) n
  CROSS JOIN LATERAL (SELECT coalesce(jsonb_object_agg(whom, what), '{}') AS grants FROM (
    SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' WHEN a.owner THEN '@owner'
      ELSE pg_get_userbyid(x.grantee) END AS whom,
      jsonb_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END) AS what
    FROM aclexplode(a.usual) x GROUP BY 1) g) u
)
SELECT t.class, t.object, -100000 - t.sub, 'privileges',
  ARRAY[CASE WHEN i.type LIKE '%column' THEN 'column' WHEN i.type = 'type' THEN 'base type'
    ELSE i.type END] || CASE t.class WHEN 'pg_type'::regclass THEN (
      SELECT ARRAY[n.nspname, y.typname]::text[] FROM pg_type y
      JOIN pg_namespace n ON n.oid = y.typnamespace WHERE y.oid = t.object)
    ELSE i.object_names END,
  CASE t.class WHEN 'pg_type'::regclass THEN '{}' ELSE i.object_args END, t.class, t.object, t.sub,
  jsonb_build_object('grants', t.grants)::text, jsonb_build_object('usual', t.usually)::text
FROM acl_with_grants t CROSS JOIN LATERAL pg_identify_object_as_address(t.class, t.object, t.sub) i
WHERE t.grants <> t.usually",
    create: |it| {
        let from = initial(it.before, it.fact);
        change(it.facts, it.fact, &from, &grant::read(it.fact.attributes.get("grants")))
    },
    drop: |facts, fact| {
        let usual = grant::read(fact.notes.get("usual"));
        change(facts, fact, &grant::read(fact.attributes.get("grants")), &usual)
    },
    attributes: &[("grants", |it: &Change<'_>| {
        let (from, to) = (grant::read(it.old_value()), grant::read(it.wanted_value()));
        Outcome::InPlace(change(it.b, it.to, &from, &to))
    })],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

/// Takes what is granted by `made` away from the grants of a fact; whether nothing is left.
pub(crate) fn subtract_grants(fact: &mut Fact, made: &Map<String, Value>) -> bool {
    let made = grant::read(made.get("grants"));
    let mut left = grant::read(fact.attributes.get("grants"));
    for (whom, what) in &mut left {
        what.retain(|it| !made.get(whom).is_some_and(|made| made.contains(it)));
    }
    left.retain(|_, what| !what.is_empty());
    let is_nothing = left.is_empty();
    fact.attributes.insert("grants".to_owned(), json!(left));
    fact.notes.insert("usual".to_owned(), json!({}));
    fact.notes.insert(BESIDE.to_owned(), Value::Bool(true));
    is_nothing
}

pub(super) static DEFAULT: Definition = Definition {
    kind: ObjectKind::DefaultPrivileges,
    // After all that is made, so that nothing gets them by the way.
    creation_order: 800,
    query: "
SELECT 'pg_default_acl'::regclass::oid, d.oid, 0, 'default privileges',
  ARRAY[CASE WHEN pg_get_userbyid(d.defaclrole) = current_user THEN '@owner'
    ELSE pg_get_userbyid(d.defaclrole) END, coalesce(s.nspname, ''), d.defaclobjtype]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_build_object('grants', (SELECT coalesce(jsonb_object_agg(whom, what), '{}') FROM (
    SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' WHEN d.defaclrole THEN '@owner'
      ELSE pg_get_userbyid(x.grantee) END AS whom,
      jsonb_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END) AS what
    FROM aclexplode(d.defaclacl) x GROUP BY 1) g))::text,
  jsonb_build_object('usual', (SELECT coalesce(jsonb_object_agg(whom, what), '{}') FROM (
    SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' WHEN d.defaclrole THEN '@owner'
      ELSE pg_get_userbyid(x.grantee) END AS whom,
      jsonb_agg(DISTINCT x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END) AS what
    FROM aclexplode(CASE WHEN d.defaclnamespace = 0 THEN acldefault(
      CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) END) x
    GROUP BY 1) g))::text
FROM pg_default_acl d LEFT JOIN space s ON s.oid = d.defaclnamespace
WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL",
    create: |it| {
        let usual = grant::read(it.fact.notes.get("usual"));
        change_default(it.fact, &usual, &grant::read(it.fact.attributes.get("grants")))
    },
    drop: |_: &Facts, fact| {
        let usual = grant::read(fact.notes.get("usual"));
        change_default(fact, &grant::read(fact.attributes.get("grants")), &usual)
    },
    attributes: &[("grants", |it: &Change<'_>| {
        let (from, to) = (grant::read(it.old_value()), grant::read(it.wanted_value()));
        Outcome::InPlace(change_default(it.to, &from, &to))
    })],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

fn change(facts: &Facts, fact: &Fact, from: &Grants, to: &Grants) -> Vec<Sql> {
    let Some(target) = fact.id.target() else { return Vec::new() };
    let owner = facts.find(&target).and_then(|at| facts.all[at].text("owner"));
    let words = |all: &[&str]| match target.kind {
        ObjectKind::Column => {
            let column = quote::name(target.name());
            let all: Vec<_> = all.iter().map(|it| format!("{it} ({column})")).collect();
            format!("{} ON TABLE {}", all.join(", "), target.owner_path())
        }
        _ => format!(
            "{} ON {} {}",
            all.join(", "),
            target.kind.grants().map_or("TABLE", |it| it.noun),
            reference(&target)
        ),
    };
    grant::change(from, to, owner, &words).into_iter().map(Sql::whole).collect()
}

/// Whether these are the privileges on the table of a column whose privileges the others are.
pub(crate) fn is_on_table_of(table: &Fact, column: &Fact) -> bool {
    let names = |it: &Fact, from, to| it.id.names.get(from..to).map(<[String]>::to_vec);
    table.id.kind == PRIVILEGES.kind
        && table.id.target_kind() != Some(ObjectKind::Column)
        && names(table, 1, 3) == names(column, 1, 3)
}

/// All of the grants, as if there were none.
pub(crate) fn grant_again(facts: &Facts, fact: &Fact) -> Vec<Sql> {
    change(facts, fact, &Grants::new(), &grant::read(fact.attributes.get("grants")))
}

/// What a new object has before anything is granted: the usual, or what default privileges say.
fn initial(before: &Facts, fact: &Fact) -> Grants {
    let usual = grant::read(fact.notes.get("usual"));
    if fact.is_noted(BESIDE) {
        return usual;
    }
    let Some(letter) = fact.id.target_kind().and_then(ObjectKind::default_privileges) else {
        return usual;
    };
    let schema = fact.id.names.get(1).cloned().unwrap_or_default();
    let default = |schema: &str| {
        let names = ["@owner", schema, letter].map(str::to_owned);
        let fact = before.default_privileges(&names)?;
        Some(grant::read(fact.attributes.get("grants")))
    };
    let mut grants = default("").unwrap_or(usual);
    for (whom, what) in default(&schema).into_iter().flatten() {
        grants.entry(whom).or_default().extend(what);
    }
    grants
}

/// What takes away from a new object that has no privileges of its own what default privileges gave
/// it.
pub(crate) fn by_default(before: &Facts, facts: &Facts, fact: &Fact) -> Vec<Sql> {
    let mut names = vec![fact.id.kind.to_string()];
    names.extend(fact.id.names.clone());
    let id = crate::catalog::identity::Identity {
        kind: PRIVILEGES.kind,
        names,
        arguments: fact.id.arguments.clone(),
    };
    if fact.id.kind.default_privileges().is_none() || facts.find(&id).is_some() {
        return Vec::new();
    }
    let usual = usual(before, fact);
    let it = Fact { id, notes: serde_json::Map::new(), ..fact.clone() };
    let mut from = initial(before, &it);
    if from.is_empty() {
        return Vec::new();
    }
    from.retain(|whom, what| usual.get(whom) != Some(what));
    let kept = usual.into_iter().filter(|(whom, _)| from.contains_key(whom)).collect();
    change(facts, &it, &from, &kept)
}

/// What gives an object that is there what default privileges would have given it, if it has no
/// privileges of its own.
pub(crate) fn given_by_default(before: &Facts, facts: &Facts, fact: &Fact) -> Vec<Sql> {
    let mut names = vec![fact.id.kind.to_string()];
    names.extend(fact.id.names.clone());
    let id = Identity { kind: PRIVILEGES.kind, names, arguments: fact.id.arguments.clone() };
    if fact.id.kind.default_privileges().is_none() || facts.find(&id).is_some() {
        return Vec::new();
    }
    let it = Fact { id, notes: serde_json::Map::new(), ..fact.clone() };
    let to = initial(before, &it);
    let from = if to.is_empty() { Grants::new() } else { usual(before, fact) };
    change(facts, &it, &from, &to)
}

/// The usual of a kind is known from the default privileges themselves; those of a schema only add.
fn usual(before: &Facts, fact: &Fact) -> Grants {
    let names =
        ["@owner", "", fact.id.kind.default_privileges().unwrap_or_default()].map(str::to_owned);
    let default = before.default_privileges(&names);
    default.map(|it| grant::read(it.notes.get("usual"))).unwrap_or_default()
}

fn change_default(fact: &Fact, from: &Grants, to: &Grants) -> Vec<Sql> {
    let [role, schema, letter] = &fact.id.names[..] else { return Vec::new() };
    let noun = match letter.as_str() {
        "r" => "TABLES",
        "S" => "SEQUENCES",
        "f" => "FUNCTIONS",
        "T" => "TYPES",
        _ => "SCHEMAS",
    };
    let whose = (role != "@owner").then(|| format!(" FOR ROLE {}", quote::name(role)));
    let place = (!schema.is_empty()).then(|| format!(" IN SCHEMA {}", quote::name(schema)));
    let head = format!(
        "ALTER DEFAULT PRIVILEGES{}{}",
        whose.unwrap_or_default(),
        place.unwrap_or_default()
    );
    let owner = (role != "@owner").then_some(role.as_str());
    let words = |all: &[&str]| format!("{} ON {noun}", all.join(", "));
    let all = grant::change(from, to, owner, &words);
    all.into_iter().map(|it| Sql::whole(format!("{head} {it}"))).collect()
}
