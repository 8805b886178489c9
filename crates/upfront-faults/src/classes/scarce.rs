//! A server that lacks something: it starts, or is out of connections, locks, disk, or the right to
//! write.

use std::{path::Path, process::Command, time::Duration};

use tempfile::TempDir;
use tokio::{task::block_in_place, time::sleep};

use crate::{
    arena::{Arena, Trial},
    database::{self, Connection},
    failure::Result,
    lab::Lab,
    migrate::Order,
    point::{Point, Spots, Tried},
    process::{End, Outcome, Process},
    scenario,
};

/// Each lack, in the scenarios where it matters.
const LACKS: [(&str, &[&str]); 6] = [
    ("starting", &["first", "later", "outside", "down"]),
    ("connections", &["first", "later", "outside", "down"]),
    ("no-connections", &["first", "later"]),
    ("locks", &["wide"]),
    ("disk", &["large"]),
    ("read-only", &["first", "later", "outside", "down"]),
];

/// Each of them.
pub(crate) fn spots() -> Spots {
    let spots = |(lack, scenarios): &(&str, &[&str])| {
        let spot = |it: &&str| ((*lack).to_owned(), (*it).to_owned());
        scenarios.iter().map(spot).collect::<Vec<_>>()
    };
    LACKS.iter().flat_map(spots).collect()
}

/// The migrator meets the lack; once it is over, everything is as it should be.
pub(crate) async fn lack(lab: &Lab, point: &Point) -> Result<Tried> {
    match point.scenario.as_str() {
        "starting" => starting(lab, point).await,
        "connections" | "no-connections" => connections(lab, point).await,
        "locks" => locks(lab, point).await,
        "disk" => disk(lab, point).await,
        "read-only" => read_only(lab, point).await,
        it => Err(format!("`{it}` is not a lack").into()),
    }
}

fn url(arena: &Arena, trial: &Trial<'_>) -> String {
    let (port, database) = (arena.port(), &trial.database);
    format!("postgres://postgres@127.0.0.1:{port}/{database}?application_name=first")
}

/// The error that belongs to the lack.
fn expect(outcome: &Outcome, kinds: &[&str], words: &str) -> Result<()> {
    match &outcome.end {
        End::Failed { kind, text } if kinds.contains(&kind.as_str()) && text.contains(words) => {
            Ok(())
        }
        it => Err(format!("not {kinds:?} with `{words}`: {it:?}").into()),
    }
}

fn expect_done(outcome: &Outcome) -> Result<()> {
    match &outcome.end {
        End::Done => Ok(()),
        it => Err(format!("the lack was over in time: {it:?}").into()),
    }
}

/// The server recovers when the migrator comes.
async fn starting(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.take_stoppable().await?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let filler = arena.empty().await?;
    let wal = "CREATE TABLE filler AS SELECT i, repeat('x', 200) FROM generate_series(1, 400000) i; \
               SELECT pg_backend_pid()";
    let connection = Connection::open(&arena.url(&filler)).await?;
    let pid = connection.ask(wal).await?;
    let mark = arena.server().log_position()?;
    block_in_place(|| Command::new("kill").args(["-KILL", &pid]).status())?;
    // The postmaster refuses everybody until it has recovered.
    while !arena.server().log_since(mark)?.contains("terminating any other") {
        sleep(Duration::from_millis(1)).await;
    }
    let outcome = Process::start(&prepared.order, &url(&arena, &trial))?.end().await?;
    let log = arena.server().log_since(mark)?;
    let was_refused = log.contains("FATAL:  the database system is");
    let tried = match expect_done(&outcome) {
        Ok(()) => trial.verify(&outcome).await,
        Err(err) => Err(err),
    };
    trial.end().await;
    database::remove(arena.maintenance(), &filler).await?;
    lab.give_back(arena);
    tried.map(|()| if was_refused { Tried::held() } else { Tried::Missed })
}

/// All connections are taken, until a second later or for ever.
async fn connections(lab: &Lab, point: &Point) -> Result<Tried> {
    let builder = lab.builder().setting("max_connections", "12").setting("max_wal_senders", "0");
    let arena = Arena::start(builder.setting("superuser_reserved_connections", "0"))?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let mut taken = Vec::new();
    let refusal = loop {
        match Connection::open(arena.maintenance()).await {
            Ok(it) => taken.push(it),
            Err(err) => break err.to_string(),
        }
    };
    if !refusal.contains("too many clients") && !refusal.contains("connection slots") {
        return Err(refusal.into());
    }
    let is_over = point.scenario == "connections";
    let wait_ms = if is_over { 30_000 } else { 1_500 };
    let order = Order { wait_ms, ..prepared.order.clone() };
    let process = Process::start(&order, &url(&arena, &trial))?;
    sleep(Duration::from_secs(1)).await;
    if is_over {
        taken.clear();
    }
    let outcome = process.end().await?;
    drop(taken);
    match is_over {
        true => expect_done(&outcome)?,
        false => expect(&outcome, &["unreachable"], "max_connections")?,
    }
    trial.verify(&outcome).await?;
    trial.end().await;
    Ok(Tried::held())
}

/// A transaction needs more locks than the server has room for.
async fn locks(lab: &Lab, point: &Point) -> Result<Tried> {
    let builder = lab.builder().setting("max_connections", "10").setting("max_wal_senders", "0");
    let arena = Arena::start(builder.setting("max_prepared_transactions", "0"))?;
    configure(&arena, "max_locks_per_transaction = 256").await?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    configure(&arena, "max_locks_per_transaction = 10").await?;
    let outcome = Process::start(&prepared.order, &url(&arena, &trial))?.end().await?;
    expect(&outcome, &["migration_failed"], "53200")?;
    configure(&arena, "max_locks_per_transaction = 256").await?;
    trial.verify(&outcome).await?;
    trial.end().await;
    Ok(Tried::held())
}

async fn configure(arena: &Arena, setting: &str) -> Result<()> {
    database::ask(arena.maintenance(), &format!("ALTER SYSTEM SET {setting}")).await?;
    Ok(block_in_place(|| arena.server().restart())?)
}

/// A small file system for a tablespace.
struct Disk(TempDir);

impl Disk {
    /// The reason, if this process may not mount one.
    fn mount() -> Result<Self, String> {
        let folder = crate::arena::shared_folder().map_err(|it| it.to_string())?;
        mount(folder.path(), "size=40m,mode=0777").map(|()| Self(folder))
    }

    fn grow(&self) -> Result<(), String> {
        mount(self.0.path(), "remount,size=200m")
    }
}

fn mount(folder: &Path, options: &str) -> Result<(), String> {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
    let out = command.output().map_err(|it| it.to_string())?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("no small disk: {}", String::from_utf8_lossy(&out.stderr).trim())),
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// The disk is full in the middle of a statement.
async fn disk(lab: &Lab, point: &Point) -> Result<Tried> {
    let disk = match Disk::mount() {
        Ok(it) => it,
        Err(reason) => return Ok(Tried::NotRun(reason)),
    };
    let arena = Arena::start(lab.builder())?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let folder = disk.0.path().join("space");
    std::fs::create_dir(&folder)?;
    let owner = std::fs::metadata(arena.server().socket_dir().expect("a server of our own"))?;
    {
        use std::os::unix::fs::{MetadataExt, chown};
        chown(&folder, Some(owner.uid()), Some(owner.gid()))?;
    }
    let space = format!("CREATE TABLESPACE small LOCATION '{}'", folder.display());
    database::ask(arena.maintenance(), &space).await?;
    let moved = format!("ALTER DATABASE {} SET TABLESPACE small", trial.database);
    database::ask(arena.maintenance(), &moved).await?;
    let outcome = Process::start(&prepared.order, &url(&arena, &trial))?.end().await?;
    expect(&outcome, &["migration_failed"], "53100")?;
    disk.grow()?;
    trial.verify(&outcome).await?;
    trial.end().await;
    drop(arena);
    Ok(Tried::held())
}

/// Sessions may only read, until somebody changes that.
async fn read_only(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.spot)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let alter = format!("ALTER DATABASE {}", trial.database);
    let on = format!("{alter} SET default_transaction_read_only = on");
    database::ask(arena.maintenance(), &on).await?;
    let outcome = Process::start(&prepared.order, &url(&arena, &trial))?.end().await?;
    let off = format!("{alter} RESET default_transaction_read_only");
    database::ask(arena.maintenance(), &off).await?;
    expect(&outcome, &["read_only"], "default_transaction_read_only")?;
    trial.verify(&outcome).await?;
    trial.end().await;
    Ok(Tried::held())
}
