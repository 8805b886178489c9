//! What stands behind a name: `PASSWORD '…'`, `api_key => '…'`, `pw text := '…'`, `"token": "…"`.

use crate::{
    block::{Block, Context},
    lexer::TokenKind,
    names::{self, is_harmless, is_placeholder},
    patterns,
};

/// Words before which an expression ends.
const ENDS: [&str; 36] = [
    "WHERE",
    "FROM",
    "AND",
    "OR",
    "RETURNING",
    "THEN",
    "LOOP",
    "USING",
    "VALID",
    "LOGIN",
    "NOLOGIN",
    "SUPERUSER",
    "NOSUPERUSER",
    "CREATEDB",
    "NOCREATEDB",
    "CREATEROLE",
    "NOCREATEROLE",
    "INHERIT",
    "NOINHERIT",
    "REPLICATION",
    "BYPASSRLS",
    "CONNECTION",
    "IN",
    "WITH",
    "ON",
    "AS",
    "ELSE",
    "END",
    "GROUP",
    "ORDER",
    "LIMIT",
    "UNION",
    "PUBLICATION",
    "INTO",
    "CHECK",
    "SET",
];

/// The words of types of columns and variables that hold secrets.
const TYPES: [&str; 18] = [
    "CONSTANT",
    "TEXT",
    "VARCHAR",
    "CHARACTER",
    "VARYING",
    "CITEXT",
    "BYTEA",
    "CHAR",
    "NAME",
    "JSON",
    "JSONB",
    "UUID",
    "NOT",
    "NULL",
    "BPCHAR",
    "PG_CATALOG",
    "PUBLIC",
    "STRING",
];

/// What stands between a name and its value.
enum Between {
    Nothing,
    /// `=`, `:=`, `=>`, `TO`, or the comma between a name and a value.
    Equals,
    /// `:` of JSON and of sentences.
    Colon,
    /// `<password>…`
    Markup,
}

impl Block<'_> {
    pub(crate) fn value(&mut self, name: usize) {
        let (between, at) = self.between(name);
        match between {
            Between::Equals => self.expression(at),
            Between::Colon => self.after_colon(at),
            Between::Markup => self.mask_up_to(at, &['<']),
            Between::Nothing => self.directly_behind(name, at),
        }
    }

    fn between(&self, name: usize) -> (Between, usize) {
        let mut at = name + 1;
        let is = |at, symbol| self.is_symbol(at, symbol);
        if is(at, b':') && is(at + 1, b':') {
            // A cast.
            at += 3;
        }
        match () {
            () if is(at, b':') && is(at + 1, b'=') => (Between::Equals, at + 2),
            () if is(at, b'=') && (is(at + 1, b'>') || is(at + 1, b'=')) => {
                (Between::Equals, at + 2)
            }
            () if is(at, b'=') => (Between::Equals, at + 1),
            () if is(at, b':') && self.context == Context::Text => (Between::Colon, at + 1),
            () if self.is_word(at, "IS") && self.context == Context::Text => {
                (Between::Colon, at + 1)
            }
            () if self.is_word(at, "TO") && self.is_set(name) => (Between::Equals, at + 1),
            () if is(at, b'>') && name > 0 && is(name - 1, b'<') => (Between::Markup, at + 1),
            () if is(at, b',') && self.is_in_pair(name) => (Between::Equals, at + 1),
            () => (Between::Nothing, at),
        }
    }

    /// Is a literal the name of what stands behind the comma?
    fn is_in_pair(&self, name: usize) -> bool {
        self.is_literal(name) && self.callee(name).is_some_and(names::takes_pairs)
    }

    fn is_set(&self, name: usize) -> bool {
        (name.saturating_sub(8)..name).any(|at| self.is_word(at, "SET"))
    }

    /// Does it make or alter a role?
    fn is_role(&self, name: usize) -> bool {
        let behind = (0..name).rev().take_while(|at| !self.is_symbol(*at, b';'));
        behind.into_iter().any(|at| {
            at > 0
                && self.is_any(at, &["ROLE", "USER", "GROUP"])
                && self.is_any(at - 1, &["CREATE", "ALTER"])
        })
    }

    fn directly_behind(&mut self, name: usize, at: usize) {
        let Some(token) = self.tokens.get(at).copied() else {
            self.ends_before_value |= !self.is_literal(name);
            return;
        };
        if self.is_literal(name) {
            return;
        }
        let is_text = self.context == Context::Text;
        match token.kind {
            TokenKind::Text { .. } | TokenKind::Dollar => {
                self.mask(at);
                match self.is_symbol(at + 1, b'|') {
                    true => self.expression(at),
                    // A literal may continue on the next line.
                    false if self.is_literal(at + 1) => self.mask(at + 1),
                    false => {}
                }
            }
            TokenKind::Symbol(b'%' | b'$' | b'?' | b'{') if is_text => {
                self.expects_secret |= is_placeholder(patterns::run(&self.view.text, token.start));
            }
            TokenKind::Word | TokenKind::Number | TokenKind::Quoted
                if self.is_word(name, "PASSWORD") && self.is_role(name) =>
            {
                self.mask_up_to(at, &[' ', '\n', '\t', ';', '\'']);
            }
            _ => self.declaration(at),
        }
    }

    /// A column or a variable with its type: what it is set to.
    fn declaration(&mut self, mut at: usize) {
        for _ in 0..12 {
            let Some(token) = self.tokens.get(at) else { return };
            let is_type = self.is_any(at, &TYPES)
                || self.is_symbol(at + 1, b'.')
                || self.is_symbol(at + 1, b'%')
                || (at > 0 && (self.is_symbol(at - 1, b'.') || self.is_symbol(at - 1, b'%')));
            match token.kind {
                TokenKind::Word if self.is_word(at, "DEFAULT") => return self.expression(at + 1),
                TokenKind::Symbol(b'=') => return self.expression(at + 1),
                TokenKind::Word if is_type => {}
                TokenKind::Number | TokenKind::Symbol(b'(' | b'[' | b']' | b'.' | b'%' | b':') => {}
                // Of `varchar(20)`, not of the surrounding list.
                TokenKind::Symbol(b')')
                    if at > 0 && self.tokens[at - 1].kind == TokenKind::Number => {}
                _ => return,
            }
            at += 1;
        }
    }

    /// Hides the literals of an expression.
    fn expression(&mut self, from: usize) {
        let Some(first) = self.tokens.get(from).copied() else {
            self.ends_before_value = true;
            return;
        };
        let is_plain = !first.is_literal()
            && !matches!(first.kind, TokenKind::Quoted | TokenKind::Symbol(b'(' | b'\\' | b'|'))
            && !self.is_symbol(from + 1, b'(');
        let is_written_out = match self.context {
            Context::Text => is_plain,
            Context::Code => {
                is_plain && self.is_word(0, "SET") && !self.is_any(from, &["DEFAULT", "NULL"])
            }
        };
        if is_written_out {
            return self.mask_up_to(from, &[' ', '\n', '\t', '&', ';', ',', '\'', '"', ')']);
        }
        let mut depth = 0_usize;
        for at in from..self.tokens.len() {
            match self.tokens[at].kind {
                TokenKind::Text { .. } | TokenKind::Dollar => self.mask(at),
                TokenKind::Quoted if self.context == Context::Text => self.mask(at),
                TokenKind::Symbol(b'(' | b'[') => depth += 1,
                TokenKind::Symbol(b')' | b']' | b',' | b';') if depth == 0 => return,
                TokenKind::Symbol(b')' | b']') => depth -= 1,
                TokenKind::Word if depth == 0 && at > from && self.is_any(at, &ENDS) => return,
                _ => {}
            }
        }
        let is_joined_at_the_end = self.tokens.last().is_some_and(|it| it.is(b'|'));
        self.ends_before_value |= is_joined_at_the_end;
    }

    fn after_colon(&mut self, at: usize) {
        const PLAIN: [&str; 9] =
            ["true", "false", "null", "none", "string", "text", "required", "optional", "%"];
        let Some(token) = self.tokens.get(at).copied() else {
            self.ends_before_value = true;
            return;
        };
        match token.kind {
            TokenKind::Text { .. } | TokenKind::Dollar | TokenKind::Quoted | TokenKind::Number => {
                self.mask(at);
            }
            TokenKind::Symbol(b'%' | b'$' | b'?') => self.expects_secret = true,
            TokenKind::Symbol(b'{' | b'[') => {}
            _ => {
                let rest = &self.view.text[token.start..];
                let value = rest.split(['\n', ',', ';', '}']).next().unwrap_or_default().trim();
                // More words than one are a sentence.
                let is_value = !value.contains(char::is_whitespace) && !PLAIN.contains(&value);
                if is_value && !is_harmless(value) {
                    let range = token.start..token.start + value.len();
                    self.found.push(self.view.place(range));
                }
            }
        }
    }

    /// Hides what is written without quotes, up to one of these.
    fn mask_up_to(&mut self, at: usize, ends: &[char]) {
        let Some(token) = self.tokens.get(at) else {
            self.ends_before_value = true;
            return;
        };
        let rest = &self.view.text[token.start..];
        let value = &rest[..rest.find(ends).unwrap_or(rest.len())];
        if is_placeholder(value) {
            self.expects_secret = true;
        } else if !is_harmless(value) {
            let range = token.start..token.start + value.len();
            self.found.push(self.view.place(range));
        }
    }
}
