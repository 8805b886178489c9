//! Splits a file into statements and checks the rules for each.

use std::fmt;
use std::ops::Range;

use crate::class::{Class, classify};
use crate::copy::{self, CopyData, CopyError, Stream};
use crate::cursor::Cursor;
use crate::data_loss::{DataLoss, RenameTracker};
use crate::directive::TxMode;
use crate::lexer::{self, Lexer, Token, TokenKind};
use crate::location::Lines;
use crate::routine::{self, Routine};

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its range in the body, in bytes, without surrounding blanks and comments and without its `;`.
    pub range: Range<usize>,
    /// The data of a `COPY … FROM STDIN`.
    pub data: Option<CopyData>,
    /// The body of the function that it creates, or of a `DO`.
    pub routine: Option<Routine>,
    /// The line of the source on which it starts, from 1.
    pub line: u32,
    /// Whether it can run in a transaction, and how its outcome is determined otherwise.
    pub class: Class,
    /// The data that it may delete.
    pub losses: Vec<DataLoss>,
    /// Whether it contains a password or another secret, which messages must not show.
    pub secret: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatementError {
    Unclosed(lexer::LexerError),
    /// A statement that begins or ends a transaction, by its keywords.
    TransactionControl(String),
    /// The transaction has already started when the file runs.
    SetTransaction,
    /// Savepoints need a transaction, and this file runs without one.
    Savepoint(String),
    /// It ends with the session, but the file may continue in another session.
    Temporary,
    SessionAuthorization,
    /// A setting that changes how the file is parsed.
    LexicalSetting(&'static str),
    /// It releases the migration lock.
    ReleasesLock(&'static str),
    Backslash,
    CopyToStdout,
    Copy(CopyError),
    /// The data may contain the delimiter.
    CopyDelimiter,
    DelimiterCommand,
    NeedsNoTransaction(&'static str),
}

/// The statements of a body and the offsets of rule violations. Lines are those of the source.
pub(crate) fn read(
    body: &str,
    lines: &Lines<'_>,
    mode: TxMode,
    has_delimiter: bool,
) -> (Vec<Statement>, Vec<(usize, StatementError)>) {
    let (mut statements, mut errors) = (Vec::new(), Vec::new());
    let mut renames = RenameTracker::default();
    let may_hold_secret = upfront_redact::may_contain_secret(body);
    let mut previous_insert = Vec::new();
    let open = for_each_statement(body, |tokens, data| {
        if let Some(previous) = statements.last()
            && is_same_insert(body, &previous_insert, tokens)
        {
            let mut it = Statement { range: range(tokens), ..Statement::clone(previous) };
            it.line = crate::location::number(lines.line(it.range.start));
            it.secret = may_hold_secret && holds_secret(body, tokens, &it);
            statements.push(it);
            return;
        }
        previous_insert.clear();
        let found = violation(body, tokens, mode).or_else(|| {
            let data = data.as_ref()?.as_ref();
            let delimiter =
                has_delimiter.then_some((tokens[0].start, StatementError::CopyDelimiter));
            let copy = |(at, it): &(usize, CopyError)| (*at, StatementError::Copy(*it));
            delimiter.or_else(|| data.err().map(copy))
        });
        if found.is_none() && Cursor::of(body, tokens).is_at("INSERT") {
            previous_insert.extend_from_slice(tokens);
        }
        errors.extend(found);
        let mut it = statement(body, lines, tokens, &mut renames);
        it.data = data
            .and_then(Result::ok)
            .map(|it| CopyData { lines: it.lines, probe: copy::probe(Cursor::of(body, tokens)) });
        it.secret = may_hold_secret && holds_secret(body, tokens, &it);
        statements.push(it);
    });
    errors.extend(open.map(|(at, it)| (at, StatementError::Unclosed(it))));
    (statements, errors)
}

/// Whether an `INSERT` repeats the previous valid one, except for its literals. Everything but its
/// location and its secrets is then the same. Seed files have hundreds of thousands of them.
fn is_same_insert(body: &str, previous: &[Token], tokens: &[Token]) -> bool {
    let is_literal =
        |it: &Token| matches!(it.kind, TokenKind::Text | TokenKind::DollarText | TokenKind::Number);
    let is_same = |(one, other): (&Token, &Token)| {
        one.kind == other.kind && (is_literal(one) || one.text(body) == other.text(body))
    };
    !previous.is_empty()
        && previous.len() == tokens.len()
        && previous.iter().zip(tokens).all(is_same)
}

fn range(tokens: &[Token]) -> Range<usize> {
    tokens[0].start..tokens[tokens.len() - 1].end
}

fn holds_secret(body: &str, tokens: &[Token], it: &Statement) -> bool {
    let holds = |sql: &str| !upfront_redact::secrets(sql).is_empty();
    let text = &body[it.range.clone()];
    match it.data {
        Some(_) => {
            holds(text) || copy::insert(Cursor::of(body, tokens)).is_some_and(|it| holds(&it))
        }
        None => holds(text),
    }
}

/// Splits SQL text into statements: their ranges in bytes, without surrounding blanks and comments
/// and without their `;`.
///
/// The rules for migrations are not checked. An unclosed string or comment ends the last statement.
///
/// ```
/// let sql = "select 1; -- one\nselect ';'";
/// let cut: Vec<_> = upfront_directory::split_statements(sql).into_iter().map(|it| &sql[it]).collect();
/// assert_eq!(cut, ["select 1", "select ';'"]);
/// ```
#[must_use]
pub fn split_statements(sql: &str) -> Vec<Range<usize>> {
    let (cut, _) = split_tokens(sql);
    cut.iter().map(|it| it[0].start..it[it.len() - 1].end).collect()
}

/// The first unclosed string, name or comment of SQL text: its offset in bytes and a message.
///
/// ```
/// let (at, what) = upfront_directory::unclosed("select 'one").unwrap();
/// assert_eq!((at, what.as_str()), (7, "this string is never closed"));
/// ```
#[must_use]
pub fn unclosed(sql: &str) -> Option<(usize, String)> {
    let (_, open) = split_tokens(sql);
    open.map(|(at, what)| (at, what.to_string()))
}

fn statement(
    body: &str,
    lines: &Lines<'_>,
    tokens: &[Token],
    renames: &mut RenameTracker,
) -> Statement {
    let it = Cursor::of(body, tokens);
    let range = range(tokens);
    Statement {
        data: None,
        routine: routine::read(it),
        line: crate::location::number(lines.line(range.start)),
        range,
        class: classify(it).0,
        losses: renames.losses(it),
        secret: false,
    }
}

/// The solid tokens of each statement; and what was opened and not closed, where reading ended.
///
/// A `;` ends a statement where psql and the server see its end: outside parentheses, which hold
/// the several actions of a rule, and outside the body of a function between `BEGIN ATOMIC` and
/// `END`.
pub(crate) fn split_tokens(body: &str) -> (Vec<Vec<Token>>, Option<(usize, lexer::LexerError)>) {
    let mut statements = Vec::new();
    let open = for_each_statement(body, |tokens, _| statements.push(tokens.to_vec()));
    (statements, open)
}

/// Calls with the solid tokens of each statement and the data behind it. All tokens of a large file
/// at once are many times the file.
fn for_each_statement(
    body: &str,
    mut statement: impl FnMut(&[Token], Option<Result<copy::Data, (usize, CopyError)>>),
) -> Option<(usize, lexer::LexerError)> {
    let mut cut = Splitter::default();
    let mut lexer = Lexer::of(body);
    while let Some(next) = lexer.next() {
        let token = match next {
            Ok(token) => token,
            Err(open) => {
                cut.end(|it| statement(it, None));
                return Some(open);
            }
        };
        if !token.is_significant() || !cut.take(body, token) {
            continue;
        }
        cut.end(|it| {
            let data = copy::data(body, it, token.end);
            match &data {
                Some(Ok(it)) => lexer.go_to(it.end),
                Some(Err(_)) => lexer.go_to(copy::end_of_mistaken(body, token.end)),
                None => {}
            }
            statement(it, data);
        });
    }
    cut.end(|it| statement(it, copy::data(body, it, body.len())));
    None
}

#[derive(Default)]
struct Splitter {
    current: Vec<Token>,
    depth: usize,
    /// Within `BEGIN ATOMIC`, where the only `END` after a `;` is its own.
    atomic: bool,
}

impl Splitter {
    /// Takes the next token in; whether it ended a statement.
    fn take(&mut self, body: &str, token: Token) -> bool {
        match token.kind {
            TokenKind::Open => self.depth += 1,
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            TokenKind::Semicolon if self.depth == 0 && !self.atomic => return true,
            TokenKind::Word if self.depth == 0 => self.atomic = self.is_atomic_after(body, token),
            _ => {}
        }
        self.current.push(token);
        false
    }

    fn is_atomic_after(&self, body: &str, token: Token) -> bool {
        let is = |it: &Token, keyword: &str| it.text(body).eq_ignore_ascii_case(keyword);
        let Some(previous) = self.current.last() else {
            return false;
        };
        if self.atomic {
            let may_end = previous.kind == TokenKind::Semicolon || is(previous, "ATOMIC");
            return !(may_end && is(&token, "END"));
        }
        is(&token, "ATOMIC") && is(previous, "BEGIN") && is_routine(Cursor::of(body, &self.current))
    }

    fn end(&mut self, statement: impl FnOnce(&[Token])) {
        if !self.current.is_empty() {
            statement(&self.current);
        }
        self.current.clear();
        (self.depth, self.atomic) = (0, false);
    }
}

fn is_routine(mut it: Cursor<'_>) -> bool {
    it.eat("CREATE") && {
        it.eat("OR REPLACE");
        it.eat_any(&["FUNCTION", "PROCEDURE"])
    }
}

/// The first rule that a statement violates.
fn violation(body: &str, tokens: &[Token], mode: TxMode) -> Option<(usize, StatementError)> {
    let it = Cursor::of(body, tokens);
    let start = tokens[0].start;
    if let Some(at) = tokens.iter().find(|it| it.kind == TokenKind::Backslash) {
        return Some((at.start, StatementError::Backslash));
    }
    if let Some(at) = it.positions().find(|it| it.is_at("pg_advisory_unlock_all")) {
        return Some((
            at.tokens()[0].start,
            StatementError::ReleasesLock("pg_advisory_unlock_all()"),
        ));
    }
    if copy::stream(it) == Some(Stream::ToStdout) {
        return Some((start, StatementError::CopyToStdout));
    }
    if let Some(found) = control(it, mode) {
        return Some((start, found));
    }
    match classify(it).1 {
        Some(name) if mode == TxMode::File => {
            Some((start, StatementError::NeedsNoTransaction(name)))
        }
        _ => None,
    }
}

fn control(statement: Cursor<'_>, mode: TxMode) -> Option<StatementError> {
    let mut it = statement;
    let verb = it.word()?.to_ascii_uppercase();
    it.skip();
    match verb.as_str() {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => Some(StatementError::TransactionControl(verb)),
        "START" => Some(StatementError::TransactionControl("START TRANSACTION".to_owned())),
        "PREPARE" if it.is_at("TRANSACTION") => {
            Some(StatementError::TransactionControl("PREPARE TRANSACTION".to_owned()))
        }
        "ROLLBACK" => {
            it.eat_any(&["WORK", "TRANSACTION"]);
            if it.is_at("TO") {
                savepoint("ROLLBACK TO SAVEPOINT", mode)
            } else {
                Some(StatementError::TransactionControl(verb))
            }
        }
        "SAVEPOINT" | "RELEASE" => savepoint(&verb, mode),
        "CREATE" if mode == TxMode::None => temporary(it),
        "SET" | "RESET" => set(it),
        "DISCARD" if it.is_at("ALL") => Some(StatementError::ReleasesLock("DISCARD ALL")),
        "DELIMITER" => Some(StatementError::DelimiterCommand),
        _ => None,
    }
}

fn savepoint(words: &str, mode: TxMode) -> Option<StatementError> {
    (mode == TxMode::None).then(|| StatementError::Savepoint(words.to_owned()))
}

fn temporary(mut it: Cursor<'_>) -> Option<StatementError> {
    it.eat_any(&["GLOBAL", "LOCAL"]);
    it.is_at_any(&["TEMP", "TEMPORARY"]).then_some(StatementError::Temporary)
}

fn set(mut it: Cursor<'_>) -> Option<StatementError> {
    if it.eat("TRANSACTION") {
        return Some(StatementError::SetTransaction);
    }
    let mut scoped = it;
    scoped.eat_any(&["SESSION", "LOCAL"]);
    if it.eat("SESSION AUTHORIZATION") || scoped.eat("SESSION AUTHORIZATION") {
        return Some(StatementError::SessionAuthorization);
    }
    let (setting, allowed): (_, &[_]) = match scoped.word()?.to_ascii_lowercase().as_str() {
        "standard_conforming_strings" => {
            ("standard_conforming_strings", &["on", "true", "1", "default"])
        }
        "client_encoding" | "names" => {
            ("client_encoding", &["utf8", "utf-8", "unicode", "default"])
        }
        _ => return None,
    };
    let value = scoped.positions().last()?.peek()?.text(scoped.text()).trim_matches('\'');
    let is_kept =
        allowed.iter().any(|it| it.eq_ignore_ascii_case(value)) || scoped.tokens().len() == 1;
    (!is_kept).then_some(StatementError::LexicalSetting(setting))
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatementError::Unclosed(it) => it.fmt(f),
            StatementError::TransactionControl(words) => {
                write!(f, "`{words}` would begin or end a transaction in the middle of a migration")
            }
            StatementError::SetTransaction => {
                f.write_str("`SET TRANSACTION` has no effect: the transaction has already started")
            }
            StatementError::Savepoint(words) => {
                write!(f, "`{words}` needs a transaction, and this file runs without one")
            }
            StatementError::Temporary => f.write_str(
                "a temporary table does not survive a crash, and this file would resume after it",
            ),
            StatementError::SessionAuthorization => f.write_str(
                "`SESSION AUTHORIZATION` would change the role that records this \
                             migration",
            ),
            StatementError::LexicalSetting(setting) => {
                write!(
                    f,
                    "this would change `{setting}`, which determines how migrations are \
                           parsed"
                )
            }
            StatementError::ReleasesLock(words) => {
                write!(f, "`{words}` would release the migration lock")
            }
            StatementError::Backslash => {
                f.write_str("unexpected backslash: psql commands are not SQL")
            }
            StatementError::CopyToStdout => f.write_str(
                "`COPY … TO STDOUT` sends rows to a client, which a migration does \
                             not have",
            ),
            StatementError::Copy(it) => it.fmt(f),
            StatementError::CopyDelimiter => {
                f.write_str("`COPY … FROM STDIN` in a file with an `atlas:delimiter`")
            }
            StatementError::DelimiterCommand => {
                f.write_str("`DELIMITER` is a command of the MySQL client")
            }
            StatementError::NeedsNoTransaction(name) => {
                write!(f, "`{name}` cannot run in a transaction")
            }
        }
    }
}

impl StatementError {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            StatementError::Unclosed(it) => it.help(),
            StatementError::TransactionControl(_) => {
                "remove it: each migration runs in its own transaction, or in none with `-- \
                 atlas:txmode none`"
            }
            StatementError::SetTransaction => {
                "remove it, or set `default_transaction_isolation` for the connection"
            }
            StatementError::Savepoint(_) => "remove it, or remove `-- atlas:txmode none`",
            StatementError::Temporary => {
                "use a plain table and drop it, or a transactional file before this one"
            }
            StatementError::SessionAuthorization => {
                "use `SET ROLE`, which is reset after the migration"
            }
            StatementError::LexicalSetting(_) => {
                "remove it: files are UTF-8, and a backslash in a plain string is a backslash"
            }
            StatementError::ReleasesLock(_) => "remove it; settings are reset after each migration",
            StatementError::Backslash => {
                "write the equivalent SQL, such as `COPY … FROM stdin;` for `\\copy … FROM stdin`"
            }
            StatementError::CopyToStdout => "remove it, or write the rows to a table",
            StatementError::Copy(it) => it.help(),
            StatementError::CopyDelimiter => "move it to a file of its own, without a delimiter",
            StatementError::DelimiterCommand => {
                "write `-- atlas:delimiter //` on the first line of the file"
            }
            StatementError::NeedsNoTransaction(_) => {
                "write `-- atlas:txmode none` on the first line and leave the second line blank, \
                 preferably in a separate file"
            }
        }
    }
}
