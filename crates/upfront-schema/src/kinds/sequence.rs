//! Sequences, and whose column owns one. Those of identity columns are options of the column.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome, alter_owner, no_drop, with_owner},
        object_kind::ObjectKind,
        sequence_options::{
            alterations, catch_up, definition, moves, position_of, set_persistence,
        },
        sequence_replacement::SequenceReplacement,
    },
    quote,
    sql::Sql,
};

pub(super) static SEQUENCE: Definition = Definition {
    kind: ObjectKind::Sequence,
    creation_order: 60,
    query: concat!(
        "
SELECT 'pg_class'::regclass::oid, c.oid, 0, 'sequence', ARRAY[c.nspname, c.relname]::text[],
  '{}'::text[], NULL::oid, NULL::oid, NULL::int4,
  jsonb_strip_nulls(jsonb_build_object(
    'owner', NULLIF(pg_get_userbyid(c.relowner), current_user),
    'persistence', NULLIF(c.relpersistence, 'p'),
    'options', NULLIF(",
        sequence_options!(),
        ", '{}')))::text, '{}'
FROM pg_sequence s JOIN relation c ON c.oid = s.seqrelid
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
  AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i')"
    ),
    create,
    drop: |_, fact| {
        let path = fact.id.path();
        vec![Sql::whole(format!("DROP SEQUENCE {path}")).loses(position_of(&path))]
    },
    attributes: &[
        ("owner", alter_own),
        ("persistence", alter_persistence),
        ("options", alter_options),
    ],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

pub(super) static OWNER: Definition = Definition {
    kind: ObjectKind::SequenceOwner,
    creation_order: 130,
    query: "
SELECT 'pg_sequence'::regclass::oid, c.oid, 0, 'sequence owner',
  ARRAY[c.nspname, c.relname]::text[], '{}'::text[], 'pg_class'::regclass::oid, c.oid, 0,
  jsonb_build_object('column', format('%I.%I.%I', t.nspname, t.relname, a.attname))::text,
  jsonb_build_object('needs', jsonb_build_array(jsonb_build_array(
    'pg_class'::regclass::oid::int8, t.oid::int8, a.attnum)))::text
FROM relation c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
  AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
JOIN relation t ON t.oid = d.refobjid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE c.relkind = 'S'",
    create: create_owner,
    drop: |facts, fact| match facts.parent(fact) {
        Some(_) => vec![owned_by(fact, None)],
        None => no_drop(facts, fact),
    },
    attributes: &[("column", |it| Outcome::InPlace(vec![owned_by(it.to, it.wanted_text())]))],
    inherited: &[],
    created_with_parent: false,
    blocks_retype: false,
};

/// A new sequence for an existing column starts after its values.
fn create_owner(it: &Created<'_>) -> Vec<Sql> {
    let mut sql = vec![owned_by(it.fact, it.fact.text("column"))];
    let is_new = |fact: &Fact| it.before.find(&fact.id).is_none();
    let column = column_of(it.facts, it.fact).filter(|it| !is_new(it));
    let sequence = it.facts.parent(it.fact).filter(|it| is_new(it));
    if let (Some(column), Some(sequence)) = (column, sequence)
        && SequenceReplacement::of_new(it.before, it.facts, sequence).is_none()
    {
        sql.push(catch_up(&sequence.id.path(), column, sequence.attributes.get("options")));
    }
    sql
}

/// The column that owns a sequence.
pub(crate) fn column_of<'a>(facts: &'a Facts, owner: &Fact) -> Option<&'a Fact> {
    let at = facts.find(&owner.id)?;
    let mut all = facts.uses[at].iter().map(|(it, _)| &facts.all[*it]);
    all.find(|it| it.id.kind == ObjectKind::Column)
}

/// The path of the column that owns a sequence.
pub(crate) fn owning_column(owner: &Fact) -> Option<&str> {
    owner.text("column")
}

fn owned_by(fact: &Fact, column: Option<&str>) -> Sql {
    let sequence = fact.id.path();
    Sql::whole(format!("ALTER SEQUENCE {sequence} OWNED BY {}", column.unwrap_or("NONE")))
}

fn create(it: &Created<'_>) -> Vec<Sql> {
    if is_made_by_serial(it.facts, it.fact, it.before) {
        return Vec::new();
    }
    let old = SequenceReplacement::of_new(it.before, it.facts, it.fact);
    let sql = match old {
        None => vec![definition(it.fact)],
        Some(old) if old.is_from_identity() => Vec::new(),
        Some(old) => vec![definition(it.fact), old.go_on(&old.old_path())],
    };
    with_owner(it, sql)
}

/// The version since which a sequence follows the table whose column owns it, and keeps its position.
const FIRST_TO_FOLLOW: u32 = 15;

/// A change of the table that owns it includes the same change.
fn alter_persistence(it: &Change<'_>) -> Outcome {
    let persistence = |facts: &Facts, fact: &Fact| {
        let table = owner(facts, fact)?;
        Some((table.id.names.clone(), table.text("persistence").map(str::to_owned)))
    };
    let (old, new) = (persistence(it.a, it.from), persistence(it.b, it.to));
    let follows = match (old, new) {
        (Some((old_table, old)), Some((new_table, new))) => {
            old_table == new_table && old != new && new.as_deref() == it.wanted_text()
        }
        _ => false,
    };
    match follows {
        true => Outcome::InPlace(Vec::new()),
        false => Outcome::InPlace(vec![set_persistence(&it.to.id.path(), it.wanted_text())]),
    }
}

/// The table whose column owns a sequence.
fn owner<'a>(facts: &'a Facts, sequence: &Fact) -> Option<&'a Fact> {
    let owner = facts.get(ObjectKind::SequenceOwner, &sequence.id.names)?;
    facts.parent(column_of(facts, owner)?)
}

/// The sequences that are not to follow the change of the table whose columns own them.
pub(super) fn that_stay(it: &Change<'_>) -> Vec<Sql> {
    if it.a.version < FIRST_TO_FOLLOW {
        return Vec::new();
    }
    let all = it.a.iter().filter(|fact| fact.id.kind == ObjectKind::Sequence);
    let owned = all.filter(|fact| owner(it.a, fact).is_some_and(|table| table.id == it.from.id));
    let wanted = owned.filter_map(|fact| it.b.get(ObjectKind::Sequence, &fact.id.names));
    let stay = wanted.filter(|sequence| sequence.text("persistence") != it.wanted_text());
    stay.map(|it| set_persistence(&it.id.path(), it.text("persistence"))).collect()
}

/// The owner of a sequence follows that of the table whose column owns it.
fn alter_own(it: &Change<'_>) -> Outcome {
    match it.a.get(ObjectKind::SequenceOwner, &it.from.id.names) {
        Some(_) => Outcome::InPlace(Vec::new()),
        None => alter_owner(it),
    }
}

fn alter_options(it: &Change<'_>) -> Outcome {
    let path = it.to.id.path();
    let mut sql = moves(&path, it.old_value(), it.wanted_value());
    let changes = alterations(it.old_value(), it.wanted_value()).join(" ");
    sql.push(Sql::whole(format!("ALTER SEQUENCE {path} {changes}")));
    Outcome::InPlace(sql)
}

/// Whether `serial` as the type of a new column makes this sequence, its default and its owner.
pub(crate) fn is_serial(facts: &Facts, column: &Fact) -> bool {
    let mut names = column.id.names.clone();
    let [_, table, name] = &names[..] else { return false };
    let sequence = format!("{table}_{name}_seq");
    names.truncate(1);
    names.push(sequence);
    let Some(sequence) = facts.get(ObjectKind::Sequence, &names) else { return false };
    names[1].len() < 64 && is_whole(facts, column, sequence)
}

fn is_whole(facts: &Facts, column: &Fact, sequence: &Fact) -> bool {
    let path = sequence.id.path();
    let owned =
        facts.get(ObjectKind::SequenceOwner, &sequence.id.names).and_then(|it| it.text("column"));
    let default =
        facts.get(ObjectKind::DefaultValue, &column.id.names).and_then(|it| it.text("expression"));
    let kind = sequence.attributes.get("options").and_then(|it| it.get("type")).cloned();
    let only_type = sequence.attributes.get("options").and_then(Value::as_object);
    owned == Some(column.id.path().as_str())
        && default == Some(format!("nextval({}::regclass)", quote::literal(&path)).as_str())
        && kind.as_ref().and_then(Value::as_str).unwrap_or("bigint")
            == column.text("type").unwrap_or_default()
        && only_type.is_none_or(|it| it.keys().all(|it| it == "type"))
        && sequence.text("persistence") == follower(facts, column)
        && column.is("not_null")
        && column.origin.is_none()
        && sequence.text("owner") == table_owner(facts, column)
}

/// The persistence that a sequence of a new column gets.
fn follower<'a>(facts: &'a Facts, column: &Fact) -> Option<&'a str> {
    let table = facts.parent(column).filter(|_| facts.version >= FIRST_TO_FOLLOW);
    table.and_then(|it| it.text("persistence"))
}

fn table_owner<'a>(facts: &'a Facts, column: &Fact) -> Option<&'a str> {
    facts.parent(column).and_then(|it| it.text("owner"))
}

/// `serial`, for a new column that it describes whole.
pub(super) fn serial_type(it: &Created<'_>) -> Option<&'static str> {
    let is_new = it.before.find(&it.fact.id).is_none();
    if !is_new || !is_serial(it.facts, it.fact) {
        return None;
    }
    match it.fact.text("type")? {
        "smallint" => Some("smallserial"),
        "integer" => Some("serial"),
        "bigint" => Some("bigserial"),
        _ => None,
    }
}

pub(super) fn is_made_by_serial(facts: &Facts, sequence: &Fact, before: &Facts) -> bool {
    let users = facts.find(&sequence.id).map(|at| &facts.uses[at]);
    users.into_iter().flatten().any(|(column, _)| {
        let column = &facts.all[*column];
        column.id.kind == ObjectKind::Column
            && before.find(&column.id).is_none()
            && is_serial(facts, column)
    })
}
