//! A migration: its files and their directives.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use crate::canonical;
use crate::cursor::Cursor;
use crate::delimiter;
use crate::directive::{self, Direction, Directives, TxMode};
use crate::error::{Error, ErrorKind, Warning, WarningKind};
use crate::hash::{Hash, Row};
use crate::location::{Lines, Location};
use crate::non_transactional;
use crate::other_tools::tool_mark;
use crate::placeholder;
use crate::psql;
use crate::statement::{self, Statement};

/// One migration of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file name up to its first `_`.
    pub version: String,
    /// The rest of the file name, without `.sql`.
    pub name: String,
    /// The file name.
    pub file: String,
    /// The up script.
    pub up: Side,
    /// The down script. A file without a statement counts only if it is marked
    /// `upfront:nothing-to-undo`.
    pub down: Option<Side>,
    /// The hash of this migration and all before it.
    pub chain: Hash,
    /// `upfront:breaking`: older programs cannot use the resulting schema.
    pub breaking: bool,
    /// `upfront:irreversible`: why it has no down side.
    pub irreversible: Option<String>,
    /// `atlas:checkpoint`: it replaces all earlier migrations on an empty database.
    pub checkpoint: bool,
    /// `upfront:accepts`: hashes of the up script before edits that did not change its effect.
    pub accepts: Vec<Hash>,
}

impl Migration {
    /// The part that a fingerprint covers.
    #[must_use]
    pub fn row(&self) -> Row<'_> {
        Row {
            version: &self.version,
            name: &self.name,
            hash: self.up.hash,
            chain: self.chain,
            breaking: self.breaking,
        }
    }
}

/// The up or down script of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The path, prefixed with the label of the directory.
    pub path: String,
    /// The canonical text, which is hashed and stored: no byte order mark, and lines that end in a
    /// line feed.
    pub source: String,
    /// The executed text. It differs from the source in two ways: a `;` replaces each
    /// `atlas:delimiter`, and blanks replace the `\\restrict` and `\\unrestrict` lines of `pg_dump`. A
    /// position in one is a position in the other. Lines are counted in the source.
    pub body: String,
    /// The hash of the source.
    pub hash: Hash,
    /// Whether it runs in a transaction; false with `atlas:txmode none`.
    pub transactional: bool,
    /// The statements of the body, in order.
    pub statements: Vec<Statement>,
    /// `upfront:lock-timeout`.
    pub lock_timeout: Option<Duration>,
    /// `upfront:statement-timeout`.
    pub statement_timeout: Option<Duration>,
}

impl Side {
    /// Replaces statements by a statement without effect, of the same length.
    pub(crate) fn skip_statements(&mut self, is_skipped: &impl Fn(&str) -> bool) {
        const NOTHING: &str = "SELECT 1";
        for it in &mut self.statements {
            let text = &self.body[it.range.clone()];
            if text.len() < NOTHING.len() || !is_skipped(text) {
                continue;
            }
            let blank = |byte| if byte == b'\n' { '\n' } else { ' ' };
            let blanks: String = text.bytes().skip(NOTHING.len()).map(blank).collect();
            self.body.replace_range(it.range.clone(), &format!("{NOTHING}{blanks}"));
            it.losses.clear();
        }
    }
}

/// A file whose errors, if any, were reported.
pub(crate) struct Read {
    pub(crate) side: Side,
    pub(crate) directives: Directives,
    pub(crate) warnings: Vec<Warning>,
}

/// Reads a file and adds its errors to `errors`.
pub(crate) fn read(
    path: String,
    bytes: &[u8],
    direction: Direction,
    errors: &mut Vec<Error>,
) -> Option<Read> {
    let file = canonical::read(bytes)
        .map_err(|(place, it)| errors.push(Error::at(&path, place, ErrorKind::Bytes(it))))
        .ok()?;
    if let Some(mark) = tool_mark(&file.text) {
        let place = Location { line: mark.line(), column: Some(mark.column()) };
        errors.push(Error::at(&path, place, ErrorKind::OtherTool(mark)));
        return None;
    }
    let (directives, found) = directive::read(&file, direction);
    errors.extend(
        found.into_iter().map(|(place, it)| Error::at(&path, place, ErrorKind::Directive(it))),
    );
    let source = file.text;
    let (hash, parsed) = hash_during(&source, || parse(&path, &source, &directives, errors));
    let (body, statements, warnings) = parsed?;
    let side = Side {
        hash,
        transactional: directives.mode == TxMode::File,
        lock_timeout: directives.lock_timeout,
        statement_timeout: directives.statement_timeout,
        path,
        source,
        body,
        statements,
    };
    Some(Read { side, directives, warnings })
}

/// Files of this size are hashed on another thread while they are parsed: in a build script, which
/// is not optimized, each takes seconds.
const LARGE: usize = 1 << 20;

fn hash_during<T>(source: &str, parse: impl FnOnce() -> T) -> (Hash, T) {
    let hash = || Hash::of(source.as_bytes());
    if source.len() < LARGE {
        return (hash(), parse());
    }
    thread::scope(|scope| {
        let hashing = thread::Builder::new().spawn_scoped(scope, hash);
        let parsed = parse();
        let hash = match hashing {
            Ok(it) => it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // No thread could be started.
            Err(_) => hash(),
        };
        (hash, parsed)
    })
}

/// The executed text of a file, its statements and its warnings.
fn parse(
    path: &str,
    source: &str,
    directives: &Directives,
    errors: &mut Vec<Error>,
) -> Option<(String, Vec<Statement>, Vec<Warning>)> {
    let lines = Lines::of(source);
    let body = body(source, directives)
        .map_err(|(at, it)| {
            errors.push(Error::at(path, lines.location(at), ErrorKind::Delimiter(it)));
        })
        .ok()?;
    let (body, restricted) = psql::without_restrict(body);
    let has_delimiter = directives.delimiter.as_deref().is_some_and(|it| it != ";");
    let (statements, found) = statement::read(&body, &lines, directives.mode, has_delimiter);
    let statement_error =
        |(at, it): (usize, _)| Error::at(path, lines.location(at), ErrorKind::Statement(it));
    errors.extend(found.into_iter().map(statement_error));
    let found =
        restricted.into_iter().map(|it| (it.range.start, WarningKind::Restrict(it.command)));
    let found = found.chain(body_warnings(&body, directives.mode));
    let warning =
        |(at, it): (usize, _)| Warning::at(path, crate::location::number(lines.line(at)), it);
    let warnings = found.map(warning).collect();
    Some((body, statements, warnings))
}

/// What is worth a warning in a body. Of a placeholder it is the first place.
fn body_warnings(body: &str, mode: TxMode) -> Vec<(usize, WarningKind)> {
    let (is_stepwise, may_have_placeholders) = (mode == TxMode::None, body.contains("${"));
    if !is_stepwise && !may_have_placeholders {
        return Vec::new();
    }
    let (statements, _) = statement::split_tokens(body);
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for tokens in &statements {
        if let Some(problem) =
            non_transactional::scope_problem(Cursor::of(body, tokens)).filter(|_| is_stepwise)
        {
            found.push((tokens[0].start, WarningKind::NonTransactional(problem)));
        }
        if may_have_placeholders {
            let new =
                placeholder::placeholders(body, tokens).filter(|(_, name)| seen.insert(*name));
            found.extend(new.map(|(at, name)| (at, WarningKind::Placeholder(name.to_owned()))));
        }
    }
    found
}

fn body(
    source: &str,
    directives: &Directives,
) -> Result<String, (usize, delimiter::DelimiterError)> {
    match &directives.delimiter {
        Some(delimiter) => delimiter::body(source, delimiter),
        None => Ok(source.to_owned()),
    }
}
