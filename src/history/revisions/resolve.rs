//! What a person's word about migrations writes.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::{
    JournalKey, Revisions, exactly, quoted,
    record::{COLUMNS, MORE, more, revision},
};
use crate::{
    Digest, Direction,
    connection::{
        answer::Answer,
        sql::{PINNED, named},
    },
    embedded::Migration,
    plan::{
        journal::Rewrite,
        metadata::Tables,
        resolution::{Logged, Logs, Resolution, Write},
        rows::Head,
    },
};

/// What was agreed to.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResolveOrder {
    pub(crate) approval: Option<Digest>,
    /// Whether what is rolled back must not come back by itself.
    pub(crate) holds: bool,
}

impl Revisions {
    /// All rows of the app with their journal, and the newest word of the log about each version.
    pub(crate) fn rows_and_log(&self, tables: Tables) -> String {
        let (Self { schema, app, .. }, rows) = (self, self.rows(tables));
        format!(
            "{rows};SELECT DISTINCT ON (version) version AS upfront_logged, name, hash FROM \
             {schema}.log WHERE app = {app} AND outcome <> 'failed' ORDER BY version, id DESC"
        )
    }

    /// Writes what was decided, behind the checks of upfront's own tables.
    pub(crate) fn resolve(&self, writes: &[Write], order: &ResolveOrder) -> String {
        let writes: String = writes.iter().map(|it| self.resolve_one(it, order)).collect();
        format!("{PINNED}{}{writes}", self.trust.write_fence())
    }

    fn resolve_one(&self, it: &Write, order: &ResolveOrder) -> String {
        let Self { schema, app, .. } = self;
        match it {
            Write::Remove { version } => {
                let hold = if order.holds { self.hold_version(version) } else { String::new() };
                let version = escape_literal(version);
                let delete = format!(
                    "DELETE FROM {schema}.revisions WHERE app = {app} AND version = {version}"
                );
                format!("{hold}{}", exactly(1, &delete))
            }
            Write::Insert { migration, head } => self.insert_by_hand(migration, head),
            Write::Restore { version, chain, breaking } => {
                let version = escape_literal(version);
                exactly(
                    1,
                    &format!(
                        "UPDATE {schema}.revisions SET chain = '{chain}', breaking = {breaking}, \
                         rollback_accepted = NULL, rollback_approval = NULL, rollback_lost = NULL WHERE \
                         app = {app} AND version = {version}"
                    ),
                )
            }
            Write::Chains(rows) => {
                let row = |(version, chain): &(String, String)| {
                    format!("({}, '{chain}')", escape_literal(version))
                };
                let values: Vec<_> = rows.iter().map(row).collect();
                let update = format!(
                    "UPDATE {schema}.revisions r SET chain = v.chain FROM (VALUES {}) v (version, chain) \
                     WHERE r.app = {app} AND r.version = v.version",
                    values.join(", ")
                );
                exactly(rows.len(), &update)
            }
            Write::ForgetJournal { version } => format!("{};", self.forget_steps(version)),
            Write::Release { version } => self.release(&[version]),
            Write::ForgetTargets => format!("DELETE FROM {schema}.targets WHERE app = {app};"),
            Write::FinishStep { version, direction, ordinal, hash } => {
                let row =
                    self.step_row(JournalKey { version, direction: *direction, ordinal: *ordinal });
                let hash = hash.as_ref().map(|it| format!(", hash = '{it}'")).unwrap_or_default();
                let update = format!(
                    "UPDATE {schema}.steps SET finished = clock_timestamp(){hash} WHERE {row}"
                );
                exactly(1, &update)
            }
            Write::ForgetStep { version, direction, ordinal } => {
                let place = JournalKey { version, direction: *direction, ordinal: *ordinal };
                exactly(1, &self.forget_step(place))
            }
            Write::Rewrite { version, direction, rewrite } => {
                self.rewrite_steps(version, *direction, rewrite)
            }
            Write::Log { version, name, hash, what, message } => {
                let (direction, outcome) = words(*what);
                let [version, name, hash, message] =
                    [version, name, hash, message].map(|it| escape_literal(it));
                let (host, release) = (&self.host, &self.release);
                let approval = quoted(order.approval.as_ref().map(Digest::as_str));
                let insert = format!(
                    "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, message, \
                     approval, host, release) VALUES ({app}, {version}, {name}, '{direction}', \
                     '{outcome}', {hash}, {message}, {approval}, {host}, {release})"
                );
                exactly(1, &insert)
            }
        }
    }

    /// Nothing of a migration outside a transaction happened, or all of it.
    fn forget_steps(&self, version: &str) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(version);
        format!("DELETE FROM {schema}.steps WHERE app = {app} AND version = {version}")
    }

    /// Makes a journal fit a file that was changed.
    fn rewrite_steps(
        &self,
        version: &str,
        direction: Direction,
        Rewrite { from, rows }: &Rewrite,
    ) -> String {
        let Self { schema, app, .. } = self;
        let side = self.side_rows(version, direction);
        let delete = format!("DELETE FROM {schema}.steps WHERE {side} AND ordinal >= {from};");
        if rows.is_empty() {
            return delete;
        }
        let version = escape_literal(version);
        let row = |(ordinal, hash, done): &(usize, String, bool)| {
            let hash = escape_literal(hash);
            let finished = if *done { "clock_timestamp()" } else { "NULL" };
            format!("({app}, {version}, '{direction}', {ordinal}, {hash}, {finished})")
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let insert = format!(
            "INSERT INTO {schema}.steps (app, version, direction, ordinal, hash, finished) VALUES {}",
            rows.join(", ")
        );
        format!("{delete}{}", exactly(rows.len(), &insert))
    }

    /// The row of a migration that upfront did not apply, and the schema it is in.
    fn insert_by_hand(&self, it: &Migration, head: &Head) -> String {
        let Self { schema, app, host, release, .. } = self;
        let (row, more) = (revision(it, head, &escape_literal(it.up.source)), more(it));
        let insert = format!(
            "INSERT INTO {schema}.revisions (app, kind, host, release, {COLUMNS}{MORE}) VALUES ({app}, \
             'baseline', {host}, {release}, {row}{more})"
        );
        format!("{}{}", exactly(1, &insert), self.record_target())
    }
}

/// Direction and outcome in the log. Whatever is neither `reverted` nor `failed` counts as applied, so
/// a part of a migration is a failure without an SQLSTATE.
fn words(it: Logs) -> (&'static str, &'static str) {
    match it {
        Logs::Migration(Resolution::Applied) => ("up", "baseline"),
        Logs::Migration(Resolution::RolledBack) => ("down", "reverted"),
        Logs::Part(direction) => (direction.word(), "failed"),
    }
}

/// What [`Revisions::rows_and_log`] says of the log.
pub(crate) fn logged(answer: &Answer) -> Option<Vec<Logged>> {
    let logged = |it: &SimpleQueryRow| {
        let text = |at: usize| it.get(at).map(str::to_owned);
        Some(Logged { version: text(0)?, name: text(1)?, hash: text(2)? })
    };
    named(answer, "upfront_logged").map(logged).collect()
}
