//! Values of one type that cannot be converted to another.

use crate::{
    catalog::facts::{Fact, Facts},
    kinds::{alter_table::typed, definition::Change, object_kind::ObjectKind, probe},
    quote,
    sql::Probe,
};

/// What a type holds that is not known by the word of its input alone.
enum Limit {
    /// Any value of a text.
    Nothing,
    /// So many characters, blanks at the end not counted.
    Characters(u32),
    /// From, and below.
    Whole(&'static str, &'static str),
    /// Digits, and those of them behind the point.
    Decimal(i32, i32),
}

/// How the author's own expression is to be judged.
pub(super) fn as_told() -> Probe {
    Probe::None("the result of the given expression is unknown")
}

/// Counts the values that do not fit; nothing if all do.
pub(super) fn probe(it: &Change<'_>) -> Option<Probe> {
    let (table, name) = (it.to.id.owner_path(), quote::name(it.to.id.name()));
    let count =
        |condition: &str| Probe::query(format!("SELECT count(*) FROM {table} WHERE {condition}"));
    if let Some(labels) = enumeration(it.b, it.to) {
        return Some(probe::of_labels(it.to, labels));
    }
    let (old, new) = (root(it.from), typed(it.to));
    let is = |fact: &Fact, category| fact.note("category") == Some(category);
    match limit(&new) {
        _ if is(it.from, "D") && is(it.to, "D") => None,
        Some(Limit::Nothing) => None,
        Some(Limit::Characters(limit)) => {
            Some(count(&format!("rtrim(substr({name}::text, {}), ' ') <> ''", limit + 1)))
        }
        Some(Limit::Whole(from, below)) if is(it.from, "N") => {
            let value = whole(&old, &name);
            Some(count(&format!("{value} < {from} OR {value} >= {below}")))
        }
        Some(Limit::Decimal(digits, scale))
            if whole_digits(&typed(it.from), scale).is_some_and(|it| it <= digits - scale) =>
        {
            None
        }
        Some(Limit::Decimal(digits, scale)) if is(it.from, "N") => Some(count(&format!(
            "{name}::numeric <> 'NaN' AND round(abs({name}::numeric), {scale}) >= 1e{}",
            digits - scale
        ))),
        _ if is(it.from, "S") && it.b.version >= 16 => {
            Some(count(&format!("NOT pg_input_is_valid({name}::text, {})", quote::literal(&new))))
        }
        _ if is(it.from, "S") => Some(Probe::None("this needs PostgreSQL 16 or later")),
        _ => Some(Probe::None("only the conversion shows it")),
    }
}

/// The same for a type that changes under its name.
pub(super) fn one_of_the_new(facts: &Facts, column: &Fact) -> Probe {
    match enumeration(facts, column) {
        Some(labels) => probe::of_labels(column, labels),
        None => Probe::None("only the new type shows it"),
    }
}

fn enumeration<'a>(facts: &'a Facts, column: &Fact) -> Option<&'a Fact> {
    let name = typed(column);
    let name = name.trim_end_matches("[]");
    facts.iter().find(|it| it.id.kind == ObjectKind::Enum && it.id.path() == name)
}

fn root(of: &Fact) -> String {
    of.note("root").unwrap_or_default().to_owned()
}

fn limit(new: &str) -> Option<Limit> {
    let (base, within) = match new.split_once('(') {
        Some((base, rest)) => (base, rest.strip_suffix(')')?),
        None => (new, ""),
    };
    let mut numbers = within.split(',').filter_map(|it| it.trim().parse::<i32>().ok());
    let (first, second) = (numbers.next(), numbers.next());
    Some(match (base, first) {
        ("text" | "character varying", None) => Limit::Nothing,
        ("character varying" | "character", Some(it)) => Limit::Characters(it.try_into().ok()?),
        ("smallint", _) => Limit::Whole("-32768", "32768"),
        ("integer", _) => Limit::Whole("-2147483648", "2147483648"),
        ("bigint", _) => Limit::Whole("-9223372036854775808", "9223372036854775808"),
        ("numeric", Some(digits)) => Limit::Decimal(digits, second.unwrap_or_default()),
        _ => return None,
    })
}

/// How many digits there may be before the point, once the others are rounded.
fn whole_digits(of: &str, scale: i32) -> Option<i32> {
    match (of, limit(of)) {
        ("smallint", _) => Some(5),
        ("integer", _) => Some(10),
        ("bigint", _) => Some(19),
        (_, Some(Limit::Decimal(digits, old))) => Some(digits - old + i32::from(old > scale)),
        _ => None,
    }
}

/// What the server rounds to a whole number.
fn whole(old: &str, name: &str) -> String {
    match old {
        "smallint" | "integer" | "bigint" => name.to_owned(),
        "real" => format!("round({name}::float8)"),
        _ => format!("round({name})"),
    }
}
