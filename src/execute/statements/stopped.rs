//! Why a migration outside a transaction stopped, as errors.

use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::Run;
use crate::{
    Direction, Result,
    connection::{
        locked::SessionLock,
        session::{self, ScriptError},
    },
    embedded::{Class, Statement},
    error::{
        Cause, Details, Error, Failure, LockLost, LossOfLock, Partial, Reached, Remains,
        distrust::Meddling, excerpt::Excerpt, secrets,
    },
    execute::{
        execution::Execution,
        existing,
        transaction::{self, is_contention},
    },
    history::{
        revisions::{ESCAPED, MOVED, OTHER_BACKEND, RELEASED},
        trust::Access,
    },
    plan::{command::shell_word, journal::Mismatch},
};

impl Run<'_> {
    pub(super) fn edited(&self, it: &Mismatch) -> Error {
        let Execution { it: migration, direction, .. } = self.subject;
        let edited_is = |what| self.resolve(&format!("--edited {what}"));
        let lines: Vec<_> = it.new.iter().map(|at| self.line(*at)).collect();
        let lines = lines.join(", ");
        let undone = self.resolve(match direction {
            Direction::Up => "--rolled-back",
            Direction::Down => "--applied",
        });
        let mut choices = vec![("to go on as it was".into(), "restore the file".to_owned())];
        if it.new.is_empty() {
            let when = if it.gone.is_empty() { "to go on" } else { "if what those did may stay" };
            choices.push((when.into(), edited_is("--done")));
        } else {
            choices.push((format!("to run {lines} and go on").into(), edited_is("--not-done")));
            choices.push((format!("if {lines} took effect").into(), edited_is("--done")));
        }
        choices.push(("once all that it did is undone".into(), undone));
        let at = it.new.first().map(|at| &self.side.statements()[at - 1]);
        let excerpt =
            at.map_or_else(|| Excerpt::end(self.side), |at| Excerpt::start(self.side, at));
        let migration = migration.named();
        let (why, help) = (edited(it), "find out what took effect, then run");
        Details::Partial(Partial { migration, direction, excerpt, why: why.into(), help, choices })
            .into()
    }

    /// The command that records what a person found out about this migration.
    pub(super) fn resolve(&self, what: &str) -> String {
        let version = shell_word(self.subject.it.version);
        self.context.command(&format!("resolve {version} {what}"))
    }

    /// As the choices of an error name a statement.
    pub(super) fn line(&self, ordinal: usize) -> String {
        format!("line {}", self.side.statements()[ordinal - 1].line)
    }

    /// The error for rows that are still in the way of an index: nothing was tried.
    pub(super) fn duplicates(&self, it: &'static Statement, index: String, detail: &str) -> Error {
        let (migration, direction) = (self.subject.it.named(), self.subject.direction);
        let secrets = secrets::known(self.context.set, self.side, Some(it));
        let cause = Cause {
            code: SqlState::UNIQUE_VIOLATION,
            message: "the index was not built again: the duplicates are still there".to_owned(),
            detail: Some(secrets.redact(detail)),
            hint: None,
            context: None,
            position: None,
        };
        let (excerpt, remains) = (Excerpt::start(self.side, it), Remains::Before);
        let invalid_index = Some(index);
        let failure = Failure::new(migration, direction, excerpt, cause, remains);
        Details::Failed(Failure { invalid_index, ..failure }).into()
    }

    /// What is attached to upfront's own tables, by whomever; the transaction is rolled back.
    pub(super) async fn meddled(&self, how: Meddling) -> Error {
        let Execution { it, direction, .. } = self.subject;
        let trust = &self.context().revisions.trust;
        if let Err(err) = trust.diagnose(self.session.client(), Access::Write).await {
            return err;
        }
        let (migration, path) = (it.named(), self.side.path);
        Details::Meddled { migration, direction, path, how }.into()
    }

    /// What an error of a statement means; its row says the same.
    pub(super) async fn failed(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        stopped: ScriptError,
    ) -> Result<Error> {
        let Execution { it: migration, direction, .. } = self.subject;
        let migration = migration.named();
        let Some(err) = stopped.err.as_db_error().filter(|_| !session::is_lost(&stopped.err))
        else {
            return Ok(Details::ConnectionLost { migration, direction, source: stopped.err }.into());
        };
        if stopped.out_of_step && is_contention(err.code()) {
            return Ok(Details::ConnectionLost { migration, direction, source: stopped.err }.into());
        }
        if err.message().contains(ESCAPED) {
            return Ok(Details::Escaped { migration, direction, path: self.side.path }.into());
        }
        if Meddling::of(err.message()) == Some(Meddling::Attached) {
            self.roll_back().await?;
            return Ok(self.meddled(Meddling::Attached).await);
        }
        if Meddling::of(err.message()).is_some() {
            return Ok(self.not_recorded(stopped.err, Reached::RolledBack, Some((ordinal, it))));
        }
        let remains = match it.class {
            Class::Unknown if has_started(err) => Remains::Unclear,
            _ => Remains::Before,
        };
        let mut invalid_index = None;
        match (it.class, remains) {
            // The connection is of no use, and closes.
            (Class::Transactional, _) if stopped.out_of_step => {}
            (Class::Transactional, _) => self.roll_back().await?,
            (Class::Session, _) | (_, Remains::Unclear) => {}
            _ if self.started => {
                invalid_index = self.record_failure(ordinal, it, err.code()).await?;
            }
            _ => {}
        }
        let secrets = secrets::known(self.context.set, self.side, Some(it));
        let cause = Cause::of(err, &secrets, Some(it));
        let sent_from = if it.data.is_some() { stopped.sent_from } else { it.start };
        let excerpt = Excerpt::of(self.side, Some(it), sent_from, err);
        // What ran before it stays, and then a baseline is no way out.
        let advice = match (ordinal, remains) {
            (1, Remains::Before) => {
                existing::advice(self.context, self.session, direction, err).await
            }
            _ => None,
        };
        let failure = Failure::new(migration, direction, excerpt, cause, remains);
        let err = Details::Failed(Failure { advice, invalid_index, ..failure }).into();
        if !stopped.out_of_step {
            transaction::note(self.context, self.session, self.subject, &err).await;
        }
        Ok(err)
    }

    pub(super) fn not_recorded(
        &self,
        source: tokio_postgres::Error,
        reached: Reached,
        about: Option<(usize, &'static Statement)>,
    ) -> Error {
        let doing = "writing the journal of a migration";
        let message = source.as_db_error().map_or("", DbError::message);
        if let Some(how) = Meddling::of(message) {
            let (migration, path) = (self.subject.it.named(), self.side.path);
            let direction = self.subject.direction;
            return Details::Meddled { migration, direction, path, how }.into();
        }
        match (loss_of_lock(message, self.lock), source.code()) {
            (Some(why), _) => self.lock_lost(why, reached, about),
            (None, Some(it)) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
                self.context.denied(doing, &source, self.session)
            }
            _ => Details::Server { doing, source }.into(),
        }
    }

    pub(super) fn lock_lost(
        &self,
        why: LossOfLock,
        reached: Reached,
        about: Option<(usize, &'static Statement)>,
    ) -> Error {
        let Execution { it: migration, direction, .. } = self.subject;
        let excerpt = self.last.map(|it| Excerpt::start(self.side, it));
        let finish = about
            .filter(|_| reached == Reached::Unrecorded)
            .map(|(ordinal, _)| self.resolve(&format!("--statement {ordinal} --done")));
        let (migration, path) = (migration.named(), self.side.path);
        Details::LockLost(LockLost { migration, direction, path, excerpt, why, reached, finish })
            .into()
    }

    pub(super) fn under_way(&self, ordinal: usize, it: &'static Statement) -> Error {
        self.partial(ordinal, it, "another session is building this index just now: wait for it")
    }

    pub(super) fn partial(
        &self,
        ordinal: usize,
        it: &'static Statement,
        why: &'static str,
    ) -> Error {
        let outcome = |it| self.resolve(&format!("--statement {ordinal} {it}"));
        Details::Partial(Partial {
            migration: self.subject.it.named(),
            direction: self.subject.direction,
            excerpt: Excerpt::start(self.side, it),
            why: why.into(),
            help: "find out whether the statement took effect, then run",
            choices: vec![
                ("if it did".into(), outcome("--done")),
                ("if it did not".into(), outcome("--not-done")),
            ],
        })
        .into()
    }
}

/// Why a file does not fit its journal.
fn edited(it: &Mismatch) -> String {
    let (removed, new) = (it.gone.len(), it.new.len());
    let why = match (removed, new) {
        (0, 0) => "its statements moved".to_owned(),
        (0, new) => format!("new statements among those that ran: {new}"),
        (removed, 0) => format!("statements that ran and were removed: {removed}"),
        (removed, new) => {
            format!("statements that ran and were removed: {removed}, new in their place: {new}")
        }
    };
    let unclear = if it.is_unclear { "; whether the removed one ran is unknown" } else { "" };
    format!("the file was edited after a part of it ran; {why}{unclear}")
}

/// What one of our fences says of the lock.
fn loss_of_lock(message: &str, lock: &SessionLock) -> Option<LossOfLock> {
    let pid = lock.pid;
    if let Some((_, now)) = message.split_once(OTHER_BACKEND) {
        let digits = now.trim_start().chars().take_while(char::is_ascii_digit);
        return Some(LossOfLock::OtherBackend { pid, now: digits.collect() });
    }
    if message.contains(RELEASED) {
        return Some(LossOfLock::Released { pid });
    }
    message.contains(MOVED).then_some(LossOfLock::Moved)
}

/// A statement that the server could not even parse, or whose names it did not find, did nothing: its
/// error points into our text, and no function was on the stack.
fn has_started(err: &DbError) -> bool {
    !matches!(err.position(), Some(ErrorPosition::Original(_))) || err.where_().is_some()
}
