//! The verbs.

use std::{fmt, time::Duration};

use deadpool_postgres::Pool;
use tracing::Instrument;

#[cfg(feature = "dev")]
use crate::dev;
#[cfg(feature = "admin")]
use crate::{
    AdoptReport,
    adopt::{self, BaselineSource},
};
use crate::{
    Builder, Direction, Migrations, Plan, Report, Result, Status, Target,
    builder::Settings,
    connection::session::{borrow, unless_silent, within},
    embedded::Set,
    error::{Details, rejection::Rejection},
    execute::{
        consent::PlanMatch,
        context::{Context, Summary},
        down,
        lock::Wait,
        up,
    },
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
    pub(crate) migrations: Migrations,
    pub(crate) pool: Pool,
    pub(crate) settings: Settings,
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Builder {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`](crate::ErrorKind::InvalidSetting): a setting makes no sense. No connection is made.
    pub fn build(self) -> Result<Migrator> {
        self.settings.check()?;
        Ok(Migrator::from_parts(self.migrations, self.pool, self.settings))
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

    /// Returns a migrator that follows the migrations directory while you edit it; feature `dev`.
    ///
    /// [`up`](Self::up) reads the directory and applies new migrations without a recompilation. If
    /// an applied migration no longer matches the directory (its file was edited, deleted or is on
    /// another branch, or an older file was added below it), `up` rolls it back with its stored down
    /// script, together with everything applied after it. Then it applies the directory.
    ///
    /// A migration whose file is in git's HEAD is never rolled back; `up` fails then, as without
    /// `dev`. If git cannot be read, all files count as committed. A rollback that would lose data is
    /// refused, with counts. Changes to a protected database are refused. Holds are ignored.
    ///
    /// An outdated `atlas.sum` is a warning for files that were added or are not in HEAD; run
    /// `upfront hash` before you commit.
    ///
    /// Without debug assertions, as in a release build, this is [`new`](Self::new): the program
    /// applies the embedded migrations, and reads no directory. The other constructors behave the
    /// same with and without the feature.
    ///
    /// ```toml
    /// [features]
    /// dev = ["upfront/dev"]
    /// ```
    /// ```ignore
    /// #[cfg(feature = "dev")]
    /// let migrator = Migrator::dev(upfront::embedded!(), pool.clone());
    /// #[cfg(not(feature = "dev"))]
    /// let migrator = Migrator::new(upfront::embedded!(), pool.clone());
    /// ```
    ///
    /// By default Cargo recompiles the crate when a migration changes. With
    /// `upfront_build::Config::dev` in its build script it does not, in debug builds; then
    /// [`new`](Self::new) reads the directory, too.
    #[cfg(feature = "dev")]
    #[must_use]
    pub fn dev(migrations: Migrations, pool: Pool) -> Self {
        let settings = Settings { dev: cfg!(debug_assertions), ..Settings::default() };
        Self::from_parts(migrations, pool, settings)
    }

    pub(crate) fn from_parts(migrations: Migrations, pool: Pool, settings: Settings) -> Self {
        Self { migrations, pool, settings }
    }

    /// The migrations as they are now: with `dev`, those in the directory.
    pub(crate) fn set(&self) -> Result<&'static Set> {
        #[cfg(feature = "dev")]
        if self.settings.dev {
            return self.migrations.live()?.set();
        }
        self.migrations.set()
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
    /// Anything that keeps the database from being up to date; see
    /// [`ErrorKind`](crate::ErrorKind). Of the migration that failed nothing stays, unless it runs outside
    /// a transaction; those before it are applied.
    pub async fn up(&self) -> Result<Report> {
        #[cfg(feature = "dev")]
        if self.settings.dev {
            let live = self.migrations.live()?;
            let span = self.span("dev");
            return dev::up(&self.pool, live, &self.settings).instrument(span).await;
        }
        let set = self.migrations.set()?;
        let span = self.span("up");
        up::up(&self.pool, set, &self.settings, None).instrument(span).await
    }

    /// Applies what is pending, up to and including a version; as [`up`](Self::up) otherwise.
    ///
    /// The version may have its name behind it: `20261122101500_add_users`. If the database has
    /// newer migrations already, nothing happens.
    ///
    /// # Cancellation
    ///
    /// As for [`up`](Self::up).
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`](crate::ErrorKind::InvalidTarget) if the program has no such version;
    /// otherwise as for [`up`](Self::up).
    pub async fn up_to(&self, version: &str) -> Result<Report> {
        let set = self.set()?;
        let newest = set.named(version).ok_or_else(|| Rejection::not_in_program(set, version))?;
        let up_to = Some(newest.version.to_owned());
        let settings = Settings { up_to, ..self.settings.clone() };
        up::up(&self.pool, set, &settings, None).instrument(self.span("up_to")).await
    }

    /// `Ok` where nothing is pending and nothing diverged: for deployments in which a job migrates
    /// and the services verify. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`Pending`](crate::ErrorKind::Pending), [`is_diverged`](crate::Error::is_diverged);
    /// [`PartiallyApplied`](crate::ErrorKind::PartiallyApplied) if the database has a part of a
    /// migration that this program does not carry and that no process runs; or the database cannot
    /// be read.
    pub async fn check(&self) -> Result<()> {
        let context = Context::new(self.set()?, &self.settings);
        context.check(&self.pool).instrument(self.span("check")).await
    }

    /// Waits until somebody else has brought the database here: for replicas without the right to
    /// migrate, and for services on a standby. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) when the limit is over,
    /// [`is_diverged`](crate::Error::is_diverged) at once, or the database cannot be read.
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let context = Context::new(self.set()?, &self.settings);
        self.until_settled(&context, limit).instrument(self.span("wait")).await
    }

    async fn until_settled(&self, context: &Context<'_>, limit: Duration) -> Result<()> {
        let mut wait = Wait::new();
        loop {
            // A look takes a moment, however little of the limit is left.
            let left = limit.saturating_sub(wait.waited()).max(Duration::from_secs(1));
            let client = borrow(&self.pool, left).await?;
            let (client, summary) = context.look_within(client, left).await?;
            let (pending, journal) = match summary {
                Summary::UpToDate { .. } => return Ok(()),
                Summary::Pending { pending, journal, .. } => (pending, journal),
            };
            wait.name_holder(context, &client).await;
            drop(client);
            if wait.waited() >= limit {
                return Err(Details::NotYet {
                    waited: wait.waited(),
                    pending: pending.titles_as_of(&journal, wait.holder()),
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
        let context = Context::new(self.set()?, &self.settings);
        let status = async {
            let limit = self.settings.wait_timeout;
            let client = borrow(&self.pool, limit).await?;
            let status = within(limit, Status::read(&context, &client)).await;
            unless_silent(client, status).await
        };
        status.instrument(self.span("status")).await
    }

    /// What [`up`](Self::up) would do, with the exact SQL. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), except that something pending is no error.
    pub async fn plan_up(&self) -> Result<Plan> {
        let context = Context::new(self.set()?, &self.settings);
        let limit = self.settings.wait_timeout;
        let plan = async {
            let client = borrow(&self.pool, limit).await?;
            let plan = within(limit, up::plan(&context, &client)).await;
            unless_silent(client, plan).await
        };
        plan.instrument(self.span("plan_up")).await
    }

    /// What [`down`](Self::down) would do, with the exact SQL and with what would be lost. Writes
    /// nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`](crate::ErrorKind::InvalidTarget) where the target leads nowhere,
    /// [`Irreversible`](crate::ErrorKind::Irreversible) where one of the migrations has no way
    /// back, [`Tampered`](crate::ErrorKind::Tampered) where history or stored SQL were changed
    /// by hand, or the database cannot be read.
    pub async fn plan_down(&self, target: Target) -> Result<Plan> {
        let context = Context::new(self.set()?, &self.settings);
        let limit = self.settings.wait_timeout;
        let plan = async {
            let client = borrow(&self.pool, limit).await?;
            let plan = within(limit, down::plan(&context, &client, &target)).await;
            unless_silent(client, plan).await
        };
        plan.instrument(self.span("plan_down")).await
    }

    /// Rolls back, exactly once however many processes call it at the same time: the target is
    /// turned into versions before the lock is taken.
    ///
    /// Each migration is undone by the down side that this program carries, or, where it does not
    /// know the migration that was applied, by the one that the database has stored. Several are
    /// undone in one transaction, unless one of them cannot run in a transaction; then one after
    /// the other, and after a crash the next [`down`](Self::down) or [`up`](Self::up) goes on.
    ///
    /// Refuses to lose data, and refuses protected databases: make a plan, agree to it, and
    /// [`apply`](Self::apply) that.
    ///
    /// ```no_run
    /// # async fn example(migrator: upfront::Migrator) -> Result<(), upfront::Error> {
    /// // A service of an older release, before it serves.
    /// migrator.down(upfront::Target::ToEmbedded).await?;
    /// migrator.up().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancellation
    ///
    /// Safe at every await, as for the whole of [`Migrator`].
    ///
    /// # Errors
    ///
    /// Those of [`plan_down`](Self::plan_down) and [`apply`](Self::apply).
    pub async fn down(&self, target: Target) -> Result<Report> {
        let plan = self.plan_down(target).await?;
        let set = self.set()?;
        let span = self.span("down");
        down::run(&self.pool, set, &self.settings, &plan, PlanMatch::RollbackScope)
            .instrument(span)
            .await
    }

    /// Runs a plan that was made earlier, as long as it would be the same plan now.
    ///
    /// # Cancellation
    ///
    /// Safe at every await, as for the whole of [`Migrator`].
    ///
    /// # Errors
    ///
    /// [`StalePlan`](crate::ErrorKind::StalePlan) where the database has moved since, or where the
    /// approval is another plan's; [`Protected`](crate::ErrorKind::Protected) where an approval
    /// is missing; [`DataLoss`](crate::ErrorKind::DataLoss) where a rollback would lose what
    /// nobody agreed to lose. In all of them nothing was changed. Otherwise as
    /// [`up`](Self::up).
    pub async fn apply(&self, plan: &Plan) -> Result<Report> {
        let (set, settings) = (self.set()?, &self.settings);
        let span = self.span("apply");
        match plan.direction {
            Direction::Up => up::up(&self.pool, set, settings, Some(plan)).instrument(span).await,
            Direction::Down => {
                down::run(&self.pool, set, settings, plan, PlanMatch::Exact).instrument(span).await
            }
        }
    }

    /// What [`adopt`](Self::adopt) would do. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`adopt`](Self::adopt).
    #[cfg(feature = "admin")]
    pub async fn plan_adopt(&self, table: Option<&str>) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let sum = self.migrations.sum(context.set);
        let witness = BaselineSource::Table { sum: &sum, name: table };
        adopt::plan(&self.pool, &context, witness).instrument(self.span("plan_adopt")).await
    }

    /// Takes over the history that Atlas or sqlx has in this database, so that `up()` applies only
    /// what is new. Runs no migration, and never writes to the other tool's table.
    ///
    /// The table is found if there is only one. A name, qualified by its schema, selects one, even
    /// one that does not have the tool's default name.
    ///
    /// Every row is compared with its file: hash, name, order, and whether it came to its end. The
    /// rows are written in one transaction, under the locks of both tools.
    ///
    /// # Cancellation
    ///
    /// Safe at every await: all is written or nothing, except for upfront's own tables, which may
    /// be there and empty.
    ///
    /// # Errors
    ///
    /// [`AdoptionRefused`](crate::ErrorKind::AdoptionRefused) where the histories differ, with
    /// all differences; where there is no history, or more than one, or one of a tool that is not
    /// supported; where the other tool is migrating; where the app has a history already. Nothing
    /// is written then. Otherwise what stops [`up`](Self::up) before its first migration.
    #[cfg(feature = "admin")]
    pub async fn adopt(&self, table: Option<&str>) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let sum = self.migrations.sum(context.set);
        let witness = BaselineSource::Table { sum: &sum, name: table };
        adopt::adopt(&self.pool, &context, witness).instrument(self.span("adopt")).await
    }

    /// What [`baseline`](Self::baseline) would do. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`baseline`](Self::baseline).
    #[cfg(feature = "admin")]
    pub async fn plan_baseline(&self, version: &str) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let witness = BaselineSource::Person { version };
        adopt::plan(&self.pool, &context, witness).instrument(self.span("plan_baseline")).await
    }

    /// Marks everything up to a version as applied, for a database that was made by hand or by a
    /// tool that [`adopt`](Self::adopt) does not know. Runs no migration.
    ///
    /// Whether the database really is what these migrations make is the caller's to find out first:
    /// apply [`Migrations::up_to`] to a scratch server, and compare the two.
    ///
    /// # Cancellation
    ///
    /// As for [`adopt`](Self::adopt).
    ///
    /// # Errors
    ///
    /// [`AdoptionRefused`](crate::ErrorKind::AdoptionRefused): there is no such version, or
    /// the history has it already. A history that ends before the version is continued, if it is
    /// this directory's. Otherwise as for [`adopt`](Self::adopt).
    #[cfg(feature = "admin")]
    pub async fn baseline(&self, version: &str) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let witness = BaselineSource::Person { version };
        adopt::adopt(&self.pool, &context, witness).instrument(self.span("baseline")).await
    }

    #[cfg(feature = "cli")]
    pub(crate) fn app(&self) -> &str {
        &self.settings.app
    }

    /// The same migrator with upfront's own tables in another schema.
    #[cfg(feature = "cli")]
    pub(crate) fn in_schema(&self, schema: &str) -> Result<Self> {
        let mut it = self.clone();
        schema.trim().clone_into(&mut it.settings.schema);
        it.settings.check()?;
        Ok(it)
    }

    /// The same migrator with one more listener, besides the program's own.
    #[cfg(feature = "cli")]
    pub(crate) fn listened_to(
        &self,
        listener: impl Fn(&crate::Event) + Send + Sync + 'static,
    ) -> Self {
        let mut it = self.clone();
        let first = it.settings.on_event.take();
        it.settings.on_event = Some(std::sync::Arc::new(move |event| {
            if let Some(it) = &first {
                it(event);
            }
            listener(event);
        }));
        it
    }

    pub(crate) fn span(&self, verb: &'static str) -> tracing::Span {
        // Warnings need it as much as the rest: they do not name the app.
        tracing::warn_span!(
            "upfront.boot",
            db.system.name = "postgresql",
            db.operation.name = verb,
            app = self.settings.app,
        )
    }
}
