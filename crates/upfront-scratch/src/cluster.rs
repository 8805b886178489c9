//! A data folder of our own and the server on it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::account::{self, Account};
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{self, Folder};
use crate::install::Install;
use crate::port;
use crate::supervisor::Supervised;

/// A start takes a fifth of a second on an idle machine; a recovery on a busy one takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Trust stands behind the lines of the user: the socket is in a private folder, and only a server
/// that was asked to listens to this machine's ports.
const HBA: &str = "\
local all all trust
host all all 127.0.0.1/32 trust
local replication all trust
host replication all 127.0.0.1/32 trust
";

/// What is true of every server. A child that is killed leaves no shared memory behind when it is a
/// file in the data folder. `synchronous_commit` stays on: without it a kill loses committed rows.
const SETTINGS: [(&str, &str); 10] = [
    ("dynamic_shared_memory_type", "mmap"),
    ("log_destination", "stderr"),
    ("log_line_prefix", "%m [%p] %q%u@%d/%a "),
    ("log_timezone", "UTC"),
    ("max_connections", "200"),
    ("max_wal_size", "1GB"),
    ("shared_buffers", "32MB"),
    ("timezone", "UTC"),
    ("wal_keep_size", "64MB"),
    ("wal_level", "replica"),
];

/// Safe against the death of any process, if not of the machine.
const VOLATILE: [(&str, &str); 2] = [("fsync", "off"), ("full_page_writes", "off")];

/// How a server is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) major: Option<u32>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) hba: Vec<String>,
    pub(crate) tcp: bool,
    pub(crate) durable: bool,
}

/// The fields are dropped in their order: the server ends before its folder goes.
#[derive(Debug)]
pub(crate) struct Cluster {
    process: Option<Supervised>,
    folder: Folder,
    install: Install,
    account: Account,
    config: Config,
    port: u16,
}

impl Cluster {
    pub(crate) fn start(config: Config) -> Result<Self> {
        let install = Install::find(config.major)?;
        let account = Account::find()?;
        folder::remove_stale();
        let folder = Folder::create(account)?;
        let mut it = Self { process: None, folder, install, account, config, port: port::DEFAULT };
        it.fill()?;
        it.write_hba()?;
        it.start_on_a_free_port()?;
        Ok(it)
    }

    /// A copy of this server that follows it.
    pub(crate) fn standby(&self) -> Result<Self> {
        let folder = Folder::create(self.account)?;
        let mut it = Self {
            process: None,
            folder,
            install: self.install.clone(),
            account: self.account,
            config: self.config.clone(),
            port: port::DEFAULT,
        };
        let mut backup = self.install.tool_as(self.account, "pg_basebackup");
        backup.arg("-D").arg(it.data()).args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]);
        backup.arg("-h").arg(self.folder()).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        account::output(backup.current_dir(it.folder()))?;
        it.start_on_a_free_port()?;
        Ok(it)
    }

    pub(crate) fn install(&self) -> &Install {
        &self.install
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn listens(&self) -> bool {
        self.config.tcp
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().filter(|it| !it.ended())?;
        self.status(0)?.parse().ok()
    }

    pub(crate) fn end(&mut self, signal: &str) {
        if let Some(it) = self.process.take() {
            it.end(signal);
        }
    }

    /// Ends all processes at once, as the end of a container does.
    pub(crate) fn kill(&mut self) {
        self.end("KILL");
    }

    pub(crate) fn run(&mut self) -> Result<()> {
        let _ = fs::remove_file(self.status_file());
        let process = Supervised::start(&self.postgres(), self.account, self.folder())?;
        let since = Instant::now();
        while self.status(7).as_deref() != Some("ready") {
            if process.ended() || since.elapsed() > TIMEOUT {
                // Not dropped, which would remove the folder.
                process.end("QUIT");
                return Err(self.did_not_start());
            }
            sleep(POLL_INTERVAL);
        }
        self.process = Some(process);
        Ok(())
    }

    /// A free port may be taken before the server has it.
    fn start_on_a_free_port(&mut self) -> Result<()> {
        port::retry(self.config.tcp, |port| {
            self.port = port;
            self.run()
        })
    }

    fn postgres(&self) -> Command {
        let mut it = self.install.tool_as(self.account, "postgres");
        it.arg("-D").arg(self.data()).arg("-k").arg(self.folder());
        it.args(["-p", &self.port.to_string()]);
        let host = if self.config.tcp { "127.0.0.1" } else { "" };
        let volatile = VOLATILE.iter().filter(|_| !self.config.durable);
        let ours = SETTINGS.iter().chain(volatile).copied().chain([("listen_addresses", host)]);
        for (name, value) in ours.chain(self.config.settings()) {
            it.arg("-c").arg(format!("{name}={value}"));
        }
        it
    }

    /// Unpacks the data folder of an earlier `initdb`, or runs it and keeps the result.
    fn fill(&self) -> Result<()> {
        let data = self.data();
        DirBuilder::new().mode(0o700).create(&data).map_err(Error::path("create", &data))?;
        self.account.give(&data)?;
        let seed = self.seed();
        if self.may_use(&seed) {
            return self.tar("-xf", &seed);
        }
        let mut initdb = self.install.tool_as(self.account, "initdb");
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]);
        // Small segments make a data folder of 28 MB, not of 39.
        initdb.arg("--wal-segsize=1").arg("-D").arg(&data);
        account::output(initdb.current_dir(self.folder()))?;
        let fresh = self.folder().join("seed.tar");
        self.tar("-cf", &fresh)?;
        // One rename publishes it whole; of two at once, both are good, and the last one stays.
        if fs::rename(&fresh, &seed).is_err() {
            let _ = fs::remove_file(&fresh);
        }
        Ok(())
    }

    fn seed(&self) -> PathBuf {
        let version = self.install.version().number();
        folder::parent().join(format!("upfront-scratch-initdb-{}-{version}.tar", self.account.user))
    }

    /// It may lie in a folder that is open to all.
    fn may_use(&self, seed: &Path) -> bool {
        fs::symlink_metadata(seed)
            .is_ok_and(|it| it.is_file() && it.uid() == self.account.user && it.mode() & 0o022 == 0)
    }

    fn tar(&self, how: &str, archive: &Path) -> Result<()> {
        let mut tar = self.account.command("tar");
        tar.arg(how).arg(archive).arg("-C").arg(self.data()).arg(".");
        account::output(tar.current_dir(self.folder())).map(drop)
    }

    fn write_hba(&self) -> Result<()> {
        let path = self.data().join("pg_hba.conf");
        let lines = self.config.hba.iter().map(String::as_str).chain([HBA]);
        fs::write(&path, lines.collect::<Vec<_>>().join("\n")).map_err(Error::path("write", &path))
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    fn status_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// A line of `postmaster.pid`: 0 is the process, 7 the state.
    fn status(&self, line: usize) -> Option<String> {
        let text = fs::read_to_string(self.status_file()).ok()?;
        text.lines().nth(line).map(|it| it.trim().to_owned())
    }

    fn did_not_start(&self) -> Error {
        let what = format!("PostgreSQL {}", self.install.version());
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        ErrorKind::Start { what, log: last_lines(&log) }.into()
    }
}

impl Config {
    /// The first wish that only a server of our own can fulfil.
    pub(crate) fn first(&self) -> Option<String> {
        let setting = self.settings.first().map(|(name, _)| format!("the setting `{name}`"));
        let hba = self.hba.first().map(|it| format!("the line `{it}`"));
        let tcp = self.tcp.then(|| "a port".to_owned());
        setting.or(hba).or(tcp).or(self.durable.then(|| "durability".to_owned()))
    }

    fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The part of a log that an error shows.
pub(crate) fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
