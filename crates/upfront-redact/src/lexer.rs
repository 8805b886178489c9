//! The tokens of SQL and of texts that quote SQL. Nothing is an error here: what is never closed
//! ends with the text.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Number,
    /// In double quotes.
    Quoted,
    /// In single quotes; with an `E` in front a backslash escapes.
    Text {
        escapes: bool,
    },
    /// In dollar quotes.
    Dollar,
    Comment,
    Symbol(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Between the quotes, in bytes; of a word all of it.
    pub(crate) inner: (usize, usize),
}

impl Token {
    pub(crate) fn inner<'a>(&self, text: &'a str) -> &'a str {
        &text[self.inner.0..self.inner.1]
    }

    /// A constant that can hold any text.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(self.kind, TokenKind::Text { .. } | TokenKind::Dollar)
    }

    pub(crate) fn is(&self, symbol: u8) -> bool {
        self.kind == TokenKind::Symbol(symbol)
    }
}

/// The tokens of a text; blanks are left out.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text.as_bytes()[at] {
            it if it.is_ascii_whitespace() => at += 1,
            _ => {
                let token = token(text, at);
                at = token.end;
                tokens.push(token);
            }
        }
    }
    tokens
}

fn token(text: &str, start: usize) -> Token {
    let rest = &text.as_bytes()[start..];
    let second = rest.get(1).copied();
    match rest[0] {
        b'-' if second == Some(b'-') => {
            let end = rest.iter().position(|it| *it == b'\n').unwrap_or(rest.len());
            inside(TokenKind::Comment, text, start, 2, end, 0)
        }
        b'/' if second == Some(b'*') => {
            let end = block_comment(rest);
            inside(TokenKind::Comment, text, start, 2, end, 2)
        }
        b'\'' => quoted(TokenKind::Text { escapes: false }, text, start, 1),
        b'e' | b'E' if second == Some(b'\'') => {
            quoted(TokenKind::Text { escapes: true }, text, start, 2)
        }
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if second == Some(b'\'') => {
            quoted(TokenKind::Text { escapes: false }, text, start, 2)
        }
        b'u' | b'U' if rest[1..].starts_with(b"&'") => {
            quoted(TokenKind::Text { escapes: false }, text, start, 3)
        }
        b'u' | b'U' if rest[1..].starts_with(b"&\"") => quoted(TokenKind::Quoted, text, start, 3),
        b'"' => quoted(TokenKind::Quoted, text, start, 1),
        b'$' => dollar(text, start),
        it if is_word_start(it) => plain(TokenKind::Word, start, length(rest, is_word)),
        it if it.is_ascii_digit() => {
            plain(TokenKind::Number, start, length(rest, |it| is_word(it) || it == b'.'))
        }
        it => plain(TokenKind::Symbol(it), start, 1),
    }
}

fn plain(kind: TokenKind, start: usize, length: usize) -> Token {
    Token { kind, start, end: start + length, inner: (start, start + length) }
}

/// A token of `length` bytes with marks before and after what it holds. Where it is never closed,
/// the mark after it is missing.
fn inside(
    kind: TokenKind,
    text: &str,
    start: usize,
    before: usize,
    length: usize,
    after: usize,
) -> Token {
    let end = start + length;
    let mut inner = (start + before, end.saturating_sub(after).max(start + before));
    inner.1 = inner.1.min(end);
    inner.0 = inner.0.min(inner.1);
    if !text.is_char_boundary(inner.1) || !text.is_char_boundary(inner.0) {
        inner = (start, end);
    }
    Token { kind, start, end, inner }
}

fn quoted(kind: TokenKind, text: &str, start: usize, prefix: usize) -> Token {
    let rest = &text.as_bytes()[start..];
    let quote = rest[prefix - 1];
    let mut at = prefix;
    loop {
        match rest.get(at) {
            None => return inside(kind, text, start, prefix, rest.len(), 0),
            Some(b'\\') if kind == (TokenKind::Text { escapes: true }) => at += 2,
            Some(it) if *it == quote && rest.get(at + 1) == Some(&quote) => at += 2,
            Some(it) if *it == quote => return inside(kind, text, start, prefix, at + 1, 1),
            Some(_) => at += 1,
        }
    }
}

fn dollar(text: &str, start: usize) -> Token {
    let rest = &text[start..];
    let tag = 1 + length(&rest.as_bytes()[1..], is_tag);
    let is_tag = rest.as_bytes().get(tag) == Some(&b'$') && !rest.as_bytes()[1].is_ascii_digit();
    if !is_tag {
        return plain(TokenKind::Symbol(b'$'), start, 1);
    }
    let tag = &rest[..=tag];
    match rest[tag.len()..].find(tag) {
        Some(at) => {
            inside(TokenKind::Dollar, text, start, tag.len(), at + 2 * tag.len(), tag.len())
        }
        None => inside(TokenKind::Dollar, text, start, tag.len(), rest.len(), 0),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn length(rest: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    rest.iter().position(|it| !belongs(*it)).unwrap_or(rest.len())
}

fn is_word_start(it: u8) -> bool {
    it.is_ascii_alphabetic() || it == b'_' || !it.is_ascii()
}

fn is_tag(it: u8) -> bool {
    is_word_start(it) || it.is_ascii_digit()
}

fn is_word(it: u8) -> bool {
    is_tag(it) || it == b'$'
}
