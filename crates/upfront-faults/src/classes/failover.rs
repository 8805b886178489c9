//! Fail-over to a standby, at each message that the migrator sends.

use std::time::Duration;

use tokio::task::block_in_place;
use upfront_scratch::Server;

use crate::{
    arena::{Arena, Trial},
    class::Class,
    classes::link,
    database::{self, Connection},
    failure::Result,
    lab::Lab,
    oracle,
    point::{Measures, Point, Spots, Tried},
    process::{End, Outcome, Process},
    protocol::Direction,
    proxy::{Fault, Pace, Place, Proxy, Spot},
    scenario::{self, Scenario},
};

const SCENARIOS: [&str; 4] = ["first", "later", "outside", "down-outside"];

/// So many messages before the fail-over the standby of an asynchronous pair receives its last.
const LAG: usize = 3;

/// Each message that the migrator sends in some of the scenarios.
pub(crate) async fn spots(class: Class, lab: &Lab) -> Result<Spots> {
    let arena = lab.shared().await?;
    let first = if class == Class::FailoverAsync { LAG } else { 0 };
    let mut spots = Spots::new();
    for scenario in lab.scenarios().filter(|it| SCENARIOS.contains(&it.name)) {
        let prepared = arena.prepare(scenario).await?;
        let seen = prepared.messages.get_or_try_init(|| link::count(&arena, &prepared)).await?;
        let sent = seen.iter().filter(|it| it.direction == Direction::Sent).count();
        let spot = |index| Spot { direction: Direction::Sent, index, place: Place::Before };
        spots.extend((first..sent).map(|it| (scenario.name.to_owned(), spot(it).to_string())));
    }
    Ok(spots)
}

/// Before a message the primary crashes and the standby takes over.
pub(crate) async fn fail_over(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.take_stoppable().await?;
    arena.prepare(scenario::named(&point.scenario)?).await?;
    let (arena, tried) = with_standby(arena, point).await;
    if let Some(it) = arena {
        lab.give_back(it);
    }
    tried
}

/// Returns the server that is the primary afterwards.
async fn with_standby(arena: Arena, point: &Point) -> (Option<Arena>, Result<Tried>) {
    let standby = match block_in_place(|| arena.server().standby()) {
        Ok(it) => it,
        Err(err) => return (Some(arena), Err(err.into())),
    };
    let tried = on_pair(&arena, &standby, point).await;
    match standby.psql("postgres", "SELECT pg_is_in_recovery()") {
        Ok(it) if it.trim() == "f" => (Some(arena.successor(standby)), tried),
        // The primary must not wait for a standby that goes.
        _ => match replicate(&arena, false).await {
            Ok(()) => (Some(arena), tried),
            Err(_) => (None, tried),
        },
    }
}

async fn on_pair(arena: &Arena, standby: &Server, point: &Point) -> Result<Tried> {
    let synchronous = point.class == Class::FailoverSync;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let trial = Trial::start(arena, &prepared).await?;
    block_in_place(|| standby.wait_caught_up(&arena.server()))?;
    replicate(arena, synchronous).await?;
    let spot: Spot = point.spot.parse()?;
    let mut faults = vec![(spot, Fault::Pause)];
    if !synchronous {
        let index = spot.index.checked_sub(LAG).ok_or("the migrator sent too little before")?;
        faults.insert(0, (Spot { index, ..spot }, Fault::Pause));
    }
    let proxy = Proxy::start(arena.port(), Pace::Fast, &faults).await?;
    let mut process = Process::start(&prepared.order, &proxy.url(&trial.database))?;
    let mut lost = 0;
    for at in 1..=faults.len() {
        tokio::select! {
            () = proxy.reached(at) => {}
            () = process.exited() => break,
        }
        match at == faults.len() {
            true => lost = take_over(arena, standby, &proxy)?,
            false => cut_off(standby).await?,
        }
        proxy.resume();
    }
    let outcome = process.end().await?;
    match proxy.fired() {
        true => {
            verify(prepared.scenario, &trial, standby, &outcome, synchronous).await?;
            database::remove(&standby.url("postgres"), &trial.database).await?;
            Ok(Tried::Held(Measures::from([("lost (bytes of WAL)".to_owned(), lost)])))
        }
        false => Ok(Tried::Missed),
    }
}

/// Commits wait for the standby, or do not.
async fn replicate(arena: &Arena, synchronous: bool) -> Result<()> {
    let names = if synchronous { "*" } else { "" };
    let primary = Connection::open(arena.maintenance()).await?;
    primary.ask(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'")).await?;
    primary.ask("SELECT pg_reload_conf()").await?;
    primary.until("SHOW synchronous_standby_names", names, Duration::from_secs(10)).await?;
    if synchronous {
        let states = "SELECT string_agg(sync_state, ' ') FROM pg_stat_replication";
        primary.until(states, "sync", Duration::from_secs(20)).await?;
    }
    Ok(())
}

/// The standby receives nothing any more.
async fn cut_off(standby: &Server) -> Result<()> {
    let standby = Connection::open(&standby.url("postgres")).await?;
    standby.ask("ALTER SYSTEM SET primary_conninfo = ''").await?;
    standby.ask("SELECT pg_reload_conf()").await?;
    let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
    standby.until(receivers, "0", Duration::from_secs(20)).await
}

/// Returns how much the standby never received.
fn take_over(arena: &Arena, standby: &Server, proxy: &Proxy) -> Result<u64> {
    let lost = block_in_place(|| {
        let mut primary = arena.server();
        let written = primary.psql("postgres", "SELECT pg_current_wal_flush_lsn()")?;
        primary.crash()?;
        standby.psql("postgres", "SELECT pg_promote()")?;
        let received = format!("SELECT '{}' - pg_last_wal_replay_lsn()", written.trim());
        standby.psql("postgres", &received)
    })?;
    proxy.retarget(standby.tcp_port().expect("it listens, as its primary did"));
    Ok(lost.trim().parse::<i64>()?.try_into().unwrap_or(0))
}

/// What an asynchronous standby has lost, the migrator may have reported.
async fn verify(
    scenario: &Scenario,
    trial: &Trial<'_>,
    standby: &Server,
    outcome: &Outcome,
    synchronous: bool,
) -> Result<()> {
    let url = standby.url(&trial.database);
    match synchronous {
        true => oracle::believe(outcome, &url).await?,
        false => oracle::believe(&Outcome::silent(outcome.end.clone()), &url).await?,
    }
    if outcome.end == End::Killed {
        return Err("the migrator was killed".into());
    }
    oracle::finish(scenario, &trial.prepared.order, &url).await?;
    oracle::check(&trial.prepared.order, &url, &trial.prepared.expected).await
}
