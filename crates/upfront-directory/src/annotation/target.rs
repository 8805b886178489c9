//! What a comment is about: the object on its line, or the next one.

use std::ops::Range;

use super::AnnotationTarget;
use crate::cursor::{Cursor, fold};
use crate::lexer::{Token, TokenKind};

/// The kind of object and its names, or the reason why they are unknown.
pub(super) type FoundTarget = Result<(AnnotationTarget, Vec<String>), String>;

/// What the comment at this place is on.
pub(super) fn find(
    sql: &str,
    tokens: &[Token],
    comment: usize,
    statements: &[Range<usize>],
) -> FoundTarget {
    let nothing = "there is no object here that it could apply to";
    let (anchor, side) = anchor(sql, tokens, comment).ok_or(nothing)?;
    let it = statements.iter().find(|it| it.contains(&anchor.start)).ok_or(nothing)?;
    let within = |token: &&Token| token.is_significant() && it.contains(&token.start);
    let solid: Vec<_> = tokens.iter().filter(within).copied().collect();
    read_statement(Cursor::of(sql, &solid), &Location { at: anchor.start, side })
}

/// On which side of the comment its object is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

/// A token that belongs to what a comment is about.
struct Location {
    at: usize,
    side: Side,
}

impl Location {
    fn is_in(&self, it: Cursor<'_>) -> bool {
        it.tokens().iter().any(|it| it.start == self.at)
    }
}

/// The token that the comment is behind on its line, or the next one.
fn anchor(sql: &str, tokens: &[Token], comment: usize) -> Option<(Token, Side)> {
    let is_mark = |it: &&Token| !it.is_significant() || it.kind == TokenKind::Comma;
    let line = sql[..tokens[comment].start].rfind('\n').map_or(0, |it| it + 1);
    let mut left = tokens[..comment].iter().rev();
    if left.clone().find(|it| it.is_significant()).is_some_and(|it| it.end > line) {
        let it = left.find(|it| !is_mark(it) && it.kind != TokenKind::Semicolon);
        return it.map(|it| (*it, Side::Before));
    }
    tokens[comment..].iter().find(|it| !is_mark(it)).map(|it| (*it, Side::Behind))
}

/// The words before the name of what a statement makes.
const MADE: [(&str, &str); 22] = [
    ("TABLE", "table"),
    ("UNLOGGED TABLE", "table"),
    ("FOREIGN TABLE", "foreign table"),
    ("VIEW", "view"),
    ("RECURSIVE VIEW", "view"),
    ("MATERIALIZED VIEW", "materialized view"),
    ("SEQUENCE", "sequence"),
    ("UNLOGGED SEQUENCE", "sequence"),
    ("INDEX", "index"),
    ("UNIQUE INDEX", "index"),
    ("TYPE", "type"),
    ("DOMAIN", "domain"),
    ("SCHEMA", "schema"),
    ("FUNCTION", "function"),
    ("PROCEDURE", "procedure"),
    ("AGGREGATE", "aggregate"),
    ("TRIGGER", "trigger"),
    ("CONSTRAINT TRIGGER", "trigger"),
    ("POLICY", "policy"),
    ("RULE", "rule"),
    ("COLLATION", "collation"),
    ("PUBLICATION", "publication"),
];

fn read_statement(mut it: Cursor<'_>, place: &Location) -> FoundTarget {
    if it.eat("ALTER TABLE") {
        return read_alter(it, place);
    }
    if !it.eat("CREATE") {
        return Err("it is at a statement that creates nothing".to_owned());
    }
    it.eat("OR REPLACE");
    let made = MADE.iter().find(|(words, _)| it.eat(words));
    let (_, kind) = made.ok_or("the object that this statement creates cannot be renamed")?;
    it.eat("CONCURRENTLY");
    it.eat("IF NOT EXISTS");
    let mut names = if is_nameless(kind, it) { Vec::new() } else { path(&mut it)? };
    match *kind {
        "index" => names = of_index(&names, it)?,
        "trigger" | "policy" | "rule" => names = [of_table(it)?, names].concat(),
        "table" | "foreign table" => return read_table(kind, names, it, place),
        "type" if it.eat("AS ENUM") => return read_enum(names, it, place),
        _ => {}
    }
    Ok((AnnotationTarget::Object(kind), names))
}

fn is_nameless(kind: &str, it: Cursor<'_>) -> bool {
    kind == "index" && it.is_at("ON")
}

/// A name with what stands before it.
fn path(it: &mut Cursor<'_>) -> Result<Vec<String>, String> {
    let unclear = || "the name of the object cannot be determined".to_owned();
    let mut names = Vec::new();
    loop {
        names.push(it.identifier().and_then(fold).ok_or_else(unclear)?);
        if !it.eat_kind(TokenKind::Dot) {
            return Ok(names);
        }
    }
}

/// An index is in the schema of its table.
fn of_index(own: &[String], it: Cursor<'_>) -> Result<Vec<String>, String> {
    let own = own.last().cloned().ok_or("an index without a name cannot be renamed")?;
    let mut names = of_table(it)?;
    names.pop();
    names.push(own);
    Ok(names)
}

/// What stands behind `ON`, or behind `TO` of a rule's.
fn of_table(it: Cursor<'_>) -> Result<Vec<String>, String> {
    let mut positions = it.positions().filter(|it| it.is_at("ON") || it.is_at("TO"));
    let is_event = |it: &Cursor<'_>| {
        let mut behind = *it;
        behind.skip();
        behind.is_at_any(&["SELECT", "INSERT", "UPDATE", "DELETE"])
    };
    let mut target = positions.find(|it| !is_event(it)).ok_or("its table cannot be determined")?;
    target.skip();
    target.eat("ONLY");
    path(&mut target)
}

fn read_table(
    kind: &'static str,
    names: Vec<String>,
    it: Cursor<'_>,
    place: &Location,
) -> FoundTarget {
    match element(it, place)? {
        None => Ok((AnnotationTarget::Object(kind), names)),
        Some(element) => of_element(names, element),
    }
}

fn read_enum(names: Vec<String>, it: Cursor<'_>, place: &Location) -> FoundTarget {
    let Some(label) = element(it, place)? else {
        return Ok((AnnotationTarget::Object("type"), names));
    };
    let token = label.peek().filter(|it| it.kind == TokenKind::Text);
    let text = token.map(|it| it.text(label.text())).and_then(|it| it.strip_prefix('\''));
    let text = text.and_then(|it| it.strip_suffix('\'')).ok_or("there is no enum value here")?;
    Ok((AnnotationTarget::Label, [names, vec![text.replace("''", "'")]].concat()))
}

/// What stands between two commas of the parentheses around a place; nothing outside of them.
fn element<'a>(mut it: Cursor<'a>, place: &Location) -> Result<Option<Cursor<'a>>, String> {
    let open = loop {
        match it.peek() {
            Some(token) if token.kind == TokenKind::Open => break token,
            Some(_) => _ = it.skip(),
            None => return Ok(None),
        }
    };
    let Some(within) = it.group() else { return Ok(None) };
    let behind = it.peek().map_or(usize::MAX, |it| it.start);
    if place.at <= open.start || place.at >= behind {
        return Ok(None);
    }
    match (within.parts().into_iter().find(|it| place.is_in(*it)), place.side) {
        (None, Side::Behind) => Err("nothing follows it here".to_owned()),
        (found, _) => Ok(found),
    }
}

/// A column or a constraint of a table.
fn of_element(table: Vec<String>, mut it: Cursor<'_>) -> FoundTarget {
    if it.eat("CONSTRAINT") {
        return Ok((AnnotationTarget::Constraint, [table, path(&mut it)?].concat()));
    }
    let mut ahead = it;
    let is_exclusion = ahead.eat("EXCLUDE") && (ahead.is_at("USING") || ahead.group().is_some());
    if is_exclusion || it.is_at_any(&["PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]) {
        return Err("a constraint without a name cannot be renamed".to_owned());
    }
    if it.is_at("LIKE") {
        return Err("columns copied by `LIKE` cannot be renamed here".to_owned());
    }
    let name =
        it.identifier().and_then(fold).ok_or("the name of the column cannot be determined")?;
    Ok((AnnotationTarget::Column, [table, vec![name]].concat()))
}

/// `ALTER TABLE … ADD …`: what is added at the place, or by the only action.
fn read_alter(mut it: Cursor<'_>, place: &Location) -> FoundTarget {
    it.eat("IF EXISTS");
    it.eat("ONLY");
    let table = path(&mut it)?;
    let actions = it.parts();
    let action = match actions.as_slice() {
        [one] => Some(one),
        all => all.iter().find(|it| place.is_in(**it)),
    };
    let mut action = *action.ok_or("it must precede one of the actions")?;
    if !action.eat("ADD") {
        return Err("it is at an action that adds nothing".to_owned());
    }
    if action.eat("COLUMN") {
        action.eat("IF NOT EXISTS");
    }
    of_element(table, action)
}
