//! The table `protection`: the mark of a protected database.

#![cfg_attr(not(feature = "admin"), allow(unused_imports, reason = "the feature needs it"))]

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::{Revisions, exactly};
use crate::{
    builder::OWN,
    connection::{answer::Answer, sql::PINNED},
    plan::{
        metadata::Tables,
        moment,
        protection::{Identity, Mark, ProtectionState},
    },
};

impl Revisions {
    /// What a plan's digest covers beside the plan, and the mark of a protected database.
    pub(crate) fn standing(&self, tables: Tables) -> String {
        let schema = &self.schema;
        let mark = match tables {
            Tables::Old => String::new(),
            Tables::Current => format!(
                "SELECT system_identifier AS upfront_mark, database::text, to_char(protected_at \
                 AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), protected_by FROM \
                 {schema}.protection;"
            ),
        };
        format!(
            "{}{mark}SELECT coalesce(max(id), 0) AS upfront_log FROM {schema}.log WHERE app <> \
             '{OWN}'",
            Self::identity()
        )
    }

    /// Which database it is. A restored copy is another one.
    pub(crate) fn identity() -> String {
        format!(
            "{PINNED}SELECT system_identifier::text AS upfront_identity, (SELECT oid::text FROM \
             pg_database WHERE datname = current_database()) FROM pg_control_system();"
        )
    }

    /// Marks the database as protected, in place of a mark that exists.
    #[cfg(feature = "admin")]
    pub(crate) fn mark(&self, Identity { system, database }: &Identity) -> String {
        let Self { schema, host, .. } = self;
        let (system, database) = (escape_literal(system), escape_literal(database));
        format!(
            "INSERT INTO {schema}.protection (system_identifier, database, host) VALUES ({system}, \
             {database}, {host}) ON CONFLICT (singleton) DO UPDATE SET system_identifier = \
             excluded.system_identifier, database = excluded.database, protected_at = \
             clock_timestamp(), protected_by = session_user, host = excluded.host;"
        )
    }

    /// Takes the mark away.
    #[cfg(feature = "admin")]
    pub(crate) fn unmark(&self) -> String {
        exactly(1, &format!("DELETE FROM {}.protection", self.schema))
    }
}

/// Reads the answer to [`Revisions::standing`].
pub(crate) fn standing(answer: &Answer) -> Option<ProtectionState> {
    let identity = |it: &SimpleQueryRow| {
        Some(Identity { system: it.get(0)?.to_owned(), database: it.get(1)?.to_owned() })
    };
    let mark = |it: &SimpleQueryRow| {
        Some(Mark { of: identity(it)?, at: moment::parse(it.get(2)?)?, by: it.get(3)?.to_owned() })
    };
    let log = answer.row("upfront_log").and_then(|it| it.get(0)).unwrap_or("0").to_owned();
    Some(ProtectionState {
        here: identity(answer.row("upfront_identity")?)?,
        mark: answer.row("upfront_mark").and_then(mark),
        log,
    })
}
