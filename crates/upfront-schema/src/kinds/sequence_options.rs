//! The options of sequences, and where one stands.

use serde_json::Value;

use crate::{catalog::facts::Fact, quote, sql::Sql};

pub(super) fn definition(fact: &Fact) -> Sql {
    let options = options(fact.attributes.get("options"));
    let unlogged = if fact.text("persistence").is_some() { "UNLOGGED " } else { "" };
    Sql::whole(format!("CREATE {unlogged}SEQUENCE {}{options}", fact.id.path()))
}

/// What is lost with a sequence.
pub(super) fn position_of(path: &str) -> String {
    format!("the position of {path}")
}

pub(super) fn set_persistence(path: &str, persistence: Option<&str>) -> Sql {
    let to = if persistence == Some("u") { "UNLOGGED" } else { "LOGGED" };
    Sql::whole(format!("ALTER SEQUENCE {path} SET {to}"))
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

/// Whether no value is in both, so that the sequence restarts.
pub(crate) fn is_elsewhere(old: &Bounds, new: &Bounds) -> bool {
    new.min > old.max || new.max < old.min
}

pub(crate) struct Bounds {
    pub(crate) rises: bool,
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) start: i64,
}

/// The bounds, including the defaults.
pub(crate) fn bounds(options: Option<&Value>) -> Bounds {
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

pub(crate) fn key_of<'a>(of: Option<&'a Value>, key: &str) -> Option<&'a Value> {
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
