//! All SQL about upfront's own tables.
//!
//! Names are quoted and qualified, what is called is `pg_catalog`'s, and where an operator or a
//! type is named the message pins its search path first.

#[cfg(feature = "admin")]
pub(crate) mod resolve;

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::SimpleQueryRow;

use crate::{
    Direction,
    builder::{OWN, Settings},
    connection::{
        answer::Answer,
        locked::{SessionLock, Transaction},
        sql::{PINNED, named},
    },
    embedded::{Class, Loss, LossKind, Migration, Set, Side, Statement},
    error::distrust::NOT_WRITTEN,
    history::trust::{self, Trust},
    plan::{
        checksum,
        digest::Digest,
        history::History,
        journal::Journal,
        metadata::Tables,
        moment,
        pending::Step,
        protection::{Identity, Mark, ProtectionState},
        rollback::RollbackStep,
        rows::{AppStatus, Head, Hold, RevisionRow, Row, UnknownMigration},
    },
};

#[cfg(feature = "admin")]
pub(crate) use resolve::{ResolveOrder, logged};

/// A text that the server's error carries when the session's statements go to another server process
/// than the one that took the lock; then the new process id.
pub(crate) const OTHER_BACKEND: &str = "upfront: another server process";

/// The same when the session lock was released.
pub(crate) const RELEASED: &str = "upfront: the session lock is gone";

/// The same when another process has written the journal.
pub(crate) const MOVED: &str = "upfront: the journal has moved";

/// This session, as the server's statistics have it.
const BACKEND: &str = "pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a";

/// When it began, in microseconds; nothing where the role may not see it.
const SINCE: &str = "(pg_catalog.date_part('epoch', a.backend_start) OPERATOR(pg_catalog.*) \
                     1000000)::pg_catalog.int8";

/// A text that the server's error carries when a body left its transaction.
pub(crate) const ESCAPED: &str = "upfront: the body left its transaction";

/// A text that the server's error carries when it did not get a body as it was sent.
const ALTERED: &str = "upfront: the body was changed on its way to the server";

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

/// What the first query of a boot tells.
#[derive(Debug)]
pub(crate) struct HistorySummary {
    /// The rows up to this program's head are exactly its migrations.
    pub(crate) settled: bool,
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
    fn replaced(&self) -> String {
        let Self { schema, app, .. } = self;
        let history = escape_literal(&format!("{schema}.revisions"));
        format!(
            "SELECT FROM {schema}.targets WHERE app={app} AND history={history}::regclass AND namespace \
             IS DISTINCT FROM to_regnamespace(quote_ident(schema))"
        )
    }

    /// A message that reads upfront's own tables, behind the check of whose they are.
    pub(crate) fn guarded(&self, sql: &str) -> String {
        let Self { schema, trust, .. } = self;
        let is_read = |table: &&&str| sql.contains(&format!("{schema}.{table}"));
        let tables: Vec<_> = trust::TABLES.iter().filter(is_read).copied().collect();
        if tables.is_empty() { sql.to_owned() } else { format!("{}{sql}", trust.guarded(&tables)) }
    }

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
    fn journal_and_lost(&self, tables: Tables) -> String {
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
    fn of_database(&self) -> String {
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

    /// The session lock, for what runs outside a transaction, and the server process that has it.
    pub(crate) fn try_session_lock(&self) -> String {
        format!(
            "SELECT pg_catalog.pg_try_advisory_lock({}) AS upfront_locked, \
             pg_catalog.pg_backend_pid(), (SELECT {SINCE} FROM {BACKEND})",
            self.key
        )
    }

    /// Fails, with a text of ours, unless this is the process that took the session lock, and still
    /// has it; then takes the transaction's lock besides, so that no other process writes the
    /// journal before this transaction ends, whatever a body releases. Needs no search path.
    ///
    /// The server shows both locks as one, so it is looked at before the second is taken.
    pub(crate) fn lock_fence(&self, lock: &SessionLock) -> String {
        let (key, pid) = (self.key, lock.pid);
        let since = lock.since.map_or_else(String::new, |it| {
            format!(" OR EXISTS (SELECT FROM {BACKEND} WHERE {SINCE} OPERATOR(pg_catalog.<>) {it})")
        });
        // An error that the planner cannot foresee.
        let fail = |why: &str| {
            format!(
                "('{why} ' OPERATOR(pg_catalog.||) pg_catalog.pg_backend_pid()::pg_catalog.text)::pg_catalog.int4"
            )
        };
        let (moved, released) = (fail(OTHER_BACKEND), fail(RELEASED));
        format!(
            "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.<>) {pid}{since} THEN \
             {moved} WHEN NOT EXISTS ({}) THEN {released} WHEN NOT \
             pg_catalog.pg_try_advisory_xact_lock({key}) THEN {released} ELSE 0 END;",
            self.held_here()
        )
    }

    /// A row where this session has the lock.
    fn held_here(&self) -> String {
        let key = self.key.cast_unsigned();
        let (class, object) = (key >> 32, key & 0xffff_ffff);
        format!(
            "SELECT FROM pg_catalog.pg_lock_status() l WHERE l.locktype OPERATOR(pg_catalog.=) \
             'advisory' AND l.granted AND l.mode OPERATOR(pg_catalog.=) 'ExclusiveLock' AND l.pid \
             OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.objsubid \
             OPERATOR(pg_catalog.=) 1 AND l.classid OPERATOR(pg_catalog.=) \
             '{class}'::pg_catalog.oid AND l.objid OPERATOR(pg_catalog.=) \
             '{object}'::pg_catalog.oid"
        )
    }

    /// Fails, with a text of ours, unless the journal of one side has so many rows: whoever wrote
    /// another one ran, or runs, the same migration.
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

    /// Asks for the lock and gives it back.
    pub(crate) fn probe_lock(&self) -> String {
        format!("SELECT pg_catalog.pg_try_advisory_xact_lock({}) AS upfront_locked", self.key)
    }

    /// Who holds the lock.
    pub(crate) fn holder(&self) -> String {
        holder(self.key)
    }

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
    fn record_target(&self) -> String {
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
    fn insert(&self, step: &Step, sent: Sent) -> String {
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

    /// A changed or added down side is no divergence: whoever writes anyway stores it.
    pub(crate) fn store_down(&self, it: &Migration) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(it.version);
        let (down, more) = (down(it.down.as_ref()), more(it));
        format!(
            "UPDATE {schema}.revisions SET (down_sql, down_hash, down_transactional, \
             down_statements{MORE}) = ROW({down}{more}) WHERE app OPERATOR(pg_catalog.=) {app} AND version \
             OPERATOR(pg_catalog.=) {version};"
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

    fn side_rows(&self, version: &str, direction: Direction) -> String {
        let version = escape_literal(version);
        format!(
            "app OPERATOR(pg_catalog.=) {} AND version OPERATOR(pg_catalog.=) {version} AND \
             direction OPERATOR(pg_catalog.=) '{direction}'",
            self.app
        )
    }

    /// Lets go of the session lock, if it is still there: the server warns otherwise.
    pub(crate) fn unlock_session(&self) -> String {
        let (key, held) = (self.key, self.held_here());
        format!("SELECT CASE WHEN EXISTS ({held}) THEN pg_catalog.pg_advisory_unlock({key}) END")
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

    fn step_row(&self, JournalKey { version, direction, ordinal }: JournalKey<'_>) -> String {
        let side = self.side_rows(version, direction);
        format!("{side} AND ordinal OPERATOR(pg_catalog.=) {ordinal}")
    }

    /// The down sides that the database has stored, of these versions, newest first; their
    /// statements, and what each of those may lose.
    ///
    /// The server takes the JSON apart: a program parses nothing.
    pub(crate) fn stored(&self, versions: &[&str], tables: Tables) -> String {
        let Self { schema, app, .. } = self;
        let versions: Vec<_> = versions.iter().map(|it| escape_literal(it)).collect();
        let rows = format!("app = {app} AND version IN ({})", versions.join(", "));
        let more = match tables {
            Tables::Old => "false, NULL, NULL, NULL",
            Tables::Current => "checkpoint, down_body, down_lock_timeout, down_statement_timeout",
        };
        format!(
            "{PINNED}SELECT version AS upfront_stored, name, hash, chain, breaking, irreversible, \
             down_sql, down_hash, down_transactional, {more} FROM {schema}.revisions WHERE {rows} \
             ORDER BY version DESC;SELECT version AS upfront_statement, it ->> 'start', it ->> \
             'end', it ->> 'line', it ->> 'class', it ->> 'index', it ->> 'table', it ->> \
             'parent', it ->> 'partition', it ->> 'name', it ->> 'secret', it #>> '{{data,0}}', it \
             #>> '{{data,1}}' FROM \
             {schema}.revisions, jsonb_array_elements(down_statements) WITH ORDINALITY s (it, ord) \
             WHERE {rows} ORDER BY version, ord;SELECT version AS upfront_loss, ord, l ->> 'kind', \
             l ->> 'name', l ->> 'column' FROM {schema}.revisions, \
             jsonb_array_elements(down_statements) WITH ORDINALITY s (it, ord), \
             jsonb_array_elements(it -> 'losses') l WHERE {rows} ORDER BY version, ord"
        )
    }

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

    /// Takes a migration out of the history, behind a fence.
    pub(crate) fn roll_back(
        &self,
        undo: &RollbackStep,
        transaction: &Transaction,
        order: &RollbackRecord,
        sent: Sent,
    ) -> String {
        let Transaction { xid, login, role, .. } = transaction;
        let (login, role) = (escape_literal(login), escape_literal(role));
        let roles = format!(" AND SESSION_USER = {login} AND CURRENT_USER = {role}");
        let (trusted, took) = (self.trust.write_fence(), duration(sent));
        format!("{}{trusted}{}", fence(xid, &roles), self.take_out(undo.it, order, &took))
    }

    /// What is held.
    #[cfg(feature = "admin")]
    pub(crate) fn holds(&self) -> String {
        format!("{PINNED}{}", self.active_holds())
    }

    fn active_holds(&self) -> String {
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

    /// Marks the database as a protected one, anew where a mark is there.
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

    /// The same for one that ran statement by statement; its journal ends.
    pub(crate) fn roll_back_stepwise(
        &self,
        it: &Migration,
        order: &RollbackRecord,
        took: Duration,
    ) -> String {
        let Self { schema, app, .. } = self;
        let version = escape_literal(it.version);
        let out = self.take_out(it, order, &interval(took));
        format!(
            "SET LOCAL search_path TO pg_catalog, pg_temp;{out}DELETE FROM {schema}.steps WHERE \
             app = {app} AND version = {version}"
        )
    }

    fn take_out(&self, it: &Migration, order: &RollbackRecord, took: &str) -> String {
        let Self { schema, app, host, release, .. } = self;
        let (version, name, hash) =
            (escape_literal(it.version), escape_literal(it.name), it.up.hash);
        let (approval, lost) =
            (quoted(order.approval.as_ref().map(Digest::as_str)), quoted(order.lost.as_deref()));
        let hold = self.hold(it, order);
        let revision =
            format!("DELETE FROM {schema}.revisions WHERE app = {app} AND version = {version}");
        let log = format!(
            "INSERT INTO {schema}.log (app, version, name, direction, outcome, hash, duration, \
             approval, lost, host, release) VALUES ({app}, {version}, {name}, 'down', 'reverted', \
             '{hash}', {took}, {approval}, {lost}, {host}, {release})"
        );
        format!("{hold}{}{}", exactly(1, &revision), exactly(1, &log))
    }

    /// A rollback outside a transaction begins: from now on the row is no applied migration to any
    /// program, and it holds what the rollback goes on with after a crash.
    pub(crate) fn begin_roll_back(&self, it: &Migration, order: &RollbackRecord) -> String {
        let (Self { schema, app, .. }, version) = (self, escape_literal(it.version));
        let (start, store, hold) = (checksum::START, self.store_down(it), self.hold(it, order));
        let (approval, lost) =
            (quoted(order.approval.as_ref().map(Digest::as_str)), quoted(order.lost.as_deref()));
        let accepted = order.accepted;
        let begun = format!(
            "UPDATE {schema}.revisions SET chain = '{start}', breaking = true, rollback_accepted = \
             {accepted}, rollback_approval = {approval}, rollback_lost = {lost} WHERE app = {app} AND \
             version = {version}"
        );
        format!("{store}{hold}SET LOCAL search_path TO pg_catalog, pg_temp;{}", exactly(1, &begun))
    }

    /// What was agreed to of the rollback that was begun, if one was.
    pub(crate) fn ordered(&self) -> String {
        let Self { schema, app, .. } = self;
        format!(
            "{PINNED}SELECT rollback_accepted AS upfront_ordered, rollback_approval, rollback_lost \
             FROM {schema}.revisions WHERE app = {app} AND rollback_accepted IS NOT NULL"
        )
    }

    fn hold(&self, it: &Migration, order: &RollbackRecord) -> String {
        if order.holds { self.hold_version(it.version) } else { String::new() }
    }

    /// Holds the text that was applied, which may be an older one that the program accepts.
    fn hold_version(&self, version: &str) -> String {
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

    /// What a role needs in order to look.
    pub(crate) fn reader_grants(&self, role: &str) -> Vec<String> {
        let (schema, role) = (&self.schema, escape_identifier(role));
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
        ]
    }

    /// What a role needs in order to migrate an app where the tables are somebody else's.
    pub(crate) fn writer_grants(&self, role: &str) -> Vec<String> {
        let (Self { schema, app, .. }, owner) = (self, escape_literal(role));
        let role = escape_identifier(role);
        let written = ["revisions", "steps", "holds", "targets"];
        let written = written.map(|it| format!("{schema}.{it}")).join(", ");
        vec![
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"),
            format!("GRANT INSERT, UPDATE, DELETE ON {written} TO {role}"),
            format!("GRANT INSERT ON {schema}.log TO {role}"),
            format!(
                "INSERT INTO {schema}.apps (app, owner) VALUES ({app}, {owner}) ON CONFLICT (app) DO \
                 UPDATE SET owner = excluded.owner"
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

    /// Who owns the tables, where a role is not one of theirs: tables grow by their owner alone.
    pub(crate) fn stranger(&self, role: &str) -> String {
        let (schema, role) = (&self.schema_name, escape_literal(role));
        format!(
            "{PINNED}SELECT r.rolname AS upfront_owner, r.rolsuper FROM pg_class c JOIN pg_roles r \
             ON r.oid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = \
             {schema} AND c.relname = 'revisions' AND NOT pg_has_role({role}, r.oid, 'USAGE')"
        )
    }

    /// What lets a role bring tables that are another's to a new version.
    pub(crate) fn successor_grants(
        &self,
        role: &str,
        owner: &str,
        is_superuser: bool,
    ) -> Vec<String> {
        if !is_superuser {
            return Self::membership_grants(owner, role);
        }
        let (schema, to) = (&self.schema, escape_identifier(role));
        let alter = trust::TABLES
            .iter()
            .map(|it| format!("ALTER TABLE IF EXISTS {schema}.{it} OWNER TO {to}"));
        self.founder_grants(role).into_iter().chain(alter).collect()
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
}

fn quoted(it: Option<&str>) -> String {
    it.map_or("NULL".into(), escape_literal)
}

/// The place of a statement in the journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JournalKey<'a> {
    pub(crate) version: &'a str,
    pub(crate) direction: Direction,
    pub(crate) ordinal: usize,
}

/// What was agreed to of a rollback, and what the log says of it beside what every row says.
#[derive(Debug, Clone, Default)]
pub(crate) struct RollbackRecord {
    /// Whether data may be lost.
    pub(crate) accepted: bool,
    pub(crate) approval: Option<Digest>,
    pub(crate) lost: Option<String>,
    /// Whether the migration must not come back by itself.
    pub(crate) holds: bool,
}

/// The columns that the second version of the tables brought.
const MORE: &str = ", checkpoint, down_body, down_lock_timeout, down_statement_timeout";

/// The values of them.
fn more(it: &Migration) -> String {
    let down = it.down.as_ref();
    let body = down.and_then(|it| it.body).map_or("NULL".into(), escape_literal);
    let limit = |it: Option<u32>| it.map_or("NULL".into(), |it| it.to_string());
    let lock = limit(down.and_then(|it| it.lock_timeout_ms));
    let statement = limit(down.and_then(|it| it.statement_timeout_ms));
    format!(", {}, {body}, {lock}, {statement}", it.checkpoint)
}

/// The server's major version; `pg_upgrade` changes it.
const MAJOR: &str = "(current_setting('server_version_num')::integer / 10000)";

/// Who holds an advisory lock. The views over these functions take twice the time.
pub(crate) fn holder(key: i64) -> String {
    format!(
        "{PINNED}SELECT a.pid AS upfront_pid, coalesce(a.application_name, ''), \
         host(a.client_addr), extract(epoch FROM clock_timestamp() - a.query_start) FROM \
         pg_lock_status() l JOIN pg_stat_get_activity(l.pid) a ON true WHERE \
         l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> \
         pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = \
         current_database()) AND ((l.classid::bigint << 32) | l.objid::bigint) = {key} LIMIT 1"
    )
}

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

/// What [`revision`] gives values for.
const COLUMNS: &str = "version, name, hash, chain, breaking, up_sql, irreversible, down_sql, \
                       down_hash, down_transactional, down_statements";

/// The values of a migration's row that do not depend on how it came.
fn revision(it: &Migration, head: &Head, up_sql: &str) -> String {
    let (version, name, up) = (escape_literal(it.version), escape_literal(it.name), &it.up);
    let irreversible = it.irreversible.map_or("NULL".into(), escape_literal);
    let (hash, chain, breaking) = (up.hash, &head.chain, it.breaking);
    let down = down(it.down.as_ref());
    format!("{version}, {name}, '{hash}', '{chain}', {breaking}, {up_sql}, {irreversible}, {down}")
}

/// The text of a migration that ran: the server has it already where the message began with it. The
/// hash proves that it is the file's, whatever stands between us and the server.
fn up_sql(it: &Migration, sent: Sent) -> String {
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

fn duration(sent: Sent) -> String {
    match sent {
        Sent::Apart { took } => interval(took),
        Sent::WithBody => "clock_timestamp() - statement_timestamp()".into(),
    }
}

/// SQL, hash, mode and statements of a down side.
fn down(it: Option<&Side>) -> String {
    let Some(it) = it else { return "NULL, NULL, NULL, NULL".into() };
    let statements: Vec<_> = it.statements().iter().map(statement_json).collect();
    let statements = escape_literal(&format!("[{}]", statements.join(",")));
    let (source, hash, transactional) = (escape_literal(it.source), it.hash, it.transactional);
    format!("{source}, '{hash}', {transactional}, {statements}")
}

/// What an older program must know of a statement, since it parses nothing.
fn statement_json(it: &Statement) -> String {
    let Statement { start, end, line, class, losses, secret, data, .. } = it;
    let losses: Vec<_> = losses.iter().map(loss_json).collect();
    let data = data.as_ref().map(|it| format!("\"data\":[{},{}],", it.lines.start, it.lines.end));
    let data = data.unwrap_or_default();
    format!(
        "{{\"start\":{start},\"end\":{end},{data}\"line\":{line},{},\"secret\":{secret},\"losses\":[{}]}}",
        class_json(*class),
        losses.join(",")
    )
}

fn loss_json(Loss { kind, name, column }: &Loss) -> String {
    let column = column.map_or(String::new(), |it| format!(",\"column\":{}", json(it)));
    format!("{{\"kind\":\"{}\",\"name\":{}{column}}}", kind_word(*kind), json(name))
}

fn kind_word(it: LossKind) -> &'static str {
    match it {
        LossKind::Table => "table",
        LossKind::Column => "column",
        LossKind::ColumnType => "column_type",
        LossKind::Rows => "rows",
        LossKind::Type => "type",
        LossKind::Schema => "schema",
        LossKind::Sequence => "sequence",
        LossKind::Extension => "extension",
        LossKind::Unknown => "unknown",
    }
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

impl HistorySummary {
    /// Does one row say that there is nothing to do?
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.settled && !self.replaced && !self.journal
    }

    /// Reads the answer; `None` where it is not of this shape.
    pub(crate) fn of(set: &Set, answer: &Answer) -> Option<Self> {
        let row = answer.rows.last()?;
        let settled = row.get(0).map_or(set.migrations.is_empty(), |it| it == "t");
        let ahead = row.get(1).map(|it| it.lines().filter_map(unknown).collect());
        let metadata_version = row.get(2).unwrap_or_default().to_owned();
        let (replaced, journal) = (row.get(3)? == "t", row.get(4)? == "t");
        Some(Self {
            settled,
            ahead: ahead.unwrap_or_default(),
            metadata_version,
            replaced,
            journal,
        })
    }
}

fn unknown(line: &str) -> Option<UnknownMigration> {
    let mut parts = line.split('/');
    let (version, name, breaking) = (parts.next()?, parts.next()?, parts.next()?);
    Some(UnknownMigration { version: version.into(), name: name.into(), breaking: breaking == "t" })
}

/// Sorts what [`Revisions::rows`] brought.
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

/// Reads what [`Revisions::ordered`] brought.
pub(crate) fn ordered(answer: &Answer) -> Option<RollbackRecord> {
    let row = answer.row("upfront_ordered")?;
    let text = |at: usize| row.get(at).map(str::to_owned);
    let accepted = row.get(0) == Some("t");
    let approval = row.get(1).and_then(|it| it.parse().ok());
    Some(RollbackRecord { accepted, approval, lost: text(2), holds: false })
}

/// Sorts what [`Revisions::standing`] brought.
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

/// The versions that [`Revisions::journal_and_lost`] found to be lost.
fn lost(answer: &Answer) -> Vec<String> {
    named(answer, "upfront_lost").filter_map(|it| Some(it.get(0)?.to_owned())).collect()
}

/// The invalid indexes that [`Revisions::status`] found.
fn invalid(answer: &Answer) -> Vec<(String, String)> {
    let index = |it: &SimpleQueryRow| Some((it.get(0)?.to_owned(), it.get(1)?.to_owned()));
    named(answer, "upfront_invalid").filter_map(index).collect()
}

/// The rows that [`Revisions::status`] brought.
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

fn row(it: &SimpleQueryRow) -> Option<Row> {
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

fn journal(answer: &Answer) -> Option<Vec<Journal>> {
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

/// How the row of a migration travels, and so where its text and its duration come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent {
    /// In the message of the body.
    WithBody,
    /// In a message of its own.
    Apart { took: Duration },
}
