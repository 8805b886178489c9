//! Records by hand that a migration was applied or rolled back, without running anything.

use std::{fmt, time::Duration};

use deadpool_postgres::Object;
use tokio_postgres::error::DbError;
use tracing::Instrument;

use crate::{
    Direction, Migrator, Result,
    builder::Settings,
    connection::{
        answer,
        session::{self, Session, borrow, unless_silent, within},
        session_settings::{SettingScope, target},
    },
    embedded::title,
    error::{
        Details, Error,
        distrust::Meddling,
        rejection::{Rejection, Stale},
    },
    execute::{approval, attempt, context::Context, duplicate_history, lock::Wait, protection, up},
    history::{
        other_tools::{self, PathSource},
        revisions::{ResolveOrder, history, logged},
        trust::Access,
    },
    plan::{
        Consent,
        command::CommandOptions,
        digest::{Digest, Hasher},
        history::History,
        metadata::Tables,
        protection::ProtectionState,
        resolution::{
            self, Changes, Logged, Mistake, Resolution, ResolutionInput, Resolve, ResolveError,
            ResolvedChange, Write,
        },
        rows::Head,
    },
    report::Report,
};

/// What [`resolve`](Migrator::resolve) recorded, or would record. Prints as a few lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Resolved {
    /// The app whose migrations these are.
    pub app: String,
    /// Identifies this plan. It covers the database's identity, the app, the changes and the newest row
    /// of upfront's log.
    pub digest: Digest,
    /// Whether the database is protected: the plan then requires its [approval](Self::approve).
    pub protected: bool,
    /// Whether it is recorded, or a dry run.
    pub recorded: bool,
    /// The changes; empty if the history is as requested already.
    pub changes: Vec<ResolvedChange>,
    #[cfg_attr(feature = "serde", serde(skip))]
    asked: Resolve,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) consent: Consent,
}

impl Resolved {
    /// Returns `true` if there is nothing to record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Approves the plan with its [digest](Self::digest), as a protected database requires.
    pub fn approve(&mut self, digest: impl Into<Option<Digest>>) -> &mut Self {
        self.consent.approval = digest.into();
        self
    }

    /// Holds the migrations that are recorded as rolled back, as on a protected database: a program
    /// refuses to apply them again until they are released or their files change. Off by default.
    pub fn hold(&mut self, on: bool) -> &mut Self {
        self.consent.hold = on;
        self
    }
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { app, digest, recorded, changes, .. } = self;
        if changes.is_empty() {
            return write!(f, "app {app}: nothing to record, the history says so already");
        }
        let verb = if *recorded { "recorded" } else { "would be recorded" };
        for (at, it) in changes.iter().enumerate() {
            let line_feed = if at == 0 { "" } else { "\n" };
            let title = title(&it.version, &it.name);
            let (before, after) = (it.before, it.after);
            match it.statement {
                Some(statement) => {
                    let outcome = match after {
                        Resolution::Applied => "done",
                        Resolution::RolledBack => "not done",
                    };
                    write!(
                        f,
                        "{line_feed}app {app}: statement {statement} of {title} {verb} as {outcome}"
                    )?;
                }
                None => {
                    write!(f, "{line_feed}app {app}: {title} {verb} as {after} (was {before})")?;
                }
            }
        }
        if *recorded { Ok(()) } else { write!(f, "\nplan {digest}") }
    }
}

/// How long another process that migrates is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

const DOING: &str = "recording what became of a migration";

impl Migrator {
    /// Returns what [`resolve`](Self::resolve) would record. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`](crate::ErrorKind::InvalidTarget) if the version is unknown, or cannot be recorded like this;
    /// [`is_diverged`](Error::is_diverged) if the history contradicts the program elsewhere; or the
    /// database cannot be read.
    pub async fn plan_resolve(&self, asked: Resolve) -> Result<Resolved> {
        let context = Context::new(self.set()?, &self.settings);
        let limit = self.settings.wait_timeout;
        let plan = async {
            let client = borrow(&self.pool, limit).await?;
            let plan = within(limit, ahead(&context, &client, asked)).await;
            unless_silent(client, plan).await
        };
        plan.instrument(self.span("plan_resolve")).await
    }

    /// Records what a person knows of a migration, in place of changing upfront's tables by hand:
    /// that one was undone or applied by hand, or how a partially applied one continues. Runs no
    /// migration.
    ///
    /// It takes the migration lock, compares the plan with the database, and writes the history, the
    /// journal and a line of the log in one transaction. The rows above a migration in the middle of
    /// the history are chained again.
    ///
    /// # Cancellation
    ///
    /// Safe at every await: all is recorded or nothing.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) at once if another process migrates;
    /// [`StalePlan`](crate::ErrorKind::StalePlan), [`Protected`](crate::ErrorKind::Protected) as
    /// [`apply`](Self::apply); otherwise those of [`plan_resolve`](Self::plan_resolve), and
    /// whatever keeps upfront's tables from being written.
    pub async fn resolve(&self, plan: &Resolved) -> Result<Resolved> {
        let context = Context::new(self.set()?, &self.settings);
        self.record_resolution(&context, plan).instrument(self.span("resolve")).await
    }

    async fn record_resolution(&self, context: &Context<'_>, plan: &Resolved) -> Result<Resolved> {
        if plan.is_empty() {
            return Ok(Resolved { recorded: true, ..plan.clone() });
        }
        let session = Session::take(&self.pool, self.settings.wait_timeout).await?;
        let done = record(context, &session, plan).await;
        session.close(done).await
    }
}

/// Decides on a borrowed connection.
async fn ahead(context: &Context<'_>, client: &Object, asked: Resolve) -> Result<Resolved> {
    let tables = context.tables(client).await?;
    let mut found = Found::default();
    if let Some(tables) = tables {
        let sql = context.revisions.rows_and_log(tables);
        let doing = "reading the history";
        let answer = context.read(client, &sql).await?.answer(doing)?.unwrap_or_default();
        found = Found::of(&answer)?;
        if let Some(row) = found.cut_off() {
            let sql = context.revisions.applied_text(&row);
            let answer = context.read(client, &sql).await?.answer(doing)?.unwrap_or_default();
            found.was_breaking = says_breaking(&answer);
        }
    }
    let standing = protection::read_standing_ahead(context, client, tables).await?;
    let changes = found.decide(context, &asked)?;
    Ok(plan(context, asked, &changes, &standing))
}

/// Records under the lock.
async fn record(context: &Context<'_>, session: &Session, made: &Resolved) -> Result<Resolved> {
    attempt::refuse_read_only(session, None, Vec::new())?;
    up::migrate_metadata(context, session).await?;
    let wait_timeout = PATIENCE.min(context.settings.wait_timeout);
    let impatient = Settings { wait_timeout, ..context.settings.clone() };
    let mut report = Report::new(context.app, Direction::Up);
    let impatient = Context::new(context.set, &impatient);
    let transaction = attempt::lock(&impatient, session, &mut Wait::new(), &mut report).await?;
    context.revisions.trust.diagnose_in_transaction(session.client()).await?;
    let doing = "reading the history";
    let sql = context.revisions.rows_and_log(Tables::Current);
    let answer =
        session.ask(doing, &format!("SAVEPOINT upfront;{sql};ROLLBACK TO upfront")).await?;
    let mut found = Found::of(&answer)?;
    if let Some(row) = found.cut_off() {
        let sql = context.revisions.applied_text(&row);
        let sql = format!("SAVEPOINT upfront;{sql};ROLLBACK TO upfront");
        found.was_breaking = says_breaking(&session.ask(doing, &sql).await?);
    }
    let changes = found.decide(context, &made.asked)?;
    let standing = protection::read_standing_under_lock(context, session).await?;
    let mut now = plan(context, made.asked.clone(), &changes, &standing);
    agree(made, &now, &standing)?;
    if changes.writes.iter().any(|it| matches!(it, Write::Insert { .. })) {
        refuse_elsewhere(context, session, &transaction.head, &found.history).await?;
    }
    let approval = made.consent.approval.as_ref().map(|_| now.digest.clone());
    let holds = made.consent.hold || standing.is_protected();
    let order = ResolveOrder { approval, holds };
    let sql = context.revisions.resolve(&changes.writes, &order);
    let target = target(context.settings, SettingScope::Transaction);
    let written = session::ask(session.client(), &format!("{target}{sql}COMMIT")).await;
    if let Err(source) = written {
        return Err(not_written(context, session, source).await);
    }
    session.set_open(false);
    now.recorded = true;
    Ok(now)
}

/// What upfront's tables say.
#[derive(Default)]
struct Found {
    history: History,
    logged: Vec<Logged>,
    was_breaking: bool,
}

impl Found {
    fn of(answer: &answer::Answer) -> Result<Self> {
        let unexpected = || Error::from(Details::Unexpected { doing: "reading the history" });
        let history = history(answer).ok_or_else(unexpected)?;
        let logged = logged(answer).ok_or_else(unexpected)?;
        Ok(Self { history, logged, was_breaking: true })
    }

    /// The version of the migration whose rollback was cut off.
    fn cut_off(&self) -> Option<String> {
        let (_, cut_off) = crate::plan::pending::standing(&self.history.rows);
        cut_off.map(|it| it.version.clone())
    }

    fn decide(&self, context: &Context<'_>, asked: &Resolve) -> Result<Changes> {
        let Self { history, logged, was_breaking } = self;
        let facts =
            ResolutionInput { set: context.set, history, logged, was_breaking: *was_breaking };
        resolution::decide(facts, asked).map_err(|mistake| match mistake {
            Mistake::Diverged(found) => context.diverged(found),
            mistake => {
                let options = CommandOptions::of(&context.settings.app, &context.settings.schema);
                Rejection::Resolve(ResolveError { mistake, options }).into()
            }
        })
    }
}

/// Does the text of a migration say that it is breaking? What cannot be read counts as breaking.
fn says_breaking(answer: &answer::Answer) -> bool {
    let text = answer.row("upfront_text").and_then(|it| it.get(0));
    let Some(text) = text else { return true };
    let file = ("1_m.sql".to_owned(), text.as_bytes().to_vec());
    let directory = upfront_directory::Directory::from_files("stored", [file]);
    directory.map_or(true, |it| it.migrations().iter().any(|it| it.breaking))
}

fn plan(
    context: &Context<'_>,
    asked: Resolve,
    changes: &Changes,
    standing: &ProtectionState,
) -> Resolved {
    Resolved {
        app: context.app.to_owned(),
        digest: digest(context, &asked, changes, standing),
        protected: standing.is_protected(),
        recorded: false,
        changes: changes.shown.clone(),
        asked,
        consent: Consent::default(),
    }
}

fn digest(
    context: &Context<'_>,
    asked: &Resolve,
    changes: &Changes,
    standing: &ProtectionState,
) -> Digest {
    let (here, schema) = (&standing.here, &context.settings.schema);
    let mut it = Hasher::new("upfront resolve v1");
    for part in [&here.system, &here.database, schema, context.app, &standing.log] {
        it.part(part);
    }
    it.part(&format!("{asked:?}"));
    for change in &changes.shown {
        it.part(&format!("{change:?}"));
    }
    it.finish()
}

/// Is the plan still the one that was made, and approved where that is required?
fn agree(made: &Resolved, now: &Resolved, standing: &ProtectionState) -> Result<()> {
    let digest = now.digest.clone();
    if let Some(approved) = &made.consent.approval {
        approval::verify(approved, &digest).map_err(Rejection::Stale)?;
    }
    if made.digest != digest {
        let made = made.digest.clone();
        return Err(Rejection::Stale(Stale::Moved { made, now: Some(digest) }).into());
    }
    if now.protected && made.consent.approval.is_none() {
        let warning = standing.warning();
        return Err(Rejection::Protected { direction: None, digest: Some(digest), warning }.into());
    }
    Ok(())
}

/// As for a boot: a history starts where it belongs, and in the schema that its migrations are in.
async fn refuse_elsewhere(
    context: &Context<'_>,
    session: &Session,
    head: &Head,
    history: &History,
) -> Result<()> {
    context.refuse_replaced(history)?;
    if *head != Head::start() {
        return Ok(());
    }
    other_tools::refuse(context.settings, session.client(), PathSource::Transaction).await?;
    if !context.settings.ignore_duplicate_history {
        duplicate_history::refuse(context, session.client()).await?;
    }
    Ok(())
}

async fn not_written(
    context: &Context<'_>,
    session: &Session,
    source: tokio_postgres::Error,
) -> Error {
    let message = source.as_db_error().map_or("", DbError::message);
    if Meddling::of(message) == Some(Meddling::Attached) {
        let rolled_back = session.roll_back("ending a transaction").await;
        let diagnosed = match rolled_back {
            Ok(()) => context.revisions.trust.diagnose(session.client(), Access::Write).await,
            Err(err) => Err(err),
        };
        if let Err(err) = diagnosed {
            return err;
        }
    }
    attempt::begin_failed(context, session, DOING, source)
}
