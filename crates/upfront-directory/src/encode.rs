//! Migrations as one text, which a program carries and decodes when it first needs them.
//!
//! A compiler reads one long string literal fast, and a million small values slowly. So the text is
//! one: facts first, SQL behind them. A boot without pending migrations reads the facts alone.
//!
//! A number is written in ASCII, six bits a byte, the lowest first; the bit 0x40 marks that more
//! follow. A string has its length in bytes before it. The reader is `embedded` in `upfront`, and
//! both are of the same version: nothing else depends on this format.

use std::ops::Range;
use std::time::Duration;

use crate::class::{Class, ReindexKind};
use crate::data_loss::DataLoss;
use crate::hash::fingerprint;
use crate::migration::{Migration, Side};
use crate::routine::Routine;
use crate::statement::Statement;

/// The embedded form of a set of migrations, for `upfront-build` and `upfront`.
#[doc(hidden)]
#[must_use]
pub fn encode(label: &str, migrations: &[Migration]) -> String {
    let mut facts = Facts::default();
    facts.text(label);
    facts.text(&fingerprint(migrations.iter().map(Migration::row)).to_string());
    facts.list(migrations, Facts::migration);
    facts.join()
}

#[derive(Default)]
struct Facts<'a> {
    out: String,
    /// What stands behind the facts.
    sql: Vec<&'a str>,
}

impl<'a> Facts<'a> {
    fn join(self) -> String {
        let mut head = Self::default();
        head.number(self.out.len());
        let length: usize = self.sql.iter().map(|it| it.len()).sum();
        let mut out = String::with_capacity(head.out.len() + self.out.len() + length);
        out.push_str(&head.out);
        out.push_str(&self.out);
        out.extend(self.sql);
        out
    }

    fn migration(&mut self, it: &'a Migration) {
        self.text(&it.version);
        self.text(&it.name);
        self.text(&it.chain.to_string());
        self.flag(it.breaking);
        self.flag(it.checkpoint);
        self.option(it.irreversible.as_deref(), Self::text);
        self.list(&it.accepts, |facts, it| facts.text(&it.to_string()));
        self.side(&it.up);
        self.option(it.down.as_ref(), Self::side);
    }

    fn side(&mut self, it: &'a Side) {
        let milliseconds = |it: Duration| usize::try_from(it.as_millis()).unwrap_or(usize::MAX);
        self.text(&it.path);
        self.text(&it.hash.to_string());
        self.flag(it.transactional);
        self.option(it.lock_timeout.map(milliseconds), Self::number);
        self.option(it.statement_timeout.map(milliseconds), Self::number);
        self.sql(&it.source);
        self.option((it.body != it.source).then_some(&*it.body), Self::sql);
        self.statements(&it.statements);
    }

    fn sql(&mut self, text: &'a str) {
        self.number(text.len());
        self.sql.push(text);
    }

    /// How many, what is so of any of them, and a table that few boots read.
    fn statements(&mut self, statements: &'a [Statement]) {
        self.number(statements.len());
        self.flag(statements.iter().any(|it| it.class == Class::Session));
        self.flag(statements.iter().any(|it| it.secret));
        self.flag(statements.iter().any(|it| it.data.is_some()));
        let mut table = Self::default();
        let mut end = 0;
        for it in statements {
            table.statement(it, end);
            end = it.data.as_ref().map_or(it.range.end, |it| it.lines.end);
        }
        self.text(&table.out);
    }

    /// Two numbers for most: the gap before it, with a bit that says whether there is more to say,
    /// and its length.
    fn statement(&mut self, it: &'a Statement, previous_end: usize) {
        let Statement { class, losses, secret, data, routine, .. } = it;
        let is_plain = *class == Class::Transactional
            && losses.is_empty()
            && !secret
            && data.is_none()
            && routine.is_none();
        let start = it.range.start;
        self.number((start - previous_end) << 1 | usize::from(!is_plain));
        self.number(it.range.len());
        if !is_plain {
            self.flag(*secret);
            self.class(class);
            self.list(losses, Self::loss);
            self.option(data.as_ref(), |facts, data| {
                facts.range(&data.lines, it.range.end);
                facts.text(&data.probe);
            });
            self.option(routine.as_ref(), |facts, it| facts.routine(it, start));
        }
    }

    fn range(&mut self, it: &Range<usize>, from: usize) {
        self.number(it.start - from);
        self.number(it.len());
    }

    fn routine(&mut self, it: &'a Routine, from: usize) {
        self.text(&it.name);
        self.range(&it.body, from);
        self.flag(it.is_quoted);
        self.list(&it.statements, |facts, at| facts.number(at - from));
    }

    /// What the runtime does not know how to ask the catalog about is unknown to it.
    fn class(&mut self, it: &'a Class) {
        match it {
            Class::Transactional => self.number(0),
            Class::Session => self.number(1),
            Class::CreateIndex { index, table, if_not_exists } => {
                self.number(2);
                self.option(index.as_deref(), Self::text);
                self.text(table);
                self.flag(*if_not_exists);
            }
            Class::DropIndex { index, if_exists } => {
                self.named(3, &[index]);
                self.flag(*if_exists);
            }
            Class::Reindex { kind: ReindexKind::Index, target: Some(it) } => self.named(4, &[it]),
            Class::Reindex { kind: ReindexKind::Table, target: Some(it) } => self.named(5, &[it]),
            Class::DetachPartition { parent, partition } => self.named(6, &[parent, partition]),
            Class::CreateDatabase { name } => self.named(7, &[name]),
            Class::DropDatabase { name, .. } => self.named(8, &[name]),
            Class::Reindex { .. } | Class::Repeatable => self.number(9),
            Class::Unknown => self.number(10),
        }
    }

    fn named(&mut self, number: usize, names: &[&str]) {
        self.number(number);
        for it in names {
            self.text(it);
        }
    }

    fn loss(&mut self, it: &'a DataLoss) {
        let (kind, name, column) = match it {
            DataLoss::Table(it) => (0, it, None),
            DataLoss::Column { table, column } => (1, table, Some(column)),
            DataLoss::ColumnType { table, column } => (2, table, Some(column)),
            DataLoss::Rows(it) => (3, it, None),
            DataLoss::Type(it) => (4, it, None),
            DataLoss::Schema(it) => (5, it, None),
            DataLoss::Sequence(it) => (6, it, None),
            DataLoss::Extension(it) => (7, it, None),
            DataLoss::Unknown => return self.number(8),
        };
        self.named(kind, &[name]);
        self.option(column.map(String::as_str), Self::text);
    }

    fn list<T>(&mut self, list: &'a [T], mut each: impl FnMut(&mut Self, &'a T)) {
        self.number(list.len());
        for it in list {
            each(self, it);
        }
    }

    fn option<T>(&mut self, it: Option<T>, some: impl FnOnce(&mut Self, T)) {
        self.flag(it.is_some());
        if let Some(it) = it {
            some(self, it);
        }
    }

    fn flag(&mut self, it: bool) {
        self.number(usize::from(it));
    }

    fn text(&mut self, it: &str) {
        self.number(it.len());
        self.out.push_str(it);
    }

    fn number(&mut self, it: usize) {
        let (bits, rest) = (it.to_le_bytes()[0] & 0x3F, it >> 6);
        self.out.push(char::from(if rest > 0 { bits | 0x40 } else { bits }));
        if rest > 0 {
            self.number(rest);
        }
    }
}
