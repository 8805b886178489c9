//! What a history holds, read as a whole.

use postgres_protocol::escape::escape_literal;
use tokio_postgres::SimpleQueryRow;

use super::{MAJOR, Revisions, holds::held, steps::journal};
use crate::{
    builder::OWN,
    connection::{
        answer::Answer,
        sql::{PINNED, named},
    },
    plan::{
        history::History,
        metadata::Tables,
        moment,
        rows::{AppStatus, RevisionRow, Row},
    },
};

impl Revisions {
    /// All rows of the app, its journal, what the log misses among the rows, and what is held, for
    /// the plan.
    pub(crate) fn rows(&self, tables: Tables) -> String {
        let Self { schema, app, .. } = self;
        let more = self.journal_and_lost(tables);
        format!(
            "{PINNED}SELECT version AS upfront_version, name, hash, chain, breaking, down_hash, \
             kind FROM {schema}.revisions WHERE app = {app} ORDER BY version;{more}"
        )
    }

    /// The journal; what was applied, never reverted, and has no row any more; and what is held.
    pub(super) fn journal_and_lost(&self, tables: Tables) -> String {
        let Self { schema, app, .. } = self;
        let holds = match tables {
            Tables::Old => String::new(),
            Tables::Current => format!(
                ";{};SELECT schema AS upfront_replaced FROM {schema}.targets WHERE app = {app} AND history \
                 = {}::regclass AND database = (SELECT oid FROM pg_database WHERE datname = \
                 current_database()) AND server_major = {MAJOR} AND namespace IS DISTINCT FROM \
                 to_regnamespace(quote_ident(schema)) ORDER BY schema",
                self.active_holds(),
                escape_literal(&format!("{schema}.revisions"))
            ),
        };
        let more = match tables {
            Tables::Old => "NULL, NULL",
            Tables::Current => "name, breaking",
        };
        format!(
            "SELECT version AS upfront_step, ordinal, hash, finished IS NOT NULL, direction, \
             greatest(extract(epoch FROM clock_timestamp() - started), 0)::bigint, {more} FROM \
             {schema}.steps WHERE app = {app} ORDER BY version, direction, ordinal;SELECT it.version AS upfront_lost FROM (SELECT DISTINCT ON (version) version, \
             outcome FROM {schema}.log WHERE app = {app} AND outcome <> 'failed' ORDER BY version, \
             id DESC) it WHERE it.outcome <> 'reverted' AND NOT EXISTS (SELECT FROM \
             {schema}.revisions r WHERE r.app = {app} AND r.version = it.version){holds}"
        )
    }

    /// As [`rows`](Self::rows), with the time, for a person.
    pub(crate) fn status(&self, tables: Tables) -> String {
        let Self { schema, app, .. } = self;
        let more = self.journal_and_lost(tables);
        let (checkpoint, of_database) = match tables {
            Tables::Old => ("false", String::new()),
            Tables::Current => ("checkpoint", self.of_database()),
        };
        format!(
            "{PINNED}SELECT version AS upfront_version, name, hash, chain, breaking, down_hash, \
             kind, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), irreversible, \
             jsonb_array_length(down_statements) = 0 AND down_sql !~ \
             '^(--[^\\n]*\\n)*--\\s*upfront:nothing-to-undo ', {checkpoint} FROM \
             {schema}.revisions WHERE app = {app} ORDER BY version;{of_database}SELECT s.version AS \
             upfront_invalid, format('%I.%I', n.nspname, c.relname) FROM {schema}.steps s JOIN \
             pg_class c ON c.oid::bigint = CASE WHEN s.hash ~ \
             '^failed:[0-9]+:[0-9A-Z]+:[0-9]{{1,10}}:' THEN split_part(s.hash, ':', 4)::bigint END \
             JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE s.app = {app} AND NOT i.indisvalid;{more}"
        )
    }

    /// What a database has of all apps, and in which schemas.
    pub(super) fn of_database(&self) -> String {
        let Self { schema, .. } = self;
        format!(
            "SELECT r.app AS upfront_app, count(*), max(r.version), (SELECT string_agg(t.schema::text, \
             E'\\n' ORDER BY t.schema) FROM {schema}.targets t WHERE t.app = r.app) FROM \
             {schema}.revisions r WHERE r.app <> '{OWN}' GROUP BY r.app ORDER BY r.app;SELECT n.nspname \
             AS upfront_schema FROM pg_namespace n WHERE (SELECT count(*) FROM pg_class c WHERE \
             c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname IN ('revisions', 'log', 'steps')) = \
             3 ORDER BY 1;"
        )
    }

    /// The text of a migration as it was applied.
    pub(crate) fn applied_text(&self, version: &str) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(version);
        format!(
            "{PINNED}SELECT up_sql AS upfront_text FROM {schema}.revisions WHERE app = {app} AND \
             version = {version}"
        )
    }
}

/// Reads the answer to [`Revisions::rows`].
pub(crate) fn history(answer: &Answer) -> Option<History> {
    let rows = named(answer, "upfront_version").map(row).collect::<Option<_>>()?;
    let holds = held(answer)?;
    let replaced = named(answer, "upfront_replaced").filter_map(|it| it.get(0));
    Some(History {
        rows,
        journal: journal(answer)?,
        lost: lost(answer),
        holds,
        invalid: invalid(answer),
        replaced: replaced.map(str::to_owned).collect(),
    })
}

/// The versions that [`Revisions::journal_and_lost`] found to be lost.
pub(super) fn lost(answer: &Answer) -> Vec<String> {
    named(answer, "upfront_lost").filter_map(|it| Some(it.get(0)?.to_owned())).collect()
}

/// The invalid indexes that [`Revisions::status`] found.
pub(super) fn invalid(answer: &Answer) -> Vec<(String, String)> {
    let index = |it: &SimpleQueryRow| Some((it.get(0)?.to_owned(), it.get(1)?.to_owned()));
    named(answer, "upfront_invalid").filter_map(index).collect()
}

/// The rows in the answer to [`Revisions::status`].
pub(crate) fn dated(answer: &Answer) -> Option<Vec<RevisionRow>> {
    let dated = |it: &SimpleQueryRow| {
        Some(RevisionRow {
            row: row(it)?,
            applied_at: moment::parse(it.get(7)?)?,
            irreversible: it.get(8).map(str::to_owned),
            down_is_empty: it.get(9) == Some("t"),
            checkpoint: it.get(10) == Some("t"),
        })
    };
    named(answer, "upfront_version").map(dated).collect()
}

/// The apps that [`Revisions::status`] found.
pub(crate) fn apps(answer: &Answer) -> Option<Vec<AppStatus>> {
    let app = |it: &SimpleQueryRow| {
        Some(AppStatus {
            name: it.get(0)?.to_owned(),
            applied: it.get(1)?.parse().ok()?,
            head: it.get(2).map(str::to_owned),
            schemas: it.get(3).unwrap_or_default().lines().map(str::to_owned).collect(),
        })
    };
    named(answer, "upfront_app").map(app).collect()
}

/// The schemas with upfront's tables that [`Revisions::status`] found.
pub(crate) fn history_schemas(answer: &Answer) -> Vec<String> {
    named(answer, "upfront_schema").filter_map(|it| Some(it.get(0)?.to_owned())).collect()
}

pub(super) fn row(it: &SimpleQueryRow) -> Option<Row> {
    let text = |at: usize| it.get(at).map(str::to_owned);
    Some(Row {
        version: text(0)?,
        name: text(1)?,
        hash: text(2)?,
        chain: text(3)?,
        breaking: it.get(4)? == "t",
        down_hash: text(5),
        kind: text(6)?,
    })
}
