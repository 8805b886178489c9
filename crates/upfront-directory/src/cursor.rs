//! Reading a statement word by word.

use crate::lexer::{Token, TokenKind};

/// A place among the solid tokens of one statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    pub(crate) fn of(text: &'a str, tokens: &'a [Token]) -> Cursor<'a> {
        Cursor { text, tokens }
    }

    pub(crate) fn peek(&self) -> Option<Token> {
        self.tokens.first().copied()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(crate) fn skip(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(*first)
    }

    /// The text of the next token when it is a word without quotes.
    pub(crate) fn word(&self) -> Option<&'a str> {
        self.peek().filter(|it| it.kind == TokenKind::Word).map(|it| it.text(self.text))
    }

    pub(crate) fn is_at(&self, keyword: &str) -> bool {
        self.word().is_some_and(|it| it.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn is_at_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|it| self.is_at(it))
    }

    /// Steps over these keywords when all of them stand here.
    pub(crate) fn eat(&mut self, keywords: &str) -> bool {
        let mut ahead = *self;
        for keyword in keywords.split(' ') {
            if !ahead.is_at(keyword) {
                return false;
            }
            ahead.skip();
        }
        *self = ahead;
        true
    }

    pub(crate) fn eat_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|it| self.eat(it))
    }

    pub(crate) fn eat_kind(&mut self, kind: TokenKind) -> bool {
        let here = self.peek().is_some_and(|it| it.kind == kind);
        if here {
            self.skip();
        }
        here
    }

    pub(crate) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let here = self
            .peek()
            .is_some_and(|it| it.kind == TokenKind::Symbol && it.text(self.text) == symbol);
        if here {
            self.skip();
        }
        here
    }

    /// A group in parentheses, which is stepped over: what stands between them.
    pub(crate) fn group(&mut self) -> Option<Cursor<'a>> {
        let mut ahead = *self;
        if !ahead.eat_kind(TokenKind::Open) {
            return None;
        }
        let inner = ahead;
        let mut depth = 1;
        while depth > 0 {
            match ahead.skip()?.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                _ => {}
            }
        }
        let length = inner.tokens.len() - ahead.tokens.len() - 1;
        *self = ahead;
        Some(Cursor { text: self.text, tokens: &inner.tokens[..length] })
    }

    /// A name with its qualifiers, as it is written.
    pub(crate) fn name(&mut self) -> Option<String> {
        let mut name = self.identifier()?.to_owned();
        while self.eat_kind(TokenKind::Dot) {
            name.push('.');
            name.push_str(self.identifier()?);
        }
        Some(name)
    }

    /// One name as it is written.
    pub(crate) fn identifier(&mut self) -> Option<&'a str> {
        let token =
            self.peek().filter(|it| matches!(it.kind, TokenKind::Word | TokenKind::Quoted))?;
        self.skip();
        Some(token.text(self.text))
    }

    /// Names with commas between them.
    pub(crate) fn names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            self.eat("ONLY");
            match self.name() {
                Some(name) => names.push(name),
                None => return names,
            }
            self.eat_symbol("*");
            if !self.eat_kind(TokenKind::Comma) {
                return names;
            }
        }
    }

    /// What the statement's parts are when it is cut at the commas outside parentheses and
    /// brackets.
    pub(crate) fn parts(self) -> Vec<Cursor<'a>> {
        let mut depth = 0_usize;
        self.tokens
            .split(|it| {
                match (it.kind, it.text(self.text)) {
                    (TokenKind::Open, _) | (TokenKind::Symbol, "[") => depth += 1,
                    (TokenKind::Close, _) | (TokenKind::Symbol, "]") => {
                        depth = depth.saturating_sub(1);
                    }
                    _ => {}
                }
                depth == 0 && it.kind == TokenKind::Comma
            })
            .map(|tokens| Cursor { text: self.text, tokens })
            .collect()
    }

    /// All places of the statement from here on, the end not among them.
    pub(crate) fn positions(self) -> impl Iterator<Item = Cursor<'a>> {
        (0..self.tokens.len()).map(move |at| Cursor { text: self.text, tokens: &self.tokens[at..] })
    }

    /// Whether this keyword stands anywhere from here on.
    pub(crate) fn has(self, keyword: &str) -> bool {
        self.positions().any(|it| it.is_at(keyword))
    }

    pub(crate) fn ends_with(self, keyword: &str) -> bool {
        self.positions().last().is_some_and(|it| it.is_at(keyword))
    }

    pub(crate) fn tokens(&self) -> &'a [Token] {
        self.tokens
    }

    pub(crate) fn text(&self) -> &'a str {
        self.text
    }
}

/// A name as the catalog holds it: folded without quotes, unquoted with them, cut to 63 bytes;
/// nothing for `U&` names.
///
/// See <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>.
pub(crate) fn fold(written: &str) -> Option<String> {
    let quoted = written.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let mut name = match quoted {
        Some(inner) => inner.replace("\"\"", "\""),
        None if written.contains('"') => return None,
        None => written.to_ascii_lowercase(),
    };
    let longest = (0..=63).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    name.truncate(longest);
    Some(name)
}
