//! Cutting a file into its statements, and what each of them may and may not be.

use std::fmt;
use std::ops::Range;

use crate::class::{Class, classify};
use crate::cursor::Cursor;
use crate::directive::TxMode;
use crate::lexer::{self, Kind, Lexer, Token};
use crate::loss::{Loss, Moved};
use crate::text::Lines;

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Where it stands in the body, in bytes: without blanks and comments around it and without its
    /// `;`.
    pub range: Range<usize>,
    /// The line of the source on which it starts, from 1.
    pub line: u32,
    /// How it stands to transactions.
    pub class: Class,
    /// What it may lose; nothing when empty.
    pub losses: Vec<Loss>,
    /// Whether a password or another secret stands in it, so that no message shows that.
    pub secret: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    Open(lexer::Mistake),
    /// A statement that ends or opens a transaction, by its words.
    TransactionControl(String),
    /// The transaction is fixed by the time the file runs.
    SetTransaction,
    /// Savepoints need a transaction, and this file has none.
    Savepoint(String),
    /// It goes with the session, and a file that runs statement by statement may need a second one.
    Temporary,
    SessionAuthorization,
    /// A setting on which the reading of the file itself depends.
    Reading(&'static str),
    /// It lets go of the lock under which migrations run.
    Unlocks(&'static str),
    Backslash,
    CopyData(&'static str),
    DelimiterCommand,
    NeedsNoTransaction(&'static str),
}

/// The statements of a body, and where they break a rule. The lines are those of the source.
pub(crate) fn read(
    body: &str,
    lines: &Lines<'_>,
    mode: TxMode,
) -> (Vec<Statement>, Vec<(usize, Mistake)>) {
    let (cut, open) = cut(body);
    let mut mistakes: Vec<_> = cut.iter().filter_map(|it| mistake(body, it, mode)).collect();
    mistakes.extend(open.map(|(at, it)| (at, Mistake::Open(it))));
    let mut moved = Moved::default();
    let mut statements: Vec<_> =
        cut.iter().map(|it| statement(body, lines, it, &mut moved)).collect();
    if upfront_redact::may_hold(body) {
        for it in &mut statements {
            it.secret = !upfront_redact::secrets(&body[it.range.clone()]).is_empty();
        }
    }
    (statements, mistakes)
}

/// Where the statements of any SQL text stand, in bytes: without blanks and comments around them and
/// without their `;`. No rule of a migration is checked; what is opened and not closed is left out.
///
/// ```
/// let sql = "select 1; -- one\nselect ';'";
/// let cut: Vec<_> = upfront_directory::cut_statements(sql).into_iter().map(|it| &sql[it]).collect();
/// assert_eq!(cut, ["select 1", "select ';'"]);
/// ```
#[must_use]
pub fn cut_statements(sql: &str) -> Vec<Range<usize>> {
    let (cut, _) = cut(sql);
    cut.iter().map(|it| it[0].start..it[it.len() - 1].end).collect()
}

/// What is opened in a text of SQL and not closed: where, in bytes, and what.
///
/// ```
/// let (at, what) = upfront_directory::unclosed("select 'one").unwrap();
/// assert_eq!((at, what.as_str()), (7, "this string is never closed"));
/// ```
#[must_use]
pub fn unclosed(sql: &str) -> Option<(usize, String)> {
    let (_, open) = cut(sql);
    open.map(|(at, what)| (at, what.to_string()))
}

fn statement(body: &str, lines: &Lines<'_>, tokens: &[Token], moved: &mut Moved) -> Statement {
    let it = Cursor::of(body, tokens);
    let range = tokens[0].start..tokens[tokens.len() - 1].end;
    Statement {
        line: crate::text::number(lines.line(range.start)),
        range,
        class: classify(it).0,
        losses: moved.losses(it),
        secret: false,
    }
}

/// The solid tokens of each statement; and what was opened and not closed, where reading ended.
///
/// A `;` ends a statement where psql and the server see its end: outside parentheses, which hold
/// the several actions of a rule, and outside the body of a function between `BEGIN ATOMIC` and
/// `END`.
pub(crate) fn cut(body: &str) -> (Vec<Vec<Token>>, Option<(usize, lexer::Mistake)>) {
    let mut cut = Cut::default();
    let mut lexer = Lexer::of(body);
    while let Some(next) = lexer.next() {
        let token = match next {
            Ok(token) => token,
            Err(open) => {
                cut.end();
                return (cut.statements, Some(open));
            }
        };
        if token.is_solid()
            && cut.take(body, token)
            && let Some(data) = cut.statements.last().and_then(|it| data_after(body, it, token.end))
        {
            lexer.go_to(data);
        }
    }
    cut.end();
    (cut.statements, None)
}

#[derive(Default)]
struct Cut {
    statements: Vec<Vec<Token>>,
    current: Vec<Token>,
    depth: usize,
    /// Within `BEGIN ATOMIC`, where the only `END` after a `;` is its own.
    atomic: bool,
}

impl Cut {
    /// Takes the next token in; whether it ended a statement.
    fn take(&mut self, body: &str, token: Token) -> bool {
        match token.kind {
            Kind::Open => self.depth += 1,
            Kind::Close => self.depth = self.depth.saturating_sub(1),
            Kind::Semicolon if self.depth == 0 && !self.atomic => {
                self.end();
                return true;
            }
            Kind::Word if self.depth == 0 => self.atomic = self.is_atomic_after(body, token),
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
            let may_end = previous.kind == Kind::Semicolon || is(previous, "ATOMIC");
            return !(may_end && is(&token, "END"));
        }
        is(&token, "ATOMIC") && is(previous, "BEGIN") && is_routine(Cursor::of(body, &self.current))
    }

    fn end(&mut self) {
        if !self.current.is_empty() {
            self.statements.push(std::mem::take(&mut self.current));
        }
        (self.depth, self.atomic) = (0, false);
    }
}

fn is_routine(mut it: Cursor<'_>) -> bool {
    it.eat("CREATE") && {
        it.eat("OR REPLACE");
        it.eat_any(&["FUNCTION", "PROCEDURE"])
    }
}

/// Where the SQL goes on after the data of a `COPY … FROM STDIN`, so that one mistake is reported
/// as one.
fn data_after(body: &str, statement: &[Token], end: usize) -> Option<usize> {
    if copy(Cursor::of(body, statement)) != Some("COPY … FROM STDIN") {
        return None;
    }
    let last = body[end..].find("\n\\.").map(|at| end + at + 3);
    Some(last.unwrap_or(body.len()))
}

fn copy(mut it: Cursor<'_>) -> Option<&'static str> {
    if !it.eat("COPY") {
        return None;
    }
    it.group();
    it.places().find_map(|mut it| {
        if it.eat("FROM STDIN") {
            return Some("COPY … FROM STDIN");
        }
        it.eat("TO STDOUT").then_some("COPY … TO STDOUT")
    })
}

/// The first rule that a statement breaks.
fn mistake(body: &str, tokens: &[Token], mode: TxMode) -> Option<(usize, Mistake)> {
    let it = Cursor::of(body, tokens);
    let start = tokens[0].start;
    if let Some(at) = tokens.iter().find(|it| it.kind == Kind::Backslash) {
        return Some((at.start, Mistake::Backslash));
    }
    if let Some(at) = it.places().find(|it| it.is_at("pg_advisory_unlock_all")) {
        return Some((at.tokens()[0].start, Mistake::Unlocks("pg_advisory_unlock_all()")));
    }
    if let Some(found) = copy(it) {
        return Some((start, Mistake::CopyData(found)));
    }
    if let Some(found) = control(it, mode) {
        return Some((start, found));
    }
    match classify(it).1 {
        Some(name) if mode == TxMode::File => Some((start, Mistake::NeedsNoTransaction(name))),
        _ => None,
    }
}

fn control(statement: Cursor<'_>, mode: TxMode) -> Option<Mistake> {
    let mut it = statement;
    let verb = it.word()?.to_ascii_uppercase();
    it.skip();
    match verb.as_str() {
        "BEGIN" | "COMMIT" | "END" | "ABORT" => Some(Mistake::TransactionControl(verb)),
        "START" => Some(Mistake::TransactionControl("START TRANSACTION".to_owned())),
        "PREPARE" if it.is_at("TRANSACTION") => {
            Some(Mistake::TransactionControl("PREPARE TRANSACTION".to_owned()))
        }
        "ROLLBACK" => {
            it.eat_any(&["WORK", "TRANSACTION"]);
            if it.is_at("TO") {
                savepoint("ROLLBACK TO SAVEPOINT", mode)
            } else {
                Some(Mistake::TransactionControl(verb))
            }
        }
        "SAVEPOINT" | "RELEASE" => savepoint(&verb, mode),
        "CREATE" if mode == TxMode::None => temporary(it),
        "SET" | "RESET" => set(it),
        "DISCARD" if it.is_at("ALL") => Some(Mistake::Unlocks("DISCARD ALL")),
        "DELIMITER" => Some(Mistake::DelimiterCommand),
        _ => None,
    }
}

fn savepoint(words: &str, mode: TxMode) -> Option<Mistake> {
    (mode == TxMode::None).then(|| Mistake::Savepoint(words.to_owned()))
}

fn temporary(mut it: Cursor<'_>) -> Option<Mistake> {
    it.eat_any(&["GLOBAL", "LOCAL"]);
    it.is_at_any(&["TEMP", "TEMPORARY"]).then_some(Mistake::Temporary)
}

fn set(mut it: Cursor<'_>) -> Option<Mistake> {
    if it.eat("TRANSACTION") {
        return Some(Mistake::SetTransaction);
    }
    let mut scoped = it;
    scoped.eat_any(&["SESSION", "LOCAL"]);
    if it.eat("SESSION AUTHORIZATION") || scoped.eat("SESSION AUTHORIZATION") {
        return Some(Mistake::SessionAuthorization);
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
    let value = scoped.places().last()?.peek()?.text(scoped.text()).trim_matches('\'');
    let is_kept =
        allowed.iter().any(|it| it.eq_ignore_ascii_case(value)) || scoped.tokens().len() == 1;
    (!is_kept).then_some(Mistake::Reading(setting))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::Open(it) => it.fmt(f),
            Mistake::TransactionControl(words) => {
                write!(f, "`{words}` would end or open a transaction in the middle of a migration")
            }
            Mistake::SetTransaction => {
                f.write_str("`SET TRANSACTION` comes too late: the transaction is under way")
            }
            Mistake::Savepoint(words) => {
                write!(f, "`{words}` needs a transaction, and this file runs without one")
            }
            Mistake::Temporary => f.write_str(
                "a temporary table is gone after a crash, and this file goes on behind it",
            ),
            Mistake::SessionAuthorization => {
                f.write_str("`SESSION AUTHORIZATION` would change who records this migration")
            }
            Mistake::Reading(setting) => {
                write!(f, "this would change `{setting}`, by which migrations are read")
            }
            Mistake::Unlocks(words) => {
                write!(f, "`{words}` would let go of the lock under which migrations run")
            }
            Mistake::Backslash => {
                f.write_str("a backslash stands here: psql's commands are not SQL")
            }
            Mistake::CopyData(words) => {
                write!(f, "`{words}` talks to psql, and here there is none")
            }
            Mistake::DelimiterCommand => f.write_str("`DELIMITER` is a command of MySQL's client"),
            Mistake::NeedsNoTransaction(name) => write!(f, "`{name}` cannot run in a transaction"),
        }
    }
}

impl Mistake {
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Mistake::Open(it) => it.help(),
            Mistake::TransactionControl(_) => {
                "take it out: each migration has a transaction of its own, or none with \
                 `-- atlas:txmode none`"
            }
            Mistake::SetTransaction => {
                "take it out, or set `default_transaction_isolation` where you connect"
            }
            Mistake::Savepoint(_) => "take it out, or take `-- atlas:txmode none` out",
            Mistake::Temporary => {
                "use a plain table and drop it, or a transactional file before this one"
            }
            Mistake::SessionAuthorization => {
                "write `SET ROLE`; it is taken back after the migration"
            }
            Mistake::Reading(_) => {
                "take it out: files are UTF-8, and a backslash in a plain string is a backslash"
            }
            Mistake::Unlocks(_) => "take it out; settings are reset after each migration",
            Mistake::Backslash => "write the SQL that it stands for; `\\copy` data as `INSERT`",
            Mistake::CopyData(_) => "write the rows as `INSERT INTO … VALUES`",
            Mistake::DelimiterCommand => {
                "write `-- atlas:delimiter //` on the first line of the file"
            }
            Mistake::NeedsNoTransaction(_) => {
                "write `-- atlas:txmode none` on the first line and leave the second one blank, best \
                 in a file of its own"
            }
        }
    }
}
