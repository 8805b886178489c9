//! Reads a text of SQL for what stands before a secret, and the texts within it.

use std::ops::Range;

use crate::{
    block::Block,
    lexer::{Token, TokenKind, tokens},
    may_contain_secret,
    names::is_secret,
    patterns,
    view::View,
};

/// Texts within texts are followed no deeper.
const MAX_DEPTH: usize = 6;

/// So many of a sentence are tried.
const MAX_APOSTROPHES: usize = 12;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Statements, or the body of a routine: words without quotes are names.
    Code,
    /// A string: it may be a statement, a connection string, JSON, or a sentence.
    Text,
}

/// The secrets of statements.
pub(crate) fn statements(sql: &str) -> Vec<Range<usize>> {
    let mut found = patterns::find(sql);
    found.extend(read(&View::of(sql), Context::Code, 0).found);
    found
}

/// The secrets of what a server says.
pub(crate) fn message(text: &str) -> Vec<Range<usize>> {
    let mut found = patterns::find(text);
    found.extend(rows(text));
    // An apostrophe of the sentence is no quote of the statement in it.
    let apostrophes = text.match_indices('\'').map(|(at, _)| at + 1).take(MAX_APOSTROPHES);
    for start in std::iter::once(0).chain(apostrophes) {
        let part = read(&View::of(&text[start..]), Context::Text, 0).found;
        found.extend(part.into_iter().map(|it| it.start + start..it.end + start));
    }
    found
}

/// Values of rows in a server's words: `Key (name, password)=(a, b)`, `column password: "b"`.
fn rows(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let is_name = |it: char| it.is_alphanumeric() || it == '_';
        if let Some((names, values)) = line.split_once(")=(")
            && names.split(|it| !is_name(it)).any(is_secret)
        {
            let from = start + names.len() + 3;
            found.push(from..from + values.rfind(')').unwrap_or(values.len()));
        }
        if let Some((_, rest)) = line.split_once(", column ")
            && let Some((name, value)) = rest.split_once(": \"")
            && is_secret(name)
        {
            let from = start + line.len() - value.len();
            found.push(from..from + value.rfind('"').unwrap_or(value.len()));
        }
        start += line.len();
    }
    found
}

/// What reading a text came to.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) found: Vec<Range<usize>>,
    /// A secret is put in later, where `%L`, `$1` and the like stand.
    pub(crate) expects_secret: bool,
    /// It ends where a secret would stand: `'ALTER ROLE a PASSWORD ' || …`.
    pub(crate) ends_before_value: bool,
}

pub(crate) fn read(view: &View<'_>, context: Context, depth: usize) -> Findings {
    let mut out = Findings::default();
    if depth > MAX_DEPTH {
        return out;
    }
    let (comments, tokens): (Vec<_>, Vec<_>) =
        tokens(&view.text).into_iter().partition(|it| it.kind == TokenKind::Comment);
    for it in comments {
        let inside = view.inside(&it);
        if may_contain_secret(&inside.text) {
            let comment = read(&inside, Context::Text, depth + 1);
            out.found.extend(comment.found);
            out.expects_secret |= comment.expects_secret && context == Context::Text;
        }
    }
    let is_file = depth == 0 && context == Context::Code;
    for tokens in blocks(&tokens, is_file) {
        Block::of(view, tokens, context, depth).read(&mut out);
    }
    out
}

/// The statements of a file; any other text is one.
fn blocks(tokens: &[Token], is_file: bool) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    let ends = |it: &Token| {
        match it.kind {
            TokenKind::Symbol(b'(') => depth += 1,
            TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_file && depth == 0 && it.is(b';')
    };
    tokens.split(ends).filter(|it| !it.is_empty()).collect()
}
