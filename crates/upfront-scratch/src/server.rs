use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};
use std::{env, str};

use crate::account;
use crate::client;
use crate::cluster::{Cluster, Config};
use crate::error::{Error, ErrorKind, Result};
use crate::install;
use crate::url;
use crate::version::Version;

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A temporary PostgreSQL server.
///
/// It listens on a socket in a private folder, in memory if enough is available. Dropping the value
/// stops the server and removes the folder. The server also stops when the process ends or is
/// killed.
///
/// ```
/// # fn main() -> Result<(), upfront_scratch::Error> {
/// let server = upfront_scratch::Server::start()?;
/// assert_eq!(server.psql("postgres", "select 6 * 7")?, "42\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    origin: Origin,
    version: Version,
    /// The names of the databases that [`Server::template`] prepared.
    pub(crate) templates: Mutex<HashMap<String, String>>,
    pub(crate) prepared: OnceLock<PreparedDatabase>,
}

/// The database that [`Server::prepare`] prepared.
#[derive(Debug)]
pub(crate) struct PreparedDatabase {
    pub(crate) name: String,
    /// Statements that give another database the settings of this one, with `{database}` for its name.
    pub(crate) settings: String,
}

#[derive(Debug)]
enum Origin {
    Started(Box<Cluster>),
    External(String),
}

impl Server {
    /// Starts a server with the usual settings.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is not installed and could not be fetched, or if it does not start.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// Returns a builder for the settings of a server.
    #[must_use]
    pub fn builder() -> Builder {
        Builder(Config::default())
    }

    /// Returns the shared server of this process, and starts it on the first call.
    ///
    /// ```
    /// # fn main() -> Result<(), upfront_scratch::Error> {
    /// let database = upfront_scratch::Server::shared()?.database()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Server::start`]. The next call tries again.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Server> = OnceLock::new();
        static LOCK: Mutex<()> = Mutex::new(());
        let _guard = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        match SHARED.get() {
            Some(it) => Ok(it),
            None => Self::start().map(|it| SHARED.get_or_init(|| it)),
        }
    }

    /// The version of the server.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The URL of one of its databases for the superuser, as libpq, psql and tokio-postgres read it.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        match &self.origin {
            Origin::Started(it) => url::socket(it.folder(), it.port(), database),
            Origin::External(it) => {
                url::with_database(it, database).expect("it was checked at start")
            }
        }
    }

    /// The same over TCP, if the server [listens](Builder::listen_tcp).
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> Option<String> {
        self.tcp_port().map(|it| url::tcp(it, database))
    }

    /// Its port on 127.0.0.1, if the server [listens](Builder::listen_tcp). It stays over a restart.
    #[must_use]
    pub fn tcp_port(&self) -> Option<u16> {
        self.cluster("").ok().filter(|it| it.listens()).map(Cluster::port)
    }

    /// The folder of its socket, unless the server was given by `UPFRONT_SCRATCH_URL`.
    #[must_use]
    pub fn socket_dir(&self) -> Option<&Path> {
        self.cluster("").ok().map(Cluster::folder)
    }

    /// The process that all others of the server are children of, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.cluster("").ok().and_then(Cluster::pid)
    }

    /// What gives a copy of a prepared database its settings, or nothing.
    pub(crate) fn prepared_settings(&self) -> &str {
        self.prepared.get().map_or("", |it| &it.settings)
    }

    /// All that the server has logged, over restarts.
    ///
    /// # Errors
    ///
    /// If the server is external.
    pub fn log(&self) -> Result<String> {
        self.log_since(LogPosition(0))
    }

    /// The end of the log as it is now.
    ///
    /// ```
    /// # fn main() -> Result<(), upfront_scratch::Error> {
    /// let server = upfront_scratch::Server::builder().setting("log_statement", "all").start()?;
    /// let mark = server.log_position()?;
    /// server.psql("postgres", "select 42")?;
    /// assert!(server.log_since(mark)?.contains("LOG:  statement: select 42"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server is external.
    pub fn log_position(&self) -> Result<LogPosition> {
        let path = self.cluster("its log")?.log();
        fs::metadata(&path).map(|it| LogPosition(it.len())).map_err(Error::path("read", &path))
    }

    /// What the server has logged since then.
    ///
    /// # Errors
    ///
    /// If the server is external.
    pub fn log_since(&self, mark: LogPosition) -> Result<String> {
        let path = self.cluster("its log")?.log();
        let read = || {
            let mut file = fs::File::open(&path)?;
            file.seek(SeekFrom::Start(mark.0))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(Error::path("read", &path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Kills all processes of the server. Its data is kept, and the next start recovers.
    ///
    /// ```
    /// # fn main() -> Result<(), upfront_scratch::Error> {
    /// let mut server = upfront_scratch::Server::start()?;
    /// server.psql("postgres", "create table t ()")?;
    /// server.crash()?;
    /// server.restart()?;
    /// server.psql("postgres", "table t")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the server is external.
    pub fn crash(&mut self) -> Result<()> {
        self.cluster_mut("a crash")?.kill();
        Ok(())
    }

    /// Stops the server and waits until its processes have ended. Its data is kept.
    ///
    /// # Errors
    ///
    /// If the server is external.
    pub fn stop(&mut self, how: StopMode) -> Result<()> {
        self.cluster_mut("a stop")?.end(match how {
            StopMode::Smart => "TERM",
            StopMode::Fast => "INT",
            StopMode::Immediate => "QUIT",
        });
        Ok(())
    }

    /// Starts the server again, after a fast stop if it runs. Its socket and port are the same.
    ///
    /// # Errors
    ///
    /// If the server is external or does not start.
    pub fn restart(&mut self) -> Result<()> {
        self.stop(StopMode::Fast)?;
        self.cluster_mut("a restart")?.run()
    }

    /// Starts a hot standby that streams from this server, with the same settings.
    ///
    /// ```
    /// # fn main() -> Result<(), upfront_scratch::Error> {
    /// let primary = upfront_scratch::Server::start()?;
    /// let standby = primary.standby()?;
    /// primary.psql("postgres", "create table t (i int)")?;
    /// standby.wait_caught_up(&primary)?;
    /// assert_eq!(standby.psql("postgres", "select count(*) from t")?, "0\n");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If this server is external, if the base backup fails or the standby does not start.
    pub fn standby(&self) -> Result<Self> {
        self.cluster("a standby")?.standby().map(Self::new)
    }

    /// Waits until this standby has replayed all current commits of `primary`.
    ///
    /// # Errors
    ///
    /// If that takes half a minute, or if one of them does not answer.
    pub fn wait_caught_up(&self, primary: &Self) -> Result<()> {
        let ask = |it: &Self, sql| client::query(&it.url("postgres"), "ask for the position", sql);
        let goal = ask(primary, "select pg_current_wal_flush_lsn()")?.unwrap_or_default();
        let there = format!("select pg_last_wal_replay_lsn() >= '{goal}'::pg_lsn");
        let since = Instant::now();
        while ask(self, &there)?.as_deref() != Some("t") {
            if since.elapsed() > TIMEOUT {
                let action = format!("the standby has not replayed {goal}");
                return Err(ErrorKind::Timeout { action }.into());
            }
            sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Returns a program of its version, which connects to this server by default.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = upfront_scratch::Server::start()?;
    /// let out = server.bin("pg_dump").args(["--schema-only", "postgres"]).output()?;
    /// assert!(out.status.success());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn bin(&self, tool: &str) -> Command {
        let it = match &self.origin {
            Origin::Started(it) => it.install().tool(tool),
            Origin::External(_) => external_tool(&self.version, tool),
        };
        self.with_environment(it)
    }

    /// Sets the environment of a program such that it connects to this server by default.
    pub(crate) fn with_environment(&self, mut it: Command) -> Command {
        it.env("PGCLIENTENCODING", "UTF8");
        if let Ok(own) = self.cluster("") {
            it.env("PGUSER", "postgres").env("PGHOST", own.folder());
            it.env("PGPORT", own.port().to_string());
        }
        it
    }

    /// What `psql` prints for the SQL: values alone, unaligned, up to the first statement that fails.
    ///
    /// The SQL is read as a script is: each statement stands alone, and `\` commands work.
    ///
    /// # Errors
    ///
    /// If there is no `psql`, or the first statement that fails.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.bin("psql");
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url(database)]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(Error::run("psql"))?;
        let mut input = child.stdin.take().expect("its input is piped");
        let out = thread::scope(|it| {
            it.spawn(move || input.write_all(sql.as_bytes()));
            child.wait_with_output()
        });
        account::stdout_or_error("psql", &out.map_err(Error::run("psql"))?)
    }

    fn new(own: Cluster) -> Self {
        let version = own.install().version().clone();
        Self::at(Origin::Started(Box::new(own)), version)
    }

    /// A server that somebody else runs.
    fn external(url: String, config: &Config) -> Result<Self> {
        if let Some(asked) = config.first() {
            return Err(ErrorKind::ExternalServer { asked }.into());
        }
        let maintenance = url::with_database(&url, "postgres").ok_or(ErrorKind::InvalidUrl)?;
        let action = "ask the server of `UPFRONT_SCRATCH_URL`";
        let version = client::query(&maintenance, action, "show server_version")?;
        let version = version.and_then(|it| Version::parse(&it)).ok_or(ErrorKind::InvalidUrl)?;
        match config.major {
            Some(asked) if asked != version.major() => {
                Err(ErrorKind::ExternalMajor { given: version.major(), asked }.into())
            }
            _ => Ok(Self::at(Origin::External(url), version)),
        }
    }

    fn at(origin: Origin, version: Version) -> Self {
        Self { origin, version, templates: Mutex::default(), prepared: OnceLock::new() }
    }

    pub(crate) fn cluster(&self, asked: &str) -> Result<&Cluster> {
        match &self.origin {
            Origin::Started(it) => Ok(it),
            Origin::External(_) => {
                Err(ErrorKind::ExternalServer { asked: asked.to_owned() }.into())
            }
        }
    }

    fn cluster_mut(&mut self, asked: &str) -> Result<&mut Cluster> {
        match &mut self.origin {
            Origin::Started(it) => Ok(it),
            Origin::External(_) => {
                Err(ErrorKind::ExternalServer { asked: asked.to_owned() }.into())
            }
        }
    }
}

impl Drop for Server {
    /// An external server keeps running, so its prepared database is dropped.
    fn drop(&mut self) {
        if let (Origin::External(_), Some(it)) = (&self.origin, self.prepared.get()) {
            client::drop_database(&self.url("postgres"), &it.name);
        }
    }
}

/// The settings of a [`Server`].
///
/// ```
/// # fn main() -> Result<(), upfront_scratch::Error> {
/// let server = upfront_scratch::Server::builder()
///     .listen_tcp()
///     .setting("log_statement", "all")
///     .hba("host all guarded 127.0.0.1/32 scram-sha-256")
///     .start()?;
/// let url = server.tcp_url("postgres");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Builder(Config);

impl Builder {
    /// A major version, as 18. The default is `UPFRONT_SCRATCH_MAJOR`, and without it the first of
    /// [`installs`](install::installs).
    #[must_use]
    pub fn major(mut self, major: u32) -> Self {
        self.0.major = Some(major);
        self
    }

    /// A setting as in `postgresql.conf`, in place of the default or an earlier one.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.0.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line of `pg_hba.conf`. These lines precede the default ones, which trust all local users.
    #[must_use]
    pub fn hba(mut self, line: &str) -> Self {
        self.0.hba.push(line.to_owned());
        self
    }

    /// Listens on a free port of 127.0.0.1 too. Any user of this machine may then connect.
    #[must_use]
    pub fn listen_tcp(mut self) -> Self {
        self.0.tcp = true;
        self
    }

    /// Writes as a real server does, to outlive a loss of power. Without it, the server only
    /// outlives the death of its processes, and is quicker.
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.0.durable = true;
        self
    }

    /// Starts the server, or connects to that of `UPFRONT_SCRATCH_URL`.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is neither installed nor could be fetched, or if it does not start; if
    /// `UPFRONT_SCRATCH_URL` names a server that cannot be as was asked.
    pub fn start(mut self) -> Result<Server> {
        if self.0.major.is_none() {
            self.0.major = requested_major()?;
        }
        match env::var("UPFRONT_SCRATCH_URL") {
            Ok(url) => Server::external(url, &self.0),
            Err(_) => Cluster::start(self.0).map(Server::new),
        }
    }
}

/// A position in the log of a server, see [`Server::log_position`].
#[derive(Clone, Copy, Debug)]
pub struct LogPosition(u64);

/// How a server is stopped, as by `pg_ctl stop -m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopMode {
    /// Waits until the last client has disconnected.
    Smart,
    /// Disconnects clients.
    Fast,
    /// Stops at once. The next start recovers.
    Immediate,
}

fn requested_major() -> Result<Option<u32>> {
    match env::var("UPFRONT_SCRATCH_MAJOR") {
        Ok(text) => text.parse().map(Some).map_err(|_| ErrorKind::InvalidMajor(text).into()),
        Err(_) => Ok(None),
    }
}

/// The program of an install of the same major version, or else that on the `PATH`.
fn external_tool(version: &Version, tool: &str) -> Command {
    let same = install::installs().into_iter().find(|it| it.version().major() == version.major());
    same.map_or_else(|| account::clean_command(tool), |it| it.tool(tool))
}
