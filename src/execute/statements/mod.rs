//! A migration outside a transaction: statement by statement, with a journal.
//!
//! A transactional statement and its row in the journal share one transaction. Any other is bracketed
//! by two committed rows, and after a crash the catalog is asked what happened.

mod journal;
mod state;
mod stopped;

use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::SqlState;

use crate::{
    Direction, Event, Result,
    connection::{
        locked::SessionLock,
        session::{self, ScriptError, Session},
        session_settings::{SettingScope, own_role, prologue},
    },
    embedded::{Class, Migration, Side, Statement},
    error::{Details, Error, Partial, Reached, Remains, excerpt::Excerpt, rejection::Rejection},
    event::milliseconds,
    execute::{
        context::Context,
        data_loss::{CountPhase, DataLossCounter},
        execution::{self, DataLossPolicy, Execution},
        index_build::{self, Invalid},
        send,
        transaction::{self, is_contention},
    },
    history::revisions::JournalKey,
    plan::{
        checksum,
        command::shell_word,
        journal::{Failed, Journal, Listed, mismatch},
    },
};

use state::StatementState;

/// One side of a migration that runs outside a transaction.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub(crate) lock: &'a SessionLock,
    pub(crate) subject: Execution,
    pub(crate) journal: &'a [Journal],
    /// Its place among all that this call runs, and how many those are.
    pub(crate) place: (usize, usize),
}

/// Runs what is left of one side of a migration, under the session lock, and gives the lock back.
/// `record` is what makes it a revision, or takes it out of the history.
///
/// It gives the time that it took, or nothing where contention was in the way: then plan again.
pub(crate) async fn run(
    context: &Context<'_>,
    session: &Session,
    work: Work<'_>,
    record: impl FnOnce(Duration) -> String,
    tries: &mut transaction::Tries,
) -> Result<Option<Duration>> {
    let Work { subject, journal, place, .. } = work;
    let side = subject.side.expect("what runs outside a transaction has a side");
    let it = subject.it;
    let mine = |row: &&Journal| row.version == it.version && row.direction == subject.direction;
    let journal: Vec<_> = journal.iter().filter(mine).collect();
    let mut run = Run::new(context, session, work, side, journal.len());
    let since = Instant::now();
    context.notify(&transaction::started(subject, place));
    let _hearing = execution::hear(context, session, subject);
    let ran = match transaction::announced(context, it, tries, Box::pin(run.all(&journal))).await {
        Ok(()) => run.record(record(since.elapsed())).await,
        Err(err) => Err(err),
    };
    let tidied = run.tidy().await;
    if let (Err(_), Err(err)) = (&ran, &tidied) {
        tracing::warn!(error = %err, "a failed migration's session could not be tidied up");
    }
    match ran {
        Err(err) if run.is_worth_another_try(&err, tries).await => Ok(None),
        Err(err) => Err(err),
        Ok(()) => {
            let took = since.elapsed();
            context.notify(&transaction::finished(subject, took));
            tidied.map(|()| Some(took))
        }
    }
}

/// A file that was begun statement by statement cannot go on in a transaction.
///
/// # Errors
///
/// The journal holds rows of the migration.
pub(crate) fn refuse_begun(
    context: &Context<'_>,
    it: &'static Migration,
    journal: &[Journal],
) -> Result<()> {
    let begun = |row: &Journal| row.version == it.version && row.direction == Direction::Up;
    if !journal.iter().any(begun) {
        return Ok(());
    }
    let undone = context.command(&format!("resolve {} --rolled-back", shell_word(it.version)));
    Err(Details::Partial(Partial {
        migration: it.named(),
        direction: Direction::Up,
        excerpt: Excerpt::end(&it.up),
        why: "it was begun outside a transaction, and now is to run in one from its start".into(),
        help: "find out what it did, then",
        choices: vec![
            (
                "to go on where it stopped".into(),
                "give the file `-- atlas:txmode none` back".to_owned(),
            ),
            ("once what it did is undone".into(), undone),
        ],
    })
    .into())
}

/// A migration that is under way.
struct Run<'a> {
    context: &'a Context<'a>,
    session: &'a Session,
    /// The lock as it was taken; every write of the journal verifies that it is still there.
    lock: &'a SessionLock,
    subject: Execution,
    side: &'static Side,
    /// Our own `lock_timeout`, as the server spells it.
    limit: String,
    /// How many rows the journal has, unless another process writes it, too.
    rows: usize,
    /// A transaction is open: what ends one that is not makes the server warn.
    open: bool,
    /// The statement under way has a row that says so.
    started: bool,
    /// The last statement that came to its end.
    last: Option<&'static Statement>,
    /// The invalid indexes of the table before a statement builds one.
    invalid_before: Vec<Invalid>,
    /// How the statement under way failed before.
    failed_before: Option<Failed>,
}

impl<'a> Run<'a> {
    fn new(
        context: &'a Context<'a>,
        session: &'a Session,
        Work { lock, subject, .. }: Work<'a>,
        side: &'static Side,
        rows: usize,
    ) -> Self {
        let (open, started, limit, last) = (false, false, String::new(), None);
        let (invalid_before, failed_before) = (Vec::new(), None);
        Self {
            context,
            session,
            lock,
            subject,
            side,
            limit,
            rows,
            open,
            started,
            last,
            invalid_before,
            failed_before,
        }
    }
}

impl<'a> Run<'a> {
    async fn all(&mut self, journal: &[&Journal]) -> Result<()> {
        self.refuse_edited(journal)?;
        let doing = "preparing a migration";
        let prologue = prologue(
            self.context.settings,
            &self.session.facts,
            Some(self.side),
            SettingScope::Session,
        );
        let answer = self.session.ask(doing, &format!("{prologue}{LIMIT}")).await?;
        let limit = answer.row("upfront_limit").and_then(|it| it.get(0));
        limit.ok_or(Details::Unexpected { doing })?.clone_into(&mut self.limit);
        let of = self.side.count();
        for (statement, ordinal) in self.side.statements().iter().zip(1..) {
            let row = journal.iter().find(|row| row.ordinal == ordinal).copied();
            self.statement(ordinal, statement, row).await?;
            self.started = false;
            self.failed_before = None;
            let version = self.subject.it.version.into();
            self.context.notify(&Event::Statement { version, ordinal, of });
        }
        // Another statement may stand there now, or none.
        for failed in journal.iter().filter_map(|it| it.failed()) {
            self.remove_left(failed.index).await?;
        }
        Ok(())
    }

    /// For as long as the work lasts, which is longer than a borrow of the run.
    fn context(&self) -> &'a Context<'a> {
        self.context
    }

    fn place(&self, ordinal: usize) -> JournalKey<'static> {
        let Execution { it, direction, .. } = self.subject;
        JournalKey { version: it.version, direction, ordinal }
    }

    /// Leaves the session as it was found, and lets go of the lock: a session pooler may pass the
    /// connection on as it is.
    async fn tidy(&mut self) -> Result<()> {
        self.roll_back().await?;
        let nothing = transaction::discard_session_state(Some(self.side));
        let unlock = self.context.revisions.unlock_session();
        let sql = format!("{nothing}RESET ALL;RESET ROLE;{unlock}");
        self.session.ask("tidying up after a migration", &sql).await.map(drop)
    }

    async fn roll_back(&mut self) -> Result<()> {
        if std::mem::take(&mut self.open) {
            self.session.ask("rolling back", "ROLLBACK").await?;
        }
        Ok(())
    }

    /// Refuses a file that is not the one of which some statements ran, with the
    /// commands that make the journal fit the present file.
    fn refuse_edited(&self, journal: &[&Journal]) -> Result<()> {
        let listed =
            |it: &Statement| Listed::new(checksum::sha256(self.side.text_and_data(it)), it.class);
        let file: Vec<_> = self.side.statements().iter().map(listed).collect();
        match mismatch(&file, journal) {
            Some(it) => Err(self.edited(&it)),
            None => Ok(()),
        }
    }

    async fn statement(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        row: Option<&Journal>,
    ) -> Result<()> {
        let hash = checksum::sha256(self.side.text_and_data(it));
        match (it.class, row) {
            (Class::Session, _) => self.execute(ordinal, it, self.side.text(it)).await,
            (_, Some(row)) if row.finished => Ok(()),
            (Class::Transactional, _) => {
                if let Some(failed) = row.and_then(Journal::failed) {
                    self.remove_left(failed.index).await?;
                    self.forget(ordinal, it).await?;
                }
                self.in_transaction(ordinal, it, &hash).await
            }
            (_, Some(row)) => match row.failed() {
                Some(failed) => self.again(ordinal, it, &failed, row.age).await,
                None => self.resume(ordinal, it).await,
            },
            (_, None) => self.begin(ordinal, it, &hash).await,
        }
    }

    /// The statement and its row, in one transaction.
    async fn in_transaction(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
    ) -> Result<()> {
        let xid = self.begin_transaction(ordinal, it).await?;
        let revisions = &self.context().revisions;
        let place = self.place(ordinal);
        let pass = revisions.pass_step(self.subject.it, place, hash, &xid);
        let written = revisions.written_fence(place, hash, true);
        let role = own_role(self.context.settings, &self.session.facts);
        let text = self.side.text(it);
        self.refuse_loss(ordinal, it).await?;
        let record = format!("{role}{pass};{written}COMMIT");
        if it.data.is_some() {
            if let Err(stopped) = send::copy(self.session, self.side, it).await {
                return Err(self.failed(ordinal, it, stopped).await?);
            }
            self.execute(ordinal, it, &record).await?;
        } else {
            self.execute(ordinal, it, &format!("{text}\n;{record}")).await?;
        }
        self.open = false;
        self.rows += 1;
        Ok(())
    }

    /// What was empty when the rollback began may have been filled since.
    async fn refuse_loss(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        if self.subject.losing == DataLossPolicy::Accepted {
            return Ok(());
        }
        let client = self.session.client();
        let mut measure = DataLossCounter::new(client, self.context.settings, CountPhase::AtWork);
        let losses = match measure.statement(it).await {
            Ok(losses) => losses,
            Err(err) => {
                return Err(self.failed(ordinal, it, ScriptError::new(err)).await?);
            }
        };
        let title = self.subject.it.title();
        let losses = losses.into_iter().filter(|it| !it.empty).map(|it| (title.clone(), it));
        let losses: Vec<_> = losses.collect();
        if losses.is_empty() {
            return Ok(());
        }
        let done = vec![format!("{title} (in part)")];
        Err(Rejection::DataLoss { losses, done }.into())
    }

    /// A statement that never started.
    async fn begin(&mut self, ordinal: usize, it: &'static Statement, hash: &str) -> Result<()> {
        let text = self.side.text(it);
        let (first, sql) = match self.find(it.class).await? {
            StatementState::UnderWay => return Err(self.under_way(ordinal, it)),
            // Not by us: the server says what it thinks of that, and no row says that we started.
            StatementState::Done => {
                self.verify(ordinal, it).await?;
                self.execute(ordinal, it, text).await?;
                self.start(ordinal, it, hash, Reached::Unrecorded).await?;
                return self.finish(ordinal, it, hash).await;
            }
            StatementState::NotDone { first } => (first, text.to_owned()),
            StatementState::Half { rest } => (Vec::new(), rest),
            StatementState::CannotTell => (Vec::new(), text.to_owned()),
        };
        self.start(ordinal, it, hash, Reached::NotSent).await?;
        self.outside(ordinal, it, first, &sql).await
    }

    /// A statement that started, and of which nobody recorded the end.
    async fn resume(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        let hash = checksum::sha256(self.side.text_and_data(it));
        let (first, sql) = match self.find(it.class).await? {
            StatementState::Done => return self.finish(ordinal, it, &hash).await,
            StatementState::NotDone { first } => (first, self.side.text(it).to_owned()),
            StatementState::Half { rest } => (Vec::new(), rest),
            StatementState::UnderWay => return Err(self.under_way(ordinal, it)),
            StatementState::CannotTell => {
                let why = "whether it took effect is unknown";
                return Err(self.partial(ordinal, it, why));
            }
        };
        self.restart(ordinal, it, &hash).await?;
        self.outside(ordinal, it, first, &sql).await
    }

    /// A statement that failed and left something, or another one in its place.
    async fn again(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        failed: &Failed,
        age: u64,
    ) -> Result<()> {
        let hash = &checksum::sha256(self.side.text_and_data(it));
        if failed.hash == *hash {
            self.wait_for_cause(ordinal, it, failed, age).await?;
        }
        self.remove_left(failed.index).await?;
        let (first, sql) = match self.find(it.class).await? {
            StatementState::NotDone { first } => (first, self.side.text(it).to_owned()),
            StatementState::Half { rest } => (Vec::new(), rest),
            StatementState::UnderWay => return Err(self.under_way(ordinal, it)),
            StatementState::Done | StatementState::CannotTell => {
                (Vec::new(), self.side.text(it).to_owned())
            }
        };
        self.restart(ordinal, it, hash).await?;
        self.failed_before = (failed.hash == *hash).then(|| failed.clone());
        self.outside(ordinal, it, first, &sql).await
    }

    /// An index is not built again while the rows are there that it failed for, nor at once after
    /// another failure. If the invalid index was dropped, there is no pause.
    async fn wait_for_cause(
        &self,
        ordinal: usize,
        it: &'static Statement,
        failed: &Failed,
        age: u64,
    ) -> Result<()> {
        let Some(index) = index_build::with_oid(self.session, failed.index).await? else {
            return Ok(());
        };
        let is_unique = failed.code == SqlState::UNIQUE_VIOLATION.code();
        if is_unique && let Some(detail) = index_build::duplicate(self.session, &index).await {
            return Err(self.duplicates(it, index.name, &detail));
        }
        let code = SqlState::from_code(&failed.code);
        let pause = failed.pause(age).min(self.context.settings.wait_timeout);
        if is_unique || is_contention(&code) || pause.is_zero() {
            return Ok(());
        }
        tracing::warn!(
            index = index.name,
            statement = ordinal,
            failures = failed.times,
            sqlstate = failed.code,
            pause_ms = milliseconds(pause),
            "an index could not be built; pausing before the next try"
        );
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Drops an index of ours that is invalid still, whatever its statement is now.
    async fn remove_left(&self, index: u32) -> Result<()> {
        match index_build::with_oid(self.session, index).await? {
            Some(it) => self.remove(&it.drop()).await,
            None => Ok(()),
        }
    }

    async fn remove(&self, sql: &str) -> Result<()> {
        tracing::info!(statement = sql, "removing what an interrupted statement left");
        let doing = "removing what an interrupted statement left";
        let removed = session::ask(self.session.client(), sql).await;
        removed.map(drop).map_err(|source| Details::Server { doing, source }.into())
    }

    /// The invalid indexes of the table on which a statement builds one.
    async fn invalid(&self, class: Class) -> Result<Vec<Invalid>> {
        let Class::CreateIndex { table, .. } = class else { return Ok(Vec::new()) };
        match self.oid(table).await? {
            Some(oid) => index_build::of_table(self.session, &oid).await,
            None => Ok(Vec::new()),
        }
    }

    /// Runs a statement between two rows of the journal.
    async fn outside(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        first: Vec<String>,
        sql: &str,
    ) -> Result<()> {
        for sql in first {
            self.remove(&sql).await?;
        }
        self.invalid_before = self.invalid(it.class).await?;
        let limit = self.lift_limit(it.class).await?;
        self.execute(ordinal, it, sql).await?;
        if let Some(sql) = limit {
            self.session.ask("setting a limit again", &sql).await?;
        }
        self.finish(ordinal, it, &checksum::sha256(self.side.text_and_data(it))).await
    }

    /// Lets a statement wait for locks as long as it takes, where being cut off leaves an invalid
    /// index behind, or doubt; gives what sets the limit again. A limit that the file set for a
    /// statement of the latter kind stays.
    async fn lift_limit(&self, class: Class) -> Result<Option<String>> {
        let condition = match class {
            Class::Repeatable => return Ok(None),
            Class::Unknown => format!("= {}", escape_literal(&self.limit)),
            _ => "IS NOT NULL".to_owned(),
        };
        let doing = "lifting a limit";
        let sql = format!(
            "{LIMIT}SELECT pg_catalog.set_config('lock_timeout', '0', false) WHERE \
             pg_catalog.current_setting('lock_timeout') {condition}"
        );
        let answer = self.session.ask(doing, &sql).await?;
        let limit = answer.row("upfront_limit").and_then(|it| it.get(0));
        let limit = escape_literal(limit.ok_or(Details::Unexpected { doing })?);
        Ok(Some(format!("SELECT pg_catalog.set_config('lock_timeout', {limit}, false)")))
    }

    async fn execute(&mut self, ordinal: usize, it: &'static Statement, sql: &str) -> Result<()> {
        match session::run(self.session.client(), sql, |_| {}).await {
            Ok(_) => {
                self.last = Some(it);
                Ok(())
            }
            Err(stopped) => Err(self.failed(ordinal, it, stopped).await?),
        }
    }

    /// Contention passes; a statement whose fate is unclear is not tried again.
    async fn is_worth_another_try(&self, err: &Error, tries: &mut transaction::Tries) -> bool {
        match err.details() {
            Details::Failed(it)
                if it.remains == Remains::Before && is_contention(&it.cause.code) =>
            {
                let code = it.cause.code.code();
                transaction::pause(self.context, self.session, self.subject.it, code, tries).await
            }
            _ => false,
        }
    }
}

const LIMIT: &str = "SELECT pg_catalog.current_setting('lock_timeout') AS upfront_limit;";
