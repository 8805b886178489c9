//! The settings of a migrator, and their builder.

use std::{env, fmt, sync::Arc, time::Duration};

use deadpool_postgres::Pool;

use crate::{
    Event, Migrations, NewerDatabase, Result,
    error::Details,
    plan::{
        command::{DEFAULT_APP, DEFAULT_SCHEMA},
        foreign_history::Guard,
        table_name::TableName,
    },
};

/// The app under which upfront keeps its own tables.
pub(crate) const OWN: &str = "upfront";

/// Everything that can be set, checked.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of its own, off by default")]
pub(crate) struct Settings {
    pub(crate) app: String,
    pub(crate) schema: String,
    pub(crate) lock_timeout: Duration,
    pub(crate) statement_timeout: Option<Duration>,
    pub(crate) wait_timeout: Duration,
    pub(crate) role: Option<String>,
    pub(crate) trusted_owner: Option<String>,
    pub(crate) search_path: Option<Vec<String>>,
    /// The search path of the program, where these are the settings for upfront's own tables.
    pub(crate) program_path: Option<String>,
    pub(crate) on_newer_database: NewerDatabase,
    pub(crate) session_pooler: bool,
    pub(crate) foreign: Guard,
    pub(crate) ignore_duplicate_history: bool,
    pub(crate) release: Option<String>,
    pub(crate) host: Option<String>,
    /// The directory is followed while somebody works on it: what is pending may have been rolled
    /// back, and nothing may be protected.
    pub(crate) dev: bool,
    /// Nothing above this version is applied.
    pub(crate) up_to: Option<String>,
    pub(crate) on_event: Option<Listener>,
}

/// The callback for events.
type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl Default for Settings {
    fn default() -> Self {
        Self {
            app: DEFAULT_APP.into(),
            schema: DEFAULT_SCHEMA.into(),
            lock_timeout: Duration::from_millis(100),
            statement_timeout: None,
            wait_timeout: Duration::from_secs(600),
            role: None,
            trusted_owner: None,
            search_path: None,
            program_path: None,
            on_newer_database: NewerDatabase::Accept,
            session_pooler: false,
            foreign: Guard::default(),
            ignore_duplicate_history: false,
            release: None,
            host: host(),
            dev: false,
            up_to: None,
            on_event: None,
        }
    }
}

/// The host name of the machine or the pod, if there is one.
fn host() -> Option<String> {
    env::var("HOSTNAME").ok().or_else(|| whoami::hostname().ok()).filter(|it| !it.is_empty())
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("app", &self.app)
            .field("schema", &self.schema)
            .field("lock_timeout", &self.lock_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("wait_timeout", &self.wait_timeout)
            .field("role", &self.role)
            .field("trusted_owner", &self.trusted_owner)
            .field("search_path", &self.search_path)
            .field("on_newer_database", &self.on_newer_database)
            .field("session_pooler", &self.session_pooler)
            .field("foreign", &self.foreign)
            .field("ignore_duplicate_history", &self.ignore_duplicate_history)
            .field("release", &self.release)
            .finish_non_exhaustive()
    }
}

/// Optional settings of a [`Migrator`](crate::Migrator).
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # let pool: deadpool_postgres::Pool = unimplemented!();
/// # let migrations: upfront::Migrations = unimplemented!();
/// let migrator = upfront::Migrator::builder(migrations, pool)
///     .app("billing")
///     .lock_timeout(Duration::from_millis(50))
///     .release(env!("CARGO_PKG_VERSION"))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    pub(crate) migrations: Migrations,
    pub(crate) pool: Pool,
    pub(crate) settings: Settings,
}

impl Builder {
    pub(crate) fn new(migrations: Migrations, pool: Pool) -> Self {
        Self { migrations, pool, settings: Settings::default() }
    }

    /// Sets the name of this set of migrations. By default it is `main`.
    ///
    /// Several sets may share a database: each app has its own history, chain and lock.
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.settings.app = name.into();
        self
    }

    /// Sets how long one statement may wait for a lock on a table. By default it is 100 ms.
    ///
    /// A statement that waits for a table makes every later query of that table wait too. So this
    /// is the longest delay that a migration causes for the application. After the timeout the
    /// migration is rolled back and retried, until [`wait_timeout`](Self::wait_timeout).
    /// `-- upfront:lock-timeout` in a file takes precedence. `CONCURRENTLY` has no such timeout.
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.settings.lock_timeout = limit;
        self
    }

    /// Sets how long one statement may run. By default there is no limit, even if the role or the
    /// database has one. `-- upfront:statement-timeout` in a file takes precedence.
    pub fn statement_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.statement_timeout = limit.into();
        self
    }

    /// Sets how long to wait for others: the replica that migrates, a connection of the pool, a
    /// server that starts, tables that other sessions have locked. By default it is ten minutes.
    pub fn wait_timeout(mut self, limit: Duration) -> Self {
        self.settings.wait_timeout = limit;
        self
    }

    /// Sets the role that owns what the migrations create: `SET ROLE` runs before each, for upfront's
    /// own tables too. The login role must be a member of it. By default the login role migrates.
    pub fn role<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.settings.role = name.into().map(str::to_owned);
        self
    }

    /// Trusts upfront's own tables if this role owns them.
    ///
    /// By default an owner is trusted if it could act as the migrating role anyway (a superuser, the
    /// role itself, a member of it), if it owns the database, or if the migrating role is a member
    /// of it. Tables of another owner are refused
    /// ([`Untrusted`](crate::ErrorKind::Untrusted)), as its functions could run with the rights of
    /// the roles that write there.
    pub fn trusted_owner<'a>(mut self, role: impl Into<Option<&'a str>>) -> Self {
        self.settings.trusted_owner = role.into().map(str::to_owned);
        self
    }

    /// Sets the schemas in which unqualified names of migrations are looked up and created. By
    /// default the search path of the role or the database applies.
    pub fn search_path<S: Into<String>>(mut self, schemas: impl IntoIterator<Item = S>) -> Self {
        self.settings.search_path = Some(schemas.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the schema of upfront's own tables. By default it is `upfront`. All programs that share
    /// a database must use the same schema, as the migration lock depends on it.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.settings.schema = name.into();
        self
    }

    /// Sets what to do if the database is newer than this program.
    pub fn on_newer_database(mut self, what: NewerDatabase) -> Self {
        self.settings.on_newer_database = what;
        self
    }

    /// Lets migrations outside a transaction run through a pooler. Set it only if the pooler keeps
    /// one server connection for a whole session. Off by default.
    pub fn session_pooler(mut self, on: bool) -> Self {
        self.settings.session_pooler = on;
        self
    }

    /// Ignores the history of another tool in this table, such as `auth.schema_migrations`.
    ///
    /// A database with the history of another tool and none of upfront's is refused
    /// ([`ForeignHistory`](crate::ErrorKind::ForeignHistory)), if that history concerns this
    /// program: its table is in a schema on the search path or in [`schemas`](Self::schemas), or
    /// belongs to the migrating role. All others are still looked for. May be called several times;
    /// a name without a schema means a table on the search path.
    pub fn ignore_foreign_history(mut self, table: impl Into<String>) -> Self {
        self.settings.foreign.ignored.push(table.into());
        self
    }

    /// Ignores all histories of other tools. Off by default.
    pub fn ignore_foreign_histories(mut self, on: bool) -> Self {
        self.settings.foreign.ignores_all = on;
        self
    }

    /// Adds schemas that the migrations work on, besides those on the search path. Histories of other
    /// tools in these schemas concern this program.
    pub fn schemas<S: Into<String>>(mut self, schemas: impl IntoIterator<Item = S>) -> Self {
        self.settings.foreign.schemas.extend(schemas.into_iter().map(Into::into));
        self
    }

    /// Starts a history although another app has the same migrations, or another schema has upfront's
    /// tables with this app. Not needed if those were applied to another schema: of a search path only
    /// the schema counts in which unqualified names are created.
    ///
    /// Off by default.
    pub fn ignore_duplicate_history(mut self, on: bool) -> Self {
        self.settings.ignore_duplicate_history = on;
        self
    }

    /// Sets the program's release, which history and log record. By default they record none.
    pub fn release<'a>(mut self, name: impl Into<Option<&'a str>>) -> Self {
        self.settings.release = name.into().map(str::to_owned);
        self
    }

    /// Follows the migrations directory while you edit it, as [`Migrator::dev`](crate::Migrator::dev)
    /// does; has no effect without debug assertions. Off by default.
    #[cfg(feature = "dev")]
    pub fn dev(mut self, on: bool) -> Self {
        self.settings.dev = on && cfg!(debug_assertions);
        self
    }

    /// Sets a callback for progress events. It must not block.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(listener));
        self
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<()> {
        identifier("app", &self.app)?;
        if self.app == OWN {
            return Err(problem("app", "`upfront` is reserved for upfront's own tables"));
        }
        identifier("schema", &self.schema)?;
        self.role.iter().try_for_each(|it| identifier("role", it))?;
        if let Some(schemas) = &self.search_path {
            schemas.iter().try_for_each(|it| identifier("search_path", it))?;
            if schemas.is_empty() {
                return Err(problem("search_path", "names no schema"));
            }
        }
        self.foreign.schemas.iter().try_for_each(|it| identifier("schemas", it))?;
        self.foreign.ignored.iter().try_for_each(|it| table("ignore_foreign_history", it))?;
        limit("lock_timeout", self.lock_timeout)?;
        self.statement_timeout.map_or(Ok(()), |it| limit("statement_timeout", it))?;
        limit("wait_timeout", self.wait_timeout)?;
        self.release.iter().try_for_each(|it| name("release", it, usize::MAX))
    }
}

fn problem(name: &'static str, problem: &'static str) -> crate::Error {
    Details::Setting { name, problem: problem.into() }.into()
}

fn table(setting: &'static str, it: &str) -> Result<()> {
    match TableName::parse(it) {
        Some(_) if !it.contains('\0') => Ok(()),
        _ => {
            let problem = format!("`{it}` is not a table's name, such as `auth.schema_migrations`");
            Err(Details::Setting { name: setting, problem: problem.into() }.into())
        }
    }
}

fn identifier(setting: &'static str, it: &str) -> Result<()> {
    /// PostgreSQL truncates longer identifiers without an error.
    const LONGEST: usize = 63;
    name(setting, it, LONGEST)
}

fn name(setting: &'static str, it: &str, longest: usize) -> Result<()> {
    match it {
        "" => Err(problem(setting, "is empty")),
        it if it.contains('\0') => Err(problem(setting, "holds a NUL")),
        it if it.len() > longest => Err(problem(setting, "is longer than 63 bytes")),
        _ => Ok(()),
    }
}

/// PostgreSQL's timeouts are whole milliseconds in 32 bits, and zero turns them off.
fn limit(setting: &'static str, it: Duration) -> Result<()> {
    match it.as_millis() {
        0 => Err(problem(setting, "is under one millisecond, which PostgreSQL reads as no limit")),
        1..=0x7fff_ffff => Ok(()),
        _ => Err(problem(setting, "is longer than PostgreSQL can count: at most 24 days")),
    }
}
