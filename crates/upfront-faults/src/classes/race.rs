//! Boots and rollbacks that race, some of them killed.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    arena::{Prepared, Trial},
    database::Connection,
    failure::Result,
    lab::Lab,
    migrate::{Order, Verb},
    oracle,
    point::{Point, Spots, Tried},
    process::{End, Process},
    scenario,
};

const SCENARIOS: [&str; 3] = ["down", "down-outside", "down-mixed"];

/// Races of each scenario; the number is the seed.
const SEEDS: u64 = 40;

/// Each seed in each scenario.
pub(crate) fn spots() -> Spots {
    let spots = |it: &str| {
        let name = it.to_owned();
        (0..SEEDS).map(move |seed| (name.clone(), seed.to_string()))
    };
    SCENARIOS.iter().flat_map(|it| spots(it)).collect()
}

/// Four boots and four rollbacks start within a moment, and half of the races kill two of them.
pub(crate) async fn race(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let port = arena.port();
    let url =
        format!("postgres://postgres@127.0.0.1:{port}/{}?application_name=race", trial.database);
    let tried = run(&trial, &url, point.spot.parse()?).await.map(|()| Tried::held());
    trial.end().await;
    tried
}

async fn run(trial: &Trial<'_>, url: &str, seed: u64) -> Result<()> {
    let order = &trial.prepared.order;
    let up = Order { verb: Verb::Up, ..order.clone() };
    let mut random = Random(seed);
    let mut processes = Vec::new();
    for at in 0..8 {
        processes.push(Process::start(if at % 2 == 0 { &up } else { order }, url)?);
        sleep(Duration::from_millis(random.next() % 20)).await;
    }
    let killed = if seed.is_multiple_of(2) { 0 } else { 2 };
    for _ in 0..killed {
        sleep(Duration::from_millis(random.next() % 60)).await;
        let victim = usize::try_from(random.next() % 8)?;
        processes[victim].kill();
    }
    for it in processes {
        let outcome = it.end().await?;
        match &outcome.end {
            End::Done => {}
            End::Killed if killed > 0 => {}
            it => return Err(format!("in a race a migrator ends with {it:?}").into()),
        }
        oracle::believe(&outcome, &trial.url()).await?;
    }
    consistent(trial).await
}

/// The versions that a race may run more than once, each with the number that its bodies write.
fn counted(scenario: &str) -> &'static [(&'static str, u32)] {
    match scenario {
        "down" => &[("1", 1), ("2", 2), ("3", 3), ("4", 4)],
        _ => &[("1", 1), ("2", 2), ("3", 5)],
    }
}

/// Rolls back to the end, and compares effects with the log: both may have happened more than once.
async fn consistent(trial: &Trial<'_>) -> Result<()> {
    let Prepared { scenario, order, expected, .. } = trial.prepared;
    let url = trial.url();
    oracle::finish(scenario, order, &url).await?;
    let database = Connection::open(&url).await?;
    for (version, step) in counted(scenario.name) {
        for (outcome, table) in [("applied", "ran"), ("reverted", "undone")] {
            let logged = format!(
                "SELECT count(*) FROM upfront.log WHERE app = 'main' AND outcome = '{outcome}' AND \
                 version = '{version}'"
            );
            let happened = format!("SELECT count(*) FROM {table} WHERE step = {step}");
            let (logged, happened) = (database.ask(&logged).await?, database.ask(&happened).await?);
            if logged != happened {
                return Err(format!(
                    "{version} is {outcome} {logged} times in the log, and it happened {happened} times"
                )
                .into());
            }
        }
    }
    drop(database);
    oracle::check_schema(order, &url, expected).await
}

/// Numbers that a seed repeats (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        it ^ (it >> 31)
    }
}
