//! A rollback, from the first look to the last commit.

use std::time::{Duration, Instant};

use deadpool_postgres::{Object, Pool};
use tracing::Instrument;

use crate::{
    DataLoss, Direction, ErrorKind, Plan, Report, Result, Target,
    builder::Settings,
    connection::{
        locked::Transaction,
        session::{ScriptError, Session},
        session_settings::{SettingScope, prologue},
    },
    embedded::{Migration, Set, title},
    error::{
        Details, Error,
        rejection::{Rejection, Stale},
    },
    event::LockHolder,
    execute::{
        attempt::{self, ReconnectPolicy},
        consent::{PlanMatch, consent},
        context::Context,
        data_loss::{CountPhase, DataLossCounter},
        execution::Execution,
        finish_rollback::{Stepwise, begin_and_run, rollback_steps},
        lock::Wait,
        protection::{ReadMode, read_order, read_standing},
        send,
        transaction::{self, FailureOutcome, Stopped},
        up,
    },
    history::revisions::{RollbackRecord, history},
    plan::{
        Consent, Progress, RollbackScope,
        command::shell_word,
        history::History,
        journal::Journal,
        metadata::Tables,
        protection::ProtectionState,
        rollback::{self, RollbackStep},
        rows::Row,
    },
};

/// What the database has above a target.
struct RollbackState {
    rollback_steps: Vec<RollbackStep>,
    /// The rows of them, newest first.
    rows: Vec<Row>,
    /// The version below them; empty if there is no such version.
    floor: String,
    journal: Vec<Journal>,
    standing: ProtectionState,
    /// What was agreed to of the first of them, where it was begun and cut off.
    ordered: Option<RollbackRecord>,
    /// Who runs what the journal speaks of.
    holder: Option<LockHolder>,
}

impl RollbackState {
    fn progress(&self) -> Progress<'_> {
        Progress { journal: &self.journal, holder: self.holder.as_ref() }
    }
}

/// What a rollback to the target would do. Writes nothing and takes no lock.
pub(crate) async fn plan(context: &Context<'_>, client: &Object, target: &Target) -> Result<Plan> {
    let asked = ReadMode::Ahead(client);
    let tables = context.tables(client).await?;
    let found = find_ahead(context, &asked, target, tables).await?;
    let mut plan = Plan::down(
        context.app,
        &context.settings.schema,
        &found.rollback_steps,
        found.progress(),
        &found.standing,
    );
    plan.warn_of_others(found.progress());
    let mut measure = DataLossCounter::new(client, context.settings, CountPhase::Ahead);
    for (step, undo) in plan.steps.iter_mut().zip(&found.rollback_steps) {
        let Some(side) = undo.side else { continue };
        let doing = "counting what would be lost";
        let losses = measure.side(side).await;
        step.losses = losses.map_err(|source| Details::Server { doing, source })?;
    }
    plan.goal = RollbackScope {
        floor: found.floor,
        planned: found.rows.into_iter().map(|it| (it.version, it.hash)).collect(),
        tables: tables.unwrap_or(Tables::Old),
    };
    Ok(plan)
}

/// Reads without the lock: what another process rolls back meanwhile is read again.
async fn find_ahead(
    context: &Context<'_>,
    asked: &ReadMode<'_>,
    target: &Target,
    tables: Option<Tables>,
) -> Result<RollbackState> {
    const TRIES: u32 = 10;
    for _ in 0..TRIES {
        if let Some(it) = find(context, asked, target, tables).await? {
            return Ok(it);
        }
    }
    Err(Details::Unexpected { doing: "reading stored down sides" }.into())
}

/// Reads what stands above the target, and with what it is rolled back; `None` if a row is gone
/// since it was read.
///
/// `tables` is nothing where upfront has no tables there.
async fn find(
    context: &Context<'_>,
    asked: &ReadMode<'_>,
    target: &Target,
    tables: Option<Tables>,
) -> Result<Option<RollbackState>> {
    let history = match tables {
        Some(tables) => {
            let answer = asked.ask(context, &context.revisions.rows(tables)).await?;
            history(&answer).ok_or(Details::Unexpected { doing: "reading the history" })?
        }
        None => History::default(),
    };
    let tampered = rollback::tampered(context.set, &history.rows, &history.lost);
    if !tampered.is_empty() {
        return Err(context.diverged(tampered));
    }
    let holder = match asked {
        ReadMode::Ahead(client) => context.holder_of(client, &history.journal).await,
        ReadMode::UnderLock(_) => None,
    };
    if holder.is_none() {
        refuse_half_applied(context, &history)?;
    }
    let above = rollback::above(context.set, &history.rows, target).map_err(Rejection::Target)?;
    let rollback_steps = rollback_steps(context, asked, &history.rows, &above, tables).await?;
    let Some(rollback_steps) = rollback_steps else { return Ok(None) };
    let rows: Vec<_> = above.into_iter().cloned().collect();
    let floor = history.rows.len().checked_sub(rows.len() + 1).map(|at| &history.rows[at]);
    let floor = floor.map_or(String::new(), |it| it.version.clone());
    let standing = read_standing(context, asked, tables).await?;
    let ordered = match rows.first().is_some_and(Row::is_being_rolled_back) {
        true => read_order(context, asked).await?,
        false => None,
    };
    Ok(Some(RollbackState {
        rollback_steps,
        rows,
        floor,
        journal: history.journal,
        standing,
        ordered,
        holder,
    }))
}

/// A migration that was cut off on its way up must be finished first: what it did would stay.
fn refuse_half_applied(context: &Context<'_>, history: &History) -> Result<()> {
    let is_applied = |it: &Journal| history.rows.iter().any(|row| row.version == it.version);
    let Some(it) = history.journal.iter().find(|it| !is_applied(it)) else { return Ok(()) };
    let stored = || title(&it.version, &it.name);
    let migration = context.set.find(&it.version).map_or_else(stored, Migration::title);
    let version = shell_word(&it.version);
    let (undone, done) = (
        context.command(&format!("resolve {version} --rolled-back")),
        context.command(&format!("resolve {version} --applied")),
    );
    Err(Rejection::HalfApplied { migration, undone, done }.into())
}

/// Runs a plan.
pub(crate) async fn run(
    pool: &Pool,
    set: &'static Set,
    settings: &Settings,
    plan: &Plan,
    fit: PlanMatch,
) -> Result<Report> {
    let context = Context::new(set, settings);
    let mut report = Report::new(&settings.app, Direction::Down);
    if plan.is_empty() {
        return Ok(report);
    }
    let since = Instant::now();
    let (agreed, tries) = (false, transaction::Tries::new());
    let mut down = Down { context: &context, plan, fit, report: &mut report, agreed, tries };
    let (mut lost, mut wait) = (ReconnectPolicy::default(), Wait::new());
    while let Err(err) = down.attempt(pool, &mut wait, &mut lost).await {
        if let Err(err) = lost.again(err, &context, down.report).await {
            report.took = since.elapsed();
            return Err(err.with_report(report));
        }
    }
    report.took = since.elapsed();
    Ok(report)
}

/// A rollback that is under way.
struct Down<'a> {
    context: &'a Context<'a>,
    plan: &'a Plan,
    fit: PlanMatch,
    report: &'a mut Report,
    /// The plan was compared with the database, under the lock; what has moved since is our work.
    agreed: bool,
    /// Of this session.
    tries: transaction::Tries,
}

/// Why one of several rollbacks did not run to its end.
enum StepError {
    /// A message stopped at an error of the server.
    Stopped(ScriptError),
    Failed(Error),
}

impl From<Error> for StepError {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl Down<'_> {
    async fn attempt(
        &mut self,
        pool: &Pool,
        wait: &mut Wait,
        lost: &mut ReconnectPolicy,
    ) -> Result<()> {
        let session = Session::take(pool, self.context.settings.wait_timeout).await?;
        let done = self.rounds(&session, wait, lost).await;
        session.close(done).await
    }

    async fn rounds(
        &mut self,
        session: &Session,
        wait: &mut Wait,
        lost: &mut ReconnectPolicy,
    ) -> Result<()> {
        let titles: Vec<_> = self.plan.steps.iter().map(crate::PlanStep::title).collect();
        attempt::refuse_read_only(session, Some(Direction::Down), titles)?;
        lost.met_primary();
        if self.plan.goal.tables == Tables::Old {
            up::migrate_metadata(self.context, session).await?;
        }
        self.tries = transaction::Tries::new();
        let mut blocked = None;
        loop {
            match self.round(session, wait).await {
                Ok(true) => return Ok(()),
                Ok(false) => blocked = None,
                Err(err) => {
                    let since = blocked.get_or_insert_with(Wait::new);
                    attempt::retry_on_contention(err, self.context, session, since).await?;
                }
            }
        }
    }

    /// Takes the lock, reads again, and rolls back what it can in one go; `true` once nothing is
    /// left.
    async fn round(&mut self, session: &Session, wait: &mut Wait) -> Result<bool> {
        let context = self.context;
        let transaction = attempt::lock(context, session, wait, self.report).await?;
        let target = match self.plan.goal.floor.as_str() {
            "" => Target::All,
            floor => Target::To(floor.to_owned()),
        };
        let found =
            find(context, &ReadMode::UnderLock(session), &target, Some(Tables::Current)).await;
        let found = found
            .map_err(|err| if err.kind() == ErrorKind::InvalidTarget { gone() } else { err })?
            .ok_or(Details::Unexpected { doing: "reading stored down sides" })?;
        self.agree(session, &found).await?;
        let Some(first) = found.rollback_steps.first() else {
            session.roll_back("ending a transaction").await?;
            return Ok(true);
        };
        self.report.expect_in_all(found.rollback_steps.len());
        attempt::refuse_stepwise_on_pooler(
            context,
            session,
            found.rollback_steps.iter().map(Execution::from),
        )?;
        if found.rollback_steps.iter().any(RollbackStep::is_stepwise) {
            if first.is_stepwise() {
                return self.stepwise(session, &transaction, first, &found).await;
            }
            self.together(session, &transaction, &found.rollback_steps[..1], &found).await?;
            return Ok(false);
        }
        self.together(session, &transaction, &found.rollback_steps, &found).await
    }

    /// Does the plan fit the database, and has everybody agreed who has to?
    async fn agree(&mut self, session: &Session, found: &RollbackState) -> Result<()> {
        let planned = &self.plan.goal.planned;
        let is_planned = |row: &Row| {
            planned.iter().any(|(version, hash)| *version == row.version && *hash == row.hash)
        };
        if let Some(row) = found.rows.iter().find(|it| !is_planned(it)) {
            return Err(newer(&row.title()));
        }
        if self.agreed || (found.rollback_steps.is_empty() && self.fit == PlanMatch::RollbackScope)
        {
            return Ok(());
        }
        let now = Plan::down(
            self.context.app,
            &self.context.settings.schema,
            &found.rollback_steps,
            found.progress(),
            &found.standing,
        );
        consent(&self.plan.consent, self.plan, &now, self.fit)?;
        self.refuse_any_loss(session, found).await?;
        self.agreed = true;
        Ok(())
    }

    /// What all of them would lose is known before the first of them runs. The plan is no witness:
    /// it was made before the lock, while somebody else may have been at the same work.
    async fn refuse_any_loss(&self, session: &Session, found: &RollbackState) -> Result<()> {
        if self.plan.consent.loss {
            return Ok(());
        }
        let mut measure =
            DataLossCounter::new(session.client(), self.context.settings, CountPhase::UnderLock);
        let agreed = usize::from(found.ordered.as_ref().is_some_and(|it| it.accepted));
        let mut lost = Vec::new();
        for undo in found.rollback_steps.iter().skip(agreed) {
            let Some(side) = undo.side else { continue };
            let doing = "counting what would be lost";
            let losses = measure.side(side).await;
            let losses = losses.map_err(|source| Details::Server { doing, source })?;
            let losses = losses.into_iter().filter(|it| !it.empty);
            lost.extend(losses.map(|it| (undo.it.title(), it)));
        }
        if lost.is_empty() {
            Ok(())
        } else {
            Err(Rejection::DataLoss { losses: lost, done: Vec::new() }.into())
        }
    }

    /// Several in one transaction.
    async fn together(
        &mut self,
        session: &Session,
        transaction: &Transaction,
        rollback_steps: &[RollbackStep],
        found: &RollbackState,
    ) -> Result<bool> {
        let context = self.context;
        let mut took = Vec::new();
        for (at, undo) in rollback_steps.iter().enumerate() {
            let span = attempt::span(context, undo.it);
            let run = self.one(session, transaction, (at, undo), found);
            let run = transaction::announced(context, undo.it, &self.tries, Box::pin(run));
            match run.instrument(span.clone()).await {
                Ok(it) => took.push((span, it)),
                Err(StepError::Failed(err)) => return Err(err),
                Err(StepError::Stopped(err)) => {
                    self.judge(session, transaction, undo, err).instrument(span).await?;
                    return Ok(false);
                }
            }
        }
        session.commit("committing a rollback").await?;
        for (undo, (span, took)) in rollback_steps.iter().zip(took) {
            span.in_scope(|| context.notify(&transaction::finished(Execution::from(undo), took)));
            self.report.rolled_back(undo.it, took);
        }
        Ok(true)
    }

    /// Decides what an error of a rollback means: `Ok` if it is to be tried again.
    async fn judge(
        &mut self,
        session: &Session,
        transaction: &Transaction,
        undo: &RollbackStep,
        err: ScriptError,
    ) -> Result<()> {
        let subject = Execution::from(undo);
        let stopped = Stopped { transaction, subject, err, recorded: None };
        let judged = transaction::judge(self.context, session, stopped, &mut self.tries);
        let (FailureOutcome::Again | FailureOutcome::Committed) = judged.await?;
        Ok(())
    }

    /// One of them: asks what it would lose, runs it and takes out its row.
    async fn one(
        &self,
        session: &Session,
        transaction: &Transaction,
        (at, undo): (usize, &RollbackStep),
        found: &RollbackState,
    ) -> Result<Duration, StepError> {
        let (context, subject) = (self.context, Execution::from(undo));
        let (place, of) = self.report.place();
        context.notify(&transaction::started(subject, (place + at, of)));
        let prologue = self.settings_of(session, undo, at).await?;
        if !prologue.is_empty() {
            session.ask("setting a migration's limits", &prologue).await?;
        }
        let losses = self.losses(session, undo).await;
        let losses = losses.map_err(|err| StepError::Stopped(ScriptError::new(err)))?;
        self.refuse_loss(undo, &losses)?;
        let order = self.rollback_record(&losses, found);
        let behind = |sent| {
            let record = context.revisions.roll_back(undo, transaction, &order, sent);
            transaction::closed(context, subject, &record)
        };
        let since = Instant::now();
        let sent = send::send(context, session, subject, behind).await;
        sent.map(|_| since.elapsed()).map_err(StepError::Stopped)
    }

    /// The first of a transaction finds its settings; those of the next went with the one before.
    async fn settings_of(
        &self,
        session: &Session,
        undo: &RollbackStep,
        at: usize,
    ) -> Result<String> {
        let settings = self.context.settings;
        if at == 0 {
            return Ok(transaction::own_limits(self.context, undo.side).unwrap_or_default());
        }
        let answer = session.ask("asking for deferred constraints", DEFERRED).await?;
        let deferred = answer.row("upfront_deferred").and_then(|it| it.get(0));
        let deferred = deferred.map(|it| format!("SET CONSTRAINTS {it} DEFERRED;"));
        let next = prologue(settings, &session.facts, undo.side, SettingScope::Transaction);
        Ok(format!("{}RESET search_path;{next}", deferred.unwrap_or_default()))
    }

    /// What it would lose at this very moment.
    async fn losses(
        &self,
        session: &Session,
        undo: &RollbackStep,
    ) -> Result<Vec<DataLoss>, tokio_postgres::Error> {
        let Some(side) = undo.side else { return Ok(Vec::new()) };
        DataLossCounter::new(session.client(), self.context.settings, CountPhase::AtWork)
            .side(side)
            .await
    }

    fn refuse_loss(&self, undo: &RollbackStep, losses: &[DataLoss]) -> Result<()> {
        let lost: Vec<_> = losses.iter().filter(|it| !it.empty).cloned().collect();
        if self.plan.consent.loss || lost.is_empty() {
            return Ok(());
        }
        let losses = lost.into_iter().map(|it| (undo.it.title(), it)).collect();
        let done = self.report.rolled_back.iter().map(|it| title(&it.version, &it.name)).collect();
        Err(Rejection::DataLoss { losses, done }.into())
    }

    fn rollback_record(&self, losses: &[DataLoss], found: &RollbackState) -> RollbackRecord {
        let Consent { loss, approval, hold } = self.plan.consent.clone();
        // Whole, where its first digits were given.
        let approval = approval.map(|_| self.plan.digest.clone());
        let lost: Vec<_> = losses.iter().filter(|it| !it.empty).map(ToString::to_string).collect();
        RollbackRecord {
            accepted: loss,
            approval,
            lost: (!lost.is_empty()).then(|| lost.join("\n")),
            holds: hold || found.standing.is_protected(),
        }
    }

    /// What was agreed to when it was begun, and what is now.
    fn continued_record(&self, begun: &RollbackRecord, found: &RollbackState) -> RollbackRecord {
        let now = self.rollback_record(&[], found);
        RollbackRecord {
            accepted: begun.accepted || now.accepted,
            approval: begun.approval.clone().or(now.approval),
            lost: begun.lost.clone(),
            holds: now.holds,
        }
    }

    /// One outside a transaction. From its begin on its row counts as none.
    async fn stepwise(
        &mut self,
        session: &Session,
        transaction: &Transaction,
        undo: &RollbackStep,
        found: &RollbackState,
    ) -> Result<bool> {
        let context = self.context;
        let order = match &found.ordered {
            Some(begun) => self.continued_record(begun, found),
            None => match self.losses(session, undo).await {
                Ok(losses) => {
                    self.refuse_loss(undo, &losses)?;
                    self.rollback_record(&losses, found)
                }
                Err(err) => {
                    let err = ScriptError::new(err);
                    self.judge(session, transaction, undo, err).await?;
                    return Ok(false);
                }
            },
        };
        let (journal, place) = (&found.journal, self.report.place());
        let rollback = Stepwise { undo, order: &order, journal, place };
        let took = begin_and_run(context, session, rollback, &mut self.tries);
        if let Some(took) = took.instrument(attempt::span(context, undo.it)).await? {
            self.report.rolled_back(undo.it, took);
        }
        Ok(false)
    }
}

/// The step before has checked all constraints, and so made them immediate for the rest of the
/// transaction; the next one is to find those deferred that it would find so alone.
const DEFERRED: &str = "SELECT string_agg(format('%I.%I', nspname, conname), ', ') AS \
     upfront_deferred FROM pg_constraint JOIN pg_namespace n ON n.oid = connamespace WHERE \
     condeferred AND has_schema_privilege(n.oid, 'USAGE') AND NOT pg_is_other_temp_schema(n.oid)";

fn newer(head: &str) -> Error {
    Rejection::Stale(Stale::Newer { head: head.to_owned() }).into()
}

/// What was to stay was rolled back by somebody else.
fn gone() -> Error {
    newer("an older one than was to stay")
}
