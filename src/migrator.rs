//! The verbs.

use std::{fmt, time::Duration};

use deadpool_postgres::Pool;
use tracing::Instrument;

use crate::{
    Builder, Migrations, Plan, Report, Result, Status, boot,
    error::Kind,
    lock::Wait,
    plan::titles,
    session::{borrow, unless_silent, within},
    settings::Settings,
    work::{View, Work, behind},
};

/// A program's migrations and the database that they are for.
///
/// Every future of it may be dropped at any await. The look uses a connection of the pool and gives
/// it back; before anything is locked or written the connection leaves the pool for good, and
/// closes when the future is dropped. The server finishes or rolls back the message that it
/// already has, and the next boot finds each migration wholly there or wholly absent.
///
/// ```no_run
/// # async fn example(pool: deadpool_postgres::Pool, migrations: upfront::Migrations)
/// # -> Result<(), upfront::Error> {
/// use upfront::Migrator;
///
/// // `migrations` is `upfront::embedded!()` in a crate whose build script embeds a directory.
/// let report = Migrator::new(migrations, pool.clone()).up().await?;
/// println!("{report}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Migrator {
    migrations: Migrations,
    pool: Pool,
    settings: Settings,
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Migrator {
    /// A migrator with the usual settings. Makes no connection.
    #[must_use]
    pub fn new(migrations: Migrations, pool: Pool) -> Self {
        Self::from_parts(migrations, pool, Settings::default())
    }

    /// Says more than [`new`](Self::new) does.
    pub fn builder(migrations: Migrations, pool: Pool) -> Builder {
        Builder::new(migrations, pool)
    }

    pub(crate) fn from_parts(migrations: Migrations, pool: Pool, settings: Settings) -> Self {
        Self { migrations, pool, settings }
    }

    /// Applies what is pending, exactly once however many processes boot at the same time.
    ///
    /// Where nothing is pending this costs one round trip, takes no lock and writes nothing; it
    /// works for a role that may only read upfront's tables, on a standby and through any pooler.
    /// Otherwise one process migrates, and the others look again until it is done.
    ///
    /// It never rolls back, whatever the database has.
    ///
    /// # Cancellation
    ///
    /// Safe at every await, as for the whole of [`Migrator`]. The lock of a cancelled boot is free
    /// at once, or within three seconds where a statement was running.
    ///
    /// # Errors
    ///
    /// Whatever keeps the database from being settled; see the predicates of
    /// [`Error`](crate::Error). Of the migration that failed nothing stays, unless it runs outside
    /// a transaction; those before it are applied.
    pub async fn up(&self) -> Result<Report> {
        let set = self.migrations.set()?;
        let span = self.span("up");
        boot::up(&self.pool, set, &self.settings).instrument(span).await
    }

    /// `Ok` where nothing is pending and nothing diverged: for deployments in which a job migrates
    /// and the services verify. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`is_pending`](crate::Error::is_pending), [`is_diverged`](crate::Error::is_diverged), or
    /// the database cannot be read.
    pub async fn check(&self) -> Result<()> {
        let work = Work::new(self.migrations.set()?, &self.settings);
        let look = async {
            match work.view(&self.pool).await? {
                View::Settled(_) => Ok(()),
                View::Behind { pending, .. } => Err(behind(&pending)),
            }
        };
        look.instrument(self.span("check")).await
    }

    /// Waits until somebody else has brought the database here: for replicas without the right to
    /// migrate, and for services on a standby. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`is_timeout`](crate::Error::is_timeout) when the limit is over,
    /// [`is_diverged`](crate::Error::is_diverged) at once, or the database cannot be read.
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let work = Work::new(self.migrations.set()?, &self.settings);
        self.until_settled(&work, limit).instrument(self.span("wait")).await
    }

    async fn until_settled(&self, work: &Work<'_>, limit: Duration) -> Result<()> {
        let mut wait = Wait::new();
        loop {
            // A look takes a moment, however little of the limit is left.
            let left = limit.saturating_sub(wait.waited()).max(Duration::from_secs(1));
            let client = borrow(&self.pool, left).await?;
            let (client, view) = work.look_within(client, left).await?;
            let pending = match view {
                View::Settled(_) => return Ok(()),
                View::Behind { pending, .. } => pending,
            };
            wait.name_holder(work, &client).await;
            drop(client);
            if wait.waited() >= limit {
                return Err(Kind::NotYet {
                    waited: wait.waited(),
                    pending: titles(&pending.steps),
                    holder: wait.holder().cloned(),
                }
                .into());
            }
            wait.sleep(limit.saturating_sub(wait.waited())).await;
        }
    }

    /// What is applied, pending, ahead, diverged and partially applied. Writes nothing and takes no
    /// lock; a diverged history is part of the answer and no error.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn status(&self) -> Result<Status> {
        let work = Work::new(self.migrations.set()?, &self.settings);
        let status = async {
            let limit = self.settings.wait_timeout;
            let client = borrow(&self.pool, limit).await?;
            let status = within(limit, Status::read(&work, &client)).await;
            unless_silent(client, status)
        };
        status.instrument(self.span("status")).await
    }

    /// What [`up`](Self::up) would do, with the exact SQL. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), except that something pending is no error.
    pub async fn plan_up(&self) -> Result<Plan> {
        let work = Work::new(self.migrations.set()?, &self.settings);
        let plan = async {
            Ok(match work.view(&self.pool).await? {
                View::Settled(_) => Plan::of(&work, &[], &[]),
                View::Behind { pending, journal, .. } => Plan::of(&work, &pending.steps, &journal),
            })
        };
        plan.instrument(self.span("plan_up")).await
    }

    fn span(&self, verb: &'static str) -> tracing::Span {
        tracing::info_span!(
            "upfront.boot",
            db.system.name = "postgresql",
            db.operation.name = verb,
            app = self.settings.app,
        )
    }
}
