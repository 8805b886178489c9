//! Sequences, and whose column owns one. Those of identity columns are options of the column.

use serde_json::Value;

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{
        definition::{Change, Created, Definition, Outcome, alter_owner, no_drop, with_owner},
        object_kind::ObjectKind,
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

/// A new sequence for a column that is not new goes on behind its values.
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

pub(super) fn definition(fact: &Fact) -> Sql {
    let options = options(fact.attributes.get("options"));
    let unlogged = if fact.text("persistence").is_some() { "UNLOGGED " } else { "" };
    Sql::whole(format!("CREATE {unlogged}SEQUENCE {}{options}", fact.id.path()))
}

/// What is lost with a sequence.
pub(super) fn position_of(path: &str) -> String {
    format!("the position of {path}")
}

/// The version since which a sequence follows the table whose column owns it, and keeps its position.
const FIRST_TO_FOLLOW: u32 = 15;

/// A change of the table that owns it brings the same change along.
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

pub(super) fn set_persistence(path: &str, persistence: Option<&str>) -> Sql {
    let to = if persistence == Some("u") { "UNLOGGED" } else { "LOGGED" };
    Sql::whole(format!("ALTER SEQUENCE {path} SET {to}"))
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

/// The sequence behind an identity column.
pub(super) fn of_identity(column: &Fact) -> String {
    let options = column.attributes.get("identity_options");
    if let Some(name) = options.and_then(|it| it.get("name")).and_then(Value::as_str) {
        return name.to_owned();
    }
    let [schema, table, name] = &column.id.names[..] else { return String::new() };
    quote::qualified(&[schema.clone(), format!("{table}_{name}_seq")])
}

/// Lets a sequence that is new to a column go on behind the values that are there.
pub(super) fn catch_up(sequence: &str, column: &Fact, options: Option<&Value>) -> Sql {
    let (table, name) = (column.id.owner_path(), quote::name(column.id.name()));
    let start = bounds(options).start;
    Sql::whole(format!(
        "SELECT setval({}, greatest(max({name}) + 1, {start}), false) FROM {table}",
        quote::literal(sequence)
    ))
}

/// Moves the value of a sequence between its new bounds, where it is outside.
pub(super) fn moves(sequence: &str, from: Option<&Value>, to: Option<&Value>) -> Vec<Sql> {
    let (old, new) = (bounds(from), bounds(to));
    if is_elsewhere(&old, &new) {
        return Vec::new();
    }
    let text = quote::literal(sequence);
    let to = |which: &str, is: &str, bound: i64| {
        Sql::whole(format!(
            "SELECT setval({text}, {which}(last_value, {bound}), is_called AND last_value {is} {bound}) \
             FROM {sequence}"
        ))
    };
    let raised = (new.min > old.min).then(|| to("greatest", ">=", new.min));
    let lowered = (new.max < old.max).then(|| to("least", "<=", new.max));
    raised.into_iter().chain(lowered).collect()
}

/// Whether a sequence with these options can go on from where another one stands.
pub(super) fn can_follow(from: Option<&Value>, to: Option<&Value>) -> bool {
    let (old, new) = (bounds(from), bounds(to));
    old.rises == new.rises && !is_elsewhere(&old, &new)
}

/// Sets a sequence to the position of another one, as far as its own bounds allow.
pub(super) fn position([from, to]: [Option<&Value>; 2], old: &str, new: &str) -> Sql {
    let (was, is) = (bounds(from), bounds(to));
    let (farther, nearer, reached, starts_later, ends_sooner) = match is.rises {
        true => ("greatest", "least", ">=", is.start > was.start, is.max < was.max),
        false => ("least", "greatest", "<=", is.start < was.start, is.min > was.min),
    };
    let (mut value, mut called) = ("last_value".to_owned(), "is_called".to_owned());
    if starts_later {
        value = format!("{farther}({value}, {})", is.start);
        called = format!("is_called AND last_value {reached} {}", is.start);
    }
    if ends_sooner {
        value = format!("{nearer}({value}, {})", if is.rises { is.max } else { is.min });
    }
    Sql::whole(format!("SELECT setval({}, {value}, {called}) FROM {old}", quote::literal(new)))
}

/// Whether no value is in both: the sequence starts anew.
fn is_elsewhere(old: &Bounds, new: &Bounds) -> bool {
    new.min > old.max || new.max < old.min
}

struct Bounds {
    rises: bool,
    min: i64,
    max: i64,
    start: i64,
}

/// The bounds, those that are not told included.
fn bounds(options: Option<&Value>) -> Bounds {
    let number = |key| options.and_then(|it| it.get(key)).and_then(Value::as_i64);
    let (low, high) = match options.and_then(|it| it.get("type")).and_then(Value::as_str) {
        Some("smallint") => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Some("integer") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let rises = number("increment").is_none_or(|it| it > 0);
    let min = number("min").unwrap_or(if rises { 1 } else { low });
    let max = number("max").unwrap_or(if rises { high } else { -1 });
    Bounds { rises, min, max, start: number("start").unwrap_or(if rises { min } else { max }) }
}

/// The options that are not the usual ones, each with a blank before it.
pub(super) fn options(of: Option<&Value>) -> String {
    let all = changes(None, of);
    all.iter().flat_map(|it| [" ", it]).collect()
}

fn key_of<'a>(of: Option<&'a Value>, key: &str) -> Option<&'a Value> {
    of.and_then(|it| it.get(key))
}

/// What turns the options of a sequence that is there into others.
pub(super) fn alterations(from: Option<&Value>, to: Option<&Value>) -> Vec<String> {
    let (old, new) = (bounds(from), bounds(to));
    let mut all = changes(from, to);
    // The usual bounds of one that falls are others than those of one that rises.
    let is_usual = |of, key| key_of(of, key).is_none();
    for (key, word, bound) in [("min", "MINVALUE", new.min), ("max", "MAXVALUE", new.max)] {
        if old.rises != new.rises && is_usual(from, key) && is_usual(to, key) {
            // With another type, the server takes what is left out for the largest value of that.
            let is_overridden = key_of(from, "type") != key_of(to, "type");
            all.push(if is_overridden { format!("{word} {bound}") } else { format!("NO {word}") });
        }
    }
    all.extend(is_elsewhere(&old, &new).then(|| format!("RESTART WITH {}", new.start)));
    all
}

/// What turns the options of a sequence into others.
pub(super) fn changes(from: Option<&Value>, to: Option<&Value>) -> Vec<String> {
    const WORDS: [(&str, &str, &str); 7] = [
        ("name", "SEQUENCE NAME", ""),
        ("type", "AS", "AS bigint"),
        ("increment", "INCREMENT BY", "INCREMENT BY 1"),
        ("min", "MINVALUE", "NO MINVALUE"),
        ("max", "MAXVALUE", "NO MAXVALUE"),
        ("cache", "CACHE", "CACHE 1"),
        ("cycle", "CYCLE", "NO CYCLE"),
    ];
    let value = |of: Option<&Value>, key: &str| of.and_then(|it| it.get(key)).cloned();
    let differ = WORDS.iter().filter(|(key, ..)| value(from, key) != value(to, key));
    let clause = |(key, word, usual): &(&'static str, &str, &str)| match value(to, key) {
        None => (*usual).to_owned(),
        Some(Value::Bool(_)) => (*word).to_owned(),
        Some(Value::String(it)) => format!("{word} {it}"),
        Some(it) => format!("{word} {it}"),
    };
    let start = bounds(to).start;
    let starts = bounds(from).start != start;
    differ.map(clause).chain(starts.then(|| format!("START WITH {start}"))).collect()
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
