//! The table `revisions`: the rows of applied migrations.

use std::time::Duration;

use postgres_protocol::escape::escape_literal;

use super::{MAJOR, Revisions, down::down, exactly, fence, interval};
use crate::{
    connection::{locked::Transaction, sql::PINNED},
    embedded::{Migration, Side},
    plan::{pending::Step, rows::Head},
};

/// A text that the server's error carries when it did not get a body as it was sent.
pub(super) const ALTERED: &str = "upfront: the body was changed on its way to the server";

/// How the row of a migration travels, and so where its text and its duration come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    /// In the message of the body.
    WithBody,
    /// In a message of its own.
    Apart { took: Duration },
}

/// The columns that the second version of the tables added.
pub(super) const MORE: &str = ", checkpoint, down_body, down_lock_timeout, down_statement_timeout";

/// What [`revision`] gives values for.
pub(super) const COLUMNS: &str = "version, name, hash, chain, breaking, up_sql, irreversible, down_sql, \
                       down_hash, down_transactional, down_statements";

impl Revisions {
    /// The rows of a step, behind a fence: it fails unless the transaction is still the one in
    /// which the lock was taken, under the same roles.
    pub(crate) fn record(&self, step: &Step, transaction: &Transaction, sent: Sent) -> String {
        let Transaction { xid, login, role, .. } = transaction;
        let (login, role) = (escape_literal(login), escape_literal(role));
        let roles = format!(" AND SESSION_USER = {login} AND CURRENT_USER = {role}");
        let (trusted, fence) = (self.trust.write_fence(), fence(xid, &roles));
        let rows = self.insert(step, sent);
        format!("{fence}{trusted}{rows}{}", self.record_target())
    }

    /// The rows of a migration that ran statement by statement; its journal ends.
    pub(crate) fn record_stepwise(&self, step: &Step, took: Duration) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(step.migration().version);
        let insert = self.insert(step, Sent::Apart { took });
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{insert}{}DELETE FROM {schema}.steps WHERE \
             app = {app} AND version = {version} AND direction = 'up'",
            self.record_target()
        )
    }

    /// The schema that was migrated, as it is now: what
    /// [`prologue::target`](crate::connection::session_settings::target) noted.
    pub(super) fn record_target(&self) -> String {
        let Self { schema, app, .. } = self;
        if self.is_metadata {
            return String::new();
        }
        format!(
            "INSERT INTO {schema}.targets AS t (app, schema, namespace, database, history, server_major) \
             SELECT {app}, n.nspname, n.oid, d.oid, {}::regclass, {MAJOR} FROM pg_namespace n, \
             pg_database d WHERE n.nspname = current_setting('upfront.target') AND d.datname = \
             current_database() ON CONFLICT (app, schema) DO UPDATE SET namespace = excluded.namespace, \
             database = excluded.database, history = excluded.history, server_major = \
             excluded.server_major WHERE (t.namespace, t.database, t.history, t.server_major) IS \
             DISTINCT FROM (excluded.namespace, excluded.database, excluded.history, \
             excluded.server_major);",
            escape_literal(&format!("{schema}.revisions"))
        )
    }

    /// Rows for revisions and log.
    pub(super) fn insert(&self, step: &Step, sent: Sent) -> String {
        let Self { schema, app, host, release, .. } = self;
        let text = |it: &Migration| escape_literal(it.up.source);
        let covered = step.covers.iter().map(|(it, head)| (*it, head, "covered", text(it), "NULL"));
        let (took, applied) = (duration(sent), |it| up_sql(it, sent));
        let ran = step.runs.map(|it| (it, &step.to, "applied", applied(it), took.as_str()));
        let rows = covered.chain(ran).map(|(it, head, kind, text, took)| {
            let (version, name) = (escape_literal(it.version), escape_literal(it.name));
            let (row, hash) = (revision(it, head, &text), it.up.hash);
            let more = if self.is_metadata { String::new() } else { more(it) };
            let revision = format!("({app}, '{kind}', {took}, {host}, {release}, {row}{more})");
            let log = format!(
                "({app}, {version}, {name}, 'up', '{kind}', '{hash}', {took}, {host}, {release})"
            );
            (revision, log)
        });
        let (revisions, log): (Vec<_>, Vec<_>) = rows.unzip();
        let (count, more) = (step.len(), if self.is_metadata { "" } else { MORE });
        let (revisions, log) = (revisions.join(","), log.join(","));
        let revisions = exactly(
            count,
            &format!(
                "INSERT INTO {schema}.revisions (app, kind, duration, host, release, {COLUMNS}{more}) \
                 VALUES {revisions}"
            ),
        );
        let log = exactly(
            count,
            &format!(
                "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, duration, \
                 host, release) VALUES {log}"
            ),
        );
        format!("{revisions}{log}")
    }

    /// Rows for what was here before upfront, with the moment at which it came where that is known;
    /// the log says where the rows are from.
    #[cfg(feature = "admin")]
    pub(crate) fn baseline(
        &self,
        after: &Head,
        old: &[crate::plan::external_history::ExternalRevision],
        message: &str,
    ) -> String {
        let Self { schema, app, host, release, .. } = self;
        let message = escape_literal(message);
        let mut head = after.clone();
        let rows = old.iter().map(|old| {
            let it = old.migration;
            head = head.after(it);
            let at = old.applied_at.as_deref().map_or("clock_timestamp()".into(), |it| {
                format!("{}::timestamptz", escape_literal(it))
            });
            let (version, name) = (escape_literal(it.version), escape_literal(it.name));
            let text = escape_literal(it.up.source);
            let (row, more, hash) = (revision(it, &head, &text), more(it), it.up.hash);
            let revision = format!("({app}, 'baseline', {at}, {host}, {release}, {row}{more})");
            let log = format!(
                "({app}, {version}, {name}, 'up', 'baseline', '{hash}', {message}, {host}, {release})"
            );
            (revision, log)
        });
        let (revisions, log): (Vec<_>, Vec<_>) = rows.unzip();
        let (revisions, log) = (revisions.join(","), log.join(","));
        let revisions = exactly(
            old.len(),
            &format!(
                "INSERT INTO {schema}.revisions (app, kind, applied_at, host, release, {COLUMNS}{MORE}) \
                 VALUES {revisions}"
            ),
        );
        let log = exactly(
            old.len(),
            &format!(
                "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, message, \
                 host, release) VALUES {log}"
            ),
        );
        let (fence, target) = (self.trust.write_fence(), self.record_target());
        format!("{PINNED}{fence}{revisions}{log}{target}")
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "SELECT pg_catalog.count(*) AS upfront_count FROM {schema}.revisions WHERE app = {app}"
        )
    }

    /// Is the last row of a step there?
    pub(crate) fn is_recorded(&self, step: &Step) -> String {
        let Self { schema, app, .. } = self;
        let (version, chain) = (escape_literal(&step.to.version), &step.to.chain);
        format!(
            "{PINNED}SELECT EXISTS (SELECT FROM {schema}.revisions WHERE app = {app} AND version = \
             {version} AND chain = '{chain}') AS upfront_recorded"
        )
    }
}

/// The text of a migration that ran: the server has it already where the message began with it. The
/// hash proves that it is the file's, whatever stands between us and the server.
pub(super) fn up_sql(it: &Migration, sent: Sent) -> String {
    let Side { source, hash, .. } = it.up;
    match sent {
        Sent::Apart { .. } => escape_literal(source),
        Sent::WithBody => format!(
            "(SELECT CASE WHEN encode(sha256(it), 'hex') = '{hash}' THEN convert_from(it, 'UTF8') \
             ELSE ('{ALTERED} ' || length(it))::integer::text END FROM \
             substr(convert_to(current_query(), 'UTF8'), 1, {}) it)",
            source.len()
        ),
    }
}

pub(super) fn duration(sent: Sent) -> String {
    match sent {
        Sent::Apart { took } => interval(took),
        Sent::WithBody => "clock_timestamp() - statement_timestamp()".into(),
    }
}

/// The values of them.
pub(super) fn more(it: &Migration) -> String {
    let down = it.down.as_ref();
    let body = down.and_then(|it| it.body).map_or("NULL".into(), escape_literal);
    let limit = |it: Option<u32>| it.map_or("NULL".into(), |it| it.to_string());
    let lock = limit(down.and_then(|it| it.lock_timeout_ms));
    let statement = limit(down.and_then(|it| it.statement_timeout_ms));
    format!(", {}, {body}, {lock}, {statement}", it.checkpoint)
}

/// The values of a migration's row that do not depend on how it came.
pub(super) fn revision(it: &Migration, head: &Head, up_sql: &str) -> String {
    let (version, name, up) = (escape_literal(it.version), escape_literal(it.name), &it.up);
    let irreversible = it.irreversible.map_or("NULL".into(), escape_literal);
    let (hash, chain, breaking) = (up.hash, &head.chain, it.breaking);
    let down = down(it.down.as_ref());
    format!("{version}, {name}, '{hash}', '{chain}', {breaking}, {up_sql}, {irreversible}, {down}")
}
