//! All SQL about upfront's own tables.
//!
//! Names are quoted and qualified, what is called is `pg_catalog`'s, and where an operator or a
//! type is named the message pins its search path first.

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::SimpleQueryRow;

use crate::{
    chain,
    embedded::{Class, Migration, Set, Side, Statement},
    lock::Transaction,
    plan::{Head, Row, Step, Unknown},
    session::Answer,
    settings::Settings,
    status::Dated,
};

/// What a message starts with that only reads.
pub(crate) const PINNED: &str =
    "SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);";

/// A text that the server's error carries when a body left its transaction.
pub(crate) const ESCAPED: &str = "upfront: the body left its transaction";

/// The revision tables, as one app sees them.
#[derive(Debug, Clone)]
pub(crate) struct Revisions {
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
}

/// What the first query of a boot tells.
#[derive(Debug)]
pub(crate) struct Look {
    /// The rows up to this program's head are exactly its migrations.
    pub(crate) settled: bool,
    /// The rows above.
    pub(crate) ahead: Vec<Unknown>,
    /// The newest migration of upfront's own tables.
    pub(crate) own: String,
}

/// What the tables say of an app.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) rows: Vec<Row>,
    pub(crate) journal: Vec<Journal>,
    /// Versions that were applied by the log, and whose rows are gone.
    pub(crate) lost: Vec<String>,
}

/// A row of the journal of a migration that runs outside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) version: String,
    pub(crate) ordinal: usize,
    pub(crate) hash: String,
    pub(crate) finished: bool,
}

impl Revisions {
    pub(crate) fn new(settings: &Settings, app: &str) -> Self {
        let quoted = |it: &Option<String>| it.as_deref().map_or("NULL".into(), escape_literal);
        Self {
            schema: escape_identifier(&settings.schema),
            schema_name: escape_literal(&settings.schema),
            app: escape_literal(app),
            host: quoted(&settings.host),
            release: quoted(&settings.release),
            key: chain::lock_key(&settings.schema, app),
        }
    }

    /// One row, of one size for one migration or ten thousand.
    ///
    /// The server derives each row's fingerprint; `bit_xor` needs no order. A row above the head
    /// is listed, so that a boot can name what is ahead.
    pub(crate) fn look(&self, set: &Set) -> String {
        let Self { schema, app, .. } = self;
        let head = escape_literal(set.head().map_or("", |it| it.version));
        let fingerprint = set.fingerprint;
        format!(
            "SELECT pg_catalog.biteq(pg_catalog.bit_xor(fingerprint)FILTER(WHERE version \
             OPERATOR(pg_catalog.<=){head}),x'{fingerprint}'),pg_catalog.string_agg(\
             pg_catalog.concat_ws('/',version,name,breaking),E'\\n' ORDER BY version)FILTER(WHERE \
             version OPERATOR(pg_catalog.>){head}),(SELECT pg_catalog.max(version)FROM \
             {schema}.revisions WHERE app OPERATOR(pg_catalog.=)'upfront')FROM {schema}.revisions \
             WHERE app OPERATOR(pg_catalog.=){app}"
        )
    }

    /// All rows of the app, its journal, and what the log misses among the rows, for the plan.
    pub(crate) fn rows(&self) -> String {
        let Self { schema, app, .. } = self;
        let more = self.journal_and_lost();
        format!(
            "{PINNED}SELECT version AS upfront_version, name, hash, chain, breaking, down_hash FROM \
             {schema}.revisions WHERE app = {app} ORDER BY version;{more}"
        )
    }

    /// The journal; and what was applied, never reverted, and has no row any more.
    fn journal_and_lost(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "SELECT version AS upfront_step, ordinal, hash, finished IS NOT NULL FROM \
             {schema}.steps WHERE app = {app} AND direction = 'up' ORDER BY version, \
             ordinal;SELECT it.version AS upfront_lost FROM (SELECT DISTINCT ON (version) version, \
             outcome FROM {schema}.log WHERE app = {app} AND outcome <> 'failed' ORDER BY version, \
             id DESC) it WHERE it.outcome <> 'reverted' AND NOT EXISTS (SELECT FROM \
             {schema}.revisions r WHERE r.app = {app} AND r.version = it.version)"
        )
    }

    /// As [`rows`](Self::rows), with kind and time, for a person.
    pub(crate) fn status(&self) -> String {
        let Self { schema, app, .. } = self;
        let more = self.journal_and_lost();
        format!(
            "{PINNED}SELECT version AS upfront_version, name, hash, chain, breaking, down_hash, \
             kind, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM \
             {schema}.revisions WHERE app = {app} ORDER BY version;{more}"
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

    /// Asks for the lock without waiting, and once it is there for the head and for what the
    /// fence compares afterwards.
    pub(crate) fn try_lock(&self) -> String {
        let key = self.key;
        format!(
            "SELECT it.locked AS upfront_locked, CASE WHEN it.locked THEN \
             pg_catalog.pg_current_xact_id()::pg_catalog.text END, SESSION_USER, CURRENT_USER \
             FROM (SELECT pg_catalog.pg_try_advisory_xact_lock({key}) AS locked OFFSET 0) it;"
        )
    }

    /// The newest row; its chain holds all rows before it.
    pub(crate) fn head(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "SELECT version AS upfront_head, chain FROM {schema}.revisions WHERE app \
             OPERATOR(pg_catalog.=) {app} ORDER BY version DESC LIMIT 1;"
        )
    }

    /// Are schema and tables there? For upfront's own migrations, which make them.
    ///
    /// Reads the catalog itself, by a snapshot taken after the lock: `to_regnamespace` asks a cache
    /// that may hold what was so when the transaction began, before another process let go of the
    /// lock.
    pub(crate) fn exists(&self) -> String {
        let schema = &self.schema_name;
        format!(
            "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 AS upfront_exists, \
             pg_catalog.count(c.oid) OPERATOR(pg_catalog.>) 0 FROM pg_catalog.pg_namespace n LEFT \
             JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid AND \
             c.relname OPERATOR(pg_catalog.=) 'revisions' WHERE n.nspname OPERATOR(pg_catalog.=) \
             {schema};"
        )
    }

    pub(crate) fn create_schema(&self) -> String {
        format!("CREATE SCHEMA {}", self.schema)
    }

    /// The session lock, for what runs outside a transaction.
    pub(crate) fn try_session_lock(&self) -> String {
        format!("SELECT pg_catalog.pg_try_advisory_lock({}) AS upfront_locked", self.key)
    }

    /// Asks for the lock and gives it back.
    pub(crate) fn probe_lock(&self) -> String {
        format!("SELECT pg_catalog.pg_try_advisory_xact_lock({}) AS upfront_locked", self.key)
    }

    /// Who holds the lock. The views over these functions take twice the time.
    pub(crate) fn holder(&self) -> String {
        let key = self.key;
        format!(
            "{PINNED}SELECT a.pid AS upfront_pid, coalesce(a.application_name, ''), \
             host(a.client_addr), extract(epoch FROM clock_timestamp() - a.query_start) FROM \
             pg_lock_status() l JOIN pg_stat_get_activity(l.pid) a ON true WHERE \
             l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> \
             pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = \
             current_database()) AND ((l.classid::bigint << 32) | l.objid::bigint) = {key} LIMIT 1"
        )
    }

    /// The rows of a step, behind a fence: it fails unless the transaction is still the one in
    /// which the lock was taken, under the same roles.
    pub(crate) fn record(&self, step: &Step, transaction: &Transaction) -> String {
        let Transaction { xid, login, role, .. } = transaction;
        let (login, role) = (escape_literal(login), escape_literal(role));
        let roles = format!(" AND SESSION_USER = {login} AND CURRENT_USER = {role}");
        let fence = fence(xid, &roles);
        let rows = self.insert(step, "clock_timestamp() - statement_timestamp()");
        format!("{fence}{rows}")
    }

    /// The rows of a migration that ran statement by statement; its journal ends.
    pub(crate) fn record_stepwise(&self, step: &Step, took: Duration) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(step.migration().version);
        let insert = self.insert(step, &interval(took));
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{insert}DELETE FROM {schema}.steps WHERE \
             app = {app} AND version = {version} AND direction = 'up'"
        )
    }

    /// Rows for revisions and log.
    fn insert(&self, step: &Step, duration: &str) -> String {
        let Self { schema, app, host, release, .. } = self;
        let covered = step.covers.iter().map(|(it, head)| (*it, head, "covered", "NULL"));
        let ran = step.runs.map(|it| (it, &step.to, "applied", duration));
        let rows = covered.chain(ran).map(|(it, head, kind, took)| {
            let (version, name) = (escape_literal(it.version), escape_literal(it.name));
            let (row, hash) = (revision(it, head), it.up.hash);
            let revision = format!("({app}, '{kind}', {took}, {host}, {release}, {row})");
            let log = format!(
                "({app}, {version}, {name}, 'up', '{kind}', '{hash}', {took}, {host}, {release})"
            );
            (revision, log)
        });
        let (revisions, log): (Vec<_>, Vec<_>) = rows.unzip();
        let (revisions, log) = (revisions.join(","), log.join(","));
        format!(
            "INSERT INTO {schema}.revisions (app, kind, duration, host, release, version, name, \
             hash, chain, breaking, up_sql, irreversible, down_sql, down_hash, \
             down_transactional, down_statements) VALUES {revisions};INSERT INTO {schema}.log \
             (app, version, name, direction, outcome, hash, duration, host, release) VALUES {log};"
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

    /// A try that failed and was rolled back; written by a transaction of its own.
    pub(crate) fn record_failure(&self, it: &Migration, code: &str, message: &str) -> String {
        let Self { schema, app, host, release, .. } = self;
        let (version, name) = (escape_literal(it.version), escape_literal(it.name));
        let (code, message, hash) = (escape_literal(code), escape_literal(message), it.up.hash);
        format!(
            "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, sqlstate, \
             message, host, release) VALUES ({app}, {version}, {name}, 'up', 'failed', '{hash}', \
             {code}, {message}, {host}, {release})"
        )
    }

    /// A changed or added down side is no divergence: whoever writes anyway stores it.
    pub(crate) fn store_down(&self, it: &Migration) -> String {
        let Self { schema, app, .. } = self;
        let (version, down) = (escape_literal(it.version), down(it.down.as_ref()));
        format!(
            "UPDATE {schema}.revisions SET (down_sql, down_hash, down_transactional, \
             down_statements) = ROW({down}) WHERE app OPERATOR(pg_catalog.=) {app} AND version \
             OPERATOR(pg_catalog.=) {version};"
        )
    }

    /// A statement of the journal starts; committed before the statement is sent.
    pub(crate) fn start_step(&self, version: &str, ordinal: usize, hash: &str) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(version);
        format!(
            "INSERT INTO {schema}.steps (app, version, direction, ordinal, hash) VALUES ({app}, \
             {version}, 'up', {ordinal}, '{hash}')"
        )
    }

    /// A statement of the journal is done.
    pub(crate) fn finish_step(&self, version: &str, ordinal: usize) -> String {
        let (schema, row) = (&self.schema, self.step_row(version, ordinal));
        format!("UPDATE {schema}.steps SET finished = pg_catalog.clock_timestamp() WHERE {row}")
    }

    /// Nothing of a migration outside a transaction happened.
    pub(crate) fn forget_steps(&self, version: &str) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(version);
        format!(
            "DELETE FROM {schema}.steps WHERE app OPERATOR(pg_catalog.=) {app} AND version \
             OPERATOR(pg_catalog.=) {version}"
        )
    }

    /// Lets go of the session lock.
    pub(crate) fn unlock_session(&self) -> String {
        format!("SELECT pg_catalog.pg_advisory_unlock({})", self.key)
    }

    /// A person says that a statement of the journal is done.
    pub(crate) fn settle_step(&self, version: &str, ordinal: usize, hash: &str) -> String {
        let (schema, row) = (&self.schema, self.step_row(version, ordinal));
        format!(
            "UPDATE {schema}.steps SET finished = pg_catalog.clock_timestamp(), hash = '{hash}' \
             WHERE {row}"
        )
    }

    /// A statement of the journal did not happen.
    pub(crate) fn forget_step(&self, version: &str, ordinal: usize) -> String {
        let (schema, row) = (&self.schema, self.step_row(version, ordinal));
        format!("DELETE FROM {schema}.steps WHERE {row}")
    }

    /// A transactional statement's journal row, behind a fence of its own.
    pub(crate) fn pass_step(&self, version: &str, ordinal: usize, hash: &str, xid: &str) -> String {
        let Self { schema, app, .. } = self;
        let (version, fence) = (escape_literal(version), fence(xid, ""));
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{fence}INSERT INTO {schema}.steps (app, \
             version, direction, ordinal, hash, finished) VALUES ({app}, {version}, 'up', \
             {ordinal}, '{hash}', clock_timestamp())"
        )
    }

    fn step_row(&self, version: &str, ordinal: usize) -> String {
        let version = escape_literal(version);
        format!(
            "app OPERATOR(pg_catalog.=) {} AND version OPERATOR(pg_catalog.=) {version} AND \
             direction OPERATOR(pg_catalog.=) 'up' AND ordinal OPERATOR(pg_catalog.=) {ordinal}",
            self.app
        )
    }

    /// What a role needs in order to look.
    pub(crate) fn reader_grants(&self, role: &str) -> Vec<String> {
        let (schema, role) = (&self.schema, escape_identifier(role));
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
        ]
    }

    /// What a role needs in order to migrate where the tables are somebody else's.
    pub(crate) fn writer_grants(&self, role: &str) -> Vec<String> {
        let (schema, role) = (&self.schema, escape_identifier(role));
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}"
            ),
        ]
    }

    /// What a role needs in order to make the tables in a schema that is there.
    pub(crate) fn founder_grants(&self, role: &str) -> Vec<String> {
        vec![format!(
            "GRANT USAGE, CREATE ON SCHEMA {} TO {}",
            self.schema,
            escape_identifier(role)
        )]
    }

    /// What a login needs in order to migrate as a role.
    pub(crate) fn membership_grants(role: &str, login: &str) -> Vec<String> {
        vec![format!("GRANT {} TO {}", escape_identifier(role), escape_identifier(login))]
    }

    /// What a role needs in order to make schema and tables.
    pub(crate) fn schema_grants(role: &str, database: &str) -> Vec<String> {
        let (database, role) = (escape_identifier(database), escape_identifier(role));
        vec![format!("GRANT CREATE ON DATABASE {database} TO {role}")]
    }

    /// For a person who settles a cut-off statement by hand.
    pub(crate) fn by_hand(sql: &str) -> String {
        format!(
            "{};",
            sql.replace("OPERATOR(pg_catalog.=)", "=")
                .replace("pg_catalog.clock_timestamp", "clock_timestamp")
        )
    }
}

/// Fails, with a text of ours, unless the transaction is still the one with this id.
fn fence(xid: &str, roles: &str) -> String {
    let xid = escape_literal(xid);
    format!(
        "SELECT CASE WHEN pg_current_xact_id()::text = {xid}{roles} THEN 0 ELSE ('{ESCAPED} ' || \
         pg_current_xact_id()::text)::integer END;"
    )
}

/// The values of a migration's row that do not depend on how it came.
fn revision(it: &Migration, head: &Head) -> String {
    let (version, name, up) = (escape_literal(it.version), escape_literal(it.name), &it.up);
    let irreversible = it.irreversible.map_or("NULL".into(), escape_literal);
    let (hash, chain, breaking) = (up.hash, &head.chain, it.breaking);
    let (source, down) = (escape_literal(up.source), down(it.down.as_ref()));
    format!("{version}, {name}, '{hash}', '{chain}', {breaking}, {source}, {irreversible}, {down}")
}

/// SQL, hash, mode and statements of a down side.
fn down(it: Option<&Side>) -> String {
    let Some(it) = it else { return "NULL, NULL, NULL, NULL".into() };
    let statements: Vec<_> = it.statements.iter().map(statement_json).collect();
    let statements = escape_literal(&format!("[{}]", statements.join(",")));
    let (source, hash, transactional) = (escape_literal(it.source), it.hash, it.transactional);
    format!("{source}, '{hash}', {transactional}, {statements}")
}

/// What an older program must know of a statement, since it parses nothing.
fn statement_json(it: &Statement) -> String {
    let Statement { start, end, line, class, losses, .. } = it;
    let losses: Vec<_> = losses.iter().map(|it| json(it)).collect();
    format!(
        "{{\"start\":{start},\"end\":{end},\"line\":{line},{},\"losses\":[{}]}}",
        class_json(*class),
        losses.join(",")
    )
}

fn class_json(class: Class) -> String {
    let named = |class: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, it)| format!(",\"{name}\":{}", json(it)));
        format!("\"class\":\"{class}\"{}", fields.collect::<String>())
    };
    match class {
        Class::Transactional => named("transactional", &[]),
        Class::Session => named("session", &[]),
        Class::CreateIndex { index, table, .. } => {
            named("create_index", &[("index", index.unwrap_or_default()), ("table", table)])
        }
        Class::DropIndex { index, .. } => named("drop_index", &[("index", index)]),
        Class::ReindexIndex { index } => named("reindex_index", &[("index", index)]),
        Class::ReindexTable { table } => named("reindex_table", &[("table", table)]),
        Class::DetachPartition { parent, partition } => {
            named("detach_partition", &[("parent", parent), ("partition", partition)])
        }
        Class::CreateDatabase { name } => named("create_database", &[("name", name)]),
        Class::DropDatabase { name } => named("drop_database", &[("name", name)]),
        Class::Repeatable => named("repeatable", &[]),
        Class::Unknown => named("unknown", &[]),
    }
}

/// A JSON string; the text is UTF-8 and holds no NUL.
fn json(text: &str) -> String {
    let escaped = text.chars().map(|it| match it {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        it if it < ' ' => format!("\\u{:04x}", u32::from(it)),
        it => it.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn interval(it: Duration) -> String {
    format!("'{} microseconds'::interval", it.as_micros())
}

impl Look {
    /// Reads the answer; `None` where it is not of this shape.
    pub(crate) fn of(set: &Set, answer: &Answer) -> Option<Self> {
        let row = answer.rows.first()?;
        let settled = row.get(0).map_or(set.migrations.is_empty(), |it| it == "t");
        let ahead = row.get(1).map(|it| it.lines().filter_map(unknown).collect());
        let own = row.get(2).unwrap_or_default().to_owned();
        Some(Self { settled, ahead: ahead.unwrap_or_default(), own })
    }

    /// Without tables there is no history.
    pub(crate) fn nothing() -> Self {
        Self { settled: false, ahead: Vec::new(), own: String::new() }
    }
}

fn unknown(line: &str) -> Option<Unknown> {
    let mut parts = line.split('/');
    let (version, name, breaking) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Unknown { version: version.into(), name: name.into(), breaking: breaking == "t" })
}

/// Sorts what [`Revisions::rows`] brought.
pub(crate) fn history(answer: &Answer) -> Option<History> {
    let rows = named(answer, "upfront_version").map(row).collect::<Option<_>>()?;
    Some(History { rows, journal: journal(answer)?, lost: lost(answer) })
}

/// The versions that [`Revisions::journal_and_lost`] found to be lost.
pub(crate) fn lost(answer: &Answer) -> Vec<String> {
    named(answer, "upfront_lost").filter_map(|it| Some(it.get(0)?.to_owned())).collect()
}

/// Sorts what [`Revisions::status`] brought.
pub(crate) fn status_rows(answer: &Answer) -> Option<(Vec<Dated>, Vec<Journal>)> {
    let dated = |it: &SimpleQueryRow| {
        let (kind, applied_at) = (it.get(6)?.to_owned(), it.get(7)?.to_owned());
        Some(Dated { row: row(it)?, kind, applied_at })
    };
    let rows = named(answer, "upfront_version").map(dated).collect::<Option<_>>()?;
    Some((rows, journal(answer)?))
}

/// The rows of the statement whose first column has this name.
fn named<'a>(answer: &'a Answer, column: &'a str) -> impl Iterator<Item = &'a SimpleQueryRow> {
    answer.rows.iter().filter(move |it| it.columns().first().is_some_and(|it| it.name() == column))
}

fn row(it: &SimpleQueryRow) -> Option<Row> {
    let text = |at: usize| it.get(at).map(str::to_owned);
    Some(Row {
        version: text(0)?,
        name: text(1)?,
        hash: text(2)?,
        chain: text(3)?,
        breaking: it.get(4)? == "t",
        down_hash: text(5),
    })
}

fn journal(answer: &Answer) -> Option<Vec<Journal>> {
    let row = |it: &SimpleQueryRow| {
        Some(Journal {
            version: it.get(0)?.to_owned(),
            ordinal: it.get(1)?.parse().ok()?,
            hash: it.get(2)?.to_owned(),
            finished: it.get(3)? == "t",
        })
    };
    named(answer, "upfront_step").map(row).collect()
}
