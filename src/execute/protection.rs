//! Which database it is, and whether it is protected.

use deadpool_postgres::Object;

use crate::{
    Result,
    connection::{answer::Answer, session::Session},
    error::Details,
    execute::context::Context,
    history::revisions::{Revisions, RollbackRecord, ordered, standing},
    plan::{metadata::Tables, protection::ProtectionState},
};

/// What is asked, and where: ahead of time on a borrowed connection, or under the lock.
pub(crate) enum ReadMode<'a> {
    Ahead(&'a Object),
    UnderLock(&'a Session),
}

impl ReadMode<'_> {
    pub(crate) async fn ask(&self, context: &Context<'_>, sql: &str) -> Result<Answer> {
        let doing = "reading the history";
        match self {
            Self::Ahead(client) => {
                let answer = context.read(client, sql).await?.answer(doing)?;
                answer.ok_or(Details::Unexpected { doing }.into())
            }
            // The transaction keeps the body's search path.
            Self::UnderLock(session) => {
                session.ask(doing, &format!("SAVEPOINT upfront;{sql};ROLLBACK TO upfront")).await
            }
        }
    }
}

pub(crate) async fn read_standing_ahead(
    context: &Context<'_>,
    client: &Object,
    tables: Option<Tables>,
) -> Result<ProtectionState> {
    read_standing(context, &ReadMode::Ahead(client), tables).await
}

pub(crate) async fn read_standing_under_lock(
    context: &Context<'_>,
    session: &Session,
) -> Result<ProtectionState> {
    read_standing(context, &ReadMode::UnderLock(session), Some(Tables::Current)).await
}

pub(crate) async fn read_order(
    context: &Context<'_>,
    asked: &ReadMode<'_>,
) -> Result<Option<RollbackRecord>> {
    Ok(ordered(&asked.ask(context, &context.revisions.ordered()).await?))
}

pub(crate) async fn read_standing(
    context: &Context<'_>,
    asked: &ReadMode<'_>,
    tables: Option<Tables>,
) -> Result<ProtectionState> {
    let sql = tables.map_or_else(Revisions::identity, |it| context.revisions.standing(it));
    let answer = asked.ask(context, &sql).await?;
    let doing = "asking which database it is";
    standing(&answer).ok_or(Details::Unexpected { doing }.into())
}
