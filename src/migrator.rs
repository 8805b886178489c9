//! The calls that migrate, plan and report.

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

/// Applies, plans and rolls back a program's migrations on a database.
///
/// All its futures are cancellation safe: they may be dropped at any await. Read-only queries use a
/// connection of the pool and return it. Before anything is locked or written, the connection is
/// taken out of the pool; it closes when the future is dropped. The server then finishes or rolls
/// back the message that it has received, so the next call finds each transactional migration
/// applied or not applied, never in part.
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
    /// Checks the settings and returns the migrator.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting`](crate::ErrorKind::InvalidSetting): a setting is
    /// invalid. No connection is made.
    pub fn build(self) -> Result<Migrator> {
        self.settings.check()?;
        Ok(Migrator::from_parts(self.migrations, self.pool, self.settings))
    }
}

impl Migrator {
    /// Returns a migrator with the default settings. Makes no connection.
    #[must_use]
    pub fn new(migrations: Migrations, pool: Pool) -> Self {
        Self::from_parts(migrations, pool, Settings::default())
    }

    /// Returns a builder for optional settings.
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

    /// Applies pending migrations, each exactly once, even if many processes start at the same time.
    ///
    /// If nothing is pending, this takes one round trip, takes no lock and writes nothing. It then
    /// works for a role that can only read upfront's tables, on a standby and through any pooler.
    /// Otherwise one process migrates, and the others poll until it is done.
    ///
    /// It never rolls back an applied migration.
    ///
    /// # Cancellation
    ///
    /// Safe at every await; see [`Migrator`]. A cancelled call releases the lock at once, or within
    /// three seconds if a statement was running.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind). A migration that failed leaves nothing behind, unless it
    /// runs outside a transaction. The migrations before it stay applied;
    /// [`report`](crate::Error::report) lists them.
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

    /// Returns `Ok` if nothing is pending and nothing diverged: for services that verify what a
    /// separate job migrates. Writes nothing and takes no lock.
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

    /// Waits until another process has migrated the database: for replicas without the right to
    /// migrate, and for services on a standby. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) after the limit,
    /// [`is_diverged`](crate::Error::is_diverged) at once, or the database cannot be read.
    pub async fn wait(&self, limit: Duration) -> Result<()> {
        let context = Context::new(self.set()?, &self.settings);
        self.until_up_to_date(&context, limit).instrument(self.span("wait")).await
    }

    async fn until_up_to_date(&self, context: &Context<'_>, limit: Duration) -> Result<()> {
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

    /// Returns the state of each migration: applied, pending, ahead, diverged or partially applied.
    /// Writes nothing and takes no lock. A diverged history is part of the status, not an error.
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

    /// Returns what [`up`](Self::up) would do, with the exact SQL. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), but pending migrations are not an error.
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

    /// Returns what [`down`](Self::down) would do, with the exact SQL and the data that would be lost.
    /// Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`](crate::ErrorKind::InvalidTarget) if the target is not applied,
    /// [`Irreversible`](crate::ErrorKind::Irreversible) if one of the migrations has no down script,
    /// [`Tampered`](crate::ErrorKind::Tampered) if history or stored SQL were changed by hand; or
    /// the database cannot be read.
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

    /// Rolls migrations back, each exactly once, even if many processes call it at the same time: the
    /// target is resolved to versions before the lock is taken.
    ///
    /// Each migration is rolled back by the down script in this program. If the program does not have
    /// the migration, the down script stored in the database runs. Several are rolled back in one
    /// transaction, unless one of them cannot run in a transaction; then they run one by one, and
    /// after a crash the next [`down`](Self::down) or [`up`](Self::up) continues.
    ///
    /// Refuses data loss and protected databases: for these, make a plan, accept the data loss or
    /// approve the plan, and [`apply`](Self::apply) it.
    ///
    /// ```no_run
    /// # async fn example(migrator: upfront::Migrator) -> Result<(), upfront::Error> {
    /// // A service of an older release, before it serves traffic.
    /// migrator.down(upfront::Target::ToEmbedded).await?;
    /// migrator.up().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancellation
    ///
    /// Safe at every await; see [`Migrator`].
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

    /// Runs a plan that was made earlier, unless the database has changed since.
    ///
    /// # Cancellation
    ///
    /// Safe at every await; see [`Migrator`].
    ///
    /// # Errors
    ///
    /// [`StalePlan`](crate::ErrorKind::StalePlan) if the database has changed since, or if the
    /// approval is another plan's; [`Protected`](crate::ErrorKind::Protected) if an approval is
    /// missing; [`DataLoss`](crate::ErrorKind::DataLoss) if a rollback would lose data that was not
    /// accepted. Nothing was changed in these cases. Otherwise as [`up`](Self::up).
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

    /// Returns what [`adopt`](Self::adopt) would do. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// As [`adopt`](Self::adopt).
    #[cfg(feature = "admin")]
    pub async fn plan_adopt(&self, table: Option<&str>) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let sum = self.migrations.sum(context.set)?;
        let witness = BaselineSource::Table { sum: &sum, name: table };
        adopt::plan(&self.pool, &context, witness).instrument(self.span("plan_adopt")).await
    }

    /// Imports the history that Atlas or sqlx has in this database, so that `up` applies only new
    /// migrations. Runs no migration, and never writes to the other tool's table.
    ///
    /// The table is found if there is only one. A name, qualified by its schema, selects one, even
    /// one that does not have the tool's default name.
    ///
    /// Every row is compared with its file: hash, name, order and outcome. The rows are written in
    /// one transaction, under the locks of both tools.
    ///
    /// # Cancellation
    ///
    /// Safe at every await: all rows are written or none; upfront's own tables may exist, and be
    /// empty.
    ///
    /// # Errors
    ///
    /// [`AdoptionRefused`](crate::ErrorKind::AdoptionRefused) if the histories differ, with all
    /// differences; if there is no history, more than one, or that of an unsupported tool; if the
    /// other tool is migrating; or if the app has a history already. Nothing was written then.
    /// Otherwise as [`up`](Self::up) before its first migration.
    #[cfg(feature = "admin")]
    pub async fn adopt(&self, table: Option<&str>) -> Result<AdoptReport> {
        let context = Context::new(self.set()?, &self.settings);
        let sum = self.migrations.sum(context.set)?;
        let witness = BaselineSource::Table { sum: &sum, name: table };
        adopt::adopt(&self.pool, &context, witness).instrument(self.span("adopt")).await
    }

    /// Returns what [`baseline`](Self::baseline) would do. Writes nothing and takes no lock.
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

    /// Marks all migrations up to a version as applied, for a database that was created by hand or by
    /// a tool that [`adopt`](Self::adopt) does not support. Runs no migration.
    ///
    /// The caller must verify first that the database has the schema of that version: apply
    /// [`Migrations::up_to`] to a scratch server, and compare the two.
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
