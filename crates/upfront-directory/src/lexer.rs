//! PostgreSQL's lexical rules: the tokens of `src/backend/parser/scan.l`, as far as they decide
//! what is text and what is not.
//!
//! `standard_conforming_strings` is taken to be on, its default since 9.1.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Spaces, tabs, line ends.
    Blank,
    /// `--` to the end of the line, which does not belong to it.
    LineComment,
    BlockComment,
    /// A keyword or an identifier without quotes.
    Word,
    /// An identifier in double quotes, `U&` ones too.
    Quoted,
    /// A string of any kind but dollar quotes.
    Text,
    DollarText,
    Number,
    Semicolon,
    Open,
    Close,
    Comma,
    Dot,
    Backslash,
    /// One character of anything else.
    Symbol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    pub(crate) fn text<'a>(&self, source: &'a str) -> &'a str {
        &source[self.start..self.end]
    }

    /// Neither blank nor comment.
    pub(crate) fn is_significant(&self) -> bool {
        !matches!(self.kind, TokenKind::Blank | TokenKind::LineComment | TokenKind::BlockComment)
    }
}

/// An unclosed token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LexerError {
    String,
    Identifier,
    Dollar(String),
    Comment,
}

/// Every byte of the text up to the first error belongs to exactly one token.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn of(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    /// Continues at this offset, to skip data between statements.
    pub(crate) fn go_to(&mut self, offset: usize) {
        self.at = offset;
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The kind of the token that starts here, and its length.
    fn token(&self) -> Result<(TokenKind, usize), LexerError> {
        let rest = self.rest();
        let second = rest.get(1).copied();
        Ok(match rest[0] {
            it if is_blank(it) => (TokenKind::Blank, length(rest, BLANK)),
            b'-' if second == Some(b'-') => (TokenKind::LineComment, line_length(rest)),
            b'/' if second == Some(b'*') => (TokenKind::BlockComment, comment(rest)?),
            b'\'' => (TokenKind::Text, string(rest, 1, Escapes::Doubled)?),
            b'e' | b'E' if second == Some(b'\'') => {
                (TokenKind::Text, string(rest, 2, Escapes::Backslash)?)
            }
            b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if second == Some(b'\'') => {
                (TokenKind::Text, string(rest, 2, Escapes::Doubled)?)
            }
            b'u' | b'U' if rest[1..].starts_with(b"&'") => {
                (TokenKind::Text, string(rest, 3, Escapes::Doubled)?)
            }
            b'u' | b'U' if rest[1..].starts_with(b"&\"") => {
                (TokenKind::Quoted, identifier(rest, 3)?)
            }
            b'"' => (TokenKind::Quoted, identifier(rest, 1)?),
            b'$' => self.dollar()?,
            it if is_word_start(it) => (TokenKind::Word, length(rest, WORD)),
            it if it.is_ascii_digit() => (TokenKind::Number, number(rest)),
            b'.' if second.is_some_and(|it| it.is_ascii_digit()) => {
                (TokenKind::Number, number(rest))
            }
            b';' => (TokenKind::Semicolon, 1),
            b'(' => (TokenKind::Open, 1),
            b')' => (TokenKind::Close, 1),
            b',' => (TokenKind::Comma, 1),
            b'.' => (TokenKind::Dot, 1),
            b'\\' => (TokenKind::Backslash, 1),
            _ => (TokenKind::Symbol, 1),
        })
    }

    /// `$tag$ … $tag$`, or a lone `$` as in `$1`.
    fn dollar(&self) -> Result<(TokenKind, usize), LexerError> {
        let rest = &self.text[self.at..];
        let inner = length(&rest.as_bytes()[1..], TAG);
        let starts_well = inner == 0 || is_word_start(rest.as_bytes()[1]);
        if !starts_well || rest.as_bytes().get(1 + inner) != Some(&b'$') {
            return Ok((TokenKind::Symbol, 1));
        }
        let tag = &rest[..inner + 2];
        match rest[tag.len()..].find(tag) {
            Some(at) => Ok((TokenKind::DollarText, at + 2 * tag.len())),
            None => Err(LexerError::Dollar(tag.to_owned())),
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Token, (usize, LexerError)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.text.len() {
            return None;
        }
        let start = self.at;
        match self.token() {
            Ok((kind, length)) => {
                self.at += length;
                Some(Ok(Token { kind, start, end: self.at }))
            }
            Err(error) => {
                self.at = self.text.len();
                Some(Err((start, error)))
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Doubled,
    Backslash,
}

/// A string with its prefix. After a line end, it continues at the next quote.
fn string(rest: &[u8], prefix: usize, escapes: Escapes) -> Result<usize, LexerError> {
    let mut at = prefix;
    loop {
        // The bytes of most strings, without a call for each of them.
        while at < rest.len() && rest[at] != b'\'' && rest[at] != b'\\' {
            at += 1;
        }
        match rest.get(at) {
            None => return Err(LexerError::String),
            Some(b'\\') if escapes == Escapes::Backslash => at += 2,
            Some(b'\'') if rest.get(at + 1) == Some(&b'\'') => at += 2,
            Some(b'\'') => match continuation(&rest[at + 1..]) {
                Some(gap) => at += 2 + gap,
                None => return Ok(at + 1),
            },
            Some(_) => at += 1,
        }
    }
}

/// The length of the gap to the quote that continues a string: blanks and `--` comments that
/// include a line end.
fn continuation(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut has_line_end = false;
    loop {
        match rest.get(at)? {
            b'\n' => has_line_end = true,
            b'\'' if has_line_end => return Some(at),
            b'-' if rest.get(at + 1) == Some(&b'-') => {
                at += line_length(&rest[at..]);
                continue;
            }
            it if is_blank(*it) => {}
            _ => return None,
        }
        at += 1;
    }
}

fn identifier(rest: &[u8], prefix: usize) -> Result<usize, LexerError> {
    let mut at = prefix;
    loop {
        while at < rest.len() && rest[at] != b'"' {
            at += 1;
        }
        match rest.get(at) {
            None => return Err(LexerError::Identifier),
            Some(b'"') if rest.get(at + 1) == Some(&b'"') => at += 2,
            Some(b'"') => return Ok(at + 1),
            Some(_) => at += 1,
        }
    }
}

fn comment(rest: &[u8]) -> Result<usize, LexerError> {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Ok(at);
        }
    }
    Err(LexerError::Comment)
}

/// A number, and the name that stands right behind it: that is an error from PostgreSQL 15 on, and
/// an alias before.
fn number(rest: &[u8]) -> usize {
    let digits = |at: usize| length(rest.get(at..).unwrap_or_default(), DIGIT);
    let mut at = digits(0);
    if rest.get(at) == Some(&b'.') && rest.get(at + 1) != Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if let [b'e' | b'E', b'+' | b'-', ..] = rest[at..] {
        let exponent = digits(at + 2);
        at += if exponent > 0 { 2 + exponent } else { 0 };
    }
    match rest.get(at) {
        Some(it) if is_word_start(*it) => at + length(&rest[at..], WORD),
        _ => at,
    }
}

// Classes of bytes. Build scripts are not optimized: a lookup costs a fraction of calls for each byte.
const BLANK: u8 = 1;
const WORD_START: u8 = 2;
const DIGIT: u8 = 4;
const DOLLAR: u8 = 8;
const TAG: u8 = WORD_START | DIGIT;
const WORD: u8 = TAG | DOLLAR;

static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => BLANK,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 128.. => WORD_START,
            b'0'..=b'9' => DIGIT,
            b'$' => DOLLAR,
            _ => 0,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

/// The number of leading bytes of these classes.
fn length(rest: &[u8], classes: u8) -> usize {
    let mut at = 0;
    while at < rest.len() && CLASSES[rest[at] as usize] & classes != 0 {
        at += 1;
    }
    at
}

/// The number of bytes before the end of the line.
fn line_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != b'\n' {
        at += 1;
    }
    at
}

fn is_blank(it: u8) -> bool {
    CLASSES[it as usize] & BLANK != 0
}

fn is_word_start(it: u8) -> bool {
    CLASSES[it as usize] & WORD_START != 0
}

impl fmt::Display for LexerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LexerError::String => f.write_str("this string is never closed"),
            LexerError::Identifier => f.write_str("this quoted name is never closed"),
            LexerError::Dollar(tag) => {
                write!(f, "the text opened by `{tag}` is never closed")
            }
            LexerError::Comment => f.write_str("this comment is never closed"),
        }
    }
}

impl LexerError {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            LexerError::String => "close it with `'`; a quote inside is written twice: `''`",
            LexerError::Identifier => "close it with `\"`; a double quote inside is written twice",
            LexerError::Dollar(_) => "close it with the same tag, in the same upper and lower case",
            LexerError::Comment => {
                "close it with `*/`, once for each `/*`: PostgreSQL's comments nest"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLANK, CLASSES, DIGIT, Lexer, TAG, TokenKind, WORD, WORD_START};

    #[test]
    fn classes_are_those_of_postgresql() {
        for byte in 0..=u8::MAX {
            let is = |classes: u8| CLASSES[byte as usize] & classes != 0;
            let is_start = byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii();
            assert_eq!(is(BLANK), b" \t\n\r\x0b\x0c".contains(&byte), "{byte}");
            assert_eq!(is(WORD_START), is_start, "{byte}");
            assert_eq!(is(DIGIT), byte.is_ascii_digit(), "{byte}");
            assert_eq!(is(TAG), is_start || byte.is_ascii_digit(), "{byte}");
            assert_eq!(is(WORD), is_start || byte.is_ascii_digit() || byte == b'$', "{byte}");
        }
    }

    #[test]
    fn strings_end_at_their_quote() {
        let check = |sql: &str, expected: &[&str]| {
            let tokens = Lexer::of(sql).map_while(Result::ok);
            let texts = tokens.filter(|it| it.kind == TokenKind::Text).map(|it| it.text(sql));
            assert_eq!(texts.collect::<Vec<_>>(), expected, "{sql}");
        };
        check("'a' 'b'", &["'a'", "'b'"]);
        check("'it''s', 1", &["'it''s'"]);
        check("'a\\', 'b'", &["'a\\'", "'b'"]);
        check("E'a\\'b', 'c'", &["E'a\\'b'", "'c'"]);
        check("E'\\\\', 'b'", &["E'\\\\'", "'b'"]);
        check("'a'\n 'b' 'c'", &["'a'\n 'b'", "'c'"]);
        check("'open", &[]);
    }
}
