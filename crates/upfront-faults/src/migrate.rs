//! The migrator under test: in a process of its own, or undisturbed within the harness.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use deadpool_postgres::{Manager, Pool};
use serde::{Deserialize, Serialize};
use tokio_postgres::NoTls;
use upfront::{Direction, Error, ErrorKind, Event, Migrations, Migrator, Report, Target};

use crate::failure::Result;

/// What a migrator is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verb {
    /// Apply what is pending.
    Up,
    /// Roll back to a version.
    Down,
    /// Follow the directory.
    Dev,
    /// Take over the history of another tool, then apply what is pending.
    Adopt,
}

/// One call of a migrator.
#[derive(Debug, Clone, Args)]
pub(crate) struct Order {
    /// What to do.
    #[arg(long)]
    pub(crate) verb: Verb,
    /// The migrations directory.
    #[arg(long)]
    pub(crate) directory: PathBuf,
    /// The target of a rollback.
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// How long to wait for other processes, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    pub(crate) wait_ms: u64,
    /// The pooler keeps one server connection for a whole session.
    #[arg(long)]
    pub(crate) session_pooler: bool,
}

/// A line that a migrator prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A migration is committed.
    Applied(String),
    /// A rollback is committed.
    RolledBack(String),
    /// The call returned its report.
    Done {
        /// How many migrations it applied or rolled back.
        changed: usize,
    },
    /// The call returned an error.
    Failed {
        /// [`ErrorKind::word`].
        kind: String,
        text: String,
    },
}

/// Runs an order on the database of `DATABASE_URL` and prints what becomes of it.
pub(crate) fn main(order: &Order) -> ExitCode {
    let url = std::env::var("DATABASE_URL").expect("the harness sets DATABASE_URL");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be started");
    let line = match runtime.block_on(run(order, &url, print)) {
        Ok(changed) => Line::Done { changed },
        Err(err) => Line::Failed { kind: err.kind().word().to_owned(), text: err.to_string() },
    };
    print(&line);
    match line {
        Line::Failed { .. } => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

/// The line is complete before the call continues.
fn print(line: &Line) {
    let text = serde_json::to_string(line).expect("a line is valid JSON");
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Runs an order; how many migrations it applied or rolled back.
///
/// # Errors
///
/// Those of the migrator.
pub(crate) async fn run(
    order: &Order,
    url: &str,
    listener: impl Fn(&Line) + Send + Sync + 'static,
) -> upfront::Result<usize> {
    let migrator = migrator(order, url, listener)?;
    let changed = |it: Report| it.applied.len() + it.rolled_back.len();
    match order.verb {
        Verb::Up | Verb::Dev => migrator.up().await.map(changed),
        Verb::Down => down(&migrator, order).await,
        Verb::Adopt => {
            match migrator.adopt(None).await {
                // An earlier process adopted it.
                Err(err) if err.kind() == ErrorKind::AdoptionRefused && adopted(&err) => {}
                it => drop(it?),
            }
            migrator.up().await.map(changed)
        }
    }
}

/// Rolls back, and makes a new plan when another process was faster.
async fn down(migrator: &Migrator, order: &Order) -> upfront::Result<usize> {
    loop {
        let target = Target::To(order.to.clone().unwrap_or_default());
        let mut plan = migrator.plan_down(target).await?;
        if plan.steps.is_empty() {
            return Ok(0);
        }
        match migrator.apply(plan.accept_data_loss(true)).await {
            Err(err) if err.kind() == ErrorKind::StalePlan => {}
            it => return it.map(|it| it.rolled_back.len()),
        }
    }
}

fn adopted(err: &Error) -> bool {
    err.to_string().contains("has a history of app")
}

/// The migrator of an order.
///
/// # Errors
///
/// Those of its builder.
pub(crate) fn migrator(
    order: &Order,
    url: &str,
    listener: impl Fn(&Line) + Send + Sync + 'static,
) -> upfront::Result<Migrator> {
    let migrations = match order.verb {
        Verb::Dev => live(&order.directory),
        _ => Migrations::from_files(files(&order.directory)),
    };
    let builder = Migrator::builder(migrations, pool(url))
        .wait_timeout(Duration::from_millis(order.wait_ms))
        .on_event(move |event| {
            if let Event::Finished { version, direction, .. } = event {
                listener(&match direction {
                    Direction::Down => Line::RolledBack(version.clone()),
                    Direction::Up => Line::Applied(version.clone()),
                });
            }
        });
    builder.session_pooler(order.session_pooler).dev(order.verb == Verb::Dev).build()
}

/// A pool as a service has it.
pub(crate) fn pool(url: &str) -> Pool {
    let config = url.parse().expect("a valid URL");
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(2).build();
    pool.expect("a pool without limits in time")
}

/// Migrations that are read from the directory.
fn live(directory: &Path) -> Migrations {
    use upfront::__embedded::{Embedded, Live};
    let empty = upfront_directory::encode("migrations", &[]).leak();
    let empty = Box::leak(Box::new(Embedded::new(empty)));
    let directory = directory.to_str().expect("a path in UTF-8").to_owned().leak();
    Migrations::from_live(Box::leak(Box::new(Live::new(directory, empty))))
}

/// The files of a directory and of `down/` in it.
pub(crate) fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let list = |below: &str| {
        let entries = fs::read_dir(directory.join(below)).into_iter().flatten().flatten();
        let file = |it: fs::DirEntry| {
            let is_sql = it.path().extension().is_some_and(|it| it == "sql");
            let name = it.file_name().into_string().ok().filter(|_| is_sql)?;
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            Some((name, fs::read(it.path()).ok()?))
        };
        let mut files: Vec<_> = entries.filter_map(file).collect();
        files.sort();
        files
    };
    [list(""), list("down")].concat()
}

/// Writes files into a directory.
///
/// # Errors
///
/// They cannot be written.
pub(crate) fn write(directory: &Path, files: &[(String, String)]) -> Result<()> {
    fs::create_dir_all(directory.join("down"))?;
    for (name, text) in files {
        fs::write(directory.join(name), text)?;
    }
    Ok(())
}
