//! Reads a text of SQL, block by block and token by token, and the texts within it.

use std::ops::Range;

use crate::{
    lexer::{Token, TokenKind, tokens},
    names::{is_harmless, is_placeholder, is_secret},
    prefilter::may_contain_secret,
    view::View,
};

/// Texts within texts are followed no deeper.
const MAX_DEPTH: usize = 6;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// Statements, or the body of a routine: words without quotes are names.
    Code,
    /// A string: it may be a statement, a connection string, JSON, or a sentence.
    Text,
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

/// How a text begins that is a statement.
const VERBS: [&str; 16] = [
    "ALTER", "CREATE", "DROP", "GRANT", "REVOKE", "SELECT", "INSERT", "UPDATE", "DELETE", "SET",
    "COMMENT", "WITH", "DO", "CALL", "REFRESH", "TRUNCATE",
];

/// A statement, or the body of a routine: what may share a secret.
pub(crate) struct Block<'a> {
    pub(crate) view: &'a View<'a>,
    pub(crate) tokens: &'a [Token],
    pub(crate) context: Context,
    depth: usize,
    /// Of each token, the `(` around it.
    pub(crate) openers: Vec<Option<usize>>,
    pub(crate) found: Vec<Range<usize>>,
    pub(crate) expects_secret: bool,
    pub(crate) ends_before_value: bool,
    /// Literals into which a secret is put. Then any other literal may be it.
    templates: Vec<usize>,
}

impl<'a> Block<'a> {
    pub(crate) fn of(
        view: &'a View<'a>,
        tokens: &'a [Token],
        context: Context,
        depth: usize,
    ) -> Self {
        let mut stack: Vec<usize> = Vec::new();
        let openers = tokens.iter().enumerate().map(|(at, it)| {
            if it.is(b')') {
                stack.pop();
            }
            let opener = stack.last().copied();
            if it.is(b'(') {
                stack.push(at);
            }
            opener
        });
        let openers = openers.collect();
        let (found, templates) = (Vec::new(), Vec::new());
        let (expects_secret, ends_before_value) = (false, false);
        Self {
            view,
            tokens,
            context,
            depth,
            openers,
            found,
            expects_secret,
            ends_before_value,
            templates,
        }
    }

    pub(crate) fn read(mut self, out: &mut Findings) {
        for at in 0..self.tokens.len() {
            let token = self.tokens[at];
            match token.kind {
                TokenKind::Text { .. } | TokenKind::Dollar | TokenKind::Quoted => self.text(at),
                TokenKind::Word if self.is_word(at, "VALUES") => self.values(at),
                TokenKind::Word if self.is_word(at, "SELECT") => self.selected(at),
                TokenKind::Word
                    if self.is_word(at, "MAPPING") && self.is_word(at.wrapping_sub(1), "USER") =>
                {
                    self.user_mapping(at);
                }
                TokenKind::Word if self.is_symbol(at + 1, b'(') => self.call(at),
                TokenKind::Symbol(b'=') => self.row(at),
                _ => {}
            }
            if self.name(at).is_some_and(is_secret) {
                self.value(at);
            }
        }
        if !self.templates.is_empty() {
            self.mask_inserted_literals();
        }
        out.found.append(&mut self.found);
        out.expects_secret |= self.expects_secret && self.context == Context::Text;
        out.ends_before_value |= self.ends_before_value && self.context == Context::Text;
    }

    pub(crate) fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.tokens.get(at).is_some_and(|it| it.is(symbol))
    }

    pub(crate) fn is_literal(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(Token::is_literal)
    }

    pub(crate) fn word(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at).filter(|it| it.kind == TokenKind::Word)?;
        Some(token.inner(&self.view.text))
    }

    pub(crate) fn is_word(&self, at: usize, word: &str) -> bool {
        self.word(at).is_some_and(|it| it.eq_ignore_ascii_case(word))
    }

    pub(crate) fn is_any(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|it| words.iter().any(|word| word.eq_ignore_ascii_case(it)))
    }

    /// What may be the name of something.
    pub(crate) fn name(&self, at: usize) -> Option<&str> {
        let token = self.tokens.get(at)?;
        match token.kind {
            TokenKind::Word | TokenKind::Quoted | TokenKind::Text { .. } => {
                Some(token.inner(&self.view.text))
            }
            _ => None,
        }
    }

    /// The word before the `(` around a token.
    pub(crate) fn callee(&self, at: usize) -> Option<&str> {
        self.word(self.openers[at]?.checked_sub(1)?)
    }

    /// Reads a text within this one.
    fn text(&mut self, at: usize) {
        let token = self.tokens[at];
        let inside = self.view.inside(&token);
        let may_hold_a_name_and_a_value = inside.text.contains([' ', '\n', '=', ':', '>']);
        if !may_hold_a_name_and_a_value || !may_contain_secret(&inside.text) {
            return;
        }
        let is_body = token.kind == TokenKind::Dollar && self.depth == 0 && self.is_routine();
        let context = if is_body { Context::Code } else { Context::Text };
        let Findings { found, expects_secret, ends_before_value } =
            read(&inside, context, self.depth + 1);
        let is_joined = self.is_symbol(at + 1, b'|') || self.is_called(at, &["concat", "format"]);
        let is_changed =
            !found.is_empty() && self.is_called(at, &["replace", "translate", "overlay"]);
        if token.kind != TokenKind::Quoted
            && (expects_secret || (ends_before_value && is_joined) || is_changed)
        {
            self.templates.push(at);
        }
        self.found.extend(found);
    }

    pub(crate) fn is_called(&self, at: usize, functions: &[&str]) -> bool {
        let callee = self.callee(at).unwrap_or_default().to_ascii_lowercase();
        functions.iter().any(|it| callee.contains(it))
    }

    fn is_routine(&self) -> bool {
        let is_made = self.is_word(0, "CREATE")
            && (1..5).any(|at| self.is_any(at, &["FUNCTION", "PROCEDURE"]));
        self.context == Context::Code && (is_made || self.is_word(0, "DO"))
    }

    /// Where a literal takes a secret in, every other literal may be one that is put in.
    fn mask_inserted_literals(&mut self) {
        for at in 0..self.tokens.len() {
            let token = self.tokens[at];
            if !token.is_literal() || self.templates.contains(&at) {
                continue;
            }
            let text = token.inner(&self.view.text);
            let is_statement = text
                .split_once(char::is_whitespace)
                .is_some_and(|(verb, _)| VERBS.iter().any(|it| it.eq_ignore_ascii_case(verb)));
            if !is_statement {
                self.mask(at);
            }
        }
    }

    /// Hides what stands between the quotes of a token.
    pub(crate) fn mask(&mut self, at: usize) {
        if self.is_called(at, &["current_setting", "gen_salt", "nextval"]) {
            return;
        }
        let token = self.tokens[at];
        let inside = self.view.inside(&token);
        let is_never_closed = token.inner.1 == token.end
            && token.kind != TokenKind::Word
            && token.kind != TokenKind::Number;
        if inside.text.trim().is_empty() && is_never_closed {
            self.ends_before_value = true;
        } else if is_placeholder(&inside.text) {
            self.expects_secret = true;
        } else if !is_harmless(&inside.text) {
            self.found.push(self.view.place(token.inner.0..token.inner.1));
        }
    }
}
