//! Values that a column may take, the likeliest first.

use std::collections::BTreeMap;

use crate::{
    generate::test_rows::{
        sample_kind::SampleKind,
        tables::{Column, Condition},
    },
    quote,
};

/// How deep a composite type within another is filled.
const DEPTH: u32 = 3;

/// Longer texts are not tried.
const LONGEST: usize = 300;

/// Which row, of what kind.
#[derive(Clone, Copy)]
pub(super) struct RowSpec {
    pub(super) row: u32,
    pub(super) flavor: SampleKind,
}

/// Expressions for a column, another first one for each row where that can be.
pub(super) fn candidates(
    of: &Column,
    conditions: &[Condition],
    types: &BTreeMap<u32, Vec<Column>>,
    wish: RowSpec,
) -> Vec<String> {
    let cast = |text: &String| format!("{}::{}", quote::literal(text), of.declared);
    let mut all = match of.category.as_str() {
        "E" => labels(of, wish.row),
        "C" => vec![composite(of, types, wish, DEPTH)],
        _ => usual(of, wish).iter().map(cast).collect(),
    };
    let about = conditions.iter().filter(|it| it.columns.contains(&of.number));
    let words: Vec<_> = about.flat_map(|it| words(&it.text)).collect();
    let told = |it: &Word| match (it, of.category.as_str()) {
        (Word::Text(it), _) => vec![it.clone()],
        (Word::Number(it), "N") => vec![it.to_string(), (it + 1).to_string(), (it - 1).to_string()],
        (Word::Number(it), "S") => texts_of(*it),
        (Word::Number(_), _) => Vec::new(),
    };
    let told: Vec<_> = words.iter().flat_map(told).map(|it| cast(&it)).collect();
    all.extend(told);
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|it| seen.insert(it.clone()));
    all
}

/// A text of so many characters, as a length may be what is asked for.
fn texts_of(length: i64) -> Vec<String> {
    let length = usize::try_from(length).unwrap_or(0);
    match (1..=LONGEST).contains(&length) {
        true => vec!["a".repeat(length), "1".repeat(length)],
        false => Vec::new(),
    }
}

fn labels(of: &Column, row: u32) -> Vec<String> {
    let all = format!("enum_range(NULL::{})", of.root);
    let label = |at: u32| format!("({all})[least({at}, array_length({all}, 1))]");
    (row..row + 4).chain(1..4).map(label).collect()
}

fn composite(of: &Column, types: &BTreeMap<u32, Vec<Column>>, wish: RowSpec, depth: u32) -> String {
    let fields = types.get(&of.fields).map(Vec::as_slice).unwrap_or_default();
    let one = |it: &Column| match it.category.as_str() {
        _ if depth == 0 => "NULL".to_owned(),
        "C" => composite(it, types, wish, depth - 1),
        "E" => labels(it, wish.row).swap_remove(0),
        _ => match usual(it, wish).first() {
            Some(text) => format!("{}::{}", quote::literal(text), it.declared),
            None => "NULL".to_owned(),
        },
    };
    let values: Vec<_> = fields.iter().map(one).collect();
    format!("ROW({})::{}", values.join(", "), of.declared)
}

/// Texts that the type may read.
fn usual(of: &Column, wish: RowSpec) -> Vec<String> {
    let row = wish.row;
    // Another one in each column where it has to show that one is taken for the other.
    let (column, own_row) = (place(of, wish), own(of, wish));
    let list = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
    match of.category.as_str() {
        "N" => [own_row, row, 100 + row, 0].map(|it| it.to_string()).into(),
        "S" | "Z" => texts(of, wish),
        "B" => {
            let is_odd = !row.is_multiple_of(2);
            let is_true = match column % 4 {
                0 => is_odd,
                1 => !is_odd,
                it => it == 2,
            };
            vec![is_true.to_string(), (!is_true).to_string()]
        }
        "D" if of.root.starts_with("time ") => vec![format!("0{row}:{:02}", column % 60)],
        "D" => {
            let month = column % 12 + 1;
            vec![format!("2026-{month:02}-0{row}"), format!("2036-01-0{row}")]
        }
        "T" => vec![format!("{own_row} days")],
        "I" => vec![format!("10.0.{}.{row}", column % 256)],
        "A" => list(&["{}"]),
        "R" if of.root.ends_with("multirange") => list(&["{}"]),
        "R" => {
            let days = format!("[2026-01-0{row},2026-01-0{})", row + 1);
            vec![format!("[{row},{})", row + 1), days, "empty".to_owned()]
        }
        "G" => geometric(of, row),
        "V" => vec!["1".repeat(usize::try_from(of.modifier.max(1)).unwrap_or(1))],
        _ => other(of, wish),
    }
}

/// The number of the row, preceded by that of the column if values differ by column.
fn own(of: &Column, wish: RowSpec) -> u32 {
    place(of, wish) * 10 + wish.row
}

/// The place of the column, from 0; 0 for all columns if values need not differ by column.
fn place(of: &Column, wish: RowSpec) -> u32 {
    match wish.flavor {
        SampleKind::Apart => u32::try_from(of.number).unwrap_or(1).max(1) - 1,
        _ => 0,
    }
}

fn geometric(of: &Column, row: u32) -> Vec<String> {
    vec![match of.root.as_str() {
        "point" => format!("({row},0)"),
        "line" => format!("{{{row},1,0}}"),
        "circle" => format!("<({row},0),1>"),
        _ => format!("(({row},0),(1,1))"),
    }]
}

fn other(of: &Column, wish: RowSpec) -> Vec<String> {
    let row = wish.row;
    let one = match of.root.as_str() {
        "uuid" => uuid(row),
        "json" | "jsonb" => format!("{{\"row\": {}}}", own(of, wish)),
        "bytea" => format!("\\x0{row}"),
        "xml" => format!("<row>{row}</row>"),
        "macaddr" => format!("08:00:2b:01:02:0{row}"),
        "macaddr8" => format!("08:00:2b:01:02:03:04:0{row}"),
        "pg_lsn" => format!("0/{row}"),
        "jsonpath" => format!("$.row{row}"),
        _ => format!("row{row}"),
    };
    // What a type of an extension may read.
    [one, row.to_string(), String::new(), "{}".to_owned(), format!("({row})"), format!("[{row}]")]
        .into()
}

fn uuid(row: u32) -> String {
    format!("00000000-0000-4000-8000-{row:012}")
}

fn texts(of: &Column, wish: RowSpec) -> Vec<String> {
    let row = wish.row;
    let mut all = vec![
        format!("row {}", own(of, wish)),
        format!("row{row}"),
        row.to_string(),
        format!("row{row}@example.org"),
        format!("https://example.org/{row}"),
        uuid(row),
        char::from_u32(u32::from('A') + row % 26).map(String::from).unwrap_or_default(),
        String::new(),
    ];
    match wish.flavor {
        SampleKind::Uuids => all.insert(0, uuid(row)),
        SampleKind::Numbers => all.insert(0, row.to_string()),
        SampleKind::Mixed | SampleKind::Full | SampleKind::Apart => {}
    }
    all.into_iter().map(|it| short(&it, of.modifier)).collect()
}

/// The end of a text, as far as it fits: there the number stands.
fn short(text: &str, modifier: i32) -> String {
    match usize::try_from(modifier - 4) {
        Ok(limit) if limit < text.len() => text[text.len() - limit..].to_owned(),
        _ => text.to_owned(),
    }
}

/// A constant in a condition.
enum Word {
    Text(String),
    Number(i64),
}

/// The constants in a condition, as the server writes them.
fn words(condition: &str) -> Vec<Word> {
    let mut all = Vec::new();
    let mut rest = condition;
    while let Some(at) = rest.find(|it: char| it == '\'' || it.is_ascii_digit()) {
        let is_inside = rest[..at].ends_with(|it: char| it.is_alphanumeric() || it == '_');
        let (word, length) = match rest[at..].strip_prefix('\'') {
            Some(text) => quoted(text),
            None => number(&rest[at..]),
        };
        let is_negative = rest[..at].ends_with('-');
        all.extend(word.filter(|_| !is_inside).map(|it| match it {
            Word::Number(it) if is_negative => Word::Number(-it),
            it => it,
        }));
        rest = &rest[at + length..];
    }
    all
}

fn quoted(text: &str) -> (Option<Word>, usize) {
    let mut end = 0;
    while let Some(at) = text[end..].find('\'') {
        end += at;
        if !text[end + 1..].starts_with('\'') {
            let word = text[..end].replace("''", "'");
            return (Some(Word::Text(word)), end + 2);
        }
        end += 2;
    }
    (None, text.len() + 1)
}

fn number(text: &str) -> (Option<Word>, usize) {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().ok().map(Word::Number), end)
}

#[cfg(test)]
mod tests {
    use super::{Word, words};

    #[test]
    fn reads_the_constants_of_a_condition() {
        let check = |condition: &str, expected: &[&str]| {
            let words = words(condition).into_iter().map(|it| match it {
                Word::Text(it) => it,
                Word::Number(it) => it.to_string(),
            });
            assert_eq!(words.collect::<Vec<_>>(), expected);
        };
        check("CHECK ((a > 10))", &["10"]);
        check("CHECK ((a2 > '-5'::integer))", &["-5"]);
        check("CHECK ((a = ANY (ARRAY['it''s'::text, 'b'::text])))", &["it's", "b"]);
        check("FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)", &["2024-01-01"]);
        check("CHECK ((char_length(a) >= 3))", &["3"]);
        check("CHECK (('", &[]);
    }
}
