//! Many who boot at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    Result,
    boot::Way,
    floor::{Apply, Look},
    measure::{Samples, shown, times},
    options::Options,
    page::Page,
    set::{Bodies, Set},
    stage::{Stage, Via},
};

const HERD: usize = 64;
const SIZE: usize = 100;
const HAND: Way = Way::Hand(Look::EveryRow, Apply::OneMessage);
const WARM: [Way; 4] = [HAND, Way::Upfront, Way::Sqlx, Way::Refinery];
/// Who takes turns when something is pending. What is written by hand here takes no lock.
const COLD: [Way; 3] = [Way::Upfront, Way::Sqlx, Way::Refinery];

/// When the clock starts.
#[derive(Debug, Clone, Copy)]
enum Start {
    Connected,
    Connecting,
}

/// What became of a herd: when each was ready, in order, and the last error.
struct Herd {
    ready: Vec<Duration>,
    error: Option<String>,
}

pub(crate) async fn run(stage: &Stage, options: &Options, page: &mut Page) -> Result<()> {
    page.heading("64 at once");
    page.paragraph(&format!(
        "Tasks of one process, each with a connection or a pool of its own; {SIZE} migrations, \
         0 ms of network. The clock starts for all when the first starts. With nothing pending, \
         “by hand” shows what 64 new connections cost this machine's CPUs."
    ));
    settled(stage, page, options.rounds.div_ceil(4)).await?;
    pending(stage, page, options.few_rounds() * 2).await
}

/// Nothing pending: alone and in the herd, connected and with connecting.
async fn settled(stage: &Stage, page: &mut Page, rounds: usize) -> Result<()> {
    const CASES: [(Start, usize); 4] = [
        (Start::Connected, 1),
        (Start::Connected, HERD),
        (Start::Connecting, 1),
        (Start::Connecting, HERD),
    ];
    let set = Arc::new(Set::new(SIZE, Bodies::Idle).await?);
    let mut contenders = Vec::new();
    for way in WARM {
        let database = stage.database()?;
        let url = stage.url(&database, Via::Direct);
        way.connect(&url).await?.up(&set).await?;
        contenders.push((
            way,
            url,
            database,
            [(); 4].map(|()| [(); 2].map(|()| Samples::default())),
        ));
    }
    for round in 0..rounds {
        for at in 0..WARM.len() {
            let (way, url, _, samples) = &mut contenders[(at + round) % WARM.len()];
            for ((start, count), [half, last]) in CASES.into_iter().zip(samples) {
                stage.quiet().await?;
                let herd = boot(*way, url, &set, count, start).await?;
                half.push(herd.ready.get(count / 2).copied().ok_or("one of a herd failed")?);
                last.push(herd.last());
            }
        }
    }
    let header = [
        "nothing pending",
        "connected, alone",
        "64: the 32nd",
        "64: the last",
        "with connecting, alone",
        "64: the 32nd",
        "64: the last",
    ];
    let floor = contenders[0].3.clone();
    let row = |(way, _, _, samples): &(Way, _, _, [[Samples; 2]; 4])| {
        let cell = |case: usize, which: usize| samples[case][which].beside(&floor[case][which]);
        let cells = [cell(0, 1), cell(1, 0), cell(1, 1), cell(2, 1), cell(3, 0), cell(3, 1)];
        [way.name().to_owned()].into_iter().chain(cells).collect()
    };
    page.table(&header.map(str::to_owned), contenders.iter().map(row).collect());
    Ok(())
}

/// Everything pending: a single boot and a herd, each on a database of its own.
async fn pending(stage: &Stage, page: &mut Page, rounds: usize) -> Result<()> {
    let set = Arc::new(Set::new(SIZE, Bodies::Tables).await?);
    let starts = [Start::Connected, Start::Connecting];
    let cases = COLD.into_iter().flat_map(|way| starts.map(|start| (way, start)));
    let mut all: Vec<_> = cases.map(|(way, start)| Pending::new(way, start)).collect();
    for round in 0..rounds {
        for at in 0..all.len() {
            let at = (at + round) % all.len();
            all[at].boot(stage, &set).await?;
        }
    }
    let header =
        ["100 pending", "a single boot", "64: the last is ready", "ratio", "ready", "an error"];
    page.table(&header.map(str::to_owned), all.iter().map(Pending::row).collect());
    Ok(())
}

/// One who boots with everything pending, alone and in a herd.
struct Pending {
    way: Way,
    start: Start,
    alone: Samples,
    last: Samples,
    fewest: usize,
    error: Option<String>,
}

impl Pending {
    fn new(way: Way, start: Start) -> Self {
        let (alone, last) = Default::default();
        Self { way, start, alone, last, fewest: HERD, error: None }
    }

    async fn boot(&mut self, stage: &Stage, set: &Arc<Set>) -> Result<()> {
        for count in [1, HERD] {
            let database = stage.database()?;
            stage.quiet().await?;
            let url = stage.url(&database, Via::Direct);
            let herd = boot(self.way, &url, set, count, self.start).await?;
            if count == 1 {
                self.alone.push(herd.last());
                continue;
            }
            self.last.push(herd.last());
            self.fewest = self.fewest.min(herd.ready.len());
            self.error = herd.error.or(self.error.take());
        }
        Ok(())
    }

    fn row(&self) -> Vec<String> {
        let start = match self.start {
            Start::Connected => "connected",
            Start::Connecting => "with connecting",
        };
        vec![
            format!("{}, {start}", self.way.name()),
            shown(self.alone.median()),
            shown(self.last.median()),
            times(self.last.ratio(&self.alone)),
            format!("{} of {HERD}", self.fewest),
            self.error.as_ref().map_or(String::new(), |it| format!("`{it}`")),
        ]
    }
}

impl Herd {
    fn last(&self) -> Duration {
        self.ready.last().copied().unwrap_or_default()
    }
}

async fn boot(way: Way, url: &str, set: &Arc<Set>, count: usize, start: Start) -> Result<Herd> {
    let barrier = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (url, set, barrier) = (url.to_owned(), Arc::clone(set), Arc::clone(&barrier));
        tasks.spawn(async move { one(way, &url, &set, &barrier, start).await });
    }
    let (mut began, mut ended, mut error) = (Vec::new(), Vec::new(), None);
    for it in tasks.join_all().await {
        let (since, result) = it?;
        began.push(since);
        match result {
            Ok(it) => ended.push(it),
            Err(it) => error = Some(it),
        }
    }
    let first = began.into_iter().min().ok_or("nobody booted")?;
    ended.sort();
    Ok(Herd { ready: ended.into_iter().map(|it| it - first).collect(), error })
}

/// When it began, and when it was ready or why it was not.
async fn one(
    way: Way,
    url: &str,
    set: &Set,
    barrier: &Barrier,
    start: Start,
) -> Result<(Instant, std::result::Result<Instant, String>)> {
    let (began, mut connection) = match start {
        Start::Connected => {
            let connection = way.connect(url).await?;
            barrier.wait().await;
            (Instant::now(), connection)
        }
        Start::Connecting => {
            barrier.wait().await;
            (Instant::now(), way.connect(url).await?)
        }
    };
    let result = connection.up(set).await.map_err(|err| chain(&*err));
    // The others may go on before this connection is closed.
    let ended = Instant::now();
    Ok((began, result.map(|()| ended)))
}

/// The last of an error's sources, which is the server's own message.
fn chain(err: &(dyn std::error::Error + 'static)) -> String {
    let mut it = err;
    while let Some(source) = it.source() {
        it = source;
    }
    it.to_string().lines().next().unwrap_or_default().replace('|', "\\|")
}
