//! Ending a rollback that was cut off.

use std::time::Duration;

use tokio_postgres::error::DbError;
use tracing::Instrument;

use crate::{
    Report, Result,
    connection::session::{self, Session},
    error::{Details, Error, distrust::Meddling, rejection::Rejection},
    execute::{
        attempt,
        context::Context,
        execution::{DataLossPolicy, Execution},
        lock,
        protection::{ReadMode, read_order},
        statements::{self, Work},
        transaction,
    },
    history::{revisions::RollbackRecord, stored_down},
    plan::{
        command::CommandOptions,
        journal::Journal,
        metadata::Tables,
        rollback::{self, RollbackStep},
        rows::Row,
    },
};

#[cfg(feature = "dev")]
use crate::execute::watched;
#[cfg(feature = "dev")]
use crate::plan::rollback::Obstacle;

/// With what each of the rows above a target is rolled back; `None` if one of them is gone since it was
/// read, as another process has finished its rollback. That cannot be under the lock.
pub(crate) async fn rollback_steps(
    context: &Context<'_>,
    asked: &ReadMode<'_>,
    rows: &[Row],
    above: &[&Row],
    tables: Option<Tables>,
) -> Result<Option<Vec<RollbackStep>>> {
    let is_stored = |it: &&&Row| rollback::embedded(context.set, it).is_none();
    let versions: Vec<_> = above.iter().filter(is_stored).map(|it| it.version.as_str()).collect();
    let stored = match (versions.is_empty(), tables) {
        (false, Some(tables)) => {
            if let ReadMode::UnderLock(session) = asked {
                context.revisions.trust.diagnose_stored(session.client()).await?;
            }
            stored_down::migrations(
                &asked.ask(context, &context.revisions.stored(&versions, tables)).await?,
            )?
        }
        _ => Vec::new(),
    };
    let first = rows.first().map(|it| &it.version);
    let (mut rollback_steps, mut found) = (Vec::new(), Vec::new());
    for row in above {
        let stored = || stored.iter().find(|it| it.version == row.version).copied();
        let it = rollback::embedded(context.set, row).or_else(stored);
        let Some(it) = it else { return Ok(None) };
        match rollback::undo(it, &row.kind, Some(&row.version) == first) {
            Ok(it) => rollback_steps.push(it),
            #[cfg(feature = "dev")]
            Err((_, Obstacle::NoDownSide | Obstacle::NoStatement))
                if watched::added_down(context, row).is_some() =>
            {
                rollback_steps.push(RollbackStep { it, side: watched::added_down(context, row) });
            }
            Err(it) => found.push(it),
        }
    }
    if found.is_empty() {
        return Ok(Some(rollback_steps));
    }
    let options = CommandOptions::of(&context.settings.app, &context.settings.schema);
    Err(Rejection::Irreversible { found, options }.into())
}

/// A rollback outside a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Stepwise<'a> {
    pub(crate) undo: &'a RollbackStep,
    pub(crate) order: &'a RollbackRecord,
    pub(crate) journal: &'a [Journal],
    /// Its place among all that this call rolls back, and how many those are.
    pub(crate) place: (usize, usize),
}

pub(crate) async fn begin_and_run(
    context: &Context<'_>,
    session: &Session,
    Stepwise { undo, order, journal, place }: Stepwise<'_>,
    tries: &mut transaction::Tries,
) -> Result<Option<Duration>> {
    let losing = if order.accepted { DataLossPolicy::Accepted } else { DataLossPolicy::Refused };
    let subject = Execution { losing, ..Execution::from(undo) };
    // The session's lock outlives the transaction.
    let lock = lock::hold_session_lock(context, session).await?;
    let begin = context.revisions.begin_roll_back(subject.it, order);
    let answer = session::ask(session.client(), &begin).await;
    answer.map_err(|source| not_begun(subject, source))?;
    session.commit("ending a transaction").await?;
    let record = |took| context.revisions.roll_back_stepwise(subject.it, order, took);
    let work = Work { lock: &lock, subject, journal, place };
    statements::run(context, session, work, record, tries).await
}

pub(crate) fn not_begun(
    Execution { it, direction, .. }: Execution,
    source: tokio_postgres::Error,
) -> Error {
    let message = source.as_db_error().map_or("", DbError::message);
    match Meddling::of(message) {
        Some(how) => {
            let (migration, path) = (it.named(), it.up.path);
            Details::Meddled { migration, direction, path, how }.into()
        }
        None => Details::Server { doing: "beginning a rollback", source }.into(),
    }
}

/// Ends a rollback that was cut off, in the transaction that has the lock: it was ordered, and what
/// is half there is of no use to any program.
pub(crate) async fn finish(
    context: &Context<'_>,
    session: &Session,
    (row, journal): (&Row, &[Journal]),
    report: &mut Report,
    tries: &mut transaction::Tries,
) -> Result<()> {
    let asked = ReadMode::UnderLock(session);
    let rollback_steps =
        rollback_steps(context, &asked, std::slice::from_ref(row), &[row], Some(Tables::Current))
            .await?
            .ok_or(Details::Unexpected { doing: "reading stored down sides" })?;
    let undo = rollback_steps.first().expect("one row is one rollback");
    attempt::refuse_stepwise_on_pooler(
        context,
        session,
        rollback_steps.iter().map(Execution::from),
    )?;
    let span = attempt::span(context, undo.it);
    span.in_scope(|| tracing::warn!("finishing a rollback that was cut off"));
    let order = read_order(context, &asked).await?.unwrap_or_default();
    let rollback = Stepwise { undo, order: &order, journal, place: report.place() };
    let took = begin_and_run(context, session, rollback, tries);
    if let Some(took) = took.instrument(span).await? {
        report.rolled_back(undo.it, took);
    }
    Ok(())
}
