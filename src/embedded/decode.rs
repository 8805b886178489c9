//! The set of a program as `upfront-build` wrote it: one text, decoded when it is first needed.
//!
//! The format is described where it is written, in `encode` of `upfront-directory`.

use std::{ops::Range, sync::OnceLock};

use crate::embedded::{
    Any, Class, CopyData, Loss, LossKind, Migration, Routine, Set, Side, Statement, Statements,
};

/// The migrations that were compiled in.
#[derive(Debug)]
pub struct Embedded {
    text: &'static str,
    set: OnceLock<Set>,
}

impl Embedded {
    /// Called by the macro alone.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, set: OnceLock::new() }
    }

    pub(crate) fn set(&self) -> &Set {
        self.set.get_or_init(|| set(self.text))
    }
}

/// Decodes a set. Its SQL stays where it is, and so do the tables of its statements.
///
/// # Panics
///
/// The text was not written by `upfront-build` of the same version.
pub(crate) fn set(text: &'static str) -> Set {
    let mut text = Reader { rest: text };
    let facts = text.text();
    let mut reader = SetReader { facts: Reader { rest: facts }, sql: text };
    Set {
        label: reader.facts.text(),
        fingerprint: reader.facts.text(),
        migrations: reader.migrations(),
    }
}

/// The statements of a side from their table.
pub(crate) fn statements(table: &'static str, count: usize, source: &str) -> Vec<Statement> {
    let mut reader = Reader { rest: table };
    let (mut end, mut line) = (0, 1);
    let statement = |_| {
        let gap = reader.number();
        let start = end + (gap >> 1);
        line += source[end..start].matches('\n').count();
        let previous = start;
        end = start + reader.number();
        let it = reader.statement(gap & 1 == 1, start..end, line);
        end = it.end_of_data();
        line += source[previous..end].matches('\n').count();
        it
    };
    (0..count).map(statement).collect()
}

struct SetReader {
    facts: Reader,
    sql: Reader,
}

impl SetReader {
    fn migrations(&mut self) -> &'static [Migration] {
        let count = self.facts.number();
        (0..count).map(|_| self.migration()).collect::<Vec<_>>().leak()
    }

    fn migration(&mut self) -> Migration {
        Migration {
            version: self.facts.text(),
            name: self.facts.text(),
            chain: self.facts.text(),
            breaking: self.facts.flag(),
            checkpoint: self.facts.flag(),
            irreversible: self.facts.option(Reader::text),
            accepts: self.facts.list(Reader::text),
            up: self.side(),
            down: self.facts.flag().then(|| self.side()),
        }
    }

    fn side(&mut self) -> Side {
        let milliseconds = |it: &mut Reader| u32::try_from(it.number()).unwrap_or(u32::MAX);
        let Self { facts, sql } = self;
        let (path, hash, transactional) = (facts.text(), facts.text(), facts.flag());
        let lock_timeout_ms = facts.option(milliseconds);
        let statement_timeout_ms = facts.option(milliseconds);
        let source = sql.take(facts.number());
        let body = facts.option(Reader::number).map(|it| sql.take(it));
        let count = facts.number();
        let any = Any { session: facts.flag(), secret: facts.flag(), data: facts.flag() };
        let statements = Statements::encoded(count, any, facts.text());
        Side {
            path,
            source,
            body,
            hash,
            transactional,
            lock_timeout_ms,
            statement_timeout_ms,
            statements,
        }
    }
}

/// What is left of a text.
struct Reader {
    rest: &'static str,
}

impl Reader {
    fn statement(&mut self, has_more: bool, range: Range<usize>, line: usize) -> Statement {
        let Range { start, end } = range;
        if !has_more {
            return Statement::plain(start, end, line);
        }
        Statement {
            secret: self.flag(),
            class: self.class(),
            losses: self.list(Self::loss),
            data: self.option(|it| CopyData { lines: it.range(end), probe: it.text() }),
            routine: self.option(|it| it.routine(start)),
            ..Statement::plain(start, end, line)
        }
    }

    fn range(&mut self, from: usize) -> Range<usize> {
        let start = from + self.number();
        start..start + self.number()
    }

    fn routine(&mut self, from: usize) -> Routine {
        Routine {
            name: self.text(),
            body: self.range(from),
            is_quoted: self.flag(),
            statements: self.list(|it| from + it.number()),
        }
    }

    fn class(&mut self) -> Class {
        match self.number() {
            0 => Class::Transactional,
            1 => Class::Session,
            2 => Class::CreateIndex {
                index: self.option(Self::text),
                table: self.text(),
                if_not_exists: self.flag(),
            },
            3 => Class::DropIndex { index: self.text(), if_exists: self.flag() },
            4 => Class::ReindexIndex { index: self.text() },
            5 => Class::ReindexTable { table: self.text() },
            6 => Class::DetachPartition { parent: self.text(), partition: self.text() },
            7 => Class::CreateDatabase { name: self.text() },
            8 => Class::DropDatabase { name: self.text() },
            9 => Class::Repeatable,
            _ => Class::Unknown,
        }
    }

    fn loss(&mut self) -> Loss {
        let kind = match self.number() {
            0 => LossKind::Table,
            1 => LossKind::Column,
            2 => LossKind::ColumnType,
            3 => LossKind::Rows,
            4 => LossKind::Type,
            5 => LossKind::Schema,
            6 => LossKind::Sequence,
            7 => LossKind::Extension,
            _ => return Loss { kind: LossKind::Unknown, name: "", column: None },
        };
        Loss { kind, name: self.text(), column: self.option(Self::text) }
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> T) -> &'static [T] {
        let count = self.number();
        (0..count).map(|_| each(self)).collect::<Vec<_>>().leak()
    }

    fn option<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.flag().then(|| some(self))
    }

    fn flag(&mut self) -> bool {
        self.number() == 1
    }

    fn text(&mut self) -> &'static str {
        let length = self.number();
        self.take(length)
    }

    fn take(&mut self, length: usize) -> &'static str {
        let (taken, rest) = self.rest.split_at_checked(length).expect(WHOLE);
        self.rest = rest;
        taken
    }

    fn number(&mut self) -> usize {
        let length = self.rest.bytes().position(|it| it & 0x40 == 0).expect(WHOLE) + 1;
        let bits = |sum, it: u8| sum << 6 | usize::from(it & 0x3F);
        self.take(length).bytes().rev().fold(0, bits)
    }
}

const WHOLE: &str = "the text is what `upfront-build` of this version wrote";
