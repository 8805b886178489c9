//! A boot, from the first look to the last commit.

use std::time::Instant;

use deadpool_postgres::{Object, Pool};
use tracing::Instrument;

use crate::{
    Direction, Event, Plan, Report, Result,
    builder::{OWN, Settings},
    connection::{
        locked::Transaction,
        session::{Session, borrow},
    },
    embedded::Set,
    error::{
        Details,
        rejection::{Rejection, Stale},
    },
    execute::{
        attempt::{
            ReconnectPolicy, WaitMode, begin, refuse_read_only, refuse_stepwise_on_pooler,
            retry_on_contention, span,
        },
        consent::{self, PlanMatch},
        context::{Context, Summary},
        data_loss::{CountPhase, DataLossCounter},
        duplicate_history,
        execution::Execution,
        finish_rollback,
        lock::{self, LockAttempt, Wait},
        metadata_tables, protection,
        statements::{self, Work},
        transaction::{self, StepOutcome, Turn},
    },
    history::{
        metadata_set,
        other_tools::{self, PathSource},
        revisions::history,
    },
    plan::{
        Progress,
        history::History,
        journal::Journal,
        metadata::Tables,
        pending::{Pending, Step},
        rows,
    },
};

#[cfg(feature = "dev")]
use crate::execute::watched;

/// Applies what is pending; with a plan, that and nothing else.
pub(crate) async fn up(
    pool: &Pool,
    set: &'static Set,
    settings: &Settings,
    plan: Option<&Plan>,
) -> Result<Report> {
    let context = Context::new(set, settings);
    if set.migrations.is_empty() {
        context.notify(&Event::NoMigrations);
    }
    let mut report = Report::new(&settings.app, Direction::Up);
    let (mut lost, since) = (ReconnectPolicy::default(), Instant::now());
    let mut up = Up::new(&context, &mut report, PlanCheck(plan));
    while let Err(err) = up.attempt(pool, &mut lost).await {
        if let Err(err) = lost.again(err, &context, up.report).await {
            report.took = since.elapsed();
            return Err(err.with_report(report));
        }
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
    let standing = protection::read_standing_ahead(context, client, tables).await?;
    let holder = context.holder_of(client, &journal).await;
    let progress = Progress { journal: &journal, holder: holder.as_ref() };
    let mut plan = Plan::up(context.app, &context.settings.schema, &steps, progress, &standing);
    plan.warnings.extend(cut_off.map(|it| {
        let title = it.title();
        match &holder {
            Some(holder) => format!("the rollback of `{title}` is running, by {holder}"),
            None => format!("the rollback of `{title}` was cut off, and comes to its end first"),
        }
    }));
    if plan.warnings.is_empty() {
        plan.warn_of_others(progress);
    }
    let mut measure = DataLossCounter::new(client, context.settings, CountPhase::Ahead);
    for step in &mut plan.steps {
        let Some(it) = context.set.find(&step.version).filter(|_| !step.covered) else { continue };
        let doing = "counting what would be lost";
        let losses = measure.side(&it.up).await;
        step.losses = losses.map_err(|source| Details::Server { doing, source })?;
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
        let standing = protection::read_standing_under_lock(context, session).await?;
        let progress = Progress { journal, holder: None };
        let now =
            Plan::up(context.app, &context.settings.schema, &pending.steps, progress, &standing);
        consent::consent(&plan.consent, plan, &now, PlanMatch::Exact)?;
        self.0 = None;
        Ok(())
    }

    /// Nothing is pending any more: what was planned was applied by another process.
    fn refuse_nothing_pending(&self) -> Result<()> {
        match self.0 {
            Some(plan) if !plan.is_empty() => {
                let made = plan.digest.clone();
                Err(Rejection::Stale(Stale::Moved { made, now: None }).into())
            }
            _ => Ok(()),
        }
    }
}

/// Migrates upfront's own tables to what this program needs.
pub(crate) async fn migrate_metadata(context: &Context<'_>, session: &Session) -> Result<()> {
    let settings = metadata_tables::settings(context.settings);
    let metadata = Context::metadata(metadata_set::set(), &settings);
    let mut report = Report::new(OWN, Direction::Up);
    Up::new(&metadata, &mut report, PlanCheck(None)).run_under_lock(session).await
}

/// A boot that is under way.
struct Up<'a> {
    context: &'a Context<'a>,
    report: &'a mut Report,
    wait: Wait,
    agreement: PlanCheck<'a>,
    /// Of this session.
    tries: transaction::Tries,
}

impl<'a> Up<'a> {
    fn new(context: &'a Context<'a>, report: &'a mut Report, agreement: PlanCheck<'a>) -> Self {
        let (wait, tries) = (Wait::new(), transaction::Tries::new());
        Self { context, report, wait, agreement, tries }
    }

    async fn attempt(&mut self, pool: &Pool, lost: &mut ReconnectPolicy) -> Result<()> {
        let context = self.context;
        let limit = context.settings.wait_timeout;
        let client = borrow(pool, limit).await?;
        let (client, summary) = context.look_within(client, limit).await?;
        let (pending, tables) = match summary {
            Summary::UpToDate { ahead, partly } => {
                self.agreement.refuse_nothing_pending()?;
                self.report.set_ahead(&ahead);
                if !partly.is_empty() {
                    self.report.partly(&partly, context.holder(&client).await.as_ref());
                }
                return Ok(());
            }
            Summary::Pending { pending, tables, .. } => (pending, tables),
        };
        drop(client);
        let session = Session::take(pool, limit).await?;
        // Apart, as most boots end before it.
        let done = Box::pin(async {
            refuse_read_only(&session, Some(Direction::Up), pending.titles())?;
            lost.met_primary();
            refuse_stepwise_on_pooler(
                context,
                &session,
                pending.steps.iter().map(Execution::from),
            )?;
            if tables != Some(Tables::Current) {
                migrate_metadata(context, &session).await?;
            }
            self.run_under_lock(&session).await
        });
        let done = done.await;
        session.close(done).await
    }

    /// Applies everything under the lock, and plans again whenever the head moved.
    async fn run_under_lock(&mut self, session: &Session) -> Result<()> {
        self.tries = transaction::Tries::new();
        let mut blocked = None;
        loop {
            match self.round(session).await {
                Ok(true) => return Ok(()),
                Ok(false) => blocked = None,
                Err(err) => {
                    let since = blocked.get_or_insert_with(Wait::new);
                    retry_on_contention(err, self.context, session, since).await?;
                }
            }
        }
    }

    /// Takes the lock, plans, and applies what it can in one go; `true` once nothing is left.
    async fn round(&mut self, session: &Session) -> Result<bool> {
        let context = self.context;
        let until = WaitMode::UntilUpToDate;
        let transaction = begin(context, session, &mut self.wait, self.report, until).await?;
        let Some(transaction) = transaction else {
            self.agreement.refuse_nothing_pending()?;
            return Ok(true);
        };
        let (pending, journal) = plan_under_lock(context, session, &transaction).await?;
        #[cfg(feature = "dev")]
        watched::refuse_protected(context, session, &pending).await?;
        self.agreement.agree(context, session, &pending, &journal).await?;
        if let Some(row) = &pending.cut_off {
            let interrupted = (&**row, journal.as_slice());
            let (report, tries) = (&mut *self.report, &mut self.tries);
            finish_rollback::finish(context, session, interrupted, report, tries).await?;
            return Ok(false);
        }
        refuse_stepwise_on_pooler(context, session, pending.steps.iter().map(Execution::from))?;
        let Some(first) = pending.steps.first() else {
            session.roll_back("ending a transaction").await?;
            self.report.set_ahead(&pending.ahead);
            self.report.partly(&pending.partly, None);
            return Ok(true);
        };
        refuse_other_histories(context, session, &transaction).await?;
        self.report.expect(&pending);
        if first.is_stepwise() {
            let span = span(context, first.migration());
            self.stepwise(session, first, &journal).instrument(span).await?;
            return Ok(false);
        }
        for it in pending.steps.iter().filter(|it| !it.is_stepwise()) {
            statements::refuse_begun(context, it.migration(), &journal)?;
        }
        if pending.steps.len() > 1 && !session.facts.pooled && !context.is_metadata {
            lock::hold_session_lock(context, session).await?;
        }
        self.transactions(session, transaction, &pending).await?;
        Ok(false)
    }

    /// A migration outside a transaction.
    async fn stepwise(
        &mut self,
        session: &Session,
        step: &Step,
        journal: &[Journal],
    ) -> Result<()> {
        let context = self.context;
        // The session's lock outlives the transaction, which may have stored down sides.
        let lock = lock::hold_session_lock(context, session).await?;
        session.commit("ending a transaction").await?;
        let record = |took| context.revisions.record_stepwise(step, took);
        let (subject, place) = (Execution::from(step), self.report.place());
        let work = Work { lock: &lock, subject, journal, place };
        let took = statements::run(context, session, work, record, &mut self.tries).await?;
        if let Some(took) = took {
            self.report.applied(step, took);
        }
        Ok(())
    }

    /// Runs transactional steps one after the other, each message carrying the end of one and the
    /// beginning of the next.
    async fn transactions(
        &mut self,
        session: &Session,
        mut transaction: Transaction,
        pending: &Pending,
    ) -> Result<()> {
        let context = self.context;
        let mut steps = pending.steps.iter().peekable();
        let first = steps.peek().and_then(|it| it.runs).map(|it| &it.up);
        if let Some(sql) = transaction::own_limits(context, first) {
            session.ask("setting a migration's limits", &sql).await?;
        }
        while let Some(step) = steps.next() {
            let next = steps.peek().copied().filter(|it| !it.is_stepwise());
            let turn = Turn { transaction: &transaction, step, next, place: self.report.place() };
            let span = span(context, step.migration());
            let ran = transaction::run(context, session, turn, &mut self.tries);
            let StepOutcome::Committed { begun, took } = ran.instrument(span).await? else {
                return Ok(());
            };
            self.report.applied(step, took);
            match begun {
                Some(LockAttempt::Locked(it)) if it.head == step.to => transaction = it,
                Some(_) => {
                    session.roll_back("ending a transaction").await?;
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }
}

/// A history starts where no other one is.
async fn refuse_other_histories(
    context: &Context<'_>,
    session: &Session,
    transaction: &Transaction,
) -> Result<()> {
    if transaction.head != rows::Head::start() || context.is_metadata {
        return Ok(());
    }
    other_tools::refuse(context.settings, session.client(), PathSource::Transaction).await?;
    match context.settings.ignore_duplicate_history {
        true => Ok(()),
        false => duplicate_history::refuse(context, session.client()).await,
    }
}

async fn plan_under_lock(
    context: &Context<'_>,
    session: &Session,
    transaction: &Transaction,
) -> Result<(Pending, Vec<Journal>)> {
    let doing = "reading the history";
    if context.is_metadata && transaction.head == rows::Head::start() {
        return Ok((context.plan(&History::default())?, Vec::new()));
    }
    let tables = if context.is_metadata { Tables::Old } else { Tables::Current };
    let sql = format!("SAVEPOINT upfront;{};ROLLBACK TO upfront", context.revisions.rows(tables));
    let answer = session.ask(doing, &sql).await?;
    let history = history(&answer).ok_or(Details::Unexpected { doing })?;
    let pending = context.plan(&history)?;
    let downs: String = pending.downs.iter().map(|it| context.revisions.store_down(it)).collect();
    if !downs.is_empty() && !pending.steps.is_empty() {
        session.ask("storing changed down sides", &downs).await?;
    }
    Ok((pending, history.journal))
}
