//! The body of a migration on its way to the server: one message with its row, or several.
//!
//! The rows of a `COPY … FROM STDIN` travel in the protocol's copy mode, between two messages of the
//! same transaction.

use std::{pin::pin, time::Instant};

use futures_util::SinkExt;
use tokio_postgres::{Statement as Prepared, error::SqlState};

use crate::{
    Event,
    connection::{
        answer::Answer,
        session::{self, ScriptError, Session},
    },
    embedded::{Side, Statement},
    execute::{
        context::Context,
        execution::{self, Execution},
    },
    history::revisions::Sent,
};

/// Sends the subject's body and what comes behind it, and reports each statement of it.
///
/// The server maps a place in a function's body to the text of the message, if that has the body
/// once. So either the row takes the text from the message, or it is in another one.
pub(crate) async fn send(
    context: &Context<'_>,
    session: &Session,
    subject: Execution,
    behind: impl FnOnce(Sent) -> String,
) -> Result<Answer, ScriptError> {
    let _hearing = execution::hear(context, session, subject);
    let mut sending = Sending { context, session, subject, completed: 0 };
    let Some(side) = subject.side else { return sending.run(0, &behind(Sent::WithBody)).await };
    if is_one_message(session, side) {
        return sending.run(0, &format!("{}{}", side.body(), behind(Sent::WithBody))).await;
    }
    let since = Instant::now();
    let from = sending.copies(side).await?;
    sending.statements(from, side.count(), &side.body()[from..]).await?;
    sending.run(from, &behind(Sent::Apart { took: since.elapsed() })).await
}

/// Whether the server has the text of a side when it writes its row, and so needs no second copy.
fn is_one_message(session: &Session, side: &Side) -> bool {
    side.body.is_none() && !side.any().data && session.facts.encoding == "UTF8"
}

struct Sending<'a> {
    context: &'a Context<'a>,
    session: &'a Session,
    subject: Execution,
    completed: usize,
}

impl Sending<'_> {
    /// Sends all that stands up to the end of the last data; gives the place behind it.
    async fn copies(&mut self, side: &'static Side) -> Result<usize, ScriptError> {
        let mut from = 0;
        if !side.any().data {
            return Ok(from);
        }
        for (ordinal, it) in side.statements().iter().enumerate() {
            let Some(after) = after_data(it) else { continue };
            self.statements(from, ordinal, &side.body()[from..it.start]).await?;
            let copied = copy(self.session, side, it).await;
            let completed = self.completed;
            copied.map_err(|stopped| ScriptError { completed, ..stopped })?;
            self.completed += 1;
            self.report(self.completed);
            from = after;
        }
        Ok(from)
    }

    /// Sends the statements up to this one. The driver counts an empty message as a statement.
    async fn statements(
        &mut self,
        from: usize,
        up_to: usize,
        sql: &str,
    ) -> Result<(), ScriptError> {
        match self.completed < up_to {
            true => self.run(from, sql).await.map(drop),
            false => Ok(()),
        }
    }

    /// Sends a message that begins at this byte of the body.
    async fn run(&mut self, from: usize, sql: &str) -> Result<Answer, ScriptError> {
        let before = self.completed;
        let ran = session::run(self.session.client(), sql, |it| self.report(before + it)).await;
        match ran {
            Ok(answer) => {
                self.completed += answer.completed;
                Ok(answer)
            }
            Err(stopped) => {
                self.completed += stopped.completed;
                Err(ScriptError { completed: self.completed, sent_from: from, ..stopped })
            }
        }
    }

    fn report(&self, ordinal: usize) {
        let (of, version) = (self.subject.count(), self.subject.it.version.into());
        if ordinal <= of {
            self.context.notify(&Event::Statement { version, ordinal, of });
        }
    }
}

/// The place behind the `\.` that ends the data of a statement.
fn after_data(it: &Statement) -> Option<usize> {
    it.data.as_ref().map(|it| it.lines.end + r"\.".len())
}

/// Runs a `COPY … FROM STDIN` with its data, in a transaction.
///
/// What it can meet before it asks for data is met by its probe.
pub(crate) async fn copy(
    session: &Session,
    side: &'static Side,
    it: &Statement,
) -> Result<(), ScriptError> {
    let data = it.data.as_ref().expect("a statement without data is sent as it is");
    if !data.probe.is_empty() {
        let probed = session.client().batch_execute(data.probe).await;
        // A position in the probe is not one in the file.
        probed.map_err(|err| ScriptError { sent_from: usize::MAX, ..ScriptError::new(err) })?;
    }
    match copy_rows(session, side.text(it), &side.body()[data.lines.clone()]).await {
        Ok(()) => Ok(()),
        Err(err) => {
            let out_of_step = is_out_of_step(session, &err).await;
            Err(ScriptError { sent_from: it.start, out_of_step, ..ScriptError::new(err) })
        }
    }
}

async fn copy_rows(
    session: &Session,
    sql: &str,
    rows: &'static str,
) -> Result<(), tokio_postgres::Error> {
    /// Enough for a large file to be fast.
    const CHUNK: usize = 1 << 16;
    let prepared = prepare(session, sql).await?;
    let mut sink = pin!(session.client().copy_in::<_, &'static [u8]>(&prepared).await?);
    for chunk in rows.as_bytes().chunks(CHUNK) {
        if sink.feed(chunk).await.is_err() {
            // The answer below has the reason.
            break;
        }
    }
    sink.finish().await.map(drop)
}

/// Whether the driver has lost count of the answers.
///
/// It sends two `Sync` for a `COPY`, of which the server passes over the one that comes among the
/// data. A `COPY` that failed before it read any answers to both.
async fn is_out_of_step(session: &Session, err: &tokio_postgres::Error) -> bool {
    if err.as_db_error().is_none() || session::is_lost(err) {
        return false;
    }
    // The transaction is aborted: any other answer is that of another request.
    let answer = session.client().batch_execute("SELECT").await;
    answer.err().and_then(|it| it.code().cloned()) != Some(SqlState::IN_FAILED_SQL_TRANSACTION)
}

/// Prepares a statement under a name that the session does not have yet.
///
/// The driver counts its names from zero. Behind a pooler that does not keep them apart, another
/// client may have left the same name with the server.
async fn prepare(session: &Session, sql: &str) -> Result<Prepared, tokio_postgres::Error> {
    /// A service that prepares more names than this through such a pooler meets them itself.
    const TRIES: usize = 200;
    let client = session.client();
    if !session.facts.pooled {
        return client.prepare(sql).await;
    }
    for _ in 0..TRIES {
        client.batch_execute("SAVEPOINT upfront_copy").await?;
        match client.prepare(sql).await {
            Err(err) if err.code() == Some(&SqlState::DUPLICATE_PSTATEMENT) => {
                client.batch_execute("ROLLBACK TO upfront_copy;RELEASE upfront_copy").await?;
            }
            Err(err) => return Err(err),
            Ok(it) => {
                client.batch_execute("RELEASE upfront_copy").await?;
                return Ok(it);
            }
        }
    }
    client.prepare(sql).await
}
