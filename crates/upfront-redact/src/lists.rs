//! Lists in parentheses: arguments of functions, rows of values, options.

use std::ops::Range;

use crate::{
    block::Block,
    lexer::TokenKind,
    names::{self, Arguments, is_secret},
};

/// A list of columns.
#[derive(Default)]
struct Columns {
    names: Vec<String>,
    /// The table holds secrets, in whichever column has the values.
    is_secret: bool,
}

impl Columns {
    fn is_secret(&self, place: usize) -> bool {
        let name = self.names.get(place);
        name.is_some_and(|it| is_secret(it) || (self.is_secret && is_value(it)))
    }

    /// May it be the value of what the column before it names?
    fn may_be_value(&self, place: usize) -> bool {
        self.names.is_empty() || self.names.get(place).is_some_and(|it| is_value(it))
    }
}

fn is_value(column: &str) -> bool {
    ["value", "val", "setting", "content", "data"].iter().any(|it| column.eq_ignore_ascii_case(it))
}

impl Block<'_> {
    /// The arguments of a function that takes secrets.
    pub(crate) fn call(&mut self, at: usize) {
        const NO_CALL: [&str; 15] = [
            "TABLE",
            "INTO",
            "ON",
            "REFERENCES",
            "INDEX",
            "EXISTS",
            "TYPE",
            "VIEW",
            "FUNCTION",
            "PROCEDURE",
            "UPDATE",
            "COPY",
            "WITH",
            "ONLY",
            "CONSTRAINT",
        ];
        let mut before = at;
        while before >= 2 && self.is_symbol(before - 1, b'.') {
            before -= 2;
        }
        if before > 0 && self.is_any(before - 1, &NO_CALL) {
            return;
        }
        let Some(secret) = self.word(at).and_then(names::arguments) else { return };
        for (place, argument) in self.parts(at + 1).into_iter().enumerate() {
            let is_secret = match &secret {
                Arguments::All => true,
                Arguments::At(places) => places.contains(&place),
            };
            if is_secret {
                self.mask_all(argument);
            }
        }
    }

    /// Hides all literals in a range of tokens.
    fn mask_all(&mut self, range: Range<usize>) {
        for at in range {
            if self.is_literal(at) {
                self.mask(at);
            }
        }
    }

    /// What stands between the commas of a group that opens here.
    fn parts(&self, open: usize) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let (mut depth, mut start) = (0_usize, open + 1);
        for at in open..self.tokens.len() {
            match self.tokens[at].kind {
                TokenKind::Symbol(b'(' | b'[') => depth += 1,
                TokenKind::Symbol(b')' | b']') if depth <= 1 => {
                    parts.push(start..at);
                    return parts;
                }
                TokenKind::Symbol(b')' | b']') => depth -= 1,
                TokenKind::Symbol(b',') if depth == 1 => {
                    parts.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(start.min(self.tokens.len())..self.tokens.len());
        parts
    }

    /// The columns of a list that ends here, with a `)`.
    fn columns(&self, close: usize) -> Columns {
        let opens =
            |at: &usize| self.is_symbol(*at, b'(') && self.openers[*at] == self.openers[close];
        let Some(open) = (0..close).rev().find(opens) else {
            return Columns::default();
        };
        let table = open.checked_sub(1).and_then(|it| self.name(it)).unwrap_or_default();
        let plain = |range: Range<usize>| {
            let is_plain = range.len() == 1 && !self.is_literal(range.start);
            self.name(range.start).filter(|_| is_plain).unwrap_or_default().to_owned()
        };
        let names = self.parts(open).into_iter().map(plain).collect();
        Columns { names, is_secret: is_secret(table) }
    }

    /// `INSERT INTO t (a, password) VALUES (…), (…)`, and lists of columns elsewhere.
    pub(crate) fn values(&mut self, at: usize) {
        let mut columns = Columns::default();
        let mut are_secret = false;
        if let Some(before) = at.checked_sub(1) {
            if self.is_symbol(before, b')') {
                columns = self.columns(before);
            } else if self.is_symbol(before, b'(') && self.is_word(before.wrapping_sub(1), "AS") {
                columns = before.checked_sub(2).map(|it| self.columns(it)).unwrap_or_default();
            } else if self.is_word(before, "VALUE") {
                // OVERRIDING SYSTEM VALUE
                columns = before.checked_sub(3).map(|it| self.columns(it)).unwrap_or_default();
            } else {
                are_secret = self.name(before).is_some_and(is_secret);
            }
        }
        let (rows, behind) = self.rows(at + 1);
        if columns.names.is_empty() && self.is_symbol(behind, b')') {
            columns = self.alias(behind + 1);
        }
        for parts in rows {
            for (place, range) in parts.iter().enumerate() {
                let is_named = place > 0
                    && columns.may_be_value(place)
                    && parts[place - 1].len() == 1
                    && self.is_literal(parts[place - 1].start)
                    && self.name(parts[place - 1].start).is_some_and(is_secret);
                if are_secret || is_named || columns.is_secret(place) {
                    self.mask_with_numbers(range.clone());
                }
            }
        }
    }

    /// Rows of values, each cut at its commas; and what stands behind them.
    fn rows(&self, mut open: usize) -> (Vec<Vec<Range<usize>>>, usize) {
        let mut rows = Vec::new();
        while self.is_symbol(open, b'(') {
            let parts = self.parts(open);
            let end = parts.last().map_or(self.tokens.len(), |it| it.end);
            rows.push(parts);
            if !self.is_symbol(end + 1, b',') {
                return (rows, end + 1);
            }
            open = end + 2;
        }
        (rows, open)
    }

    /// The columns of `(VALUES (…)) AS t (a, password)`.
    fn alias(&self, at: usize) -> Columns {
        let open = at + usize::from(self.is_word(at, "AS")) + 1;
        if !self.is_symbol(open, b'(') {
            return Columns::default();
        }
        let close = self.parts(open).last().map_or(0, |it| it.end);
        match self.is_symbol(close, b')') {
            true => self.columns(close),
            false => Columns::default(),
        }
    }

    /// `INSERT INTO t (a, password) SELECT …`
    pub(crate) fn selected(&mut self, at: usize) {
        if !(at > 0 && self.is_symbol(at - 1, b')')) {
            return;
        }
        let columns = self.columns(at - 1);
        let (mut depth, mut place) = (0_usize, 0);
        for it in at + 1..self.tokens.len() {
            if columns.names.is_empty() || (depth == 0 && self.is_any(it, &["FROM", "WHERE"])) {
                return;
            }
            match self.tokens[it].kind {
                TokenKind::Symbol(b'(' | b'[') => depth += 1,
                TokenKind::Symbol(b')' | b']') if depth == 0 => return,
                TokenKind::Symbol(b')' | b']') => depth -= 1,
                TokenKind::Symbol(b';') => return,
                TokenKind::Symbol(b',') if depth == 0 => place += 1,
                _ if columns.is_secret(place) => self.mask_all(it..it + 1),
                _ => {}
            }
        }
    }

    /// `SET (a, password) = ('x', 'y')`
    pub(crate) fn row(&mut self, at: usize) {
        if !(at > 0 && self.is_symbol(at - 1, b')')) {
            return;
        }
        let open = at + 1 + usize::from(self.is_word(at + 1, "ROW"));
        if !self.is_symbol(open, b'(') {
            return;
        }
        let columns = self.columns(at - 1);
        for (place, range) in self.parts(open).into_iter().enumerate() {
            if columns.is_secret(place) {
                self.mask_all(range);
            }
        }
    }

    fn mask_with_numbers(&mut self, range: Range<usize>) {
        for at in range.clone() {
            if self.tokens[at].kind == TokenKind::Number && range.len() == 1 {
                self.mask(at);
            }
        }
        self.mask_all(range);
    }

    /// All options of a user mapping but the name of the user: what they are called is the
    /// wrapper's business.
    pub(crate) fn user_mapping(&mut self, from: usize) {
        for at in from..self.tokens.len() {
            if self.is_symbol(at, b';') {
                return;
            }
            let name = at.checked_sub(1).and_then(|it| self.name(it)).unwrap_or_default();
            let is_user = ["user", "username"].iter().any(|it| name.eq_ignore_ascii_case(it));
            if self.is_literal(at) && !is_user {
                self.mask(at);
            }
        }
    }
}
