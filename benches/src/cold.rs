//! A boot with everything pending.

use std::time::Instant;

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
const OURS: [Way; 3] = [
    Way::Hand(Look::EveryRow, Apply::OneMessage),
    Way::Hand(Look::EveryRow, Apply::TwoMessages),
    Way::Upfront,
];
const ALL: [Way; 5] = [OURS[0], OURS[1], OURS[2], Way::Sqlx, Way::Refinery];

pub(crate) async fn run(stage: &Stage, options: &Options, page: &mut Page) -> Result<()> {
    page.heading("Everything pending");
    page.paragraph(
        "Each migration creates a table, in a transaction of its own together with the row that \
         says so, which holds the text. “By hand” sends `BEGIN`, the body, `INSERT` and `COMMIT` \
         as one message, or `BEGIN` and the rest as two; it takes no lock, and sets and checks \
         nothing. All begin with an empty database, on which they make their own tables too, and \
         with an open connection.",
    );
    let (short, long) = (100, options.long);
    let rounds = options.few_rounds();
    compare(stage, page, &ALL, short, (&NETWORKS, rounds * 2)).await?;
    compare(stage, page, &OURS, long, (&NETWORKS[1..], rounds)).await
}

async fn compare(
    stage: &Stage,
    page: &mut Page,
    ways: &[Way],
    size: usize,
    (networks, rounds): (&[Via], usize),
) -> Result<()> {
    eprintln!("    {size} migrations");
    let set = Set::new(size, Bodies::Tables).await?;
    let mut counted = Vec::new();
    for way in ways {
        boot(stage, *way, &set, Via::Counted).await?;
        counted.push(stage.counts());
    }
    let mut samples = vec![vec![Samples::default(); networks.len()]; ways.len()];
    for round in 0..rounds {
        for at in (0..ways.len()).map(|it| (it + round) % ways.len()) {
            for (via, samples) in networks.iter().zip(&mut samples[at]) {
                samples.push(boot(stage, ways[at], &set, *via).await?);
            }
        }
    }
    let title = format!("{size} migrations");
    let header = [&title, "round trips", "a migration", "bytes out / in"].into_iter();
    let header: Vec<_> =
        header.chain(networks.iter().map(|it| it.name())).map(str::to_owned).collect();
    let row = |(at, it): (usize, &Way)| {
        let times = samples[at].iter().zip(&samples[0]).map(|(it, floor)| it.beside(floor));
        counts(*it, counted[at], size).into_iter().chain(times).collect()
    };
    page.table(&header, ways.iter().enumerate().map(row).collect());
    Ok(())
}

fn counts(way: Way, it: Counted, size: usize) -> [String; 4] {
    let Counted { sent, received, round_trips } = it;
    #[expect(clippy::cast_precision_loss, reason = "these are small")]
    let each = round_trips as f64 / size as f64;
    [
        way.name().into(),
        round_trips.to_string(),
        format!("{each:.2}"),
        format!("{sent} / {received}"),
    ]
}

async fn boot(stage: &Stage, way: Way, set: &Set, via: Via) -> Result<std::time::Duration> {
    let database = stage.database()?;
    let mut connection = way.connect(&stage.url(&database, via)).await?;
    stage.count_anew();
    let since = Instant::now();
    connection.up(set).await?;
    Ok(since.elapsed())
}
