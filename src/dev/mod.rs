//! A boot that follows the migrations directory while it is worked on.

pub(crate) mod reset;

use std::path::Path;

use deadpool_postgres::Pool;

use crate::{
    Direction, Error, ErrorKind, Event, Plan, Report, Result, Target,
    builder::Settings,
    connection::session::{borrow, unless_silent, within},
    dev::reset::{Outdated, Reset, restart},
    error::rejection::{Rejection, Stale},
    execute::{consent::PlanMatch, context::Context, down, up, watched::protected},
    migrations::{git::Committed, watched::Live},
    plan::metadata::Tables,
};

/// Migrates the database to the state of the directory.
///
/// The ordinary boot comes first, so that a start with nothing to do costs no more than any. What
/// it has against the history is looked at afterwards; once that is rolled back, it comes again.
pub(crate) async fn up(pool: &Pool, live: &'static Live, settings: &Settings) -> Result<Report> {
    let mut done = Report::new(&settings.app, Direction::Up);
    match follow(pool, live, settings, &mut done).await {
        Ok(report) => Ok(report.after(done)),
        Err(err) => Err(err.preceded_by(done)),
    }
}

/// The report of the last boot; what came before it is added to `done`.
async fn follow(
    pool: &Pool,
    live: &'static Live,
    settings: &Settings,
    done: &mut Report,
) -> Result<Report> {
    let mut moved = 0;
    loop {
        let context = Context::new(live.read()?, settings);
        let booted = up::up(pool, context.set, settings, None).await;
        if !has_more(&booted) {
            return booted;
        }
        let found = compare(&context, pool, live).await?;
        let (outdated, floor) = match &found {
            Reset::Plain => return booted,
            Reset::Kept(why) => {
                tracing::info!(%why, "nothing is rolled back");
                return booted.map_err(|err| err.noting(why));
            }
            Reset::RollBack { outdated, floor } => (outdated, floor.as_deref()),
        };
        if let Ok(booted) = booted {
            *done = booted.after(done.clone());
        }
        match roll_back(&context, pool, outdated, floor).await {
            Ok(report) => *done = report.after(done.clone()),
            // Another program was faster, and what was asked about is not there any more.
            Err(_) if moved < TRIES && compare(&context, pool, live).await? != found => moved += 1,
            Err(err) => return Err(explain(err, outdated)),
        }
    }
}

/// How often somebody else may come in between a look and the rollback that follows from it.
const TRIES: u32 = 10;

/// Does the history hold what the directory does not?
fn has_more(booted: &Result<Report>) -> bool {
    booted.as_ref().map_or_else(Error::is_diverged, |it| !it.ahead.is_empty())
}

async fn compare(context: &Context<'_>, pool: &Pool, live: &'static Live) -> Result<Reset> {
    let limit = context.settings.wait_timeout;
    let client = borrow(pool, limit).await?;
    let history = within(limit, context.history(&client, Tables::Old)).await;
    let history = unless_silent(client, history).await?;
    Ok(restart(context.set, &history.rows, || Committed::of(Path::new(live.directory()))))
}

/// Rolls these back and nothing else, by what is stored of each that the directory does not have.
async fn roll_back(
    context: &Context<'_>,
    pool: &Pool,
    outdated: &[Outdated],
    floor: Option<&str>,
) -> Result<Report> {
    let limit = context.settings.wait_timeout;
    let target = floor.map_or(Target::All, |it| Target::To(it.to_owned()));
    let client = borrow(pool, limit).await?;
    let plan = within(limit, down::plan(context, &client, &target)).await;
    let plan = unless_silent(client, plan).await?;
    refuse_others(&plan, outdated)?;
    if plan.protected {
        return Err(protected(Direction::Down, plan.warnings.first().cloned()));
    }
    for Outdated { version, name, why } in outdated {
        let (version, name, why) = (version.clone(), name.clone(), why.to_string());
        context.notify(&Event::Outdated { version, name, why });
    }
    down::run(pool, context.set, context.settings, &plan, PlanMatch::RollbackScope).await
}

/// Whatever came in since was not compared with what is committed.
fn refuse_others(plan: &Plan, outdated: &[Outdated]) -> Result<()> {
    let is_known = |version: &str| outdated.iter().any(|it| it.version == version);
    match plan.steps.iter().find(|it| !is_known(&it.version)) {
        Some(it) => Err(Rejection::Stale(Stale::Newer { head: it.title() }).into()),
        None => Ok(()),
    }
}

/// Says what was to be rolled back, and why.
fn explain(err: Error, outdated: &[Outdated]) -> Error {
    const SHOWN: usize = 5;
    let mut lines: Vec<_> = outdated.iter().take(SHOWN).map(ToString::to_string).collect();
    if outdated.len() > SHOWN {
        lines.push(format!("and {} more", outdated.len() - SHOWN));
    }
    if err.kind() == ErrorKind::DataLoss {
        lines.push("delete the rows yourself, or put the file back, and start again".to_owned());
    }
    if err.kind() == ErrorKind::MigrationFailed {
        lines.push(
            "it goes down by what was stored when it was applied; to use a corrected down side, \
             put the up side back and run `upfront down`"
                .to_owned(),
        );
    }
    match err.kind() == ErrorKind::Protected {
        true => err,
        false => err.noting(lines.join("\n  dev: ")),
    }
}
