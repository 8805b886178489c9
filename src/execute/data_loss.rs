//! What a statement takes away, and what is in it now.

use std::time::{Duration, Instant};

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    builder::Settings,
    connection::{
        answer::Answer,
        session,
        session_settings::{SettingScope, role},
        sql::{PINNED, named},
    },
    embedded::{self, Class, LossKind, Side, Statement},
    execute::transaction,
    plan::data_loss::{Count, DataLoss},
};

/// Where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountPhase {
    /// Ahead of time, each question in a transaction of its own that only reads.
    Ahead,
    /// In the transaction that has the migration lock.
    UnderLock,
    /// There, just before it is done: what is counted is locked first.
    AtWork,
}

/// Asks what statements would lose.
pub(crate) struct DataLossCounter<'a> {
    client: &'a Client,
    settings: &'a Settings,
    moment: CountPhase,
    since: Instant,
    /// An earlier statement may make, or rename, what is not there yet.
    made_before: bool,
}

type Asked<T> = Result<T, tokio_postgres::Error>;

impl<'a> DataLossCounter<'a> {
    pub(crate) fn new(client: &'a Client, settings: &'a Settings, moment: CountPhase) -> Self {
        Self { client, settings, moment, since: Instant::now(), made_before: false }
    }

    /// What the statements of a side would lose, after those of the sides before.
    ///
    /// # Errors
    ///
    /// The connection is gone; or at work somebody else holds a table, or cancelled the wait for it,
    /// and the transaction is aborted. All else that cannot be locked or asked counts as lost.
    pub(crate) async fn side(&mut self, side: &Side) -> Asked<Vec<DataLoss>> {
        let mut losses = Vec::new();
        for it in side.statements() {
            losses.extend(self.statement(it).await?);
        }
        Ok(losses)
    }

    /// What a statement would lose, after those before it.
    ///
    /// # Errors
    ///
    /// As for [`side`](Self::side).
    pub(crate) async fn statement(&mut self, it: &Statement) -> Asked<Vec<DataLoss>> {
        let mut losses = Vec::new();
        for loss in it.losses {
            losses.push(self.loss(it.line, loss).await?);
        }
        self.made_before |= it.losses.is_empty() && it.class == Class::Transactional;
        Ok(losses)
    }

    async fn loss(&self, line: u32, loss: &embedded::Loss) -> Asked<DataLoss> {
        let found = DataLoss::new(line, loss);
        if loss.kind == LossKind::Unknown {
            return Ok(found.noted("its effect is unknown from the text"));
        }
        match self.lock(loss).await {
            // Without the lock, what was agreed to is not what would be lost.
            Err(err) if passes(&err) || is_cancelled(&err) => return Err(err),
            Err(err) => return Ok(found.noted(format!("could not be locked: {}", reason(&err)))),
            Ok(()) => {}
        }
        match self.count(loss).await {
            Ok(Some(count)) => Ok(match (loss.kind, count.rows) {
                (LossKind::Sequence, 0) => found.nothing("never used"),
                (LossKind::Sequence, it) => found.noted(format!("has counted to {it}")),
                (_, _) if count.unknown && !count.estimated => {
                    found.noted("not a table: what is behind it is unknown")
                }
                (LossKind::Rows, 1..) => self.with_referring(found, loss, &count).await,
                (kind, _) => found.counted(kind, &count),
            }),
            Ok(None) if self.made_before => {
                Ok(found.noted("not there yet: a statement before may make it"))
            }
            Ok(None) => Ok(found.nothing("not there now")),
            Err(err) if session::is_lost(&err) => Err(err),
            Err(err) if self.moment == CountPhase::AtWork && passes(&err) => Err(err),
            Err(err) => Ok(found.noted(format!("could not be counted: {}", reason(&err)))),
        }
    }

    /// Nobody adds a row between the counting and the work.
    async fn lock(&self, loss: &embedded::Loss) -> Asked<()> {
        let of_table = matches!(
            loss.kind,
            LossKind::Table | LossKind::Column | LossKind::ColumnType | LossKind::Rows
        );
        if self.moment != CountPhase::AtWork || !of_table {
            return Ok(());
        }
        match self.relation(loss.name).await? {
            Some(it) => self.lock_table(&it).await,
            None => Ok(()),
        }
    }

    async fn lock_table(&self, it: &Relation) -> Asked<()> {
        if self.moment == CountPhase::Ahead || !it.is_table() {
            return Ok(());
        }
        let lock = format!("SAVEPOINT upfront;LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", it.name);
        let locked = session::ask(self.client, &lock).await;
        if locked.is_err() {
            session::ask(self.client, "ROLLBACK TO upfront").await?;
        }
        locked.map(drop)
    }

    /// Rows that are deleted may take others with them.
    async fn with_referring(
        &self,
        found: DataLoss,
        loss: &embedded::Loss,
        count: &Count,
    ) -> DataLoss {
        let found = found.counted(loss.kind, count);
        let Ok(Some(table)) = self.relation(loss.name).await else { return found };
        let sql = format!(
            "{PINNED}SELECT string_agg(DISTINCT conrelid::regclass::text, ', ') AS upfront_tables \
             FROM pg_constraint WHERE confrelid = {} AND contype = 'f' AND confdeltype = 'c'",
            table.oid
        );
        match self.ask(&sql).await.ok().as_ref().and_then(|it| it.row("upfront_tables")?.get(0)) {
            Some(it) => found.noted(format!("deleting them deletes rows of {it} too")),
            None => found,
        }
    }

    /// `None` where it is not there.
    async fn count(&self, loss: &embedded::Loss) -> Asked<Option<Count>> {
        let embedded::Loss { kind, name, .. } = loss;
        match kind {
            LossKind::Table | LossKind::Rows => match self.relation(name).await? {
                Some(it) if it.holds_rows() => self.rows(&it).await.map(Some),
                Some(_) => Ok(Some(Count { unknown: true, ..Count::default() })),
                None => Ok(None),
            },
            LossKind::Column | LossKind::ColumnType => self.one_column(loss).await,
            LossKind::Type => {
                let literal = escape_literal(name);
                // As the migration sees the name.
                let oid = format!("pg_catalog.to_regtype({literal})::pg_catalog.oid");
                self.dependents("pg_type", &oid).await
            }
            LossKind::Schema => {
                let literal = escape_literal(name);
                let oid = format!("pg_catalog.to_regnamespace({literal})::pg_catalog.oid");
                self.dependents("pg_namespace", &oid).await
            }
            LossKind::Extension => {
                let literal = escape_literal(name);
                let oid = format!(
                    "(SELECT oid FROM pg_catalog.pg_extension WHERE extname \
                     OPERATOR(pg_catalog.=) (pg_catalog.parse_ident({literal}))[1]::name)"
                );
                self.dependents("pg_extension", &oid).await
            }
            LossKind::Sequence => self.sequence(name).await,
            LossKind::Unknown => Ok(None),
        }
    }

    async fn rows(&self, it: &Relation) -> Asked<Count> {
        let sql = format!("{PINNED}SELECT count(*) AS upfront_count FROM {}", it.name);
        match self.ask(&sql).await {
            Ok(answer) => {
                let rows = number(&answer, "upfront_count", 0);
                Ok(Count { rows, bytes: it.bytes, ..Count::default() })
            }
            Err(err) if is_cancelled(&err) => Ok(it.estimate()),
            Err(err) => Err(err),
        }
    }

    async fn one_column(&self, loss: &embedded::Loss) -> Asked<Option<Count>> {
        let Some(table) = self.relation(loss.name).await? else { return Ok(None) };
        let column = escape_literal(loss.column.unwrap_or_default());
        let sql = format!(
            "{PINNED}SELECT quote_ident(attname) AS upfront_column FROM pg_attribute WHERE \
             attrelid = {} AND attname = (parse_ident({column}))[1]::name AND NOT attisdropped",
            table.oid
        );
        let answer = self.ask(&sql).await?;
        match answer.row("upfront_column").and_then(|it| it.get(0)) {
            Some(column) if table.holds_rows() => self.values(&table, column).await.map(Some),
            _ => Ok(None),
        }
    }

    /// How many values of a column are not null.
    async fn values(&self, table: &Relation, column: &str) -> Asked<Count> {
        let sql = format!(
            "{PINNED}SELECT count({column}) AS upfront_count, coalesce(sum(pg_column_size(\
             {column})), 0) FROM {}",
            table.name
        );
        match self.ask(&sql).await {
            Ok(answer) => Ok(Count {
                values: number(&answer, "upfront_count", 0),
                bytes: number(&answer, "upfront_count", 1),
                ..Count::default()
            }),
            Err(err) if is_cancelled(&err) => self.estimated_values(table, column).await,
            Err(err) => Err(err),
        }
    }

    async fn estimated_values(&self, table: &Relation, column: &str) -> Asked<Count> {
        let sql = format!(
            "{PINNED}SELECT ({rows} * (1 - null_frac))::bigint AS upfront_estimate, ({rows} * (1 - \
             null_frac) * avg_width)::bigint FROM pg_stats WHERE format('%I.%I', schemaname, \
             tablename) = {} AND quote_ident(attname) = {} ORDER BY inherited DESC LIMIT 1",
            escape_literal(&table.name),
            escape_literal(column),
            rows = table.estimate.unwrap_or_default(),
        );
        let answer = self.ask(&sql).await?;
        Ok(match answer.row("upfront_estimate") {
            Some(_) => Count {
                values: number(&answer, "upfront_estimate", 0),
                bytes: number(&answer, "upfront_estimate", 1),
                estimated: true,
                unknown: table.estimate.is_none(),
                ..Count::default()
            },
            None => table.estimate().of_values(),
        })
    }

    /// What goes with an object: tables with their rows, and single columns of others, such as
    /// those of a domain over a type.
    async fn dependents(&self, catalog: &str, oid: &str) -> Asked<Option<Count>> {
        let answer = self.ask(&format!("SELECT {oid} AS upfront_oid")).await?;
        let Some(oid) = answer.row("upfront_oid").and_then(|it| it.get(0)) else { return Ok(None) };
        let sql = format!(
            "{PINNED}WITH RECURSIVE gone (classid, objid, objsubid) AS (SELECT \
             '{catalog}'::regclass::oid, {oid}::oid, 0 UNION SELECT it.* FROM gone g, LATERAL \
             (SELECT d.classid, d.objid, d.objsubid FROM pg_depend d WHERE d.refclassid = \
             g.classid AND d.refobjid = g.objid AND g.objsubid IN (0, d.refobjsubid) UNION ALL \
             SELECT 'pg_type'::regclass::oid, c.reltype, 0 FROM pg_class c WHERE g.classid = \
             'pg_class'::regclass AND c.oid = g.objid AND c.relkind = 'c') it) SELECT c.oid AS \
             upfront_oid, quote_ident(a.attname) FROM (SELECT objid, min(objsubid) AS least FROM \
             gone WHERE classid = 'pg_class'::regclass GROUP BY objid) w JOIN pg_class c ON c.oid = \
             w.objid AND c.relkind IN ('r', 'm') JOIN gone g ON g.classid = 'pg_class'::regclass AND \
             g.objid = w.objid AND (w.least > 0 OR g.objsubid = 0) LEFT JOIN pg_attribute a ON \
             a.attrelid = c.oid AND a.attnum = g.objsubid AND a.attnum > 0 ORDER BY 1, a.attnum"
        );
        let answer = self.ask(&sql).await?;
        let mut sum = Count::default();
        for it in named(&answer, "upfront_oid") {
            let Some(oid) = it.get(0) else { continue };
            let Some(table) = self.described(oid).await? else { continue };
            self.lock_table(&table).await?;
            sum = sum.add(&match it.get(1) {
                Some(column) => self.values(&table, column).await?,
                None => self.rows(&table).await?,
            });
        }
        Ok(Some(sum))
    }

    /// How far it has counted; nothing where it was never asked.
    async fn sequence(&self, name: &str) -> Asked<Option<Count>> {
        let Some(it) = self.relation(name).await? else { return Ok(None) };
        let sql = format!(
            "{PINNED}SELECT CASE WHEN is_called THEN greatest(last_value, 1) ELSE 0 END AS \
             upfront_count FROM {}",
            it.name
        );
        let answer = self.ask(&sql).await?;
        let rows = number(&answer, "upfront_count", 0);
        Ok(Some(Count { rows, ..Count::default() }))
    }

    /// A relation by its name as the migration writes it, seen as the migration sees it.
    async fn relation(&self, name: &str) -> Asked<Option<Relation>> {
        let name = escape_literal(name);
        let sql = format!("SELECT pg_catalog.to_regclass({name})::pg_catalog.oid AS upfront_oid");
        let answer = self.ask(&sql).await?;
        match answer.row("upfront_oid").and_then(|it| it.get(0)) {
            Some(oid) => self.described(oid).await,
            None => Ok(None),
        }
    }

    async fn described(&self, oid: &str) -> Asked<Option<Relation>> {
        let sql = format!(
            "{PINNED}WITH parts AS (SELECT {oid}::oid AS oid UNION SELECT relid FROM \
             pg_partition_tree({oid})) SELECT relkind AS upfront_kind, format('%I.%I', nspname, \
             relname), (SELECT CASE WHEN bool_or(t.reltuples < 0) THEN NULL ELSE \
             sum(t.reltuples)::bigint END FROM parts JOIN pg_class t USING (oid) WHERE t.relkind <> \
             'p'), (SELECT sum(pg_total_relation_size(oid)) FROM parts) FROM pg_class JOIN \
             pg_namespace n ON n.oid = relnamespace WHERE pg_class.oid = {oid}"
        );
        let answer = self.ask(&sql).await?;
        Ok(answer.row("upfront_kind").map(|it| Relation {
            oid: oid.to_owned(),
            kind: it.get(0).unwrap_or_default().to_owned(),
            name: it.get(1).unwrap_or_default().to_owned(),
            estimate: it.get(2).and_then(|it| it.parse().ok()),
            bytes: it.get(3).and_then(|it| it.parse().ok()).unwrap_or_default(),
        }))
    }

    /// Asks within a limit, and leaves no trace in the session.
    async fn ask(&self, sql: &str) -> Asked<Answer> {
        let limit = self.limit().as_millis();
        let limit = format!("SELECT pg_catalog.set_config('statement_timeout','{limit}',true);");
        if self.moment == CountPhase::Ahead {
            // The message is its own transaction, and ends with it: a future that is dropped here
            // gives the connection back as it was.
            let as_migration = self.as_migration();
            let message = format!("SET TRANSACTION READ ONLY;{as_migration}{limit}{sql}");
            return session::ask(self.client, &message).await;
        }
        let message = format!("SAVEPOINT upfront;{limit}{sql};ROLLBACK TO upfront");
        let answer = session::ask(self.client, &message).await;
        if answer.is_err() {
            session::ask(self.client, "ROLLBACK TO upfront").await?;
        }
        answer
    }

    /// What a migration finds set, as far as names and rights depend on it.
    fn as_migration(&self) -> String {
        let Settings { search_path, lock_timeout, .. } = self.settings;
        let path = search_path.as_ref().map_or(
            "nullif(pg_catalog.current_setting('search_path'),'')".to_owned(),
            |schemas| {
                let schemas = schemas.iter().map(|it| escape_identifier(it));
                escape_literal(&schemas.collect::<Vec<_>>().join(", "))
            },
        );
        // The connection is lent, and may have a temporary table before a real one of its name.
        let path = format!("pg_catalog.concat_ws(', ',{path},'pg_temp')");
        let lock = lock_timeout.as_millis();
        format!(
            "SELECT pg_catalog.set_config('lock_timeout','{lock}',true),\
             pg_catalog.set_config('row_security','off',true),\
             pg_catalog.set_config('search_path',{path},true);{}",
            role(self.settings, SettingScope::Transaction)
        )
    }

    fn limit(&self) -> Duration {
        const ALL: Duration = Duration::from_secs(5);
        const LEAST: Duration = Duration::from_millis(50);
        let each = match self.moment {
            CountPhase::Ahead | CountPhase::UnderLock => Duration::from_secs(1),
            // What is counted is locked.
            CountPhase::AtWork => Duration::from_millis(500),
        };
        each.min(ALL.saturating_sub(self.since.elapsed())).max(LEAST)
    }
}

/// A relation, as the catalog describes it.
#[derive(Debug)]
struct Relation {
    oid: String,
    kind: String,
    /// Quoted and qualified.
    name: String,
    /// How many rows, as far as the server has an idea.
    estimate: Option<u64>,
    bytes: u64,
}

impl Relation {
    fn is_table(&self) -> bool {
        ["r", "p"].contains(&&*self.kind)
    }

    fn holds_rows(&self) -> bool {
        ["r", "p", "m", "f"].contains(&&*self.kind)
    }

    fn estimate(&self) -> Count {
        Count {
            rows: self.estimate.unwrap_or_default(),
            values: 0,
            bytes: self.bytes,
            estimated: true,
            unknown: self.estimate.is_none(),
        }
    }
}

fn number(answer: &Answer, column: &str, at: usize) -> u64 {
    let value = answer.row(column).and_then(|it| it.get(at));
    value.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// By somebody, or by a limit.
fn is_cancelled(err: &tokio_postgres::Error) -> bool {
    err.code() == Some(&SqlState::QUERY_CANCELED)
}

/// Another try may do better.
fn passes(err: &tokio_postgres::Error) -> bool {
    session::is_lost(err) || err.code().is_some_and(transaction::is_contention)
}

fn reason(err: &tokio_postgres::Error) -> String {
    match err.as_db_error() {
        Some(it) => it.message().to_owned(),
        None => "the connection failed".to_owned(),
    }
}
