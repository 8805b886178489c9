use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::cluster::{Cluster, last_lines};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::Folder;
use crate::port;
use crate::server::Server;
use crate::supervisor::Supervised;
use crate::url;

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// When a server connection is returned to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PoolMode {
    /// When the client disconnects.
    Session,
    /// After each transaction.
    Transaction,
    /// After each statement, without multi-statement transactions.
    Statement,
}

/// A temporary `PgBouncer` in front of a [`Server`].
///
/// It accepts each role of the server without a password and connects as that role. It keeps running
/// while the server is stopped.
///
/// ```
/// # fn main() -> Result<(), upfront_scratch::Error> {
/// use upfront_scratch::{PoolMode, Pooler, Server};
///
/// let server = Server::start()?;
/// let pooler = Pooler::start(&server, PoolMode::Transaction, 4)?;
/// println!("psql {}", pooler.url("postgres"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pooler {
    _process: Supervised,
    folder: Folder,
    port: u16,
}

impl Pooler {
    /// Starts one that opens up to `size` connections for each pair of role and database.
    ///
    /// # Errors
    ///
    /// If `pgbouncer` is not installed or does not start, or if the server is external.
    pub fn start(server: &Server, mode: PoolMode, size: u32) -> Result<Self> {
        let program = find()?;
        let server = server.cluster("a pooler")?;
        let mut started = None;
        port::retry(true, |port| {
            started = Some(start(&program, server, &settings(server, port, mode, size), port)?);
            Ok(())
        })?;
        Ok(started.expect("it was started, or an error was returned"))
    }

    /// The URL of a database through the pool. `pgbouncer` is that of its administration.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url::socket(self.folder.path(), self.port, database)
    }

    /// The same over TCP.
    #[must_use]
    pub fn tcp_url(&self, database: &str) -> String {
        url::tcp(self.port, database)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn tcp_port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.folder.path()
    }

    /// All that it has logged.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn log(&self) -> Result<String> {
        let path = self.folder.path().join("log");
        fs::read_to_string(&path).map_err(Error::path("read", &path))
    }
}

fn start(program: &Path, server: &Cluster, settings: &str, port: u16) -> Result<Pooler> {
    let account = server.account();
    let folder = Folder::create(account)?;
    let path = folder.path().join("pgbouncer.ini");
    let socket = format!("unix_socket_dir = {}\n", folder.path().display());
    write(account, &path, &format!("{settings}{socket}"))?;
    write(account, &folder.path().join("users.txt"), "\"postgres\" \"\"\n")?;
    let mut command = account.command(program);
    command.arg(&path);
    let process = Supervised::start(&command, account, folder.path())?;
    wait(&process, &folder, port)?;
    Ok(Pooler { _process: process, folder, port })
}

/// If the port is taken, `PgBouncer` only warns and listens on the socket alone.
fn wait(process: &Supervised, folder: &Folder, port: u16) -> Result<()> {
    let since = Instant::now();
    loop {
        let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let up = log.contains("process up");
        if up && log.contains(&format!("listening on 127.0.0.1:{port}")) {
            return Ok(());
        }
        if up || process.ended() || since.elapsed() > TIMEOUT {
            return Err(ErrorKind::Start { what: "PgBouncer".into(), log: last_lines(&log) }.into());
        }
        sleep(POLL_INTERVAL);
    }
}

/// Roles are looked up in the server, by `auth_user`; only that one has to be in a file.
fn settings(server: &Cluster, port: u16, mode: PoolMode, size: u32) -> String {
    let mode = match mode {
        PoolMode::Session => "session",
        PoolMode::Transaction => "transaction",
        PoolMode::Statement => "statement",
    };
    format!(
        "[databases]\n\
         * = host={} port={}\n\
         [pgbouncer]\n\
         pool_mode = {mode}\n\
         default_pool_size = {size}\n\
         max_client_conn = 1000\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         auth_type = trust\n\
         auth_file = users.txt\n\
         auth_user = postgres\n\
         admin_users = postgres\n\
         ignore_startup_parameters = extra_float_digits\n",
        server.folder().display(),
        server.port(),
    )
}

fn write(account: Account, path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(Error::path("write", path))?;
    account.give(path)
}

fn find() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/opt/homebrew/bin"];
    let mut all =
        env::split_paths(&path).chain(usual.map(PathBuf::from)).map(|it| it.join("pgbouncer"));
    all.find(|it| it.is_file()).ok_or_else(|| {
        let system = if cfg!(target_os = "macos") { "brew" } else { "apt-get" };
        let hint = format!("`{system} install pgbouncer`");
        ErrorKind::NotInstalled { what: "PgBouncer".into(), hint }.into()
    })
}
