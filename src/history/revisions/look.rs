//! The first look at a history: one row, whatever its length.

use postgres_protocol::escape::escape_literal;

use super::Revisions;
use crate::{connection::answer::Answer, embedded::Set, plan::rows::UnknownMigration};

/// The answer to the first query of a call.
#[derive(Debug)]
pub(crate) struct HistorySummary {
    /// The rows up to this program's head are exactly its migrations.
    pub(crate) is_current: bool,
    /// The rows above.
    pub(crate) ahead: Vec<UnknownMigration>,
    /// The newest migration of upfront's own tables.
    pub(crate) metadata_version: String,
    /// A schema that was migrated may be another one now: the history is to be read.
    pub(crate) replaced: bool,
    /// A migration outside a transaction is under way, or was cut off.
    pub(crate) journal: bool,
}

impl Revisions {
    /// One row, of one size for one migration or ten thousand.
    ///
    /// The server derives each row's fingerprint; `bit_xor` needs no order. A row above the head
    /// is listed, so that a boot can name what is ahead. The search path is pinned before it.
    pub(crate) fn look(&self, set: &Set) -> String {
        let Self { schema, app, .. } = self;
        let head = escape_literal(set.head().map_or("", |it| it.version));
        let fingerprint = set.fingerprint;
        format!(
            "SELECT biteq(bit_xor(fingerprint)FILTER(WHERE version<={head}),x'{fingerprint}'),\
             string_agg(concat_ws('/',version,name,breaking),E'\\n'ORDER BY version)FILTER(WHERE \
             version>{head}),(SELECT max(version)FROM {schema}.revisions WHERE \
             app='upfront'),EXISTS({}),EXISTS(SELECT FROM {schema}.steps WHERE app={app})FROM \
             {schema}.revisions WHERE app={app}",
            self.replaced()
        )
    }

    /// Schemas that were migrated and are not the same ones any more. Where the history table is
    /// another one too, they were restored from a dump.
    pub(super) fn replaced(&self) -> String {
        let Self { schema, app, .. } = self;
        let history = escape_literal(&format!("{schema}.revisions"));
        format!(
            "SELECT FROM {schema}.targets WHERE app={app} AND history={history}::regclass AND namespace \
             IS DISTINCT FROM to_regnamespace(quote_ident(schema))"
        )
    }
}

impl HistorySummary {
    /// Does one row say that there is nothing to do?
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.is_current && !self.replaced && !self.journal
    }

    /// Reads the answer; `None` where it is not of this shape.
    pub(crate) fn of(set: &Set, answer: &Answer) -> Option<Self> {
        let row = answer.rows.last()?;
        let is_current = row.get(0).map_or(set.migrations.is_empty(), |it| it == "t");
        let ahead = row.get(1).map(|it| it.lines().filter_map(unknown).collect());
        let metadata_version = row.get(2).unwrap_or_default().to_owned();
        let (replaced, journal) = (row.get(3)? == "t", row.get(4)? == "t");
        Some(Self {
            is_current,
            ahead: ahead.unwrap_or_default(),
            metadata_version,
            replaced,
            journal,
        })
    }
}

pub(super) fn unknown(line: &str) -> Option<UnknownMigration> {
    let mut parts = line.split('/');
    let (version, name, breaking) = (parts.next()?, parts.next()?, parts.next()?);
    Some(UnknownMigration { version: version.into(), name: name.into(), breaking: breaking == "t" })
}
