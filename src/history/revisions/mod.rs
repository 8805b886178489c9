//! All SQL about upfront's own tables.
//!
//! Names are quoted and qualified, what is called is `pg_catalog`'s, and where an operator or a
//! type is named the message pins its search path first.

mod down;
mod grants;
mod holds;
mod lock;
mod log;
mod look;
mod protection;
mod record;
#[cfg(feature = "admin")]
mod resolve;
mod roll_back;
mod rows;
mod steps;

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::{
    builder::{OWN, Settings},
    error::distrust::NOT_WRITTEN,
    history::trust::{self, Trust},
    plan::checksum,
};

#[cfg(feature = "admin")]
pub(crate) use holds::held;
#[cfg(feature = "admin")]
pub(crate) use lock::holder;
pub(crate) use lock::{OTHER_BACKEND, RELEASED};
pub(crate) use look::HistorySummary;
pub(crate) use protection::standing;
pub(crate) use record::Sent;
#[cfg(feature = "admin")]
pub(crate) use resolve::{ResolveOrder, logged};
pub(crate) use roll_back::{RollbackRecord, ordered};
pub(crate) use rows::{apps, dated, history, history_schemas};
pub(crate) use steps::{JournalKey, MOVED};

/// A text that the server's error carries when a body left its transaction.
pub(crate) const ESCAPED: &str = "upfront: the body left its transaction";

/// The revision tables, as one app sees them.
#[derive(Debug, Clone)]
pub(crate) struct Revisions {
    pub(crate) trust: Trust,
    /// Quoted.
    schema: String,
    /// The same as a literal.
    schema_name: String,
    /// Quoted.
    app: String,
    /// Quoted or `NULL`.
    host: String,
    /// Quoted or `NULL`.
    release: String,
    key: i64,
    /// These are upfront's own tables, whose first version has fewer columns.
    is_metadata: bool,
}

impl Revisions {
    pub(crate) fn new(settings: &Settings, app: &str) -> Self {
        let quoted = |it: &Option<String>| it.as_deref().map_or("NULL".into(), escape_literal);
        Self {
            trust: Trust::new(settings),
            schema: escape_identifier(&settings.schema),
            schema_name: escape_literal(&settings.schema),
            app: escape_literal(app),
            host: quoted(&settings.host),
            release: quoted(&settings.release),
            key: checksum::lock_key(&settings.schema, app),
            is_metadata: app == OWN,
        }
    }

    /// A message that reads upfront's own tables, behind the check of whose they are.
    pub(crate) fn guarded(&self, sql: &str) -> String {
        let Self { schema, trust, .. } = self;
        let is_read = |table: &&&str| sql.contains(&format!("{schema}.{table}"));
        let tables: Vec<_> = trust::TABLES.iter().filter(is_read).copied().collect();
        if tables.is_empty() { sql.to_owned() } else { format!("{}{sql}", trust.guarded(&tables)) }
    }

    /// Are schema and tables there, and the newest of the tables?
    ///
    /// Reads the catalog itself, by a snapshot taken after the lock: `to_regnamespace` asks a cache
    /// that may hold what was so when the transaction began, before another process let go of the
    /// lock.
    pub(crate) fn exists(&self) -> String {
        let schema = &self.schema_name;
        format!(
            "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 AS upfront_exists, \
             pg_catalog.count(c.oid) OPERATOR(pg_catalog.>) 0, pg_catalog.count(t.oid) \
             OPERATOR(pg_catalog.>) 0 FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c \
             ON c.relnamespace OPERATOR(pg_catalog.=) n.oid AND c.relname OPERATOR(pg_catalog.=) \
             'revisions' LEFT JOIN pg_catalog.pg_class t ON t.relnamespace OPERATOR(pg_catalog.=) \
             n.oid AND t.relname OPERATOR(pg_catalog.=) 'targets' WHERE n.nspname \
             OPERATOR(pg_catalog.=) {schema};"
        )
    }

    pub(crate) fn create_schema(&self) -> String {
        format!("CREATE SCHEMA {}", self.schema)
    }
}

fn quoted(it: Option<&str>) -> String {
    it.map_or("NULL".into(), escape_literal)
}

/// The server's major version; `pg_upgrade` changes it.
const MAJOR: &str = "(current_setting('server_version_num')::integer / 10000)";

/// Fails, with a text of ours, unless the transaction is still the one with this id.
fn fence(xid: &str, roles: &str) -> String {
    let xid = escape_literal(xid);
    format!(
        "SELECT CASE WHEN pg_current_xact_id()::text = {xid}{roles} THEN 0 ELSE ('{ESCAPED} ' || \
         pg_current_xact_id()::text)::integer END;"
    )
}

/// A statement that writes as many rows as this, or fails with [`NOT_WRITTEN`]: a rule or a trigger
/// may keep a row out, and the server calls that a success.
///
/// The search path is pinned before it.
pub(crate) fn exactly(rows: usize, sql: &str) -> String {
    format!(
        "WITH it AS ({sql} RETURNING 1) SELECT CASE WHEN count(*) = {rows} THEN 0 ELSE \
         ('{NOT_WRITTEN} ' || count(*))::integer END FROM it;"
    )
}

fn interval(it: Duration) -> String {
    format!("'{} microseconds'::interval", it.as_micros())
}
