//! What a boot that follows a directory refuses, and what it takes from there.

use crate::{
    Direction, Error, Result,
    connection::session::Session,
    embedded::Side,
    error::rejection::Rejection,
    execute::{context::Context, protection},
    plan::{pending::Pending, protection::ProtectionState, rows::Row},
};

/// A down script that the directory has, of a migration of which none was stored: it may have been
/// written after a rollback was refused, and the up script may have been edited since.
pub(crate) fn added_down(context: &Context<'_>, row: &Row) -> Option<&'static Side> {
    let it =
        context.set.find(&row.version).filter(|it| context.settings.dev && it.name == row.name)?;
    it.down.as_ref()
}

/// Refuses to change a protected database, which the boot of a released program may.
pub(crate) async fn refuse_protected(
    context: &Context<'_>,
    session: &Session,
    pending: &Pending,
) -> Result<()> {
    if !context.settings.dev || context.is_metadata || pending.is_empty() {
        return Ok(());
    }
    let standing = protection::read_standing_under_lock(context, session).await?;
    match standing.is_protected() {
        true => Err(protected(Direction::Up, ProtectionState::warning(&standing))),
        false => Ok(()),
    }
}

pub(crate) fn protected(direction: Direction, warning: Option<String>) -> Error {
    let direction = Some(direction);
    Error::from(Rejection::Protected { direction, digest: None, warning }).noting(
        "this program follows its directory, and a protected database is not for that: give it \
         another one",
    )
}
