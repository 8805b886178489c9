//! A boot, from the first look to the last commit.

use std::time::Instant;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::{SimpleQueryRow, error::SqlState};
use tracing::Instrument;

use crate::{
    Event, Report, Result,
    apply::{self, Ran},
    embedded::{Migration, Set},
    error::{Error, Kind, names},
    lock::{self, Begun, Transaction, Wait},
    own,
    plan::{self, Divergence, Pending, Step, Unknown},
    revisions::{Journal, Look, Revisions, history},
    session::{self, Answer, Session, borrow},
    settings::{OWN, Settings},
    stepwise,
};

/// One app's migrations, and all that is needed in order to bring them to a database.
pub(crate) struct Work<'a> {
    pub(crate) set: &'static Set,
    pub(crate) app: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) revisions: Revisions,
    /// These are upfront's own tables, which may not be there yet.
    pub(crate) own: bool,
}

/// What the first look found.
pub(crate) enum View {
    /// Nothing to do.
    Settled(Vec<Unknown>),
    /// Something is pending.
    Behind { pending: Pending, journal: Vec<Journal>, own_tables: bool, empty: bool },
}

impl<'a> Work<'a> {
    pub(crate) fn new(set: &'static Set, settings: &'a Settings) -> Self {
        let revisions = Revisions::new(settings, &settings.app);
        Self { set, app: &settings.app, settings, revisions, own: false }
    }

    pub(crate) fn own(set: &'static Set, settings: &'a Settings) -> Self {
        Self { set, app: OWN, settings, revisions: Revisions::new(settings, OWN), own: true }
    }

    /// Tells the log and the program.
    pub(crate) fn tell(&self, event: &Event) {
        event.trace(self.app);
        if let Some(told) = &self.settings.on_event {
            told(event);
        }
    }

    /// Looks: one round trip where nothing is to be done.
    pub(crate) async fn look(&self, client: &Object) -> Result<View> {
        let Some(answer) = self.read(client, &self.revisions.look(self.set)).await? else {
            return self.judge(&[], Vec::new(), Look::nothing());
        };
        let look = Look::of(self.set, &answer)
            .ok_or(Kind::Unexpected { doing: "looking at the revision table" })?;
        if look.settled {
            let refused = plan::refused(self.settings.ahead, &look.ahead);
            return match refused.is_empty() {
                true => Ok(View::Settled(look.ahead)),
                false => Err(self.diverged(refused)),
            };
        }
        let (rows, journal) = self.history(client).await?;
        match self.judge(&rows, journal, look) {
            Err(err) if err.is_edited() => Err(self.explain(client, err).await),
            other => other,
        }
    }

    fn judge(&self, rows: &[plan::Row], journal: Vec<Journal>, look: Look) -> Result<View> {
        let pending = self.plan(rows)?;
        if pending.steps.is_empty() {
            return Ok(View::Settled(pending.ahead));
        }
        let own_tables = own::is_current(&look.own);
        Ok(View::Behind { pending, journal, own_tables, empty: rows.is_empty() })
    }

    /// Rows and journal.
    async fn history(&self, client: &Object) -> Result<(Vec<plan::Row>, Vec<Journal>)> {
        match self.read(client, &self.revisions.rows()).await? {
            Some(it) => {
                history(&it).ok_or(Kind::Unexpected { doing: "reading the history" }.into())
            }
            None => Ok(Default::default()),
        }
    }

    /// Reads on a borrowed connection; `None` where the tables are not there.
    pub(crate) async fn read(&self, client: &Object, sql: &str) -> Result<Option<Answer>> {
        const DOING: &str = "looking at the revision table";
        let source = match session::ask(client, sql).await {
            Ok(it) => return Ok(Some(it)),
            Err(it) => it,
        };
        match source.code() {
            Some(it) if *it == SqlState::UNDEFINED_TABLE => Ok(None),
            Some(it) if *it == SqlState::INVALID_SCHEMA_NAME => Ok(None),
            Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
                let role = session::ask(client, "SELECT CURRENT_USER").await.ok();
                let role = role.and_then(|it| it.rows.first()?.get(0).map(str::to_owned));
                let grants = self.revisions.reader_grants(&role.unwrap_or_default());
                Err(denied(DOING, &source, grants))
            }
            _ => Err(Kind::Server { doing: DOING, source }.into()),
        }
    }

    pub(crate) fn plan(&self, rows: &[plan::Row]) -> Result<Pending> {
        let ahead = if self.own { crate::Ahead::Accept } else { self.settings.ahead };
        plan::plan(self.set, rows, ahead).map_err(|found| self.diverged(found))
    }

    fn diverged(&self, found: Vec<Divergence>) -> Error {
        Kind::Diverged { label: self.set.label, found, own: self.own }.into()
    }

    /// Adds to each edited migration the first line that differs from what was applied.
    async fn explain(&self, client: &Object, err: Error) -> Error {
        let Kind::Diverged { found, .. } = err.kind() else { return err };
        let mut found = found.clone();
        for it in &mut found {
            let Divergence::Edited { migration, difference, .. } = it else { continue };
            let sql = self.revisions.applied_text(migration.version);
            let Ok(answer) = session::ask(client, &sql).await else { continue };
            let applied = answer.row("upfront_text").and_then(|it| it.get(0));
            *difference = applied.and_then(|it| first_difference(it, migration));
        }
        self.diverged(found)
    }

    /// The error for the lack of a right.
    pub(crate) fn denied(
        &self,
        doing: &'static str,
        source: &tokio_postgres::Error,
        session: &Session,
    ) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.login);
        let grants = match self.own {
            true => self.revisions.founder_grants(role),
            false => self.revisions.writer_grants(role),
        };
        denied(doing, source, grants)
    }

    /// The error for a role that may not make the schema of upfront's own tables.
    pub(crate) fn schema_denied(&self, source: &tokio_postgres::Error, session: &Session) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.login);
        let grants = self.revisions.schema_grants(role, &session.facts.database);
        denied("making upfront's own tables", source, grants)
    }
}

fn denied(doing: &'static str, source: &tokio_postgres::Error, grants: Vec<String>) -> Error {
    let message = source.as_db_error().map(|it| it.message().to_owned()).unwrap_or_default();
    Kind::Denied { doing, message, grants }.into()
}

/// The first line that differs, as two lines of a diff.
fn first_difference(applied: &str, it: &Migration) -> Option<String> {
    if it.up.statements.iter().any(|it| it.secret) {
        return None;
    }
    let (mut old, mut new) = (applied.lines(), it.up.source.lines());
    for line in 1.. {
        match (old.next(), new.next()) {
            (None, None) => return None,
            (old, new) if old == new => {}
            (old, new) => {
                let shown = |it: Option<&str>| it.unwrap_or("(end of file)").to_owned();
                let (old, new) = (shown(old), shown(new));
                return Some(format!("    line {line}:\n    - {old}\n    + {new}"));
            }
        }
    }
    None
}

/// Brings what is pending.
pub(crate) async fn up(pool: &Pool, set: &'static Set, settings: &Settings) -> Result<Report> {
    let work = Work::new(set, settings);
    let mut report = Report::new(&settings.app);
    let mut lost = Lost::default();
    let mut wait = Wait::new();
    let since = Instant::now();
    loop {
        match attempt(pool, &work, &mut report, &mut wait).await {
            Ok(()) => break,
            Err(err) => lost.again(err, &work).await?,
        }
    }
    report.took = since.elapsed();
    Ok(report)
}

/// Connections that died on the way.
#[derive(Default)]
struct Lost {
    bodies: u32,
    backoff: Option<crate::backoff::Backoff>,
}

impl Lost {
    /// Pauses before the next attempt, or gives the error back.
    ///
    /// A migration may be what kills the server: it gets one more try and no third.
    async fn again(&mut self, err: Error, work: &Work<'_>) -> Result<()> {
        match err.kind() {
            Kind::Server { source, .. } if session::is_lost(source) => {}
            Kind::Lost { .. } if self.bodies == 0 => self.bodies += 1,
            Kind::Connect(deadpool_postgres::PoolError::Backend(_)) if self.backoff.is_some() => {}
            _ => return Err(err),
        }
        let backoff = self.backoff.get_or_insert_with(crate::backoff::Backoff::new);
        if backoff.waited() >= work.settings.wait_timeout {
            return Err(err);
        }
        let pause = backoff.next();
        work.tell(&Event::Reconnecting { pause });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

async fn attempt(pool: &Pool, work: &Work<'_>, report: &mut Report, wait: &mut Wait) -> Result<()> {
    let client = borrow(pool, work.settings.wait_timeout).await?;
    let (pending, own_tables, empty) = match work.look(&client).await? {
        View::Settled(ahead) => return Ok(report.settle(&ahead)),
        View::Behind { pending, own_tables, empty, .. } => (pending, own_tables, empty),
    };
    if empty && !work.settings.ignore_foreign_history {
        refuse_foreign(&client).await?;
    }
    drop(client);
    let session = Session::take(pool, work.settings.wait_timeout).await?;
    refuse_read_only(&session, &pending)?;
    refuse_pooler(work, &session, &pending)?;
    if !own_tables {
        let settings = own::settings(work.settings);
        let own = Work::own(own::set(), &settings);
        bring(&own, &session, &mut Report::new(OWN), &mut Wait::new()).await?;
    }
    bring(work, &session, report, wait).await
}

fn refuse_read_only(session: &Session, pending: &Pending) -> Result<()> {
    if !session.facts.standby && !session.facts.read_only {
        return Ok(());
    }
    let pending = titles(&pending.steps);
    Err(Kind::ReadOnly { pending, standby: session.facts.standby }.into())
}

fn refuse_pooler(work: &Work<'_>, session: &Session, pending: &Pending) -> Result<()> {
    if !session.facts.pooled || work.settings.session_pooler {
        return Ok(());
    }
    match pending.steps.iter().find(|it| it.is_stepwise()) {
        Some(it) => {
            let it = it.migration();
            Err(Kind::Pooler { migration: it.title(), path: it.up.path }.into())
        }
        None => Ok(()),
    }
}

/// The names of what the steps run or record.
pub(crate) fn titles(steps: &[Step]) -> Vec<String> {
    let of = |it: &Step| {
        let covers = it.covers.iter().map(|(it, _)| it.title());
        covers.chain(it.runs.map(Migration::title)).collect::<Vec<_>>()
    };
    steps.iter().flat_map(of).collect()
}

const FOREIGN: &str = "SELECT pg_catalog.set_config('search_path','pg_catalog, pg_temp',true);\
     SELECT c.oid::regclass::text AS upfront_foreign, k.tool FROM (VALUES \
     ('atlas_schema_revisions', 'Atlas'), ('_sqlx_migrations', 'sqlx'), \
     ('refinery_schema_history', 'refinery'), ('__diesel_schema_migrations', 'diesel'), \
     ('seaql_migrations', 'SeaORM'), ('goose_db_version', 'goose'), \
     ('schema_migrations', 'golang-migrate, dbmate, Rails or Ecto'), \
     ('flyway_schema_history', 'Flyway'), ('databasechangelog', 'Liquibase'), \
     ('_prisma_migrations', 'Prisma'), ('django_migrations', 'Django'), \
     ('alembic_version', 'Alembic'), ('knex_migrations', 'Knex'), \
     ('__drizzle_migrations', 'Drizzle'), ('__EFMigrationsHistory', 'Entity Framework'), \
     ('pgmigrations', 'node-pg-migrate'), ('ar_internal_metadata', 'Rails')) k (name, tool) JOIN \
     pg_class c ON c.relname = k.name AND c.relkind IN ('r', 'p') ORDER BY 1";

/// A database that another tool made must not be started anew by accident.
async fn refuse_foreign(client: &Object) -> Result<()> {
    let doing = "looking for another tool's history";
    let answer =
        session::ask(client, FOREIGN).await.map_err(|source| Kind::Server { doing, source })?;
    let table = |it: &SimpleQueryRow| {
        (it.columns().first()?.name() == "upfront_foreign").then(|| {
            (it.get(0).unwrap_or_default().to_owned(), tool(it.get(1).unwrap_or_default()))
        })
    };
    let tables: Vec<_> = answer.rows.iter().filter_map(table).collect();
    if tables.is_empty() { Ok(()) } else { Err(Kind::Foreign { tables }.into()) }
}

fn tool(name: &str) -> String {
    format!("the history of {name}")
}

/// Brings everything under the lock, and plans anew whenever the head moved.
pub(crate) async fn bring(
    work: &Work<'_>,
    session: &Session,
    report: &mut Report,
    wait: &mut Wait,
) -> Result<()> {
    let mut tries = apply::Tries::new();
    let mut exclusive = false;
    loop {
        let Some(transaction) = begin(work, session, wait, report).await? else { return Ok(()) };
        let (pending, journal) = plan_under_lock(work, session, &transaction).await?;
        refuse_pooler(work, session, &pending)?;
        let Some(first) = pending.steps.first() else {
            session.ask("ending a transaction", "ROLLBACK").await?;
            return Ok(report.settle(&pending.ahead));
        };
        report.expect(&pending);
        if first.is_stepwise() {
            session.ask("ending a transaction", "ROLLBACK").await?;
            if !exclusive {
                exclusive = stepwise::lock(work, session, wait).await?;
                continue;
            }
            let span = span(first.migration());
            let run = stepwise::run(work, session, first, &journal, report, &mut tries);
            run.instrument(span).await?;
            continue;
        }
        transactions(work, session, transaction, &pending, report, &mut tries).await?;
    }
}

fn span(it: &Migration) -> tracing::Span {
    tracing::info_span!(
        "upfront.migration",
        db.system.name = "postgresql",
        db.operation.name = "migrate",
        version = it.version,
        name = it.name,
    )
}

/// Waits for the lock; `None` where the leader has settled everything meanwhile.
async fn begin(
    work: &Work<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
) -> Result<Option<Transaction>> {
    let message = lock::begin(work, session, None);
    let doing = "asking for the migration lock";
    let mut waiting = false;
    loop {
        let answer = session::ask(session.client(), &message)
            .await
            .map_err(|source| begin_failed(work, session, doing, source))?;
        let begun = match work.own {
            true => own::begun(work, session, &answer).await?,
            false => lock::begun(&answer),
        };
        match begun.ok_or(Kind::Unexpected { doing })? {
            Begun::Locked(it) => {
                if waiting {
                    report.waited(wait);
                }
                return Ok(Some(it));
            }
            Begun::Busy => {}
        }
        if !std::mem::replace(&mut waiting, true) {
            wait.restart();
        }
        session.ask("ending a transaction", "ROLLBACK").await?;
        if let Some(ahead) = settled(work, session).await? {
            report.waited(wait);
            report.settle(&ahead);
            return Ok(None);
        }
        wait.pause(work, session).await?;
    }
}

fn begin_failed(
    work: &Work<'_>,
    session: &Session,
    doing: &'static str,
    source: tokio_postgres::Error,
) -> Error {
    match source.code() {
        Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => work.denied(doing, &source, session),
        _ => Kind::Server { doing, source }.into(),
    }
}

/// Has the leader brought the database here?
pub(crate) async fn settled(work: &Work<'_>, session: &Session) -> Result<Option<Vec<Unknown>>> {
    let doing = "looking at the revision table";
    let answer = match session::ask(session.client(), &work.revisions.look(work.set)).await {
        Ok(it) => it,
        Err(it) if it.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        Err(source) => return Err(Kind::Server { doing, source }.into()),
    };
    let look = Look::of(work.set, &answer);
    Ok(look
        .filter(|it| it.settled && plan::refused(work.settings.ahead, &it.ahead).is_empty())
        .map(|it| it.ahead))
}

async fn plan_under_lock(
    work: &Work<'_>,
    session: &Session,
    transaction: &Transaction,
) -> Result<(Pending, Vec<Journal>)> {
    let doing = "reading the history";
    if work.own && transaction.head == plan::Head::start() {
        return Ok((work.plan(&[])?, Vec::new()));
    }
    let sql = format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", work.revisions.rows());
    let answer = session.ask(doing, &sql).await?;
    let (rows, journal) = history(&answer).ok_or(Kind::Unexpected { doing })?;
    let pending = work.plan(&rows)?;
    let downs: String = pending.downs.iter().map(|it| work.revisions.store_down(it)).collect();
    if !downs.is_empty() && !pending.steps.is_empty() {
        session.ask("storing changed down sides", &downs).await?;
    }
    Ok((pending, journal))
}

/// Runs transactional steps one after the other, each message carrying the end of one and the
/// beginning of the next.
async fn transactions(
    work: &Work<'_>,
    session: &Session,
    mut transaction: Transaction,
    pending: &Pending,
    report: &mut Report,
    tries: &mut apply::Tries,
) -> Result<()> {
    let mut steps = pending.steps.iter().peekable();
    if let Some(sql) = steps.peek().and_then(|it| apply::own_limits(work, it)) {
        session.ask("setting a migration's limits", &sql).await?;
    }
    while let Some(step) = steps.next() {
        let next = steps.peek().copied().filter(|it| !it.is_stepwise());
        let place = report.place();
        let span = span(step.migration());
        let ran = apply::run(work, session, &transaction, step, next, place, tries);
        match ran.instrument(span).await? {
            Ran::Committed { begun, took } => {
                report.applied(step, took);
                match begun {
                    Some(Begun::Locked(it)) if it.head == step.to => transaction = it,
                    Some(_) => {
                        session.ask("ending a transaction", "ROLLBACK").await?;
                        return Ok(());
                    }
                    None => return Ok(()),
                }
            }
            Ran::Again => return Ok(()),
        }
    }
    Ok(())
}

/// Looks without any wish to write: for `check`, `wait`, `status` and `plan_up`.
pub(crate) async fn view(pool: &Pool, work: &Work<'_>) -> Result<View> {
    let client = borrow(pool, work.settings.wait_timeout).await?;
    work.look(&client).await
}

/// The error for something that is pending.
pub(crate) fn behind(pending: &Pending) -> Error {
    Kind::Pending { migrations: titles(&pending.steps) }.into()
}

/// What is ahead, in words.
pub(crate) fn ahead(unknown: &[Unknown]) -> Vec<String> {
    names(unknown)
}
