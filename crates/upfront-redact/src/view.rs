//! A text within a text, with the position of each of its bytes in the outermost one.

use std::{borrow::Cow, ops::Range};

use crate::lexer::{Token, TokenKind};

#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) text: Cow<'a, str>,
    places: Places,
}

#[derive(Debug)]
enum Places {
    /// The same text, further behind.
    Shift(usize),
    /// Of each byte, and of the end: escapes were taken out.
    Each(Vec<usize>),
}

impl<'a> View<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text: text.into(), places: Places::Shift(0) }
    }

    pub(crate) fn place(&self, range: Range<usize>) -> Range<usize> {
        let at = |it: usize| match &self.places {
            Places::Shift(by) => it + by,
            Places::Each(places) => places[it],
        };
        at(range.start)..at(range.end)
    }

    /// What stands between the quotes of a token, without their escapes.
    pub(crate) fn inside(&self, token: &Token) -> View<'_> {
        let (start, end) = token.inner;
        let raw = &self.text[start..end];
        let quote = match token.kind {
            TokenKind::Text { .. } => "''",
            TokenKind::Quoted => "\"\"",
            _ => "\0",
        };
        let has_escapes = token.kind == (TokenKind::Text { escapes: true }) && raw.contains('\\');
        if !has_escapes && !raw.contains(quote) {
            return View { text: raw.into(), places: self.part(start, end) };
        }
        let mut text = String::with_capacity(raw.len());
        let mut places = Vec::with_capacity(raw.len() + 1);
        let mut letters = raw.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            let is_doubled =
                quote.starts_with(letter) && letters.peek().is_some_and(|(_, it)| *it == letter);
            let letter = match letter {
                _ if is_doubled => letters.next().map_or(letter, |it| it.1),
                '\\' if has_escapes => letters.next().map_or(letter, |it| unescaped(it.1)),
                other => other,
            };
            text.push(letter);
            places.resize(text.len(), self.place(start + at..start + at).start);
        }
        places.push(self.place(end..end).start);
        View { text: text.into(), places: Places::Each(places) }
    }

    fn part(&self, start: usize, end: usize) -> Places {
        match &self.places {
            Places::Shift(by) => Places::Shift(by + start),
            Places::Each(places) => Places::Each(places[start..=end].to_vec()),
        }
    }
}

fn unescaped(letter: char) -> char {
    match letter {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}
