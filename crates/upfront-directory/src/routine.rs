//! The bodies of functions and their ranges, to locate errors inside them.

use std::ops::Range;

use crate::cursor::{Cursor, fold};
use crate::lexer::{Lexer, Token, TokenKind};

/// The body of a function or procedure, or of a `DO`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routine {
    /// The name without its schema, as in the catalog; empty for a `DO`.
    pub name: String,
    /// The range of the body, in bytes, without its quotes. For `BEGIN ATOMIC` it ends before `END`.
    pub body: Range<usize>,
    /// Whether quotes in the body are doubled.
    pub is_quoted: bool,
    /// The offsets of the statements of an SQL function, in bytes; empty for other languages.
    pub statements: Vec<usize>,
}

/// The routine that a statement creates, or the body of a `DO`.
pub(crate) fn read(mut it: Cursor<'_>) -> Option<Routine> {
    let text = it.text();
    if it.eat("DO") {
        // The language may be a literal too.
        let literals = it.tokens().iter().filter(|it| is_literal(it));
        let body = literals.max_by_key(|it| it.end - it.start)?;
        return literal_body(text, *body, String::new(), false);
    }
    if !it.eat("CREATE") {
        return None;
    }
    it.eat("OR REPLACE");
    if !it.eat_any(&["FUNCTION", "PROCEDURE"]) {
        return None;
    }
    let mut name = fold(it.identifier()?)?;
    while it.eat_kind(TokenKind::Dot) {
        name = fold(it.identifier()?)?;
    }
    it.group();
    if let Some(body) = it.positions().find_map(|mut it| it.eat("BEGIN ATOMIC").then_some(it)) {
        return atomic(body, name);
    }
    let is_sql = it
        .positions()
        .any(|mut it| it.eat("LANGUAGE") && it.peek().is_some_and(|it| is_sql(it.text(text))));
    let body =
        it.positions().find_map(|mut it| it.eat("AS").then(|| it.peek().filter(is_literal))?)?;
    literal_body(text, body, name, is_sql)
}

fn is_literal(it: &Token) -> bool {
    matches!(it.kind, TokenKind::Text | TokenKind::DollarText)
}

fn is_sql(language: &str) -> bool {
    language.trim_matches(['\'', '"']).eq_ignore_ascii_case("sql")
}

fn literal_body(text: &str, literal: Token, name: String, is_sql: bool) -> Option<Routine> {
    let written = literal.text(text);
    let is_quoted = literal.kind == TokenKind::Text;
    let quote = match is_quoted {
        // With escapes or a prefix, offsets in the body differ from those in the text.
        true if !written.starts_with('\'') => return None,
        true => 1,
        false => written[1..].find('$')? + 2,
    };
    let body = literal.start + quote..literal.end - quote;
    let statements = match is_sql {
        true => starts(&text[body.clone()]).map(|it| body.start + it).collect(),
        false => Vec::new(),
    };
    Some(Routine { name, body, is_quoted, statements })
}

fn starts(sql: &str) -> impl Iterator<Item = usize> {
    let mut starts_one = true;
    let solid = Lexer::of(sql).map_while(Result::ok).filter(Token::is_significant);
    solid.filter_map(move |it| {
        let starts = starts_one && it.kind != TokenKind::Semicolon;
        starts_one = it.kind == TokenKind::Semicolon;
        starts.then_some(it.start)
    })
}

fn atomic(body: Cursor<'_>, name: String) -> Option<Routine> {
    let (first, last) = (body.peek()?, body.tokens().last()?);
    let range = first.start..last.start.max(first.start);
    let inner = body.text().get(range.clone())?;
    let statements = starts(inner).map(|it| range.start + it).collect();
    Some(Routine { name, body: range, is_quoted: false, statements })
}
