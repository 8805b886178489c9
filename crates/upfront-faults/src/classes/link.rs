//! Faults of the migrator's process and of its link, at messages.

use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::{
    arena::{Arena, Prepared, Trial},
    class::Class,
    failure::Result,
    lab::Lab,
    migrate::Order,
    oracle,
    point::{Measures, Point, Spots, Tried},
    process::{End, Outcome, Process},
    protocol::Direction,
    proxy::{Fault, Pace, Place, Proxy, Seen, Spot},
    scenario::{self, Scenario},
};

/// All places of a class, counted by an undisturbed run of each scenario.
pub(crate) async fn spots(class: Class, lab: &Lab) -> Result<Spots> {
    let arena = lab.shared().await?;
    let mut spots = Spots::new();
    for scenario in lab.scenarios() {
        let named = |spot: String| (scenario.name.to_owned(), spot);
        if class == Class::Slow {
            spots.extend(["fragments", "latency"].map(|it| named(it.to_owned())));
            continue;
        }
        let prepared = arena.prepare(scenario).await?;
        let seen = prepared.messages.get_or_try_init(|| count(&arena, &prepared)).await?;
        spots.extend(places(class, seen).into_iter().map(|it| named(it.to_string())));
    }
    Ok(spots)
}

/// The messages of an undisturbed run.
pub(crate) async fn count(arena: &Arena, prepared: &Prepared) -> Result<Vec<Seen>> {
    let trial = Trial::start(arena, prepared).await?;
    let proxy = Proxy::start(arena.port(), Pace::Fast, &[]).await?;
    let process = Process::start(&prepared.order, &proxy.url(&trial.database))?;
    let outcome = process.end().await?;
    if outcome.end != End::Done {
        return Err(format!("an undisturbed run ends with {:?}", outcome.end).into());
    }
    trial.end().await;
    Ok(proxy.seen())
}

fn places(class: Class, seen: &[Seen]) -> Vec<Spot> {
    let mut spots = Vec::new();
    for direction in [Direction::Sent, Direction::Received] {
        let places: &[Place] = match (class, direction) {
            (Class::Reset | Class::Close, _) => &[Place::Before, Place::Middle],
            (_, Direction::Sent) => &[Place::Before, Place::After],
            // After one message is before the next one, and the migrator ends after the last.
            (Class::Kill, Direction::Received) => &[Place::Before],
            (_, Direction::Received) => &[],
        };
        let count = seen.iter().filter(|it| it.direction == direction).count();
        for index in 0..count {
            spots.extend(places.iter().map(|&place| Spot { direction, index, place }));
        }
    }
    spots
}

/// SIGKILL, RST or FIN at a spot.
pub(crate) async fn cut(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let fault = match point.class {
        Class::Kill => Fault::Hold,
        Class::Reset => Fault::Reset,
        _ => Fault::Close,
    };
    let proxy = Proxy::start(arena.port(), Pace::Fast, &[(point.spot.parse()?, fault)]).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let mut process = Process::start(&prepared.order, &proxy.url(&trial.database))?;
    if fault == Fault::Hold {
        tokio::select! {
            () = proxy.reached(1) => process.kill_and_wait().await,
            () = process.exited() => {}
        }
        proxy.resume();
    }
    let outcome = process.end().await?;
    let tried = match proxy.fired() {
        true => survived(prepared.scenario, fault, &outcome)
            .and(trial.verify(&outcome).await)
            .map(|()| Tried::held()),
        false => trial.verify(&outcome).await.map(|()| Tried::Missed),
    };
    trial.end().await;
    tried
}

/// A migrator whose connection is cut once connects again, looks, and continues: it may return an
/// error only if it cannot connect for the first time, or looks for the first time.
fn survived(scenario: &Scenario, fault: Fault, outcome: &Outcome) -> Result<()> {
    match &outcome.end {
        End::Done => Ok(()),
        End::Killed if fault == Fault::Hold => Ok(()),
        End::Failed { kind, .. } if kind == "unreachable" || kind == "connection_lost" => Ok(()),
        End::Failed { kind, .. }
            if kind == "partially_applied" && scenario.took_effect.is_some() =>
        {
            Ok(())
        }
        End::Failed { kind, text } if kind == "server" && text.contains("connection") => Ok(()),
        it => Err(format!("after one cut the migrator ends with {it:?}").into()),
    }
}

/// How long the server's system keeps a connection that does not answer. Of a real system it is
/// `tcp_user_timeout`, 20 s; the suite does not wait that long.
const SERVER_GIVES_UP: Duration = Duration::from_secs(1);

/// How long a migrator waits for an answer to a question of its own.
const WAIT: Duration = Duration::from_secs(4);

/// Until a second replica is done, from the moment at which the server gave the first one up.
const SECOND_IN: Duration = Duration::from_secs(8);

/// Until a migrator ends whose own system has reset the connection.
const RESET_ENDS: Duration = Duration::from_secs(20);

/// Both directions are swallowed: a second replica gets in, and the first one ends.
pub(crate) async fn swallow(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let spot: Spot = point.spot.parse()?;
    let proxy = Proxy::start(arena.port(), Pace::Fast, &[(spot, Fault::Swallow)]).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let wait_ms = u64::try_from(WAIT.as_millis())?;
    let order = Order { wait_ms, ..prepared.order.clone() };
    let mut process = Process::start(&order, &proxy.url(&trial.database))?;
    tokio::select! {
        () = proxy.reached(1) => {}
        () = process.exited() => {}
    }
    let tried = match proxy.fired() {
        true => second_gets_in(&trial, &proxy, process).await.map(Tried::Held),
        false => trial.verify(&process.end().await?).await.map(|()| Tried::Missed),
    };
    trial.end().await;
    tried
}

async fn second_gets_in(trial: &Trial<'_>, proxy: &Proxy, process: Process) -> Result<Measures> {
    let since = Instant::now();
    let second = async {
        sleep(SERVER_GIVES_UP).await;
        proxy.close_server_end();
        let Prepared { scenario, order, .. } = trial.prepared;
        oracle::finish(scenario, order, &trial.url()).await?;
        Ok::<_, crate::failure::Failure>(since.elapsed())
    };
    let first = async {
        let mut process = process;
        let by_itself = timeout(WAIT + Duration::from_secs(8), process.exited()).await.is_ok();
        let noticed = since.elapsed();
        proxy.reset_client_end();
        let outcome = process.end_within(RESET_ENDS).await?;
        Ok::<_, crate::failure::Failure>((by_itself.then_some(noticed), outcome))
    };
    let (second, first) = tokio::join!(second, first);
    let (second, (noticed, outcome)) = (second?, first?);
    if second > SERVER_GIVES_UP + SECOND_IN {
        return Err(format!("the second replica was done after {second:?}").into());
    }
    if outcome.end == End::Killed {
        return Err("the first replica did not end".into());
    }
    trial.verify(&outcome).await?;
    let milliseconds = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let name = "until a second replica is done (ms)".to_owned();
    let mut measures = Measures::from([(name, milliseconds(second))]);
    let name = "until the first replica notices by itself (ms)";
    measures.extend(noticed.map(|it| (name.to_owned(), milliseconds(it))));
    Ok(measures)
}

/// Each way of a round trip.
const LATENCY: Duration = Duration::from_millis(250);

/// The link is slow: no fault, and so no error.
pub(crate) async fn slow(lab: &Lab, point: &Point) -> Result<Tried> {
    let arena = lab.shared().await?;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let pace = match point.spot.as_str() {
        "fragments" => Pace::Fragments,
        "latency" => Pace::Delay(LATENCY),
        it => return Err(format!("`{it}` is neither `fragments` nor `latency`").into()),
    };
    let proxy = Proxy::start(arena.port(), pace, &[]).await?;
    let trial = Trial::start(&arena, &prepared).await?;
    let process = Process::start(&prepared.order, &proxy.url(&trial.database))?;
    let outcome = process.end().await?;
    let tried = match (&outcome.end, prepared.scenario.name) {
        (End::Done, _) => trial.verify(&outcome).await.map(|()| Tried::held()),
        (it, _) => Err(format!("without a fault the migrator ends with {it:?}").into()),
    };
    trial.end().await;
    tried
}
