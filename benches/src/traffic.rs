//! What the application notices of a migration that has to wait for a table.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};
use tokio_postgres::Client;

use crate::{
    Result,
    boot::{Way, client},
    floor::{Apply, Look},
    measure::{Samples, shown},
    options::Options,
    page::Page,
    set::{Bodies, Set},
    stage::{Stage, Via},
};

const WAYS: [Option<Way>; 5] = [
    None,
    Some(Way::Hand(Look::EveryRow, Apply::OneMessage)),
    Some(Way::Upfront),
    Some(Way::Sqlx),
    Some(Way::Refinery),
];
const CLIENTS: usize = 4;
const LONG: Duration = Duration::from_secs(2);
const QUERY: &str = "SELECT count(*) FROM busy";

pub(crate) async fn run(stage: &Stage, options: &Options, page: &mut Page) -> Result<()> {
    page.heading("Traffic while a migration waits");
    page.paragraph(&format!(
        "A transaction that has read a table stays open for {}; meanwhile a boot wants to `ALTER` \
         that table, and {CLIENTS} connections of the application query it every two milliseconds. \
         upfront waits with its usual `lock_timeout` of 100 ms, and tries again.",
        shown(LONG)
    ));
    let (created, altered) =
        (Set::new(1, Bodies::Busy).await?, Arc::new(Set::new(2, Bodies::Busy).await?));
    let mut samples = vec![[(); 2].map(|()| Samples::default()); WAYS.len()];
    for _ in 0..options.few_rounds() {
        for (way, [worst, late]) in WAYS.into_iter().zip(&mut samples) {
            let noticed = observe(stage, way, &created, &altered).await?;
            worst.push(noticed.worst);
            late.push(noticed.late);
        }
    }
    let header = ["a migration waits", "slowest query, median", "worst", "migrated after"];
    let row = |(way, [worst, late]): (&Option<Way>, &[Samples; 2])| {
        vec![
            way.map_or("nobody migrates", Way::name).to_owned(),
            shown(worst.median()),
            shown(worst.max()),
            way.map(|_| shown(late.median())).unwrap_or_default(),
        ]
    };
    page.table(&header.map(str::to_owned), WAYS.iter().zip(&samples).map(row).collect());
    page.paragraph("The last column counts from the end of the long transaction.");
    Ok(())
}

/// What a migration did to the application, and the application to it.
struct Noticed {
    worst: Duration,
    late: Duration,
}

async fn observe(
    stage: &Stage,
    way: Option<Way>,
    created: &Set,
    altered: &Arc<Set>,
) -> Result<Noticed> {
    let database = stage.database()?;
    let url = stage.url(&database, Via::Direct);
    let first = way.unwrap_or(Way::Hand(Look::EveryRow, Apply::OneMessage));
    first.connect(&url).await?.up(created).await?;
    let reader = client(&url).await?;
    let over = Arc::new(AtomicBool::new(false));
    let mut traffic = JoinSet::new();
    for _ in 0..CLIENTS {
        traffic.spawn(query_until(client(&url).await?, Arc::clone(&over)));
    }
    reader.batch_execute(&format!("BEGIN; {QUERY}")).await?;
    let since = Instant::now();
    let boot = tokio::spawn(migrate(way, url, Arc::clone(altered)));
    sleep(LONG).await;
    reader.batch_execute("COMMIT").await?;
    let released = since.elapsed();
    boot.await??;
    let late = since.elapsed().saturating_sub(released);
    over.store(true, SeqCst);
    let slowest = traffic.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Noticed { worst: slowest.into_iter().max().unwrap_or_default(), late })
}

async fn migrate(way: Option<Way>, url: String, set: Arc<Set>) -> Result<()> {
    match way {
        Some(it) => it.connect(&url).await?.up(&set).await,
        None => Ok(()),
    }
}

/// Queries again and again, and says how long the slowest took.
async fn query_until(client: Client, over: Arc<AtomicBool>) -> Result<Duration> {
    client.batch_execute(QUERY).await?;
    let mut slowest = Duration::ZERO;
    while !over.load(SeqCst) {
        let since = Instant::now();
        client.batch_execute(QUERY).await?;
        slowest = slowest.max(since.elapsed());
        sleep(Duration::from_millis(2)).await;
    }
    Ok(slowest)
}
