//! The mark of a protected database, and the release of held migrations.

use std::time::SystemTime;

use crate::{
    Digest, Migrator, Result,
    connection::session::{Session, borrow, unless_silent, within},
    error::{Details, Error, rejection::Rejection},
    execute::{approval, attempt, context::Context, lock::Wait, protection, up},
    history::revisions::{held, standing},
    plan::{
        metadata::Tables,
        protection::{Mark, Protection, protection},
        rows::Hold,
        target::Direction,
    },
    report::Report,
};

/// A change of the mark of a protected database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protect {
    /// Sets the mark.
    Set,
    /// Rebinds a copied mark to this database.
    Renew,
    /// Removes the mark.
    Remove,
}

/// A held migration that was released.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Released {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// When it was rolled back.
    #[cfg_attr(feature = "serde", serde(with = "crate::plan::moment::serde_utc"))]
    pub held_at: SystemTime,
    /// The login role that rolled it back.
    pub held_by: String,
}

impl Migrator {
    /// Returns the mark of a protected database, if it has one. Writes nothing and takes no lock.
    ///
    /// # Errors
    ///
    /// The database cannot be read.
    pub async fn protection(&self) -> Result<Option<Protection>> {
        let context = Context::new(self.set()?, &self.settings);
        let limit = self.settings.wait_timeout;
        let client = borrow(&self.pool, limit).await?;
        let read = async {
            let tables = context.tables(&client).await?;
            protection::read_standing_ahead(&context, &client, tables).await
        };
        let standing = within(limit, read).await;
        Ok(protection(&unless_silent(client, standing).await?))
    }

    /// Sets, renews or removes the mark of a protected database, and returns the new mark. Creates
    /// upfront's tables if needed. The log records the change.
    ///
    /// # Cancellation
    ///
    /// Safe at every await: the change is made or not made.
    ///
    /// # Errors
    ///
    /// [`CopiedMark`](crate::ErrorKind::CopiedMark) if the mark exists already and was copied
    /// from another database; or the database cannot be written to.
    pub async fn protect(&self, what: Protect) -> Result<Option<Protection>> {
        self.mark(what, None).await
    }

    /// As [`protect`](Self::protect), if the present mark has this [digest](Protection::digest).
    ///
    /// # Errors
    ///
    /// [`StalePlan`](crate::ErrorKind::StalePlan) if it has another one; otherwise as [`protect`](Self::protect).
    pub async fn protect_approved(
        &self,
        what: Protect,
        approval: &Digest,
    ) -> Result<Option<Protection>> {
        self.mark(what, Some(approval)).await
    }

    async fn mark(&self, what: Protect, approval: Option<&Digest>) -> Result<Option<Protection>> {
        let context = Context::new(self.set()?, &self.settings);
        let session = self.lock(&context).await?;
        let marked = mark(&context, &session, what, approval).await;
        session.close(marked).await
    }

    /// Releases held migrations: the next [`up`](Self::up) applies them.
    ///
    /// # Cancellation
    ///
    /// Safe at every await: all are released or none.
    ///
    /// # Errors
    ///
    /// [`InvalidTarget`](crate::ErrorKind::InvalidTarget) if one of the versions is not held; the text lists
    /// the held ones.
    pub async fn release(&self, versions: &[String]) -> Result<Vec<Released>> {
        let context = Context::new(self.set()?, &self.settings);
        let session = self.lock(&context).await?;
        let doing = "reading what is held";
        let answer = session.ask(doing, &context.revisions.holds()).await?;
        let held = held(&answer).ok_or(Details::Unexpected { doing })?;
        let is_held = |version: &String| held.iter().any(|it| it.is_called(version));
        if let Some(version) = versions.iter().find(|it| !is_held(it)) {
            return session.close(Err(not_held(version, held))).await;
        }
        let asked = |it: &&Hold| versions.iter().any(|version| it.is_called(version));
        let released: Vec<_> = held.iter().filter(asked).map(released).collect();
        let versions: Vec<_> = released.iter().map(|it| it.version.as_str()).collect();
        let sql = context.revisions.release(&versions);
        session.ask("releasing migrations", &format!("{sql}COMMIT")).await?;
        Ok(released)
    }

    /// A session with the lock, in a transaction; upfront's own tables are there.
    async fn lock(&self, context: &Context<'_>) -> Result<Session> {
        let session = Session::take(&self.pool, self.settings.wait_timeout).await?;
        attempt::refuse_read_only(&session, None, Vec::new())?;
        up::migrate_metadata(context, &session).await?;
        let mut report = Report::new(context.app, Direction::Up);
        let mut wait = Wait::new();
        let locked = attempt::lock(context, &session, &mut wait, &mut report).await;
        match locked {
            Ok(_) => Ok(session),
            Err(err) => session.close(Err(err)).await,
        }
    }
}

fn not_held(version: &str, held: Vec<Hold>) -> Error {
    Rejection::NotHeld { version: version.to_owned(), held }.into()
}

fn released(it: &Hold) -> Released {
    let Hold { version, name, at, by, .. } = it.clone();
    Released { version, name, held_at: at, held_by: by }
}

/// Changes the mark in the transaction that has the lock, and logs that.
async fn mark(
    context: &Context<'_>,
    session: &Session,
    what: Protect,
    approval: Option<&Digest>,
) -> Result<Option<Protection>> {
    let doing = "reading the mark of a protected database";
    let sql = context.revisions.standing(Tables::Current);
    let answer = session.ask(doing, &sql).await?;
    let now = standing(&answer).ok_or(Details::Unexpected { doing })?;
    if let (Protect::Set, Some(Mark { at, by, .. })) = (what, now.copied_mark()) {
        let (at, by) = (*at, by.clone());
        return Err(Rejection::Copied { at, by }.into());
    }
    let digest = protection(&now).map(|it| it.digest);
    if let (Some(approved), Some(digest)) = (approval, &digest) {
        approval::verify(approved, digest).map_err(Rejection::Stale)?;
    }
    let approval = approval.and(digest.as_ref()).map(Digest::as_str);
    let log = |direction, message: &str| {
        let message = format!("{message} with upfront {}", env!("CARGO_PKG_VERSION"));
        context.revisions.log_mark(direction, &message, approval)
    };
    let change = match (what, &now.mark) {
        (Protect::Set, Some(_)) | (Protect::Remove, None) => String::new(),
        (Protect::Set, None) => {
            context.revisions.mark(&now.here) + &log(Direction::Up, "protected")
        }
        (Protect::Renew, _) => {
            context.revisions.mark(&now.here) + &log(Direction::Up, "protection renewed")
        }
        (Protect::Remove, Some(_)) => {
            context.revisions.unmark() + &log(Direction::Down, "protection removed")
        }
    };
    let fence = context.revisions.trust.write_fence();
    let answer = session.ask("marking a database", &format!("{fence}{change}{sql};COMMIT")).await?;
    session.set_open(false);
    Ok(protection(&standing(&answer).ok_or(Details::Unexpected { doing })?))
}
