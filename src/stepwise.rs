//! A migration outside a transaction: statement by statement, with a journal.
//!
//! What may stand in a transaction shares one with its row in the journal. The rest is bracketed
//! by two committed rows, and after a crash the catalog is asked what happened.

use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_literal;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use crate::{
    Direction, Event, Result,
    apply::{self, Losing, Subject, is_contention, is_secret},
    chain,
    embedded::{Class, Migration, Side, Statement},
    error::{Cause, Error, Failure, Kind, Partial, Remains},
    excerpt::Excerpt,
    loss::{Measure, Moment},
    prologue::{Extent, own_role, prologue},
    refused::Refused,
    revisions::{ESCAPED, Journal, PINNED, Place, Revisions},
    session::{self, Session, Stopped},
    work::Work,
};

/// Runs what is left of one side of a migration, under the session lock, and gives the lock back.
/// `record` is what makes it a revision, or takes it out of the history.
///
/// It gives the time that it took, or nothing where contention was in the way: then plan again.
pub(crate) async fn run(
    work: &Work<'_>,
    session: &Session,
    subject: Subject,
    journal: &[Journal],
    record: impl FnOnce(Duration) -> String,
    place: (usize, usize),
    tries: &mut apply::Tries,
) -> Result<Option<Duration>> {
    let side = subject.side.expect("what runs outside a transaction has a side");
    let mut run = Run { work, session, subject, side, limit: String::new() };
    let since = Instant::now();
    work.tell(&apply::started(subject, place));
    let ran = match apply::announced(work, subject.it, tries, Box::pin(run.all(journal))).await {
        Ok(()) => run.write(&record(since.elapsed())).await,
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
            work.tell(&apply::finished(subject, took));
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
    work: &Work<'_>,
    it: &'static Migration,
    journal: &[Journal],
) -> Result<()> {
    let begun = |row: &Journal| row.version == it.version && row.direction == Direction::Up;
    if !journal.iter().any(begun) {
        return Ok(());
    }
    let forget = Revisions::by_hand(&work.revisions.forget_steps(it.version));
    Err(Kind::Partial(Partial {
        migration: it.title(),
        direction: Direction::Up,
        excerpt: Excerpt::end(&it.up),
        why: "it was begun outside a transaction, and now is to run in one from its start",
        help: "find out what it did, then",
        choices: vec![
            ("to go on where it stopped", "give the file `-- atlas:txmode none` back".to_owned()),
            ("once what it did is undone", forget),
        ],
    })
    .into())
}

/// A migration that is under way.
struct Run<'a> {
    work: &'a Work<'a>,
    session: &'a Session,
    subject: Subject,
    side: &'static Side,
    /// Our own `lock_timeout`, as the server spells it.
    limit: String,
}

/// What the catalog says about a statement.
enum Found {
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

impl Run<'_> {
    async fn all(&mut self, journal: &[Journal]) -> Result<()> {
        let doing = "preparing a migration";
        let prologue =
            prologue(self.work.settings, &self.session.facts, Some(self.side), Extent::Session);
        let answer = self.session.ask(doing, &format!("{prologue}{LIMIT}")).await?;
        let limit = answer.row("upfront_limit").and_then(|it| it.get(0));
        limit.ok_or(Kind::Unexpected { doing })?.clone_into(&mut self.limit);
        let (of, Subject { it, direction, .. }) = (self.side.count(), self.subject);
        let mine = |row: &&Journal| row.version == it.version && row.direction == direction;
        for (statement, ordinal) in self.side.statements().iter().zip(1..) {
            let row = journal.iter().filter(mine).find(|row| row.ordinal == ordinal);
            self.statement(ordinal, statement, row).await?;
            self.work.tell(&Event::Statement { version: it.version.into(), ordinal, of });
        }
        match journal.iter().filter(mine).find(|row| row.ordinal > of) {
            Some(row) => Err(self.vanished(row)),
            None => Ok(()),
        }
    }

    fn place(&self, ordinal: usize) -> Place<'static> {
        let Subject { it, direction, .. } = self.subject;
        Place { version: it.version, direction, ordinal }
    }

    /// Leaves the session as it was found, and lets go of the lock: a session pooler may pass the
    /// connection on as it is.
    async fn tidy(&self) -> Result<()> {
        let nothing = apply::leave_nothing(Some(self.side));
        let unlock = self.work.revisions.unlock_session();
        let sql = format!("ROLLBACK;{nothing}RESET ALL;RESET ROLE;{unlock}");
        self.session.ask("tidying up after a migration", &sql).await.map(drop)
    }

    /// A statement that ran, or may have, and that the file holds no longer.
    fn vanished(&self, row: &Journal) -> Error {
        let forget = self.work.revisions.forget_step(self.place(row.ordinal));
        let why = match row.finished {
            true => "a statement after the last one ran, and the file holds it no longer",
            false => "a statement after the last one may have run, and the file holds it no longer",
        };
        Kind::Partial(Partial {
            migration: self.subject.it.title(),
            direction: self.subject.direction,
            excerpt: Excerpt::end(self.side),
            why,
            help: "find out what it did, then",
            choices: vec![
                ("to go on where it stopped", "restore the file".to_owned()),
                ("once what it did is undone, or may stay", Revisions::by_hand(&forget)),
            ],
        })
        .into()
    }

    async fn statement(
        &self,
        ordinal: usize,
        it: &'static Statement,
        row: Option<&Journal>,
    ) -> Result<()> {
        let hash = chain::sha256(self.side.text(it));
        if row.is_some_and(|row| row.hash != hash) {
            let why = "another statement stood here when the migration ran last";
            return Err(self.partial(ordinal, it, why));
        }
        match (it.class, row) {
            (Class::Session, _) => self.execute(ordinal, it, self.side.text(it)).await,
            (_, Some(row)) if row.finished => Ok(()),
            (Class::Transactional, _) => self.in_transaction(ordinal, it, &hash).await,
            (_, Some(_)) => self.resume(ordinal, it).await,
            (_, None) => self.begin(ordinal, it, &hash).await,
        }
    }

    /// The statement and its row, in one transaction.
    async fn in_transaction(
        &self,
        ordinal: usize,
        it: &'static Statement,
        hash: &str,
    ) -> Result<()> {
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED;SELECT \
                     pg_catalog.pg_current_xact_id()::pg_catalog.text AS upfront_xid";
        let doing = "beginning a statement's transaction";
        let answer = self.session.ask(doing, begin).await?;
        let xid = answer.row("upfront_xid").and_then(|it| it.get(0));
        let xid = xid.ok_or(Kind::Unexpected { doing })?;
        let pass = self.work.revisions.pass_step(self.place(ordinal), hash, xid);
        let role = own_role(self.work.settings, &self.session.facts);
        let text = self.side.text(it);
        self.refuse_loss(ordinal, it).await?;
        self.execute(ordinal, it, &format!("{text}\n;{role}{pass};COMMIT")).await
    }

    /// What was empty when the rollback began may have been filled since.
    async fn refuse_loss(&self, ordinal: usize, it: &'static Statement) -> Result<()> {
        if self.subject.losing == Losing::Accepted {
            return Ok(());
        }
        let client = self.session.client();
        let mut measure = Measure::new(client, self.work.settings, Moment::AtWork);
        let losses = match measure.statement(it).await {
            Ok(losses) => losses,
            Err(err) => {
                return Err(self.failed(ordinal, it, Stopped { completed: 0, err }).await?);
            }
        };
        let title = self.subject.it.title();
        let losses = losses.into_iter().filter(|it| !it.empty).map(|it| (title.clone(), it));
        let losses: Vec<_> = losses.collect();
        if losses.is_empty() {
            return Ok(());
        }
        let done = vec![format!("{title} (in part)")];
        Err(Refused::DataLoss { losses, done }.into())
    }

    /// A statement that never started.
    async fn begin(&self, ordinal: usize, it: &'static Statement, hash: &str) -> Result<()> {
        let text = self.side.text(it);
        let start = self.work.revisions.start_step(self.place(ordinal), hash);
        let (first, sql) = match self.find(it.class).await? {
            Found::UnderWay => return Err(self.under_way(ordinal, it)),
            // Not by us: the server says what it thinks of that, and no row says that we started.
            Found::Done => {
                self.execute(ordinal, it, text).await?;
                self.write(&start).await?;
                return self.finish(ordinal).await;
            }
            Found::NotDone { first } => (first, text.to_owned()),
            Found::Half { rest } => (Vec::new(), rest),
            Found::CannotTell => (Vec::new(), text.to_owned()),
        };
        self.write(&start).await?;
        self.outside(ordinal, it, first, &sql).await
    }

    /// A statement that started, and of which nobody recorded the end.
    async fn resume(&self, ordinal: usize, it: &'static Statement) -> Result<()> {
        match self.find(it.class).await? {
            Found::Done => self.finish(ordinal).await,
            Found::NotDone { first } => self.outside(ordinal, it, first, self.side.text(it)).await,
            Found::Half { rest } => self.outside(ordinal, it, Vec::new(), &rest).await,
            Found::UnderWay => Err(self.under_way(ordinal, it)),
            Found::CannotTell => {
                let why = "nobody can tell whether it took effect";
                Err(self.partial(ordinal, it, why))
            }
        }
    }

    /// Runs a statement between two rows of the journal.
    async fn outside(
        &self,
        ordinal: usize,
        it: &'static Statement,
        first: Vec<String>,
        sql: &str,
    ) -> Result<()> {
        for sql in first {
            tracing::info!(statement = %sql, "removing what an interrupted statement left");
            let doing = "removing what an interrupted statement left";
            let removed = session::ask(self.session.client(), &sql).await;
            removed.map_err(|source| Kind::Server { doing, source })?;
        }
        let limit = self.lift_limit(it.class).await?;
        self.execute(ordinal, it, sql).await?;
        if let Some(sql) = limit {
            self.session.ask("setting a limit again", &sql).await?;
        }
        self.finish(ordinal).await
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
        let limit = escape_literal(limit.ok_or(Kind::Unexpected { doing })?);
        Ok(Some(format!("SELECT pg_catalog.set_config('lock_timeout', {limit}, false)")))
    }

    async fn finish(&self, ordinal: usize) -> Result<()> {
        self.write(&self.work.revisions.finish_step(self.place(ordinal))).await
    }

    /// Writes to upfront's own tables under our role, and leaves the migration its own.
    async fn write(&self, sql: &str) -> Result<()> {
        let role = own_role(self.work.settings, &self.session.facts);
        let limit = self.work.settings.wait_timeout.as_millis();
        let sql = format!("BEGIN;{role}SET LOCAL lock_timeout TO {limit};{sql};COMMIT");
        let written = session::ask(self.session.client(), &sql).await;
        written.map(drop).map_err(|source| self.not_recorded(source))
    }

    async fn execute(&self, ordinal: usize, it: &'static Statement, sql: &str) -> Result<()> {
        match session::run(self.session.client(), sql, |_| {}).await {
            Ok(_) => Ok(()),
            Err(stopped) => Err(self.failed(ordinal, it, stopped).await?),
        }
    }

    /// What an error of a statement means; its row says the same.
    async fn failed(
        &self,
        ordinal: usize,
        it: &'static Statement,
        stopped: Stopped,
    ) -> Result<Error> {
        let Subject { it: migration, direction, .. } = self.subject;
        let migration = migration.title();
        let Some(err) = stopped.err.as_db_error().filter(|_| !session::is_lost(&stopped.err))
        else {
            return Ok(Kind::Lost { migration, direction, source: stopped.err }.into());
        };
        if err.message().contains(ESCAPED) {
            return Ok(Kind::Escaped { migration, direction, path: self.side.path }.into());
        }
        let remains = match it.class {
            Class::Unknown if has_started(err) => Remains::Unclear,
            _ => Remains::Before,
        };
        match (it.class, remains) {
            (Class::Transactional, _) => {
                self.session.ask("rolling back", "ROLLBACK").await?;
            }
            (Class::Session, _) | (_, Remains::Unclear) => {}
            _ => {
                let forget = self.work.revisions.forget_step(self.place(ordinal));
                self.write(&forget).await?;
            }
        }
        let cause = Cause::of(err, is_secret(self.side, Some(it), err));
        let excerpt = Excerpt::of(self.side, Some(it), it.start as usize, err);
        let failure = Failure { migration, direction, excerpt, cause, remains, attempts: 1 };
        let err = Kind::Failed(failure).into();
        apply::note(self.work, self.session, self.subject, &err).await;
        Ok(err)
    }

    /// Contention passes; a statement whose fate is unclear is not tried again.
    async fn is_worth_another_try(&self, err: &Error, tries: &mut apply::Tries) -> bool {
        match err.kind() {
            Kind::Failed(it) if it.remains == Remains::Before && is_contention(&it.cause.code) => {
                let code = it.cause.code.code();
                apply::pause(self.work, self.session, self.subject.it, code, tries).await
            }
            _ => false,
        }
    }

    fn not_recorded(&self, source: tokio_postgres::Error) -> Error {
        let doing = "writing the journal of a migration";
        match source.code() {
            Some(it) if *it == SqlState::INSUFFICIENT_PRIVILEGE => {
                self.work.denied(doing, &source, self.session)
            }
            _ => Kind::Server { doing, source }.into(),
        }
    }

    fn under_way(&self, ordinal: usize, it: &'static Statement) -> Error {
        self.partial(ordinal, it, "another session is building this index just now: wait for it")
    }

    fn partial(&self, ordinal: usize, it: &'static Statement, why: &'static str) -> Error {
        let (revisions, place) = (&self.work.revisions, self.place(ordinal));
        let hash = chain::sha256(self.side.text(it));
        let done = revisions.settle_step(place, &hash);
        let again = revisions.forget_step(place);
        Kind::Partial(Partial {
            migration: self.subject.it.title(),
            direction: self.subject.direction,
            excerpt: Excerpt::start(self.side, it),
            why,
            help: "find out whether the statement took effect, then run",
            choices: vec![
                ("if it did", Revisions::by_hand(&done)),
                ("if it did not", Revisions::by_hand(&again)),
            ],
        })
        .into()
    }

    /// Asks the catalog what became of a statement.
    async fn find(&self, class: Class) -> Result<Found> {
        Ok(match class {
            Class::CreateIndex { index: Some(index), table, .. } => {
                return self.find_index(index, table).await;
            }
            Class::DropIndex { index, .. } => match self.oid(index).await? {
                None => Found::Done,
                Some(_) => Found::NotDone { first: Vec::new() },
            },
            Class::ReindexIndex { index } => Found::NotDone { first: self.leftovers(index).await? },
            Class::ReindexTable { table } => Found::NotDone { first: self.leftovers(table).await? },
            Class::DetachPartition { parent, partition } => {
                return self.find_partition(parent, partition).await;
            }
            Class::CreateDatabase { name } => match self.has_database(name).await? {
                true => Found::Done,
                false => Found::NotDone { first: Vec::new() },
            },
            Class::DropDatabase { name } => match self.has_database(name).await? {
                true => Found::NotDone { first: Vec::new() },
                false => Found::Done,
            },
            Class::Repeatable | Class::Session | Class::Transactional => {
                Found::NotDone { first: Vec::new() }
            }
            Class::CreateIndex { index: None, .. } | Class::Unknown => Found::CannotTell,
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

    async fn find_index(&self, index: &str, table: &str) -> Result<Found> {
        let Some(table) = self.oid(table).await? else {
            return Ok(Found::NotDone { first: Vec::new() });
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
            None => Found::NotDone { first: Vec::new() },
            Some(it) if it.get(0) == Some("t") => Found::Done,
            Some(it) if it.get(2) == Some("t") => Found::UnderWay,
            Some(it) => {
                Found::NotDone { first: it.get(1).map(str::to_owned).into_iter().collect() }
            }
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

    async fn find_partition(&self, parent: &str, partition: &str) -> Result<Found> {
        let (Some(above), Some(below)) = (self.oid(parent).await?, self.oid(partition).await?)
        else {
            return Ok(Found::NotDone { first: Vec::new() });
        };
        let sql = format!(
            "{PINNED}SELECT inhdetachpending AS upfront_pending FROM pg_inherits WHERE inhparent = \
             {above} AND inhrelid = {below}"
        );
        let answer = self.session.ask(ASKING, &sql).await?;
        let pending = answer.row("upfront_pending").and_then(|it| it.get(0));
        Ok(match pending {
            None => Found::Done,
            Some("t") => Found::Half {
                rest: format!("ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE"),
            },
            Some(_) => Found::NotDone { first: Vec::new() },
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

/// A statement that the server could not even parse, or whose names it did not find, did nothing: its
/// error points into our text, and no function was on the stack.
fn has_started(err: &DbError) -> bool {
    !matches!(err.position(), Some(ErrorPosition::Original(_))) || err.where_().is_some()
}

const LIMIT: &str = "SELECT pg_catalog.current_setting('lock_timeout') AS upfront_limit;";

const ASKING: &str = "asking the catalog what a statement did";
