//! The table `holds`: migrations that were rolled back and must not be applied again.

#![cfg_attr(not(feature = "admin"), allow(unused_imports, reason = "the feature needs it"))]

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::{Revisions, roll_back::RollbackRecord};
use crate::{
    connection::{
        answer::Answer,
        sql::{PINNED, named},
    },
    embedded::Migration,
    plan::{moment, rows::Hold},
};

impl Revisions {
    /// What is held.
    #[cfg(feature = "admin")]
    pub(crate) fn holds(&self) -> String {
        format!("{PINNED}{}", self.active_holds())
    }

    pub(super) fn active_holds(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "SELECT version AS upfront_hold, name, hash, to_char(held_at AT TIME ZONE 'UTC', \
             'YYYY-MM-DD HH24:MI:SS'), held_by FROM {schema}.holds WHERE app = {app} AND \
             released_at IS NULL ORDER BY version"
        )
    }

    /// Lets migrations come back.
    #[cfg(feature = "admin")]
    pub(crate) fn release(&self, versions: &[&str]) -> String {
        let Self { schema, app, .. } = self;
        let versions: Vec<_> = versions.iter().map(|it| escape_literal(it)).collect();
        format!(
            "UPDATE {schema}.holds SET released_at = clock_timestamp(), released_by = session_user \
             WHERE app = {app} AND version IN ({}) AND released_at IS NULL;",
            versions.join(", ")
        )
    }

    pub(super) fn hold(&self, it: &Migration, order: &RollbackRecord) -> String {
        if order.holds { self.hold_version(it.version) } else { String::new() }
    }

    /// Holds the text that was applied, which may be an older one that the program accepts.
    pub(super) fn hold_version(&self, version: &str) -> String {
        let Self { schema, app, host, .. } = self;
        let version = escape_literal(version);
        format!(
            "INSERT INTO {schema}.holds (app, version, name, hash, host) SELECT app, version, name, \
             hash, {host} FROM {schema}.revisions WHERE app OPERATOR(pg_catalog.=) {app} AND version \
             OPERATOR(pg_catalog.=) {version} ON CONFLICT (app, version) DO UPDATE SET hash = \
             excluded.hash, name = excluded.name, held_at = pg_catalog.clock_timestamp(), held_by = \
             session_user, host = excluded.host, released_at = NULL, released_by = NULL;"
        )
    }
}

/// What is held.
pub(crate) fn held(answer: &Answer) -> Option<Vec<Hold>> {
    let hold = |it: &SimpleQueryRow| {
        let text = |at: usize| it.get(at).map(str::to_owned);
        Some(Hold {
            version: text(0)?,
            name: text(1)?,
            hash: text(2)?,
            at: moment::parse(it.get(3)?)?,
            by: text(4)?,
        })
    };
    named(answer, "upfront_hold").map(hold).collect()
}
