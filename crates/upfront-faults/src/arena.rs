//! A server on which points are tried, and the scenarios as they are prepared on it.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, PoisonError},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use upfront_scratch::{Builder, Server};

use crate::{
    database::{self, Connection},
    failure::Result,
    migrate::{self, Order, Verb},
    oracle::{self, Expected},
    process::Outcome,
    proxy::Seen,
    scenario::{self, File, Scenario},
    snapshot::{Contents, History},
};

/// A scratch server with its templates.
pub(crate) struct Arena {
    server: std::sync::Mutex<Server>,
    maintenance: String,
    port: u16,
    prepared: tokio::sync::Mutex<HashMap<&'static str, Arc<Prepared>>>,
}

/// A scenario on one server.
pub(crate) struct Prepared {
    pub(crate) scenario: &'static Scenario,
    pub(crate) order: Order,
    pub(crate) expected: Expected,
    /// The messages of an undisturbed run, once a class has counted them.
    pub(crate) messages: OnceCell<Vec<Seen>>,
    /// How many statements the server executes in an undisturbed run, once a class has counted them.
    pub(crate) statements: OnceCell<usize>,
    template: String,
    _folder: TempDir,
}

/// A database of one point.
pub(crate) struct Trial<'a> {
    arena: &'a Arena,
    pub(crate) prepared: &'a Prepared,
    pub(crate) database: String,
}

impl Arena {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub(crate) fn start(builder: Builder) -> Result<Self> {
        // A vacuum in the background would make the number of messages depend on chance.
        let server = builder.listen_tcp().setting("autovacuum", "off").start()?;
        let port = server.tcp_port().expect("it listens");
        let maintenance = server.url("postgres");
        Ok(Self { server: server.into(), maintenance, port, prepared: HashMap::new().into() })
    }

    /// The same databases on another server, which took over.
    pub(crate) fn successor(self, server: Server) -> Self {
        let port = server.tcp_port().expect("it listens");
        let maintenance = server.url("postgres");
        Self { server: server.into(), maintenance, port, ..self }
    }

    /// The server itself, to be stopped and started.
    pub(crate) fn server(&self) -> std::sync::MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the database `postgres`.
    pub(crate) fn maintenance(&self) -> &str {
        &self.maintenance
    }

    /// The URL of a database, without a proxy.
    pub(crate) fn url(&self, database: &str) -> String {
        self.server().url(database)
    }

    /// An empty database; its name.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub(crate) async fn empty(&self) -> Result<String> {
        database::create(&self.maintenance, "template0").await
    }

    /// A scenario, prepared when it is first asked for.
    ///
    /// # Errors
    ///
    /// An undisturbed migrator does not do what psql does.
    pub(crate) async fn prepare(&self, scenario: &'static Scenario) -> Result<Arc<Prepared>> {
        let mut all = self.prepared.lock().await;
        if let Some(it) = all.get(scenario.name) {
            return Ok(Arc::clone(it));
        }
        let it = Arc::new(Prepared::new(self, scenario).await?);
        all.insert(scenario.name, Arc::clone(&it));
        Ok(it)
    }

    fn psql(&self, database: &str, sql: &str) -> Result<()> {
        Ok(self.server().psql(database, sql).map(drop)?)
    }

    /// The schema of a database by `pg_dump`, without upfront's.
    fn dump(&self, database: &str) -> Result<String> {
        let mut dump = self.server().bin("pg_dump");
        dump.args(["--schema-only", "--exclude-schema=upfront", "-d", database]);
        let out = dump.output()?;
        match out.status.success() {
            true => Ok(without_keys(&String::from_utf8_lossy(&out.stdout))),
            false => Err(String::from_utf8_lossy(&out.stderr).into()),
        }
    }
}

/// A dump has keys that differ each time.
fn without_keys(dump: &str) -> String {
    let is_key = |it: &&str| it.starts_with("\\restrict") || it.starts_with("\\unrestrict");
    dump.lines().filter(|it| !is_key(it)).collect::<Vec<_>>().join("\n")
}

impl Prepared {
    async fn new(arena: &Arena, scenario: &'static Scenario) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let order = Order {
            verb: scenario.verb,
            directory: directory(folder.path(), scenario)?,
            to: scenario.to.map(str::to_owned),
            wait_ms: 30_000,
            session_pooler: false,
        };
        let template = Self::template(arena, scenario, folder.path()).await?;
        let expected = Self::expected(arena, scenario, &order, &template).await;
        let expected = expected.map_err(|err| format!("scenario `{}`: {err}", scenario.name))?;
        let (messages, statements) = (OnceCell::new(), OnceCell::new());
        Ok(Self { scenario, order, expected, messages, statements, template, _folder: folder })
    }

    /// The database as the migrator finds it.
    async fn template(arena: &Arena, scenario: &Scenario, folder: &Path) -> Result<String> {
        let name = arena.empty().await?;
        arena.psql(&name, &scenario::setup(scenario))?;
        if scenario.before.is_empty() {
            return Ok(name);
        }
        let directory = folder.join("before");
        migrate::write(&directory, &owned(scenario.before))?;
        let order =
            Order { verb: Verb::Up, directory, to: None, wait_ms: 30_000, session_pooler: false };
        migrate::run(&order, &arena.url(&name), |_| {}).await?;
        Ok(name)
    }

    /// The end state: contents by psql, the history by an undisturbed migrator, whose contents must
    /// be the same, also to `pg_dump`.
    async fn expected(
        arena: &Arena,
        scenario: &Scenario,
        order: &Order,
        template: &str,
    ) -> Result<Expected> {
        let by_psql = arena.empty().await?;
        arena.psql(&by_psql, &scenario::setup(scenario))?;
        for text in scenario.script {
            arena.psql(&by_psql, text)?;
        }
        let ours = database::create(arena.maintenance(), template).await?;
        let url = arena.url(&ours);
        oracle::finish(scenario, order, &url).await?;
        let contents = Contents::read(&Connection::open(&arena.url(&by_psql)).await?).await?;
        let history = History::read(&Connection::open(&url).await?).await?;
        if history.versions().is_empty() {
            return Err("an undisturbed migrator records nothing".into());
        }
        let expected = Expected { contents, history };
        oracle::check(order, &url, &expected).await?;
        if arena.dump(&by_psql)? != arena.dump(&ours)? {
            return Err("the dumps of psql's and of upfront's schema differ".into());
        }
        database::remove(arena.maintenance(), &by_psql).await?;
        database::remove(arena.maintenance(), &ours).await?;
        Ok(expected)
    }
}

/// The directory that the migrator reads. For `dev`, its files are not committed.
fn directory(folder: &Path, scenario: &Scenario) -> Result<PathBuf> {
    let directory = folder.join("migrations");
    if scenario.verb == Verb::Dev {
        let same = |it: &&File| scenario.before.contains(it);
        let committed: Vec<_> = scenario.files.iter().filter(same).copied().collect();
        migrate::write(&directory, &owned(&committed))?;
        git(folder, "init --quiet")?;
        git(folder, "add .")?;
        git(folder, "commit --quiet -m committed")?;
    }
    migrate::write(&directory, &owned(scenario.files))?;
    Ok(directory)
}

fn owned(files: &[File]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn git(folder: &Path, arguments: &str) -> Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=faults", "-c", "user.email=faults"]);
    command.args(["-c", "core.hooksPath=/none", "-c", "commit.gpgsign=false"]);
    let status = command.args(arguments.split(' ')).stdout(Stdio::null()).status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("git {arguments}: {status}").into()),
    }
}

impl<'a> Trial<'a> {
    /// Makes the database of a point.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub(crate) async fn start(arena: &'a Arena, prepared: &'a Prepared) -> Result<Self> {
        let database = database::create(arena.maintenance(), &prepared.template).await?;
        Ok(Self { arena, prepared, database })
    }

    /// Its URL, without a proxy.
    pub(crate) fn url(&self) -> String {
        self.arena.url(&self.database)
    }

    /// Was the disturbed process right, and does an undisturbed one reach the end state?
    ///
    /// # Errors
    ///
    /// One of both is not so.
    pub(crate) async fn verify(&self, outcome: &Outcome) -> Result<()> {
        oracle::believe(outcome, &self.url()).await?;
        self.finish().await
    }

    /// Does an undisturbed migrator reach the end state?
    ///
    /// # Errors
    ///
    /// It does not.
    pub(crate) async fn finish(&self) -> Result<()> {
        let Prepared { scenario, order, expected, .. } = self.prepared;
        oracle::finish(scenario, order, &self.url()).await?;
        oracle::check(order, &self.url(), expected).await
    }

    /// Drops the database.
    pub(crate) async fn end(self) {
        let _ = database::remove(self.arena.maintenance(), &self.database).await;
    }
}

/// A folder that the server's account may use, for files that both sides read.
///
/// # Errors
///
/// It cannot be made.
pub(crate) fn shared_folder() -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    Ok(folder)
}
