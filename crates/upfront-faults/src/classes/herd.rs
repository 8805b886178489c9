//! Many migrators at once.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    arena::{Arena, Prepared, Trial},
    database::Connection,
    failure::Result,
    lab::Lab,
    migrate::{self, Order},
    oracle,
    point::{Point, Spots, Tried},
    process::{End, Outcome, Process},
    scenario::{self, Scenario},
};

/// What else happens, by its name in a point, with the scenario and the sizes of the herd.
const CROWDS: [(&str, &str, &[usize]); 9] = [
    ("cold", "first", &[2, 8, 64, 256]),
    ("warm", "first", &[2, 8, 64, 256]),
    ("index", "mixed", &[2, 8, 64]),
    ("outside", "outside", &[2, 8, 64]),
    ("releases", "mixed", &[2, 8, 64]),
    ("foreign-lock", "later", &[2, 8, 64]),
    ("old-snapshot", "outside", &[2, 8, 64]),
    ("killed", "mixed", &[8, 64]),
    ("rollback", "down-mixed", &[2, 8, 64]),
];

/// Each crowd in each size. A herd of 256 is for the whole run alone: it is the last of its crowd.
pub(crate) fn spots() -> Spots {
    let sizes = |(name, _, sizes): &(&str, &str, &[usize])| {
        sizes.iter().map(|it| ((*name).to_owned(), it.to_string())).collect::<Vec<_>>()
    };
    CROWDS.iter().flat_map(sizes).collect()
}

/// A crowd of one size.
pub(crate) async fn crowd(lab: &Lab, point: &Point) -> Result<Tried> {
    let name = point.scenario.as_str();
    let known = CROWDS.iter().find(|it| it.0 == name);
    let (_, scenario, _) = known.ok_or_else(|| format!("`{name}` is not a crowd"))?;
    let size = point.spot.parse()?;
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(scenario)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let tried = herd(&arena, &trial, name, size).await.map(|()| Tried::held());
    trial.end().await;
    tried
}

async fn herd(arena: &Arena, trial: &Trial<'_>, name: &str, size: usize) -> Result<()> {
    let Prepared { scenario, order, .. } = trial.prepared;
    let order = patient(order);
    if name == "warm" {
        oracle::finish(scenario, &order, &trial.url()).await?;
    }
    let previous = Release::before(scenario, &order)?;
    let orders = (0..size).map(|it| match name == "releases" && it % 2 == 1 {
        true => &previous.order,
        false => &order,
    });
    let in_the_way = in_the_way(name, &trial.url()).await?;
    let url = url(arena.port(), &trial.database);
    let mut herd = Vec::new();
    for it in orders {
        herd.push(Process::start(it, &url)?);
    }
    if let Some(it) = in_the_way {
        sleep(Duration::from_millis(1500)).await;
        it.ask("COMMIT").await?;
    }
    if name == "killed" {
        for it in herd.iter_mut().take(size / 2) {
            sleep(Duration::from_millis(15)).await;
            it.kill();
        }
    }
    let may_be_killed = if name == "killed" { size / 2 } else { 0 };
    let outcomes = ends(herd, may_be_killed).await?;
    once(&outcomes)?;
    let done: usize = outcomes.iter().map(Outcome::changed).sum();
    match (name, done) {
        ("warm", 0) | ("killed", _) => {}
        ("warm", it) => return Err(format!("a warm herd changed {it} migrations").into()),
        (_, 0) => return Err("nobody reports what was done".into()),
        _ => {}
    }
    trial.finish().await
}

pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}?application_name=herd")
}

/// A herd on few processors takes its time.
pub(crate) fn patient(order: &Order) -> Order {
    Order { wait_ms: 110_000, ..order.clone() }
}

/// The same directory without its last migration.
struct Release {
    order: Order,
    _folder: TempDir,
}

impl Release {
    fn before(scenario: &Scenario, order: &Order) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let directory: PathBuf = folder.path().join("migrations");
        let files = &scenario.files[..scenario.files.len() - 1];
        let owned: Vec<_> =
            files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        migrate::write(&directory, &owned)?;
        Ok(Self { order: Order { directory, ..order.clone() }, _folder: folder })
    }
}

/// An open transaction of somebody else.
async fn in_the_way(name: &str, url: &str) -> Result<Option<Connection>> {
    let sql = match name {
        "foreign-lock" => "BEGIN; LOCK TABLE users",
        "old-snapshot" => "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ran",
        _ => return Ok(None),
    };
    let connection = Connection::open(url).await?;
    connection.ask(sql).await?;
    Ok(Some(connection))
}

/// Everybody must succeed, but for the first ones if they were killed.
async fn ends(herd: Vec<Process>, killed: usize) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for (at, it) in herd.into_iter().enumerate() {
        let outcome = it.end_within(Duration::from_secs(240)).await?;
        match &outcome.end {
            End::Done => {}
            End::Killed if at < killed => {}
            it => return Err(format!("process {at} of the herd ends with {it:?}").into()),
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// No two processes report the same.
pub(crate) fn once(outcomes: &[Outcome]) -> Result<()> {
    for list in [|it: &Outcome| it.applied.clone(), |it: &Outcome| it.rolled_back.clone()] {
        let mut all: Vec<_> = outcomes.iter().flat_map(list).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        if all.len() < count {
            return Err("two processes report the same migration".into());
        }
    }
    Ok(())
}
