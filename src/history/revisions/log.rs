//! The table `log`.

#![cfg_attr(not(feature = "admin"), allow(unused_imports, reason = "the feature needs it"))]

use postgres_protocol::escape::escape_literal;

use super::{Revisions, exactly, quoted};
use crate::{Direction, builder::OWN, connection::sql::PINNED, embedded::Migration};

impl Revisions {
    /// The log, newest first, a row as JSON: columns that a newer upfront has added do no harm.
    #[cfg(feature = "admin")]
    pub(crate) fn log(&self, limit: Option<u32>, since: Option<f64>) -> String {
        let Self { schema, app, .. } = self;
        let since = since.map(|it| format!(" AND at >= to_timestamp({it})")).unwrap_or_default();
        let limit = limit.map(|it| format!(" LIMIT {it}")).unwrap_or_default();
        format!(
            "{PINNED}SELECT (to_jsonb(it) || jsonb_build_object('at', to_char(at AT TIME ZONE \
             'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'duration', extract(epoch FROM \
             duration)))::text AS upfront_log FROM {schema}.log it WHERE (app = {app} OR app = '{OWN}' \
             AND version = ''){since} ORDER BY id DESC{limit}"
        )
    }

    /// A try that failed and was rolled back; written by a transaction of its own.
    pub(crate) fn record_failure(
        &self,
        it: &Migration,
        direction: Direction,
        code: &str,
        message: &str,
    ) -> String {
        let Self { schema, app, host, release, .. } = self;
        let (version, name) = (escape_literal(it.version), escape_literal(it.name));
        let (code, message, hash) = (escape_literal(code), escape_literal(message), it.up.hash);
        format!(
            "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, sqlstate, \
             message, host, release) VALUES ({app}, {version}, {name}, '{direction}', 'failed', '{hash}', \
             {code}, {message}, {host}, {release})"
        )
    }

    /// The line of the log about the mark: `up` where it is set, `down` where it is removed. It
    /// concerns all apps, so it is one of upfront's own, without a version.
    #[cfg(feature = "admin")]
    pub(crate) fn log_mark(
        &self,
        direction: Direction,
        message: &str,
        approval: Option<&str>,
    ) -> String {
        let Self { schema, host, release, .. } = self;
        let outcome = match direction {
            Direction::Up => "baseline",
            Direction::Down => "reverted",
        };
        let (message, approval) = (escape_literal(message), quoted(approval));
        exactly(
            1,
            &format!(
                "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, message, \
                 approval, host, release) VALUES ('{OWN}', '', '', '{direction}', '{outcome}', '', \
                 {message}, {approval}, {host}, {release})"
            ),
        )
    }
}
