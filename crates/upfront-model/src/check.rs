//! What the compiler checks about a model once it knows the types.

use crate::definition::ColumnRef;
use crate::sql_type::{Kind, Type};

// Each is a constant of its own that nothing uses, so that what it refuses is one error.

/// How else PostgreSQL calls a type, and its own word for it.
const ALIASES: &[(&str, &str)] = &[
    ("bool", "boolean"),
    ("bpchar", "character"),
    ("char", "character"),
    ("varchar", "character varying"),
    ("decimal", "numeric"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("int", "integer"),
    ("int2", "smallint"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("smallserial", "smallint"),
    ("serial", "integer"),
    ("bigserial", "bigint"),
    ("timestamp", "timestamp without time zone"),
    ("timestamptz", "timestamp with time zone"),
    ("time", "time without time zone"),
    ("timetz", "time with time zone"),
];

/// A column of a primary key is never `NULL`.
#[track_caller]
pub const fn key(column: ColumnRef) {
    if column.r#type.is_nullable() {
        panic_with(&["`", column.name, "` is part of the primary key and cannot be an `Option`"]);
    }
}

/// An identity column is a whole number.
#[track_caller]
pub const fn identity(column: ColumnRef) {
    let it = column.r#type;
    let fits = match it.kind {
        Kind::Unknown => true,
        Kind::Named(_) => false,
        Kind::Sql(text) => same(text, "smallint") || same(text, "integer") || same(text, "bigint"),
    };
    if it.is_nullable() {
        panic_with(&["`", column.name, "` is an identity and cannot be an `Option`"]);
    }
    if !fits || it.array {
        let name = describe(it);
        let column = column.name;
        panic_with(&["an identity is an `i16`, `i32` or `i64`, and `", column, "` is ", name]);
    }
}

/// A foreign key has the type of what it references.
#[track_caller]
pub const fn reference(from: ColumnRef, to: ColumnRef) {
    if !agree(from.r#type, to.r#type) {
        let (one, other) = (describe(from.r#type), describe(to.r#type));
        panic_with(&[
            "`",
            from.name,
            "` is ",
            one,
            ", and `",
            to.name,
            "`, which it references, is ",
            other,
        ]);
    }
}

/// Whether both are the same type, as far as known. Whether `app.mood` is an enum of that name
/// depends on the `search_path`.
const fn agree(one: Type, other: Type) -> bool {
    match (one.kind, other.kind) {
        (Kind::Sql(left), Kind::Sql(right)) => one.array == other.array && same(left, right),
        (Kind::Named(left), Kind::Named(right)) => {
            one.array == other.array && equal(left.name(), right.name())
        }
        _ => true,
    }
}

const fn describe(it: Type) -> &'static str {
    match it.kind {
        Kind::Sql(_) if it.array => "an array",
        Kind::Sql(text) => text,
        Kind::Named(name) => name.name(),
        Kind::Unknown => "unknown",
    }
}

/// Whether two names are of one type, modifiers apart.
const fn same(one: &str, other: &str) -> bool {
    equal(canonical(one), canonical(other))
}

const fn canonical(text: &str) -> &str {
    let text = without_modifier(text);
    let mut position = 0;
    while position < ALIASES.len() {
        if equal(text, ALIASES[position].0) {
            return ALIASES[position].1;
        }
        position += 1;
    }
    text
}

/// `numeric(12, 2)` without its parentheses. The text after them, as in `timestamp(3) with time
/// zone`, distinguishes types, so such a text stays whole.
const fn without_modifier(text: &str) -> &str {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes[bytes.len() - 1] != b')' {
        return text;
    }
    let mut length = 0;
    while bytes[length] != b'(' && length + 1 < bytes.len() {
        length += 1;
    }
    text.split_at(length).0.trim_ascii()
}

/// Whether both are the same but for upper and lower case.
const fn equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut position = 0;
    while position < one.len() && position < other.len() {
        if !one[position].eq_ignore_ascii_case(&other[position]) {
            return false;
        }
        position += 1;
    }
    one.len() == other.len()
}

/// Panics with those texts in a row: a constant's panic takes one string.
#[track_caller]
const fn panic_with(parts: &[&str]) -> ! {
    let mut message = [0; 512];
    let mut length = 0;
    let mut part = 0;
    while part < parts.len() {
        length = append(&mut message, length, parts[part].as_bytes());
        part += 1;
    }
    match str::from_utf8(message.split_at(length).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("the types of two columns do not fit"),
    }
}

const fn append(message: &mut [u8; 512], mut length: usize, text: &[u8]) -> usize {
    let mut position = 0;
    while position < text.len() && length < message.len() {
        message[length] = text[position];
        position += 1;
        length += 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn takes_other_names_of_a_type_for_it() {
        let check = |one, other, expected| {
            assert_eq!(agree(Type::sql(one), Type::sql(other)), expected, "{one}, {other}");
        };
        check("bigint", "int8", true);
        check("bigserial", "BIGINT", true);
        check("varchar(20)", "character varying", true);
        check("numeric(12, 2)", "decimal (4,1)", true);
        check("timestamptz", "timestamp with time zone", true);
        check("bigint", "integer", false);
        check("text", "uuid", false);
        check("text", "citext", false);
    }

    #[test]
    fn tells_arrays_and_enums_apart() {
        let mood = Type::named(Name::new("mood"));
        assert!(!agree(Type::sql("text"), Type::sql("text").array()));
        assert!(agree(mood, Type::named(Name::new("mood")).nullable()));
        assert!(!agree(mood, Type::named(Name::new("colour"))));
        assert!(agree(mood, Type::sql("app.mood")));
        assert!(agree(Type::unknown(), mood));
    }
}
