//! A boot, from the first look to the last commit.

use std::{collections::HashSet, time::Instant};

use deadpool_postgres::{Object, Pool, PoolError};
use tokio_postgres::error::SqlState;
use tracing::Instrument;

#[cfg(feature = "dev")]
use crate::dev;
use crate::{
    Direction, Event, Plan, Report, Result,
    builder::{OWN, Settings},
    connection::{
        backoff::Backoff,
        session::{self, Session, WriteAccess, borrow},
    },
    embedded::{Migration, Set},
    error::{
        Error, Kind,
        rejection::{Rejection, Stale},
    },
    execute::{
        context::{Context, Summary, is_missing},
        data_loss::{CountPhase, DataLossCounter},
        down::{self, PlanMatch},
        duplicate_history,
        lock::{self, LockAttempt, Transaction, Wait},
        metadata_tables, statements,
        transaction::{self, Execution, StepOutcome},
    },
    history::{
        other_tools::{self, PathSource},
        revisions::{History, HistorySummary, Journal, Tables, history},
        trust::{self, Access},
    },
    plan::pending::{self, Pending, Step, UnknownMigration},
};

/// Brings what is pending; where there is a plan, that and nothing else.
pub(crate) async fn up(
    pool: &Pool,
    set: &'static Set,
    settings: &Settings,
    plan: Option<&Plan>,
) -> Result<Report> {
    let context = Context::new(set, settings);
    let mut report = Report::new(&settings.app, Direction::Up);
    let mut lost = ReconnectPolicy::default();
    let mut wait = Wait::new();
    let mut agreement = PlanCheck(plan);
    let since = Instant::now();
    while let Err(err) =
        attempt(pool, &context, &mut report, &mut wait, &mut agreement, &mut lost).await
    {
        lost.again(err, &context, &report).await?;
    }
    report.took = since.elapsed();
    Ok(report)
}

/// What a boot would do. Writes nothing and takes no lock.
pub(crate) async fn plan(context: &Context<'_>, client: &Object) -> Result<Plan> {
    let (steps, cut_off, journal, tables) = match context.look(client).await? {
        Summary::UpToDate { .. } => (Vec::new(), None, Vec::new(), None),
        Summary::Pending { pending: Pending { steps, cut_off, .. }, journal, tables, history } => {
            context.refuse_foreign(client, history).await?;
            (steps, cut_off, journal, tables)
        }
    };
    let standing = down::read_standing_ahead(context, client, tables).await?;
    let mut plan = Plan::up(context, &steps, &journal, &standing);
    let holder = context.holder_of(client, &journal).await;
    plan.warnings.extend(cut_off.map(|it| {
        let title = it.title();
        match &holder {
            Some(holder) => format!("the rollback of `{title}` is running, by {holder}"),
            None => format!("the rollback of `{title}` was cut off, and comes to its end first"),
        }
    }));
    if plan.warnings.is_empty() {
        plan.name_holder(&journal, holder.as_ref());
    }
    let mut measure = DataLossCounter::new(client, context.settings, CountPhase::Ahead);
    for step in &mut plan.steps {
        let Some(it) = context.set.find(&step.version).filter(|_| !step.covered) else { continue };
        let doing = "counting what would be lost";
        let losses = measure.side(&it.up).await;
        step.losses = losses.map_err(|source| Kind::Server { doing, source })?;
    }
    Ok(plan)
}

/// The plan that the database has still to be compared with, once, under the lock.
struct PlanCheck<'a>(Option<&'a Plan>);

impl PlanCheck<'_> {
    /// Does the plan fit?
    async fn agree(
        &mut self,
        context: &Context<'_>,
        session: &Session,
        pending: &Pending,
        journal: &[Journal],
    ) -> Result<()> {
        let Some(plan) = self.0 else { return Ok(()) };
        let standing = down::read_standing_under_lock(context, session).await?;
        let now = Plan::up(context, &pending.steps, journal, &standing);
        down::consent(&plan.consent, plan, &now, PlanMatch::Exact)?;
        self.0 = None;
        Ok(())
    }

    /// Nothing is pending any more: what was planned was brought by somebody else.
    fn refuse_settled(&self) -> Result<()> {
        match self.0 {
            Some(plan) if !plan.is_empty() => {
                let made = plan.digest.clone();
                Err(Rejection::Stale(Stale::Moved { made, now: String::new() }).into())
            }
            _ => Ok(()),
        }
    }
}

/// Connections that died on the way.
#[derive(Default)]
pub(crate) struct ReconnectPolicy {
    /// Migrations that were running when one died.
    bodies: HashSet<(String, Direction)>,
    protocol: u32,
    backoff: Option<Backoff>,
    /// How many migrations were done when the last one died.
    done: usize,
    /// A server took writes before.
    had_primary: bool,
}

impl ReconnectPolicy {
    /// Takes note that the server is a primary.
    pub(crate) fn met_primary(&mut self) {
        self.had_primary = true;
    }

    /// Pauses before the next attempt, or gives the error back.
    ///
    /// A migration may be what kills the server: it gets one more try and no third. After a
    /// fail-over the first server that answers may be a standby still.
    pub(crate) async fn again(
        &mut self,
        err: Error,
        context: &Context<'_>,
        report: &Report,
    ) -> Result<()> {
        if report.done() > std::mem::replace(&mut self.done, report.done()) {
            (self.protocol, self.backoff) = (0, None);
        }
        match err.kind() {
            Kind::Server { source, .. } if is_protocol(source) && self.protocol < 3 => {
                self.protocol += 1;
            }
            Kind::Server { source, .. } if session::is_lost(source) && !is_protocol(source) => {}
            Kind::ConnectionLost { migration, direction, .. } => {
                if !self.bodies.insert((migration.clone(), *direction)) {
                    return Err(err);
                }
            }
            Kind::Connect(PoolError::Backend(_)) if self.backoff.is_some() => {}
            Kind::ReadOnly { standby: true, .. } if self.had_primary => {}
            _ => return Err(err),
        }
        let backoff = self.backoff.get_or_insert_with(Backoff::new);
        if backoff.waited() >= context.settings.wait_timeout {
            return Err(err);
        }
        let pause = backoff.next();
        context.notify(&Event::Reconnecting { pause });
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// PgBouncer gives this code both to a server that went away and to what it never will pass.
fn is_protocol(err: &tokio_postgres::Error) -> bool {
    err.code() == Some(&SqlState::PROTOCOL_VIOLATION)
}

async fn attempt(
    pool: &Pool,
    context: &Context<'_>,
    report: &mut Report,
    wait: &mut Wait,
    agreement: &mut PlanCheck<'_>,
    lost: &mut ReconnectPolicy,
) -> Result<()> {
    let limit = context.settings.wait_timeout;
    let client = borrow(pool, limit).await?;
    let (client, summary) = context.look_within(client, limit).await?;
    let (pending, tables) = match summary {
        Summary::UpToDate { ahead, partly } => {
            agreement.refuse_settled()?;
            report.settle(&ahead);
            if !partly.is_empty() {
                report.partly(&partly, context.holder(&client).await.as_ref());
            }
            return Ok(());
        }
        Summary::Pending { pending, tables, .. } => (pending, tables),
    };
    drop(client);
    let session = Session::take(pool, context.settings.wait_timeout).await?;
    // Apart, as most boots end before it.
    let done = Box::pin(async {
        refuse_read_only(&session, Some(Direction::Up), pending.titles())?;
        lost.met_primary();
        refuse_stepwise_on_pooler(context, &session, pending.steps.iter().map(Execution::from))?;
        if tables != Some(Tables::Current) {
            migrate_metadata(context, &session).await?;
        }
        bring(context, &session, report, wait, agreement).await
    });
    let done = done.await;
    session.close(done).await
}

/// Brings upfront's own tables to what this program needs.
pub(crate) async fn migrate_metadata(context: &Context<'_>, session: &Session) -> Result<()> {
    let settings = metadata_tables::settings(context.settings);
    let metadata = Context::metadata(metadata_tables::set(), &settings);
    let (mut report, mut wait) = (Report::new(OWN, Direction::Up), Wait::new());
    bring(&metadata, session, &mut report, &mut wait, &mut PlanCheck(None)).await
}

pub(crate) fn refuse_read_only(
    session: &Session,
    direction: Option<Direction>,
    migrations: Vec<String>,
) -> Result<()> {
    let standby = match session.facts.writes {
        WriteAccess::Allowed => return Ok(()),
        WriteAccess::ReadOnly => false,
        WriteAccess::Standby => true,
    };
    Err(Kind::ReadOnly { direction, migrations, standby }.into())
}

pub(crate) fn refuse_stepwise_on_pooler(
    context: &Context<'_>,
    session: &Session,
    mut subjects: impl Iterator<Item = Execution>,
) -> Result<()> {
    if !session.facts.pooled || context.settings.session_pooler {
        return Ok(());
    }
    match subjects.find(|it| it.side.is_some_and(|it| !it.transactional)) {
        Some(it) => Err(Kind::Pooler { migration: it.it.title(), path: it.path() }.into()),
        None => Ok(()),
    }
}

/// Brings everything under the lock, and plans anew whenever the head moved.
async fn bring(
    context: &Context<'_>,
    session: &Session,
    report: &mut Report,
    wait: &mut Wait,
    agreement: &mut PlanCheck<'_>,
) -> Result<()> {
    let mut tries = transaction::Tries::new();
    let mut blocked = None;
    loop {
        match round(context, session, report, wait, &mut tries, agreement).await {
            Ok(true) => return Ok(()),
            Ok(false) => blocked = None,
            Err(err) => {
                let since = blocked.get_or_insert_with(Wait::new);
                retry_on_contention(err, context, session, since).await?;
            }
        }
    }
}

/// Somebody has locked upfront's own tables: no reason to give up before the limit.
pub(crate) async fn retry_on_contention(
    err: Error,
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
) -> Result<()> {
    let contention = match err.kind() {
        Kind::Server { source, .. } => source.code().is_some_and(transaction::is_contention),
        _ => false,
    };
    if !contention || wait.waited() >= context.settings.wait_timeout {
        return Err(err);
    }
    session.roll_back("ending a transaction").await?;
    wait.pause(context, session).await
}

/// Takes the lock, plans, and applies what it can in one go; `true` once nothing is left.
async fn round(
    context: &Context<'_>,
    session: &Session,
    report: &mut Report,
    wait: &mut Wait,
    tries: &mut transaction::Tries,
    agreement: &mut PlanCheck<'_>,
) -> Result<bool> {
    let transaction = begin(context, session, wait, report, WaitMode::UntilUpToDate).await?;
    let Some(transaction) = transaction else {
        agreement.refuse_settled()?;
        return Ok(true);
    };
    let (pending, journal) = plan_under_lock(context, session, &transaction).await?;
    #[cfg(feature = "dev")]
    dev::refuse_protected(context, session, &pending).await?;
    agreement.agree(context, session, &pending, &journal).await?;
    if let Some(row) = &pending.cut_off {
        down::finish(context, session, row, &journal, report, tries).await?;
        return Ok(false);
    }
    refuse_stepwise_on_pooler(context, session, pending.steps.iter().map(Execution::from))?;
    let Some(first) = pending.steps.first() else {
        session.roll_back("ending a transaction").await?;
        report.settle(&pending.ahead);
        report.partly(&pending.partly, None);
        return Ok(true);
    };
    if transaction.head == pending::Head::start() && !context.is_metadata {
        other_tools::refuse(context.settings, session.client(), PathSource::Transaction).await?;
    }
    if transaction.head == pending::Head::start()
        && !context.is_metadata
        && !context.settings.ignore_duplicate_history
    {
        duplicate_history::refuse(context, session.client()).await?;
    }
    report.expect(&pending);
    if first.is_stepwise() {
        let run = stepwise(context, session, first, &journal, report, tries);
        run.instrument(span(context, first.migration())).await?;
        return Ok(false);
    }
    for it in pending.steps.iter().filter(|it| !it.is_stepwise()) {
        statements::refuse_begun(context, it.migration(), &journal)?;
    }
    if pending.steps.len() > 1 && !session.facts.pooled && !context.is_metadata {
        lock::hold_session_lock(context, session).await?;
    }
    transactions(context, session, transaction, &pending, report, tries).await?;
    Ok(false)
}

/// A migration outside a transaction.
async fn stepwise(
    context: &Context<'_>,
    session: &Session,
    step: &Step,
    journal: &[Journal],
    report: &mut Report,
    tries: &mut transaction::Tries,
) -> Result<()> {
    // The session's lock outlives the transaction, which may have stored down sides.
    let lock = lock::hold_session_lock(context, session).await?;
    session.commit("ending a transaction").await?;
    let record = |took| context.revisions.record_stepwise(step, took);
    let (subject, place) = (Execution::from(step), report.place());
    let took =
        statements::run(context, session, &lock, subject, journal, record, place, tries).await?;
    if let Some(took) = took {
        report.applied(step, took);
    }
    Ok(())
}

/// The span of one migration. None of its fields may be one of the boot's span, or of those that
/// log formats have themselves: `name`, `level`, `target`, `message`, `timestamp`.
///
/// A span is there whenever its warnings are: they name neither app nor migration.
pub(crate) fn span(context: &Context<'_>, it: &Migration) -> tracing::Span {
    match context.is_metadata {
        true => tracing::debug_span!("upfront.tables", version = it.version, migration = it.name),
        false => {
            tracing::warn_span!("upfront.migration", version = it.version, migration = it.name)
        }
    }
}

/// Until when somebody waits for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitMode {
    /// Until it is there, or the leader has settled everything.
    UntilUpToDate,
    /// Until it is there.
    UntilLocked,
}

/// Waits for the lock, whatever others settle meanwhile.
pub(crate) async fn lock(
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
) -> Result<Transaction> {
    let transaction = begin(context, session, wait, report, WaitMode::UntilLocked).await?;
    Ok(transaction.expect("whoever waits for the lock alone comes back with it"))
}

/// Waits for the lock; `None` where the leader has settled everything meanwhile.
pub(crate) async fn begin(
    context: &Context<'_>,
    session: &Session,
    wait: &mut Wait,
    report: &mut Report,
    until: WaitMode,
) -> Result<Option<Transaction>> {
    let message = lock::begin(context, session);
    let doing = "asking for the migration lock";
    let (mut waiting, mut founded) = (false, false);
    loop {
        session.set_open(true);
        let answer = match session::ask(session.client(), &message).await {
            Ok(it) => it,
            Err(source) => {
                refuse_untrusted(context, session, &source).await?;
                return Err(begin_failed(context, session, doing, source));
            }
        };
        let begun = match context.is_metadata {
            true => metadata_tables::begun(context, session, &answer).await?,
            false => lock::begun(&answer),
        };
        match begun.ok_or(Kind::Unexpected { doing })? {
            LockAttempt::Locked(it) => {
                if waiting {
                    report.waited(wait);
                }
                return Ok(Some(it));
            }
            LockAttempt::Busy => {}
        }
        if !std::mem::replace(&mut waiting, true) {
            wait.restart();
        }
        session.roll_back("ending a transaction").await?;
        loop {
            if until == WaitMode::UntilUpToDate
                && let Some(ahead) = settled(context, session, &mut founded).await?
            {
                report.waited(wait);
                report.settle(&ahead);
                return Ok(None);
            }
            wait.pause(context, session).await?;
            if lock::is_free(context, session).await? {
                break;
            }
        }
    }
}

/// Was it the check of upfront's own tables that failed? The transaction is rolled back then.
async fn refuse_untrusted(
    context: &Context<'_>,
    session: &Session,
    source: &tokio_postgres::Error,
) -> Result<()> {
    if !trust::is_doubt(source) {
        return Ok(());
    }
    session.roll_back("ending a transaction").await?;
    context.revisions.trust.diagnose(session.client(), Access::Write).await
}

pub(crate) fn begin_failed(
    context: &Context<'_>,
    session: &Session,
    doing: &'static str,
    source: tokio_postgres::Error,
) -> Error {
    match source.code() {
        Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
            // Of a setting that was refused; the server's words may be in any language.
            let role =
                source.as_db_error().and_then(|it| it.routine()) == Some("call_string_check_hook");
            if role {
                context.role_denied(&source, session)
            } else {
                context.denied(doing, &source, session)
            }
        }
        _ => Kind::Server { doing, source }.into(),
    }
}

/// Has the leader brought the database here? As long as there are no tables, that is looked up in
/// the catalog: each look at a missing table would be an error in the server's log.
async fn settled(
    context: &Context<'_>,
    session: &Session,
    founded: &mut bool,
) -> Result<Option<Vec<UnknownMigration>>> {
    let doing = "looking at the revision table";
    if !*founded {
        let answer = session.ask(doing, &context.revisions.exists()).await?;
        *founded = answer.row("upfront_exists").and_then(|it| it.get(2)) == Some("t");
        if !*founded {
            return Ok(None);
        }
    }
    let look = context.revisions.guarded(&context.revisions.look(context.set));
    let answer = match session.within(session::ask(session.client(), &look)).await? {
        Ok(it) => it,
        Err(it) if is_missing(&it) => return Ok(None),
        Err(source) => return Err(Kind::Server { doing, source }.into()),
    };
    let look = HistorySummary::of(context.set, &answer);
    Ok(look
        .filter(|it| {
            it.is_settled() && pending::refused(context.settings.ahead, &it.ahead).is_empty()
        })
        .map(|it| it.ahead))
}

async fn plan_under_lock(
    context: &Context<'_>,
    session: &Session,
    transaction: &Transaction,
) -> Result<(Pending, Vec<Journal>)> {
    let doing = "reading the history";
    if context.is_metadata && transaction.head == pending::Head::start() {
        return Ok((context.plan(&History::default())?, Vec::new()));
    }
    let tables = if context.is_metadata { Tables::Old } else { Tables::Current };
    let sql = format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", context.revisions.rows(tables));
    let answer = session.ask(doing, &sql).await?;
    let history = history(&answer).ok_or(Kind::Unexpected { doing })?;
    let pending = context.plan(&history)?;
    let downs: String = pending.downs.iter().map(|it| context.revisions.store_down(it)).collect();
    if !downs.is_empty() && !pending.steps.is_empty() {
        session.ask("storing changed down sides", &downs).await?;
    }
    Ok((pending, history.journal))
}

/// Runs transactional steps one after the other, each message carrying the end of one and the
/// beginning of the next.
async fn transactions(
    context: &Context<'_>,
    session: &Session,
    mut transaction: Transaction,
    pending: &Pending,
    report: &mut Report,
    tries: &mut transaction::Tries,
) -> Result<()> {
    let mut steps = pending.steps.iter().peekable();
    if let Some(sql) =
        steps.peek().and_then(|it| transaction::own_limits(context, it.runs.map(|it| &it.up)))
    {
        session.ask("setting a migration's limits", &sql).await?;
    }
    while let Some(step) = steps.next() {
        let next = steps.peek().copied().filter(|it| !it.is_stepwise());
        let place = report.place();
        let span = span(context, step.migration());
        let ran = transaction::run(context, session, &transaction, step, next, place, tries);
        match ran.instrument(span).await? {
            StepOutcome::Committed { begun, took } => {
                report.applied(step, took);
                match begun {
                    Some(LockAttempt::Locked(it)) if it.head == step.to => transaction = it,
                    Some(_) => {
                        session.roll_back("ending a transaction").await?;
                        return Ok(());
                    }
                    None => return Ok(()),
                }
            }
            StepOutcome::Again => return Ok(()),
        }
    }
    Ok(())
}
