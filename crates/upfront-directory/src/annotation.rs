//! Comments that annotate an object of the desired schema: its previous name, the value that
//! existing rows get.
//!
//! An annotation precedes the object or follows it on the same line:
//!
//! ```sql
//! -- renamed from: accounts
//! CREATE TABLE users (
//!   handle text, -- @renamed from=nick
//!   -- fill: lower(handle)
//!   key text NOT NULL
//! );
//! ```

mod target;

use std::ops::Range;

use crate::cursor::fold;
use crate::lexer::{Lexer, Token, TokenKind};
use crate::statement::split_statements;

/// The contents of an annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnnotationKind {
    /// The previous name.
    RenamedFrom(String),
    /// The expression for existing rows of a column that becomes `NOT NULL`.
    Fill(String),
}

/// The kind of object that an annotation applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationTarget {
    /// An object that a `CREATE` statement creates: a table, an index, a function.
    Object(&'static str),
    /// A column of a table.
    Column,
    /// A constraint of a table.
    Constraint,
    /// A value of an enum.
    Label,
}

/// A comment that annotates an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The kind of object.
    pub target: AnnotationTarget,
    /// The qualified name of the object, as written: schema, table, column.
    pub names: Vec<String>,
    /// The contents.
    pub kind: AnnotationKind,
    /// Its range in the text, in bytes.
    pub range: Range<usize>,
}

/// An annotation that cannot be parsed or has no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationError {
    /// The reason.
    pub reason: String,
    /// Its range in the text, in bytes.
    pub range: Range<usize>,
}

/// Returns the annotations of SQL text, in order.
///
/// A comment applies to the object before it on the same line, if any, and otherwise to the next
/// object.
///
/// ```
/// let sql = "create table users (\n  id int,\n  handle text -- renamed from: nick\n);";
/// let all = upfront_directory::annotations(sql);
/// assert_eq!(all[0].as_ref().unwrap().names, ["users", "handle"]);
/// ```
#[must_use]
pub fn annotations(sql: &str) -> Vec<Result<Annotation, AnnotationError>> {
    let tokens: Vec<_> = Lexer::of(sql).map_while(Result::ok).collect();
    let statements = split_statements(sql);
    let comments = tokens.iter().enumerate().filter(|(_, it)| !it.is_significant());
    let read = |(at, it): (usize, &Token)| {
        let kind = parse_comment(it.text(sql))?;
        let range = it.start..it.end;
        let known = kind.and_then(|kind| {
            let (target, names) = target::find(sql, &tokens, at, &statements)?;
            match (&kind, target) {
                (AnnotationKind::Fill(_), target) if target != AnnotationTarget::Column => {
                    Err("a fill applies only to a column".to_owned())
                }
                _ => Ok(Annotation { target, names, kind, range: range.clone() }),
            }
        });
        Some(known.map_err(|reason| AnnotationError { reason, range }))
    };
    comments.filter_map(read).collect()
}

/// Parses a comment, if it is an annotation.
fn parse_comment(comment: &str) -> Option<Result<AnnotationKind, String>> {
    let text = match comment.strip_prefix("--") {
        Some(it) => it.trim(),
        None => comment.strip_prefix("/*")?.strip_suffix("*/")?.trim(),
    };
    if let Some(it) = after(text, "fill:") {
        return Some(match it {
            "" => Err("the expression is missing, as in `-- fill: lower(email)`".to_owned()),
            it => Ok(AnnotationKind::Fill(it.to_owned())),
        });
    }
    let name = after(text, "renamed from:").or_else(|| tagged(text))?;
    let missing = "expected one name, as in `-- renamed from: nick`";
    Some(one_name(name).map(AnnotationKind::RenamedFrom).ok_or_else(|| missing.to_owned()))
}

fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then(|| rest.trim())
}

/// `@renamed from=x` anywhere in a comment, as sqldef has it.
fn tagged(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("@renamed").or_else(|| text.split_once("@rename"))?;
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start().strip_prefix("from=")?;
    let is_quoted = rest.starts_with('"');
    let end = rest.find(|it: char| it.is_whitespace()).filter(|_| !is_quoted);
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// The name that the text is, and nothing else.
fn one_name(text: &str) -> Option<String> {
    let tokens: Vec<_> = Lexer::of(text).collect::<Result<_, _>>().ok()?;
    match tokens.as_slice() {
        [it] if matches!(it.kind, TokenKind::Word | TokenKind::Quoted) => fold(it.text(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{AnnotationKind, AnnotationTarget, annotations};

    /// `kind names: annotation`
    fn shown(sql: &str) -> String {
        let one = |it: Result<super::Annotation, super::AnnotationError>| match it {
            Err(it) => format!("{}: {}", &sql[it.range], it.reason),
            Ok(it) => {
                let kind = match it.target {
                    AnnotationTarget::Object(kind) => kind,
                    AnnotationTarget::Column => "column",
                    AnnotationTarget::Constraint => "constraint",
                    AnnotationTarget::Label => "label",
                };
                let says = match it.kind {
                    AnnotationKind::RenamedFrom(old) => format!("was {old}"),
                    AnnotationKind::Fill(it) => format!("fill {it}"),
                };
                format!("{kind} {}: {says}", it.names.join("."))
            }
        };
        annotations(sql).into_iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn finds_what_they_are_on() {
        let check = |sql: &str, expected: &str| assert_eq!(shown(sql), expected, "{sql}");
        check("-- renamed from: a\ncreate table app.b (i int);", "table app.b: was a");
        check("create table b ( -- renamed from: a\n i int);", "table b: was a");
        check("create table b (i int); -- renamed from: a", "table b: was a");
        check("create table b (\n  i int, -- renamed from: h\n  j int\n);", "column b.i: was h");
        check("create table b (\n  -- renamed from: h\n  i int,\n  j int)", "column b.i: was h");
        check("create table b (i int, j numeric(1, 2) -- @renamed from=h\n)", "column b.j: was h");
        check("create table b (i int /* @renamed from=\"H h\" */)", "column b.i: was H h");
        check(
            "create table b (\n  i int\n  -- fill: a || '-- x'\n  , j int)",
            "column b.j: fill a || '-- x'",
        );
        check(
            "create table b (i int,\n constraint c check (i > 0)) -- renamed from: a",
            "table b: was a",
        );
        check(
            "create table b (\nconstraint c check (\ni > 0) -- renamed from: a\n)",
            "constraint b.c: was a",
        );
        check(
            "-- m::S\n-- renamed from: a\ncreate type s.t as enum (\n  'x',\n  -- renamed from: \
             y\n  'it''s'\n);",
            "type s.t: was a; label s.t.it's: was y",
        );
        check(
            "-- renamed from: a\ncreate unique index concurrently i on only s.t (x);",
            "index s.i: was a",
        );
        check(
            "-- renamed from: a\nalter table s.t\n  add constraint c foreign key (x) references y;",
            "constraint s.t.c: was a",
        );
        check(
            "alter table t add column c int, -- renamed from: a\n  add d int;",
            "column t.c: was a",
        );
        check("-- renamed from: a\ncreate policy p on s.t;", "policy s.t.p: was a");
        check(
            "/* @rename from=a */ create or replace function s.f(i int) returns int;",
            "function s.f: was a",
        );
        check(
            "-- renamed from: a\ncreate trigger g after insert or update of x on t;",
            "trigger t.g: was a",
        );
        check(
            "-- renamed from: a\ncreate rule r as on insert to s.t do nothing;",
            "rule s.t.r: was a",
        );
    }

    #[test]
    fn passes_over_what_only_looks_alike() {
        let check = |sql: &str| assert_eq!(shown(sql), "", "{sql}");
        check("-- it was renamed from: a\ncreate table b ();");
        check("create function f() returns int as $$ -- renamed from: a\n $$ language sql;");
        check("select '-- renamed from: a';");
        check("-- refill: no\nselect 1; -- @renamed to=x");
    }

    #[test]
    fn says_what_is_unclear() {
        let check = |sql: &str, reason: &str| {
            let shown = shown(sql);
            assert!(shown.ends_with(reason), "{sql}: {shown}");
        };
        let name = "expected one name, as in `-- renamed from: nick`";
        check("-- renamed from:\ncreate table b ();", name);
        check("-- renamed from: a b\ncreate table b ();", name);
        check("-- renamed from: s.a\ncreate table b ();", name);
        check("-- fill:\ncreate table b ();", "as in `-- fill: lower(email)`");
        check("-- fill: 1\ncreate table b ();", "a fill applies only to a column");
        let nothing = "there is no object here that it could apply to";
        check("create table b ();\n-- renamed from: a\n", nothing);
        check(
            "-- renamed from: a\ninsert into b values (1);",
            "at a statement that creates nothing",
        );
        check("-- renamed from: a\nalter table b drop c;", "at an action that adds nothing");
        check(
            "-- renamed from: a\nalter table b add c int, add d int;",
            "precede one of the actions",
        );
        check("-- renamed from: a\ncreate extension b;", "creates cannot be renamed");
        check("create table b (i int\n-- renamed from: a\n);", "nothing follows it here");
        check(
            "create table b (\n-- renamed from: a\ncheck (true));",
            "without a name cannot be renamed",
        );
        check("-- renamed from: a\ncreate index on b (i);", "without a name cannot be renamed");
    }
}
