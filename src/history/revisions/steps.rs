//! The table `steps`: the journal of a migration outside a transaction.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::{Revisions, fence};
use crate::{
    Direction,
    connection::{answer::Answer, sql::named},
    embedded::Migration,
    error::distrust::NOT_WRITTEN,
    plan::journal::Journal,
};

/// The same when another process has written the journal.
pub(crate) const MOVED: &str = "upfront: the journal has moved";

/// The place of a statement in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JournalKey<'a> {
    pub(crate) version: &'a str,
    pub(crate) direction: Direction,
    pub(crate) ordinal: usize,
}

impl Revisions {
    /// Fails, with a text of ours, unless the journal of one side has so many rows: another row means
    /// that another process ran, or runs, the same migration.
    pub(crate) fn journal_fence(
        &self,
        version: &str,
        direction: Direction,
        rows: usize,
        otherwise: &str,
    ) -> String {
        let (schema, side) = (&self.schema, self.side_rows(version, direction));
        format!(
            "SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) {rows} THEN 0 ELSE \
             ('{otherwise} ' OPERATOR(pg_catalog.||) pg_catalog.count(*)::pg_catalog.text)\
             ::pg_catalog.int4 END FROM {schema}.steps WHERE {side};"
        )
    }

    /// Fails, with a text of ours, unless the journal says this of a statement: a rule or a trigger
    /// may swallow what is written, or change it.
    pub(crate) fn written_fence(
        &self,
        place: JournalKey<'_>,
        hash: &str,
        finished: bool,
    ) -> String {
        let (schema, row) = (&self.schema, self.step_row(place));
        let not = if finished { " NOT" } else { "" };
        format!(
            "SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) 1 THEN 0 ELSE ('{NOT_WRITTEN} \
             ' OPERATOR(pg_catalog.||) pg_catalog.count(*)::pg_catalog.text)::pg_catalog.int4 END \
             FROM {schema}.steps WHERE {row} AND hash OPERATOR(pg_catalog.=) '{hash}' AND finished \
             IS{not} NULL;"
        )
    }

    /// A statement of the journal starts; committed before the statement is sent.
    pub(crate) fn start_step(&self, it: &Migration, place: JournalKey<'_>, hash: &str) -> String {
        let Self { schema, app, .. } = self;
        let JournalKey { version, direction, ordinal } = place;
        let (version, name, breaking) =
            (escape_literal(version), escape_literal(it.name), it.breaking);
        format!(
            "INSERT INTO {schema}.steps (app, version, direction, ordinal, hash, name, breaking) \
             VALUES ({app}, {version}, '{direction}', {ordinal}, '{hash}', {name}, {breaking})"
        )
    }

    /// A statement of the journal starts once more.
    pub(crate) fn restart_step(&self, place: JournalKey<'_>, hash: &str) -> String {
        let (schema, row) = (&self.schema, self.step_row(place));
        format!(
            "UPDATE {schema}.steps SET started = pg_catalog.clock_timestamp(), hash = '{hash}' WHERE \
             {row}"
        )
    }

    /// A statement of the journal failed, and left something.
    pub(crate) fn fail_step(&self, place: JournalKey<'_>, mark: &str) -> String {
        self.restart_step(place, mark)
    }

    /// A statement of the journal is done.
    pub(crate) fn finish_step(&self, place: JournalKey<'_>) -> String {
        let (schema, row) = (&self.schema, self.step_row(place));
        format!("UPDATE {schema}.steps SET finished = pg_catalog.clock_timestamp() WHERE {row}")
    }

    pub(super) fn side_rows(&self, version: &str, direction: Direction) -> String {
        let version = escape_literal(version);
        format!(
            "app OPERATOR(pg_catalog.=) {} AND version OPERATOR(pg_catalog.=) {version} AND \
             direction OPERATOR(pg_catalog.=) '{direction}'",
            self.app
        )
    }

    /// A statement of the journal did not happen.
    pub(crate) fn forget_step(&self, place: JournalKey<'_>) -> String {
        let (schema, row) = (&self.schema, self.step_row(place));
        format!("DELETE FROM {schema}.steps WHERE {row}")
    }

    /// A transactional statement's journal row, behind a fence of its own.
    pub(crate) fn pass_step(
        &self,
        it: &Migration,
        place: JournalKey<'_>,
        hash: &str,
        xid: &str,
    ) -> String {
        let Self { schema, app, .. } = self;
        let JournalKey { version, direction, ordinal } = place;
        let (version, fence) = (escape_literal(version), fence(xid, ""));
        let (name, breaking) = (escape_literal(it.name), it.breaking);
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{fence}{}INSERT INTO {schema}.steps (app, \
             version, direction, ordinal, hash, finished, name, breaking) VALUES ({app}, \
             {version}, '{direction}', {ordinal}, '{hash}', clock_timestamp(), {name}, {breaking})",
            self.trust.write_fence()
        )
    }

    pub(super) fn step_row(
        &self,
        JournalKey { version, direction, ordinal }: JournalKey<'_>,
    ) -> String {
        let side = self.side_rows(version, direction);
        format!("{side} AND ordinal OPERATOR(pg_catalog.=) {ordinal}")
    }
}

pub(super) fn journal(answer: &Answer) -> Option<Vec<Journal>> {
    let row = |it: &SimpleQueryRow| {
        Some(Journal {
            version: it.get(0)?.to_owned(),
            ordinal: it.get(1)?.parse().ok()?,
            hash: it.get(2)?.to_owned(),
            finished: it.get(3)? == "t",
            direction: if it.get(4)? == "up" { Direction::Up } else { Direction::Down },
            age: it.get(5)?.parse().ok()?,
            name: it.get(6).unwrap_or_default().to_owned(),
            breaking: it.get(7) == Some("t"),
        })
    };
    named(answer, "upfront_step").map(row).collect()
}
