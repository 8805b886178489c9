//! A migration outside a transaction: statement by statement, with a journal.
//!
//! What may stand in a transaction shares one with its row in the journal. The rest is bracketed
//! by two committed rows, and after a crash the catalog is asked what happened.

use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use crate::{
    Direction, Event, Result,
    connection::{
        locked::SessionLock,
        session::{self, ScriptError, Session},
        session_settings::{SettingScope, own_role, prologue, target},
        sql::PINNED,
    },
    embedded::{Class, Migration, Side, Statement},
    error::{
        Cause, Details, Error, Failure, LockLost, LossOfLock, Partial, Reached, Remains,
        distrust::{Meddling, NOT_WRITTEN},
        excerpt::Excerpt,
        rejection::Rejection,
        secrets,
    },
    event::milliseconds,
    execute::{
        context::Context,
        data_loss::{CountPhase, DataLossCounter},
        execution::{self, DataLossPolicy, Execution},
        existing,
        index_build::{self, Invalid},
        send,
        transaction::{self, is_contention},
    },
    history::{
        revisions::{ESCAPED, JournalKey, MOVED, OTHER_BACKEND, RELEASED},
        trust::Access,
    },
    plan::{
        checksum,
        command::shell_word,
        journal::{self, Failed, Journal, Listed, Mismatch},
    },
};

/// Runs what is left of one side of a migration, under the session lock, and gives the lock back.
/// `record` is what makes it a revision, or takes it out of the history.
///
/// It gives the time that it took, or nothing where contention was in the way: then plan again.
#[allow(clippy::too_many_arguments, reason = "each is something else, and all are needed")]
pub(crate) async fn run(
    context: &Context<'_>,
    session: &Session,
    lock: &SessionLock,
    subject: Execution,
    journal: &[Journal],
    record: impl FnOnce(Duration) -> String,
    place: (usize, usize),
    tries: &mut transaction::Tries,
) -> Result<Option<Duration>> {
    let side = subject.side.expect("what runs outside a transaction has a side");
    let it = subject.it;
    let mine = |row: &&Journal| row.version == it.version && row.direction == subject.direction;
    let journal: Vec<_> = journal.iter().filter(mine).collect();
    let mut run = Run::new(context, session, lock, subject, side, journal.len());
    let since = Instant::now();
    context.notify(&transaction::started(subject, place));
    let _hearing = execution::hear(context, session, subject);
    let ran = match transaction::announced(context, it, tries, Box::pin(run.all(&journal))).await {
        Ok(()) => run.record(&record(since.elapsed())).await,
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

/// What the catalog says about a statement.
enum StatementState {
    /// It took effect.
    Done,
    /// It did not; these come before it is run.
    NotDone { first: Vec<String> },
    /// It did in part, and this ends it.
    Half { rest: String },
    /// Somebody is at it just now.
    UnderWay,
    /// The catalog does not know.
    CannotTell,
}

/// A change of the journal.
struct Write<'a> {
    sql: &'a str,
    /// How many rows there are afterwards.
    rows: usize,
    /// What fails unless the change was made.
    written: String,
    /// How far the migration came before it.
    reached: Reached,
    /// The statement that it is about.
    about: Option<(usize, &'static Statement)>,
}

impl<'a> Run<'a> {
    fn new(
        context: &'a Context<'a>,
        session: &'a Session,
        lock: &'a SessionLock,
        subject: Execution,
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

    /// Refuses a file that is not the one of which some statements ran, with what is to be run by
    /// hand so that the journal fits the file as it is now.
    fn refuse_edited(&self, journal: &[&Journal]) -> Result<()> {
        let listed =
            |it: &Statement| Listed::new(checksum::sha256(self.side.text_and_data(it)), it.class);
        let file: Vec<_> = self.side.statements().iter().map(listed).collect();
        match journal::mismatch(&file, journal) {
            Some(it) => Err(self.edited(&it)),
            None => Ok(()),
        }
    }

    fn edited(&self, it: &Mismatch) -> Error {
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
    fn resolve(&self, what: &str) -> String {
        let version = shell_word(self.subject.it.version);
        self.context.command(&format!("resolve {version} {what}"))
    }

    /// As the choices of an error name a statement.
    fn line(&self, ordinal: usize) -> String {
        format!("line {}", self.side.statements()[ordinal - 1].line)
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
                Some(failed) => self.again(ordinal, it, &hash, &failed, row.age).await,
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

    /// Begins a transaction that has the lock for itself, whatever the statement releases; gives
    /// its id.
    async fn begin_transaction(
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
                let why = "nobody can tell whether it took effect";
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
        hash: &str,
        failed: &Failed,
        age: u64,
    ) -> Result<()> {
        if failed.hash == hash {
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
        self.failed_before = (failed.hash == hash).then(|| failed.clone());
        self.outside(ordinal, it, first, &sql).await
    }

    /// An index is not built again while the rows are there that it failed for, nor at once after
    /// another failure. Whoever drops the invalid index is not kept waiting.
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

    /// The error for rows that are still in the way of an index: nothing was tried.
    fn duplicates(&self, it: &'static Statement, index: String, detail: &str) -> Error {
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
        let attempts = 1;
        Details::Failed(Failure {
            migration,
            direction,
            excerpt,
            cause,
            remains,
            attempts,
            advice: None,
            invalid_index,
        })
        .into()
    }

    /// Drops an index of ours that is invalid still, whatever stands in its statement's place.
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

    /// Records that a statement failed: its row goes, unless it left something.
    async fn record_failure(
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
        let sql = &revisions.fail_step(place, &mark);
        let written = revisions.written_fence(place, &mark, false);
        let (rows, about) = (self.rows, Some((ordinal, it)));
        self.write(Write { sql, rows, written, reached: Reached::NotSent, about }).await?;
        Ok(left.pop().map(|it| it.name))
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

    /// Commits that a statement starts.
    async fn start(
        &mut self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
        reached: Reached,
    ) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = &revisions.start_step(self.subject.it, place, hash);
        let written = revisions.written_fence(place, hash, false);
        let rows = self.rows + 1;
        self.write(Write { sql, rows, written, reached, about: Some((ordinal, it)) }).await?;
        self.started = true;
        Ok(())
    }

    /// Commits that a statement starts once more.
    async fn restart(&mut self, ordinal: usize, it: &'static Statement, hash: &str) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = &revisions.restart_step(place, hash);
        let written = revisions.written_fence(place, hash, false);
        let (rows, about) = (self.rows, Some((ordinal, it)));
        self.write(Write { sql, rows, written, reached: Reached::NotSent, about }).await?;
        self.started = true;
        Ok(())
    }

    async fn finish(&mut self, ordinal: usize, it: &'static Statement, hash: &str) -> Result<()> {
        let (revisions, place) = (&self.context().revisions, self.place(ordinal));
        let sql = &revisions.finish_step(place);
        let written = revisions.written_fence(place, hash, true);
        let (rows, about) = (self.rows, Some((ordinal, it)));
        self.write(Write { sql, rows, written, reached: Reached::Unrecorded, about }).await
    }

    async fn forget(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        let sql = &self.context().revisions.forget_step(self.place(ordinal));
        let rows = self.rows - 1;
        let written = String::new();
        self.write(Write {
            sql,
            rows,
            written,
            reached: Reached::NotSent,
            about: Some((ordinal, it)),
        })
        .await
    }

    /// Makes the migration a revision, or takes it out of the history; its journal ends.
    async fn record(&mut self, sql: &str) -> Result<()> {
        let written = String::new();
        self.write(Write { sql, rows: 0, written, reached: Reached::Whole, about: None }).await
    }

    /// Verifies that the lock is there, for a statement that starts without a row.
    async fn verify(&mut self, ordinal: usize, it: &'static Statement) -> Result<()> {
        let (sql, rows, written) = ("", self.rows, String::new());
        self.write(Write {
            sql,
            rows,
            written,
            reached: Reached::NotSent,
            about: Some((ordinal, it)),
        })
        .await
    }

    /// Writes to upfront's own tables under our role, and leaves the migration its own.
    ///
    /// Nothing is written unless this session still has the lock, no other process wrote the
    /// journal, and exactly what was meant is there afterwards.
    async fn write(&mut self, it: Write<'_>) -> Result<()> {
        let (revisions, Execution { it: migration, direction, .. }) =
            (&self.context().revisions, self.subject);
        let role = own_role(self.context.settings, &self.session.facts);
        let limit = self.context.settings.wait_timeout.as_millis();
        let lock = revisions.lock_fence(self.lock);
        let fence = |rows, otherwise| {
            revisions.journal_fence(migration.version, direction, rows, otherwise)
        };
        let (before, after) = (fence(self.rows, MOVED), fence(it.rows, NOT_WRITTEN));
        let target = target(self.context.settings, SettingScope::Session);
        let trusted = revisions.trust.write_fence();
        let Write { sql, ref written, .. } = it;
        let sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;{role}SET LOCAL lock_timeout TO {limit};\
             {target}{PINNED}{trusted}{lock}{before}{sql};{after}{written}COMMIT"
        );
        self.open = true;
        match session::ask(self.session.client(), &sql).await {
            Ok(_) => {
                self.open = false;
                self.rows = it.rows;
                Ok(())
            }
            Err(source) => {
                let meddling = source.as_db_error().and_then(|it| Meddling::of(it.message()));
                let err = self.not_recorded(source, it.reached, it.about);
                // Where the connection is gone, so is the transaction.
                let _ = self.roll_back().await;
                Err(match meddling {
                    Some(Meddling::Attached) => self.meddled(Meddling::Attached).await,
                    _ => err,
                })
            }
        }
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

    /// What is attached to upfront's own tables, by whomever; the transaction is rolled back.
    async fn meddled(&self, how: Meddling) -> Error {
        let Execution { it, direction, .. } = self.subject;
        let trust = &self.context().revisions.trust;
        if let Err(err) = trust.diagnose(self.session.client(), Access::Write).await {
            return err;
        }
        let (migration, path) = (it.named(), self.side.path);
        Details::Meddled { migration, direction, path, how }.into()
    }

    /// What an error of a statement means; its row says the same.
    async fn failed(
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
        let attempts = 1;
        let failure = Failure {
            migration,
            direction,
            excerpt,
            cause,
            remains,
            attempts,
            advice,
            invalid_index,
        };
        let err = Details::Failed(failure).into();
        if !stopped.out_of_step {
            transaction::note(self.context, self.session, self.subject, &err).await;
        }
        Ok(err)
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

    fn not_recorded(
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

    fn lock_lost(
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

    fn under_way(&self, ordinal: usize, it: &'static Statement) -> Error {
        self.partial(ordinal, it, "another session is building this index just now: wait for it")
    }

    fn partial(&self, ordinal: usize, it: &'static Statement, why: &'static str) -> Error {
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

    /// Asks the catalog what became of a statement.
    async fn find(&self, class: Class) -> Result<StatementState> {
        Ok(match class {
            Class::CreateIndex { index: Some(index), table, .. } => {
                return self.find_index(index, table).await;
            }
            Class::DropIndex { index, .. } => match self.oid(index).await? {
                None => StatementState::Done,
                Some(_) => StatementState::NotDone { first: Vec::new() },
            },
            Class::ReindexIndex { index } => {
                StatementState::NotDone { first: self.leftovers(index).await? }
            }
            Class::ReindexTable { table } => {
                StatementState::NotDone { first: self.leftovers(table).await? }
            }
            Class::DetachPartition { parent, partition } => {
                return self.find_partition(parent, partition).await;
            }
            Class::CreateDatabase { name } => match self.has_database(name).await? {
                true => StatementState::Done,
                false => StatementState::NotDone { first: Vec::new() },
            },
            Class::DropDatabase { name } => match self.has_database(name).await? {
                true => StatementState::NotDone { first: Vec::new() },
                false => StatementState::Done,
            },
            Class::Repeatable | Class::Session | Class::Transactional => {
                StatementState::NotDone { first: Vec::new() }
            }
            Class::CreateIndex { index: None, .. } | Class::Unknown => StatementState::CannotTell,
        })
    }

    /// A name as the migration wrote it, seen as the migration sees it.
    async fn oid(&self, name: &str) -> Result<Option<String>> {
        let sql = format!(
            "SELECT pg_catalog.to_regclass({})::pg_catalog.oid AS upfront_oid",
            escape_literal(name)
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(answer.row("upfront_oid").and_then(|it| it.get(0)).map(str::to_owned))
    }

    async fn find_index(&self, index: &str, table: &str) -> Result<StatementState> {
        let Some(table) = self.oid(table).await? else {
            return Ok(StatementState::NotDone { first: Vec::new() });
        };
        let sql = format!(
            "{PINNED}SELECT i.indisvalid AND i.indisready AS upfront_valid, format('DROP INDEX \
             CONCURRENTLY %I.%I', n.nspname, c.relname), EXISTS (SELECT FROM \
             pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid AND p.pid <> \
             pg_backend_pid()) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN \
             pg_namespace n ON n.oid = c.relnamespace WHERE i.indrelid = {table} AND c.relname = {}",
            escape_literal(index)
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(match answer.row("upfront_valid") {
            None => StatementState::NotDone { first: Vec::new() },
            Some(it) if it.get(0) == Some("t") => StatementState::Done,
            Some(it) if it.get(2) == Some("t") => StatementState::UnderWay,
            Some(it) => StatementState::NotDone {
                first: it.get(1).map(str::to_owned).into_iter().collect(),
            },
        })
    }

    /// What an interrupted `REINDEX CONCURRENTLY` leaves on the table of this relation, on its
    /// partitions and on what holds their long values.
    ///
    /// Who may not look into `pg_toast` cannot drop what is left there, and it does no harm.
    async fn leftovers(&self, relation: &str) -> Result<Vec<String>> {
        let Some(oid) = self.oid(relation).await? else { return Ok(Vec::new()) };
        let sql = format!(
            "{PINNED}WITH it AS (SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = \
             {oid}), {oid}) AS oid), tables AS (SELECT oid FROM it UNION SELECT p.relid FROM it, \
             pg_partition_tree(it.oid) p) SELECT format('DROP INDEX CONCURRENTLY %I.%I', \
             n.nspname, c.relname) AS upfront_drop FROM tables JOIN pg_class t ON t.oid = \
             tables.oid JOIN pg_index i ON i.indrelid IN (t.oid, t.reltoastrelid) JOIN pg_class c \
             ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT \
             i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND has_schema_privilege(n.oid, \
             'USAGE') ORDER BY 1"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        let drop = |it: &tokio_postgres::SimpleQueryRow| {
            (it.columns().first()?.name() == "upfront_drop")
                .then(|| it.get(0).map(str::to_owned))?
        };
        Ok(answer.rows.iter().filter_map(drop).collect())
    }

    async fn find_partition(&self, parent: &str, partition: &str) -> Result<StatementState> {
        let (Some(above), Some(below)) = (self.oid(parent).await?, self.oid(partition).await?)
        else {
            return Ok(StatementState::NotDone { first: Vec::new() });
        };
        let sql = format!(
            "{PINNED}SELECT inhdetachpending AS upfront_pending FROM pg_inherits WHERE inhparent = \
             {above} AND inhrelid = {below}"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        let pending = answer.row("upfront_pending").and_then(|it| it.get(0));
        Ok(match pending {
            None => StatementState::Done,
            Some("t") => StatementState::Half {
                rest: format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"),
            },
            Some(_) => StatementState::NotDone { first: Vec::new() },
        })
    }

    async fn has_database(&self, name: &str) -> Result<bool> {
        let name = escape_literal(name);
        let sql = format!(
            "{PINNED}SELECT EXISTS (SELECT FROM pg_database WHERE datname = {name}) AS upfront_there"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        Ok(answer.row("upfront_there").and_then(|it| it.get(0)) == Some("t"))
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

const LIMIT: &str = "SELECT pg_catalog.current_setting('lock_timeout') AS upfront_limit;";

const ASKING: &str = "asking the catalog what a statement did";
