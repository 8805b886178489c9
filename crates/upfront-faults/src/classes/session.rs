//! Faults of the server before each statement that it executes.

use std::time::Duration;

use tokio::{task::block_in_place, time::sleep};

use crate::{
    arena::{Arena, Prepared, Trial},
    class::Class,
    failure::Result,
    lab::Lab,
    point::{Point, Spots, Tried},
    process::{End, Outcome, Process},
    scenario,
    statements::{Library, Mark},
};

/// The numbers of all statements, counted by an undisturbed run of each scenario.
pub(crate) async fn spots(lab: &Lab) -> Result<Spots> {
    let (arena, library) = (lab.counting().await?, lab.library().await?);
    let mut spots = Spots::new();
    for scenario in lab.scenarios() {
        let prepared = arena.prepare(scenario).await?;
        let count = prepared.statements.get_or_try_init(|| count(&arena, &library, &prepared));
        let count = *count.await?;
        spots.extend((1..=count).map(|it| (scenario.name.to_owned(), it.to_string())));
    }
    Ok(spots)
}

async fn count(arena: &Arena, library: &Library, prepared: &Prepared) -> Result<usize> {
    let trial = Trial::start(arena, prepared).await?;
    let mark = library.mark(0, "count")?;
    let url = mark.url(&tcp_url(arena, &trial));
    let outcome = Process::start(&prepared.order, &url)?.end().await?;
    if outcome.end != End::Done {
        return Err(format!("an undisturbed run ends with {:?}", outcome.end).into());
    }
    trial.end().await;
    let count = mark.counted()?;
    match count {
        0 => Err("the server counts no statement".into()),
        it => Ok(it),
    }
}

fn tcp_url(arena: &Arena, trial: &Trial<'_>) -> String {
    let (port, database) = (arena.port(), &trial.database);
    format!("postgres://postgres@127.0.0.1:{port}/{database}?application_name=first")
}

/// `pg_terminate_backend` or `pg_cancel_backend` before a statement.
pub(crate) async fn end(lab: &Lab, point: &Point) -> Result<Tried> {
    let (arena, library) = (lab.counting().await?, lab.library().await?);
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let mark = library.mark(point.spot.parse()?, &point.class.to_string())?;
    let trial = Trial::start(&arena, &prepared).await?;
    let process = Process::start(&prepared.order, &mark.url(&tcp_url(&arena, &trial)))?;
    let outcome = process.end().await?;
    let tried = verify(&trial, &mark, point, &outcome).await;
    trial.end().await;
    tried
}

/// The whole server goes: by a crash of one of its processes, or by a restart.
pub(crate) async fn stop_server(lab: &Lab, point: &Point) -> Result<Tried> {
    let library = lab.library().await?;
    let arena = lab.take_stoppable().await?;
    let prepared = arena.prepare(scenario::named(&point.scenario)?).await?;
    let mark = library.mark(point.spot.parse()?, &point.class.to_string())?;
    let trial = Trial::start(&arena, &prepared).await?;
    let log = arena.server().log_position()?;
    let mut process = Process::start(&prepared.order, &mark.url(&tcp_url(&arena, &trial)))?;
    while !mark.acted() {
        tokio::select! {
            () = process.exited() => break,
            () = sleep(Duration::from_millis(2)) => {}
        }
    }
    if mark.acted() && point.class != Class::Crash {
        block_in_place(|| restart(&arena))?;
    }
    let outcome = process.end().await?;
    if mark.acted() {
        // Until it has recovered, the next migrator would be disturbed as well.
        while !arena.server().log_since(log)?.contains("ready to accept connections") {
            sleep(Duration::from_millis(5)).await;
        }
    }
    let tried = verify(&trial, &mark, point, &outcome).await;
    trial.end().await;
    lab.give_back(arena);
    tried
}

/// Waits until the server has stopped, and starts it again.
fn restart(arena: &Arena) -> Result<()> {
    let mut server = arena.server();
    for _ in 0..3000 {
        if server.pid().is_none() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(server.restart()?)
}

async fn verify(trial: &Trial<'_>, mark: &Mark, point: &Point, outcome: &Outcome) -> Result<Tried> {
    match &outcome.end {
        End::Killed => return Err("the migrator was killed".into()),
        End::Failed { kind, text } if point.class == Class::Cancel && !cancelled(kind, text) => {
            return Err(format!("a cancelled statement is called `{kind}`: {text}").into());
        }
        _ => {}
    }
    trial.verify(outcome).await?;
    Ok(if mark.acted() { Tried::held() } else { Tried::Missed })
}

/// The kinds with which a migrator may answer to a statement that somebody cancels.
fn cancelled(kind: &str, text: &str) -> bool {
    // Rows that could not be counted count as a loss.
    kind == "data_loss" && text.contains("could not be counted")
        || ["migration_failed", "server", "timeout", "adoption_refused"].contains(&kind)
}
