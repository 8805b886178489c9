//! A boot with nothing pending.

use std::time::Instant;

use upfront_scratch::Database;

use crate::{
    Result,
    boot::Way,
    floor::{Apply, Look},
    measure::Samples,
    options::Options,
    page::Page,
    set::{Bodies, Set},
    stage::{NETWORKS, Stage, Via},
    wire::Counted,
};

/// The first is what the others are compared to.
const WAYS: [Way; 5] = [
    Way::Hand(Look::EveryRow, Apply::OneMessage),
    Way::Hand(Look::LastRow, Apply::OneMessage),
    Way::Upfront,
    Way::Sqlx,
    Way::Refinery,
];

/// One who boots, on a database of its own that has everything.
struct Contender<'s> {
    way: Way,
    database: Database<'s>,
    counted: Counted,
    /// For each network: connected, and with connecting.
    samples: [[Samples; 2]; NETWORKS.len()],
}

pub(crate) async fn run(stage: &Stage, options: &Options, page: &mut Page) -> Result<()> {
    page.heading("Nothing pending");
    page.paragraph(
        "“By hand” is one `SELECT version, hash` of all rows, compared in the program, and so as \
         sure as the others that nobody edited the history; the newest row alone is not. \
         Connected: a connection that was opened and not used yet, as a service has it when it \
         boots (sqlx and refinery with a bare connection, which serves them better than a pool). \
         Bytes exclude those of connecting. A migration has 340 bytes, the median of real ones.",
    );
    for &size in &options.sizes {
        eprintln!("    {size} migrations");
        let set = Set::new(size, Bodies::Idle).await?;
        let mut contenders = Vec::new();
        for way in WAYS {
            contenders.push(Contender::settled(stage, way, &set).await?);
        }
        for round in 0..options.rounds {
            for at in 0..WAYS.len() {
                contenders[(at + round) % WAYS.len()].boot(stage, &set).await?;
            }
        }
        page.table(&header(size), rows(&contenders));
    }
    Ok(())
}

impl<'s> Contender<'s> {
    /// Everything is applied, and what passes at one more boot is counted.
    async fn settled(stage: &'s Stage, way: Way, set: &Set) -> Result<Self> {
        let database = stage.database()?;
        way.connect(&stage.url(&database, Via::Direct)).await?.up(set).await?;
        database.execute("VACUUM ANALYZE")?;
        let mut connection = way.connect(&stage.url(&database, Via::Counted)).await?;
        stage.count_anew();
        connection.up(set).await?;
        Ok(Self { way, database, counted: stage.counts(), samples: Default::default() })
    }

    async fn boot(&mut self, stage: &Stage, set: &Set) -> Result<()> {
        for (via, [connected, connecting]) in NETWORKS.into_iter().zip(&mut self.samples) {
            let url = stage.url(&self.database, via);
            stage.quiet().await?;
            let mut connection = self.way.connect(&url).await?;
            let since = Instant::now();
            connection.up(set).await?;
            connected.push(since.elapsed());
            drop(connection);
            stage.quiet().await?;
            let since = Instant::now();
            self.way.connect(&url).await?.up(set).await?;
            connecting.push(since.elapsed());
        }
        Ok(())
    }
}

fn header(size: usize) -> [String; 7] {
    let [near, far] = NETWORKS.map(Via::name);
    let migrations = if size == 1 { "1 migration".into() } else { format!("{size} migrations") };
    [
        migrations,
        "round trips".into(),
        "bytes out / in".into(),
        format!("{near}, connected"),
        format!("{near}, with connecting"),
        format!("{far}, connected"),
        format!("{far}, with connecting"),
    ]
}

fn rows(contenders: &[Contender<'_>]) -> Vec<Vec<String>> {
    let floor = &contenders[0].samples;
    let row = |it: &Contender<'_>| {
        let Counted { sent, received, round_trips } = it.counted;
        let times = it.samples.iter().flatten().zip(floor.iter().flatten());
        let times = times.map(|(it, floor)| it.beside(floor));
        [it.way.name().into(), round_trips.to_string(), format!("{sent} / {received}")]
            .into_iter()
            .chain(times)
            .collect()
    };
    contenders.iter().map(row).collect()
}
