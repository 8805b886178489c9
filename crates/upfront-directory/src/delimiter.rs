//! Files with a delimiter of their own, as bodies that PostgreSQL reads.

use std::fmt;

use crate::lexer::{Lexer, TokenKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DelimiterError {
    InsideWord(String),
    AfterComment,
}

/// The text with a `;` for each delimiter, as long as before, so that a position in one is a
/// position in the other.
///
/// The `;` takes the place of the delimiter's last character, and its line ends stay: so a comment
/// before it ends before it. As in Atlas, a delimiter counts outside quotes, comments and
/// parentheses (<https://github.com/ariga/atlas/blob/master/sql/migrate/lex.go>). The
/// statement splitter reports errors of the lexer.
pub(crate) fn body(source: &str, delimiter: &str) -> Result<String, (usize, DelimiterError)> {
    if delimiter == ";" {
        return Ok(source.to_owned());
    }
    let start = source.find('\n').map_or(source.len(), |at| at + 1);
    let mut body = source[..start].to_owned();
    let mut from = start;
    for at in delimiters(source, delimiter, start)? {
        body.push_str(&source[from..at]);
        push_end(&mut body, delimiter);
        from = at + delimiter.len();
    }
    body.push_str(&source[from..]);
    Ok(body)
}

/// The directive is parsed such that delimiters are ASCII.
fn push_end(body: &mut String, delimiter: &str) {
    let blank = |it| if it == '\n' { '\n' } else { ' ' };
    body.extend(delimiter[..delimiter.len() - 1].chars().map(blank));
    body.push(';');
}

fn delimiters(
    source: &str,
    delimiter: &str,
    start: usize,
) -> Result<Vec<usize>, (usize, DelimiterError)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    // What came last: nothing of a statement yet, a line comment within one, or something else.
    let (mut is_within, mut is_commented) = (false, false);
    let mut lexer = Lexer::of(source);
    lexer.go_to(start);
    while let Some(Ok(token)) = lexer.next() {
        let is_text =
            matches!(token.kind, TokenKind::Text | TokenKind::Quoted | TokenKind::DollarText);
        let ends = match token.kind {
            _ if depth > 0 || is_text => None,
            TokenKind::LineComment | TokenKind::BlockComment => {
                source[token.start..].starts_with(delimiter).then_some(token.start)
            }
            _ => (token.start..token.end)
                .find(|at| source.get(*at..).is_some_and(|it| it.starts_with(delimiter))),
        };
        if let Some(at) = ends {
            let end = at + delimiter.len();
            if matches!(token.kind, TokenKind::Word | TokenKind::Number)
                && (at > token.start || end < token.end)
            {
                return Err((
                    token.start,
                    DelimiterError::InsideWord(token.text(source).to_owned()),
                ));
            }
            let is_taken = is_commented && at == token.start && delimiter.starts_with('\n');
            if is_taken && !source[at + 1..].starts_with(delimiter) {
                return Err((at, DelimiterError::AfterComment));
            }
            found.push(at);
            (is_within, is_commented) = (false, false);
            lexer.go_to(end);
            continue;
        }
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_commented = is_within && token.kind == TokenKind::LineComment;
        is_within = token.kind != TokenKind::Semicolon && (is_within || token.is_significant());
    }
    Ok(found)
}

impl fmt::Display for DelimiterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DelimiterError::InsideWord(word) => {
                write!(f, "the delimiter is part of the word `{word}`")
            }
            DelimiterError::AfterComment => f.write_str(
                "Atlas does not see this delimiter: the preceding comment includes a line end",
            ),
        }
    }
}

impl DelimiterError {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            DelimiterError::InsideWord(_) => {
                "choose a delimiter that is not part of the text, such as `-- end`"
            }
            DelimiterError::AfterComment => {
                "end the statement with `;` before the comment, or move the comment"
            }
        }
    }
}
