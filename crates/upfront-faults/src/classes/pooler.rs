//! Herds behind PgBouncer and Pgpool-II.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::block_in_place,
    time::sleep,
};
use upfront_scratch::{PoolMode, Pooler};

use crate::{
    arena::{Arena, Trial},
    classes::herd::{once, patient, url},
    database::Connection,
    failure::Result,
    lab::Lab,
    migrate::Order,
    point::{Point, Spots, Tried},
    process::{End, Outcome, Process},
    scenario,
};

/// The poolers, by their names in a point; `None` is Pgpool-II.
const POOLERS: [(&str, Option<PoolMode>); 4] = [
    ("session", Some(PoolMode::Session)),
    ("transaction", Some(PoolMode::Transaction)),
    ("statement", Some(PoolMode::Statement)),
    ("pgpool", None),
];

const SIZE: usize = 8;

/// Each pooler with migrations in and outside of transactions, and with a rollback.
pub(crate) fn spots() -> Spots {
    let spots = |(name, _): &(&str, Option<PoolMode>)| {
        ["first", "later", "outside", "down"].map(|it| ((*name).to_owned(), it.to_owned()))
    };
    POOLERS.iter().flat_map(spots).collect()
}

/// Eight processes behind a pooler.
pub(crate) async fn herd(lab: &Lab, point: &Point) -> Result<Tried> {
    let known = POOLERS.iter().find(|it| it.0 == point.scenario);
    let (_, mode) = known.ok_or_else(|| format!("`{}` is not a pooler", point.scenario))?;
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let tried = match mode {
        Some(mode) => match block_in_place(|| Pooler::start(&arena.server(), *mode, 4)) {
            Ok(it) => through(&trial, it.tcp_port(), expected(Some(*mode), &point.spot)).await,
            Err(err) => Ok(Tried::NotRun(err.to_string())),
        },
        None => match Pgpool::start(&arena).await {
            Ok(it) => {
                let tried = through(&trial, it.port, expected(None, &point.spot)).await;
                it.stop().await?;
                tried
            }
            Err(err) => Ok(Tried::NotRun(format!("Pgpool-II: {err}"))),
        },
    };
    // The pooler is gone, and with it its connections to the database.
    let tried = match tried {
        Ok(Tried::Held(measures)) => trial.finish().await.map(|()| Tried::Held(measures)),
        it => it,
    };
    trial.end().await;
    tried
}

/// What processes behind a pooler may do.
#[derive(Debug, Clone, Copy)]
struct Rules {
    keeps_sessions: bool,
    /// The kind of the error with which every process must stop, if any.
    refused: Option<&'static str>,
}

fn expected(mode: Option<PoolMode>, scenario: &str) -> Rules {
    let keeps_sessions = matches!(mode, None | Some(PoolMode::Session));
    let refused = match mode {
        _ if keeps_sessions => None,
        _ if scenario == "outside" => Some("pooler"),
        Some(PoolMode::Statement) => Some("server"),
        _ => None,
    };
    Rules { keeps_sessions, refused }
}

async fn through(trial: &Trial<'_>, port: u16, rules: Rules) -> Result<Tried> {
    let order = Order { session_pooler: rules.keeps_sessions, ..patient(&trial.prepared.order) };
    let url = url(port, &trial.database);
    let herd: Result<Vec<_>> = (0..SIZE).map(|_| Process::start(&order, &url)).collect();
    let mut outcomes = Vec::new();
    for it in herd? {
        outcomes.push(it.end().await?);
    }
    fits(&outcomes, rules.refused).map(|()| Tried::held())
}

fn fits(outcomes: &[Outcome], refused: Option<&str>) -> Result<()> {
    once(outcomes)?;
    for it in outcomes {
        match (&it.end, refused) {
            (End::Done, None) => {}
            (End::Failed { kind, .. }, Some(expected)) if kind == expected => {}
            (end, _) => return Err(format!("through the pooler: {end:?}").into()),
        }
    }
    Ok(())
}

/// Pgpool-II in front of one server.
struct Pgpool {
    process: Child,
    port: u16,
    _folder: TempDir,
}

/// Until it listens.
const START: Duration = Duration::from_secs(30);

impl Pgpool {
    async fn start(arena: &Arena) -> Result<Self> {
        let program = ["/usr/sbin/pgpool", "/usr/bin/pgpool", "/usr/local/bin/pgpool"];
        let program = program.map(PathBuf::from).into_iter().find(|it| it.is_file());
        let program = program.ok_or("`pgpool` is not installed")?;
        let folder = tempfile::tempdir()?;
        let (port, control) = (free_port().await?, free_port().await?);
        let path = folder.path().join("pgpool.conf");
        fs::write(&path, settings(arena.port(), port, control, folder.path()))?;
        for it in ["pcp.conf", "pool_hba.conf"] {
            fs::write(folder.path().join(it), "")?;
        }
        let mut command = Command::new(program);
        command.arg("-n").arg("-f").arg(&path);
        command.arg("-F").arg(folder.path().join("pcp.conf"));
        command.arg("-a").arg(folder.path().join("pool_hba.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let it = Self { process: command.spawn()?, port, _folder: folder };
        let since = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if since.elapsed() > START {
                it.stop().await?;
                return Err("it does not listen".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        // It listens before it has looked at the server.
        Connection::open(&url(port, "postgres")).await?;
        Ok(it)
    }

    /// It ends its children in order; a kill would leave them.
    async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.process.id() {
            Command::new("kill").args(["-INT", &pid.to_string()]).status().await?;
        }
        self.process.wait().await?;
        Ok(())
    }
}

async fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

fn settings(server: u16, port: u16, control: u16, folder: &std::path::Path) -> String {
    let folder = folder.display();
    format!(
        "backend_clustering_mode = 'raw'\n\
         backend_hostname0 = '127.0.0.1'\n\
         backend_port0 = {server}\n\
         backend_weight0 = 1\n\
         listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         pcp_listen_addresses = '127.0.0.1'\n\
         pcp_port = {control}\n\
         unix_socket_directories = '{folder}'\n\
         pcp_socket_dir = '{folder}'\n\
         wd_ipc_socket_dir = '{folder}'\n\
         pid_file_name = '{folder}/pgpool.pid'\n\
         logdir = '{folder}'\n\
         num_init_children = 20\n\
         max_pool = 1\n\
         connection_cache = on\n\
         enable_pool_hba = off\n\
         health_check_period = 0\n\
         sr_check_period = 0\n\
         failover_on_backend_error = off\n\
         allow_clear_text_frontend_auth = on\n"
    )
}
