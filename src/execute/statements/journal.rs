//! What a migration outside a transaction writes into its journal, a transaction for each change.

use tokio_postgres::error::SqlState;

use super::{Run, state::StatementState};
use crate::{
    Result,
    connection::{
        session,
        session_settings::{SettingScope, own_role, target},
        sql::PINNED,
    },
    embedded::Statement,
    error::{
        Details, Reached,
        distrust::{Meddling, NOT_WRITTEN},
    },
    execute::execution::Execution,
    history::revisions::MOVED,
    plan::{checksum, journal::Failed},
};

/// A change of the journal.
struct Change {
    sql: String,
    /// How many rows there are afterwards.
    rows: usize,
    /// What fails unless the change was made.
    written: String,
    /// How far the migration came before it.
    reached: Reached,
    /// The statement that it is about.
    about: Option<(usize, &'static Statement)>,
}

impl Run<'_> {
    /// Begins a transaction that has the lock for itself, whatever the statement releases; returns
    /// its id.
    pub(super) async fn begin_transaction(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
    ) -> Result<String> {
        let doing = "beginning a statement's transaction";
        let revisions = &self.context().revisions;
        let Execution { it: migration, direction, .. } = self.subject;
        let lock = revisions.lock_fence(self.lock);
        let journal = revisions.journal_fence(migration.version, direction, self.rows, MOVED);
        let role = own_role(self.context.settings, &self.session.facts);
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;{lock}SAVEPOINT upfront;{role}{journal}ROLLBACK TO \
             SAVEPOINT upfront;RELEASE SAVEPOINT upfront;SELECT \
             pg_catalog.pg_current_xact_id()::pg_catalog.text AS upfront_xid"
        );
        self.open = true;
        let answer = session::ask(self.session.client(), &sql).await;
        let answer = answer
            .map_err(|source| self.not_recorded(source, Reached::NotSent, Some((ordinal, it))))?;
        let xid = answer.row("upfront_xid").and_then(|it| it.get(0));
        Ok(xid.ok_or(Details::Unexpected { doing })?.to_owned())
    }

    /// Commits that a statement starts.
    pub(super) async fn start(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
        reached: Reached,
    ) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = revisions.start_step(self.subject.it, place, hash);
        let written = revisions.written_fence(place, hash, false);
        let change = self.change(ordinal, it, sql, written);
        self.write(Change { rows: self.rows + 1, reached, ..change }).await?;
        self.started = true;
        Ok(())
    }

    /// Commits that a statement starts once more.
    pub(super) async fn restart(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
    ) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = revisions.restart_step(place, hash);
        let written = revisions.written_fence(place, hash, false);
        self.write(self.change(ordinal, it, sql, written)).await?;
        self.started = true;
        Ok(())
    }

    pub(super) async fn finish(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
    ) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = revisions.finish_step(place);
        let written = revisions.written_fence(place, hash, true);
        let change = self.change(ordinal, it, sql, written);
        self.write(Change { reached: Reached::Unrecorded, ..change }).await
    }

    pub(super) async fn forget(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        let sql = self.context().revisions.forget_step(self.place(ordinal));
        let change = self.change(ordinal, it, sql, String::new());
        self.write(Change { rows: self.rows - 1, ..change }).await
    }

    /// Makes the migration a revision, or takes it out of the history; its journal ends.
    pub(super) async fn record(&mut self, sql: String) -> Result<()> {
        let (rows, written) = (0, String::new());
        self.write(Change { sql, rows, written, reached: Reached::Whole, about: None }).await
    }

    /// Verifies that the lock is there, for a statement that starts without a row.
    pub(super) async fn verify(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        self.write(self.change(ordinal, it, String::new(), String::new())).await
    }

    /// Records that a statement failed: its row goes, unless it left something.
    pub(super) async fn record_failure(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        code: &SqlState,
    ) -> Result<Option<String>> {
        let before = std::mem::take(&mut self.invalid_before);
        let mut left = self.invalid(it.class).await?;
        left.retain(|it| !before.contains(it));
        let is_half = match self.find(it.class).await? {
            StatementState::NotDone { first } => !first.is_empty(),
            StatementState::Half { .. } => true,
            StatementState::Done | StatementState::UnderWay | StatementState::CannotTell => false,
        };
        let before = self.failed_before.take();
        if left.is_empty() && !is_half {
            self.forget(ordinal, it).await?;
            return Ok(None);
        }
        let failed = Failed {
            times: before.map_or(1, |it| it.times.saturating_add(1)),
            code: code.code().to_owned(),
            index: left.first().map_or(0, |it| it.oid),
            hash: checksum::sha256(self.side.text(it)),
        };
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let mark = failed.mark();
        let sql = revisions.fail_step(place, &mark);
        let written = revisions.written_fence(place, &mark, false);
        self.write(self.change(ordinal, it, sql, written)).await?;
        Ok(left.pop().map(|it| it.name))
    }

    /// A change before a statement is sent, which adds no row.
    fn change(
        &self,
        ordinal: usize,
        it: &'static Statement,
        sql: String,
        written: String,
    ) -> Change {
        let (rows, reached, about) = (self.rows, Reached::NotSent, Some((ordinal, it)));
        Change { sql, rows, written, reached, about }
    }

    /// Writes to upfront's own tables under our role, and leaves the migration its own.
    ///
    /// Nothing is written unless this session still has the lock, no other process wrote the
    /// journal, and exactly what was meant is there afterwards.
    async fn write(&mut self, change: Change) -> Result<()> {
        let Change { sql, rows, written, reached, about } = change;
        let (revisions, Execution { it: migration, direction, .. }) =
            (&self.context().revisions, self.subject);
        let role = own_role(self.context.settings, &self.session.facts);
        let limit = self.context.settings.wait_timeout.as_millis();
        let lock = revisions.lock_fence(self.lock);
        let fence = |rows, otherwise| {
            revisions.journal_fence(migration.version, direction, rows, otherwise)
        };
        let (before, after) = (fence(self.rows, MOVED), fence(rows, NOT_WRITTEN));
        let target = target(self.context.settings, SettingScope::Session);
        let trusted = revisions.trust.write_fence();
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;{role}SET LOCAL lock_timeout TO {limit};\
             {target}{PINNED}{trusted}{lock}{before}{sql};{after}{written}COMMIT"
        );
        self.open = true;
        let Err(source) = session::ask(self.session.client(), &sql).await else {
            self.open = false;
            self.rows = rows;
            return Ok(());
        };
        let meddling = source.as_db_error().and_then(|it| Meddling::of(it.message()));
        let err = self.not_recorded(source, reached, about);
        // Where the connection is gone, so is the transaction.
        let _ = self.roll_back().await;
        Err(match meddling {
            Some(Meddling::Attached) => self.meddled(Meddling::Attached).await,
            _ => err,
        })
    }
}
