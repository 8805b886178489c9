//! One app's migrations against one database: what a look at it says.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    Event, Result,
    builder::{OWN, Settings},
    connection::{
        answer::Answer,
        session::{self, Session, borrow, unless_silent, within},
    },
    embedded::{Migration, Set},
    error::{Details, Error, rejection::Rejection},
    event::LockHolder,
    history::{
        metadata_set, other_tools,
        revisions::{HistorySummary, Revisions, history},
        trust::{self, Access},
    },
    plan::{
        command::{CommandOptions, shell_word},
        history::History,
        journal::{self, Journal, PartlyApplied},
        metadata::Tables,
        pending::{self, Divergence, Pending},
        rows::UnknownMigration,
    },
};

/// One app's migrations, and all that is needed in order to bring them to a database.
pub(crate) struct Context<'a> {
    pub(crate) set: &'static Set,
    pub(crate) app: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) revisions: Revisions,
    /// These are upfront's own tables, which may not be there yet.
    pub(crate) is_metadata: bool,
}

/// What the first look found.
pub(crate) enum Summary {
    /// Nothing to do.
    UpToDate { ahead: Vec<UnknownMigration>, partly: Vec<PartlyApplied> },
    /// Something is pending. Without tables, upfront was never there.
    Pending { pending: Pending, journal: Vec<Journal>, tables: Option<Tables>, history: Rows },
}

/// Whether the app has a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    None,
    Some,
}

/// What a message found that reads upfront's own tables.
pub(crate) enum Read {
    /// The tables do not exist.
    NoTables,
    /// The server misses a table: they are older than what was to be read, or one was dropped.
    OldTables(tokio_postgres::Error),
    Answer(Answer),
}

impl Read {
    /// The answer, if there are tables.
    ///
    /// # Errors
    ///
    /// A table is missing that tables of every version have.
    pub(crate) fn answer(self, doing: &'static str) -> Result<Option<Answer>> {
        match self {
            Self::Answer(it) => Ok(Some(it)),
            Self::NoTables => Ok(None),
            Self::OldTables(source) => Err(Details::Server { doing, source }.into()),
        }
    }
}

enum FirstLook {
    NoTables,
    OldTables,
    Tables(HistorySummary),
}

enum Founded {
    No,
    WithOldTables,
    WithAllTables,
}

impl<'a> Context<'a> {
    pub(crate) fn new(set: &'static Set, settings: &'a Settings) -> Self {
        let revisions = Revisions::new(settings, &settings.app);
        Self { set, app: &settings.app, settings, revisions, is_metadata: false }
    }

    pub(crate) fn metadata(set: &'static Set, settings: &'a Settings) -> Self {
        Self {
            set,
            app: OWN,
            settings,
            revisions: Revisions::new(settings, OWN),
            is_metadata: true,
        }
    }

    /// Logs an event and passes it to the callback.
    pub(crate) fn notify(&self, event: &Event) {
        event.trace(self.is_metadata);
        self.emit(event);
    }

    /// Passes an event to the callback alone, if the log need not repeat it.
    pub(crate) fn emit(&self, event: &Event) {
        if let Some(listener) = &self.settings.on_event {
            listener(event);
        }
    }

    /// Looks: one round trip where nothing is to be done.
    pub(crate) async fn look(&self, client: &Object) -> Result<Summary> {
        let look = match self.first_look(client).await? {
            FirstLook::NoTables => return self.judge(History::default(), None),
            FirstLook::OldTables => None,
            FirstLook::Tables(look) => Some(look),
        };
        let tables =
            look.as_ref().map_or(Tables::Old, |it| metadata_set::tables(&it.metadata_version));
        if let Some(look) = look.filter(HistorySummary::is_up_to_date)
            // What is refused may be the rest of a rollback, which only the rows tell.
            && pending::refused(self.settings.on_newer_database, &look.ahead).is_empty()
        {
            return Ok(Summary::UpToDate { ahead: look.ahead, partly: Vec::new() });
        }
        match self.judge(self.history(client, tables).await?, Some(tables)) {
            Err(err) if err.is_diverged() => Err(self.explain(client, err).await),
            other => other,
        }
    }

    /// How new upfront's own tables are; `None` if they do not exist.
    pub(crate) async fn tables(&self, client: &Object) -> Result<Option<Tables>> {
        Ok(match self.first_look(client).await? {
            FirstLook::NoTables => None,
            FirstLook::OldTables => Some(Tables::Old),
            FirstLook::Tables(look) => Some(metadata_set::tables(&look.metadata_version)),
        })
    }

    async fn first_look(&self, client: &Object) -> Result<FirstLook> {
        let doing = "looking at the revision table";
        Ok(match self.read(client, &self.revisions.look(self.set)).await? {
            Read::NoTables => FirstLook::NoTables,
            Read::OldTables(_) => FirstLook::OldTables,
            Read::Answer(it) => {
                let look =
                    HistorySummary::of(self.set, &it).ok_or(Details::Unexpected { doing })?;
                FirstLook::Tables(look)
            }
        })
    }

    /// Looks within a limit; a connection that does not answer never goes back to the pool.
    pub(crate) async fn look_within(
        &self,
        client: Object,
        limit: Duration,
    ) -> Result<(Object, Summary)> {
        match within(limit, self.look(&client)).await {
            Ok(summary) => Ok((client, summary?)),
            Err(err) => unless_silent(client, Err(err)).await,
        }
    }

    /// Is the database where this program needs it?
    ///
    /// # Errors
    ///
    /// It is not, or it has a part of a migration that nobody runs.
    pub(crate) async fn check(&self, pool: &Pool) -> Result<()> {
        let limit = self.settings.wait_timeout;
        let client = borrow(pool, limit).await?;
        let (client, summary) = self.look_within(client, limit).await?;
        match summary {
            Summary::UpToDate { partly, .. } if partly.is_empty() => Ok(()),
            Summary::UpToDate { partly, .. } => match self.holder(&client).await {
                Some(_) => Ok(()),
                None => Err(self.partly_ahead(partly)),
            },
            Summary::Pending { pending, journal, history, .. } => {
                self.refuse_foreign(&client, history).await?;
                let holder = self.holder_of(&client, &journal).await;
                let migrations = pending.titles_as_of(&journal, holder.as_ref());
                Err(Details::Pending { migrations, running: holder.is_some() }.into())
            }
        }
    }

    /// Refuses what a boot would refuse: to start a history beside that of another tool.
    pub(crate) async fn refuse_foreign(&self, client: &Client, history: Rows) -> Result<()> {
        match history {
            Rows::None => other_tools::refuse_ahead(self.settings, client).await,
            Rows::Some => Ok(()),
        }
    }

    /// Who has the migration lock, as far as this role may see. Not to know is no error.
    pub(crate) async fn holder(&self, client: &Client) -> Option<LockHolder> {
        let answer = session::ask(client, &self.revisions.holder()).await.unwrap_or_default();
        answer.row("upfront_pid").and_then(session::holder)
    }

    /// Who runs what the journal speaks of: a migration that is under way is not one that was cut
    /// off.
    pub(crate) async fn holder_of(
        &self,
        client: &Client,
        journal: &[Journal],
    ) -> Option<LockHolder> {
        match journal.is_empty() {
            true => None,
            false => self.holder(client).await,
        }
    }

    /// The error for what is applied in part and not in this program.
    pub(crate) fn partly_ahead(&self, partly: Vec<PartlyApplied>) -> Error {
        let undone = |it: &PartlyApplied| {
            self.command(&format!("resolve {} --rolled-back", shell_word(&it.version)))
        };
        let found = partly.into_iter().map(|it| (it.clone(), undone(&it))).collect();
        Details::PartlyAhead { found }.into()
    }

    fn judge(&self, history: History, tables: Option<Tables>) -> Result<Summary> {
        let pending = self.plan(&history)?;
        if pending.is_empty() {
            return Ok(Summary::UpToDate { ahead: pending.ahead, partly: pending.partly });
        }
        let rows = if history.rows.is_empty() { Rows::None } else { Rows::Some };
        Ok(Summary::Pending { pending, journal: history.journal, tables, history: rows })
    }

    pub(crate) async fn history(&self, client: &Object, tables: Tables) -> Result<History> {
        let doing = "reading the history";
        match self.read(client, &self.revisions.rows(tables)).await?.answer(doing)? {
            Some(it) => history(&it).ok_or(Details::Unexpected { doing }.into()),
            None => Ok(History::default()),
        }
    }

    /// Reads on a borrowed connection, where upfront's own tables are trusted.
    pub(crate) async fn read(&self, client: &Object, sql: &str) -> Result<Read> {
        let sql = self.revisions.guarded(sql);
        let mut answer = session::ask(client, &sql).await;
        // The second time they were made, or made good, just now.
        for _ in 0..2 {
            match answer {
                Ok(it) => return Ok(Read::Answer(it)),
                Err(err) if is_missing(&err) => match self.founded(client).await? {
                    Founded::No => return Ok(Read::NoTables),
                    Founded::WithOldTables => {
                        self.revisions.trust.diagnose(client, Access::Read).await?;
                        return Ok(Read::OldTables(err));
                    }
                    Founded::WithAllTables => {
                        self.revisions.trust.diagnose(client, Access::Read).await?;
                    }
                },
                Err(err) if trust::is_doubt(&err) => {
                    self.revisions.trust.diagnose(client, Access::Read).await?;
                }
                Err(source) => return Err(self.unreadable(client, source).await),
            }
            answer = session::ask(client, &sql).await;
        }
        match answer {
            Ok(it) => Ok(Read::Answer(it)),
            Err(source) => Err(self.unreadable(client, source).await),
        }
    }

    async fn unreadable(&self, client: &Object, source: tokio_postgres::Error) -> Error {
        const DOING: &str = "looking at the revision table";
        if source.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            return Details::Server { doing: DOING, source }.into();
        }
        let role = session::ask(client, "SELECT CURRENT_USER").await.ok();
        let role = role.and_then(|it| it.rows.first()?.get(0).map(str::to_owned));
        denied(DOING, &source, self.revisions.reader_grants(&role.unwrap_or_default()))
    }

    /// Which of upfront's own tables are there? Where one of them is gone, a history is not.
    async fn founded(&self, client: &Object) -> Result<Founded> {
        let doing = "looking for the revision table";
        let answer = session::ask(client, &self.revisions.exists())
            .await
            .map_err(|source| Details::Server { doing, source })?;
        let row = answer.row("upfront_exists").ok_or(Details::Unexpected { doing })?;
        Ok(match (row.get(1), row.get(2)) {
            (Some("t"), Some("t")) => Founded::WithAllTables,
            (Some("t"), _) => Founded::WithOldTables,
            _ => Founded::No,
        })
    }

    /// Compares what the tables say with the program.
    pub(crate) fn plan(&self, history: &History) -> Result<Pending> {
        let ahead = if self.is_metadata {
            crate::NewerDatabase::Accept
        } else {
            self.settings.on_newer_database
        };
        let newest = self.settings.up_to.as_deref().filter(|_| !self.is_metadata);
        let pending = pending::plan_up_to(self.set, newest, &history.rows, ahead);
        let mut pending = pending.map_err(|found| self.diverged(found))?;
        pending.partly = journal::unknown(self.set, &history.rows, &history.journal);
        let refused = pending::refused_partly(ahead, &pending.partly);
        if !refused.is_empty() {
            return Err(self.diverged(refused));
        }
        // What comes after it would put it out of order.
        let newest = pending.steps.last().map_or("", |it| it.to.version.as_str());
        let older = |it: &PartlyApplied| it.version.as_str() < newest;
        if pending.partly.iter().any(older) {
            return Err(self.partly_ahead(pending.partly));
        }
        let deleted = pending::deleted(&pending, &history.lost);
        if !deleted.is_empty() {
            return Err(self.diverged(deleted));
        }
        self.refuse_replaced(history)?;
        let found = pending::held(&pending, &history.holds);
        // A rollback that was cut off comes to its end before anything else.
        if found.is_empty() || pending.cut_off.is_some() || self.settings.dev {
            return Ok(pending);
        }
        Err(Rejection::Held { found }.into())
    }

    /// A schema that was dropped took the tables of its migrations with it.
    pub(crate) fn refuse_replaced(&self, history: &History) -> Result<()> {
        if history.replaced.is_empty() || history.rows.is_empty() {
            return Ok(());
        }
        Err(Rejection::SchemaReplaced {
            schemas: history.replaced.clone(),
            start_again: self.command("resolve --all --rolled-back"),
            keep: self.command("resolve --all --applied"),
        }
        .into())
    }

    pub(crate) fn diverged(&self, found: Vec<Divergence>) -> Error {
        let options = CommandOptions::of(&self.settings.app, &self.settings.schema);
        Details::Diverged { label: self.set.label, found, is_metadata: self.is_metadata, options }
            .into()
    }

    /// A command of upfront for this app, in backticks.
    pub(crate) fn command(&self, words: &str) -> String {
        CommandOptions::of(&self.settings.app, &self.settings.schema).command(words)
    }

    /// Adds to each edited migration the first line that differs from what was applied.
    async fn explain(&self, client: &Object, err: Error) -> Error {
        let Details::Diverged { found, .. } = err.details() else { return err };
        let mut found = found.clone();
        for it in &mut found {
            let Divergence::Edited { migration, difference, .. } = it else { continue };
            let sql = self.revisions.applied_text(migration.version);
            let Ok(answer) = session::ask(client, &sql).await else { continue };
            let applied = answer.row("upfront_text").and_then(|it| it.get(0));
            *difference = applied.and_then(|it| first_difference(it, migration));
        }
        self.diverged(found)
    }

    /// The error for the lack of a right.
    pub(crate) fn denied(
        &self,
        doing: &'static str,
        source: &tokio_postgres::Error,
        session: &Session,
    ) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.role);
        let grants = match self.is_metadata {
            true => self.revisions.founder_grants(role),
            false => self.revisions.writer_grants(role),
        };
        denied(doing, source, grants)
    }

    /// The error for a role that may not write upfront's own tables, or not bring them to a new
    /// version.
    pub(crate) async fn writing_denied(
        &self,
        doing: &'static str,
        source: &tokio_postgres::Error,
        session: &Session,
    ) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.role);
        let stranger = match self.is_metadata {
            true => session::ask(session.client(), &self.revisions.stranger(role)).await.ok(),
            false => None,
        };
        match stranger.as_ref().and_then(|it| it.row("upfront_owner")) {
            Some(it) => {
                let (owner, is_superuser) = (it.get(0).unwrap_or_default(), it.get(1) == Some("t"));
                denied(doing, source, self.revisions.successor_grants(role, owner, is_superuser))
            }
            None => self.denied(doing, source, session),
        }
    }

    /// The error for a role that may not read another tool's table.
    #[cfg(feature = "admin")]
    pub(crate) fn table_denied(
        &self,
        doing: &'static str,
        source: &tokio_postgres::Error,
        session: &Session,
        table: &str,
    ) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.role);
        denied(doing, source, crate::history::other_tools::grants(table, role))
    }

    /// The error for a login that may not take the configured role.
    pub(crate) fn role_denied(&self, source: &tokio_postgres::Error, session: &Session) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.role);
        let grants = Revisions::membership_grants(role, &session.facts.login);
        denied("setting the role that migrates", source, grants)
    }

    /// The error for a role that may not make the schema of upfront's own tables.
    pub(crate) fn schema_denied(&self, source: &tokio_postgres::Error, session: &Session) -> Error {
        let role = self.settings.role.as_deref().unwrap_or(&session.facts.role);
        let grants = Revisions::schema_grants(role, &session.facts.database);
        denied("making upfront's own tables", source, grants)
    }
}

/// Is a table of upfront's missing, or their schema?
pub(crate) fn is_missing(err: &tokio_postgres::Error) -> bool {
    let codes = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME];
    err.code().is_some_and(|it| codes.contains(it))
}

fn denied(doing: &'static str, source: &tokio_postgres::Error, grants: Vec<String>) -> Error {
    let message = source.as_db_error().map(|it| upfront_redact::redact_message(it.message()));
    let message = message.unwrap_or_default().into_owned();
    Details::Denied { doing, message, grants }.into()
}

/// The first line that differs, as two lines of a diff, without the secrets in them.
fn first_difference(applied: &str, it: &Migration) -> Option<String> {
    let (mut old, mut new) = (applied.lines(), it.up.source.lines());
    let mut line = 0;
    loop {
        line += 1;
        match (old.next(), new.next()) {
            (None, None) => return None,
            (old, new) if old == new => {}
            _ => break,
        }
    }
    let (old, new) = (shown_line(applied, line), shown_line(it.up.source, line));
    match old == new {
        true => Some(format!("    line {line} differs in a secret")),
        false => Some(format!("    line {line}:\n    - {old}\n    + {new}")),
    }
}

/// A line of a file as it may be shown. A secret of several lines is one in what is shown.
fn shown_line(sql: &str, line: usize) -> String {
    let shown = upfront_redact::redact(sql);
    match shown.lines().count() == sql.lines().count() {
        true => shown.lines().nth(line - 1).unwrap_or("(end of file)").to_owned(),
        false => "(not shown: the file holds a secret of several lines)".to_owned(),
    }
}
