//! The state of a database, migration by migration.

use std::{fmt, time::SystemTime};

use deadpool_postgres::Object;

use crate::{
    Error, ForeignHistory, NewerDatabase, Result,
    embedded::{Migration, Set, title},
    error::Details,
    event::LockHolder,
    execute::{context::Context, protection},
    history::{
        other_tools,
        revisions::{apps, dated, history, history_schemas},
    },
    plan::{
        history::History,
        journal::{self, Journal},
        moment::Utc,
        pending::{self, Divergence, DivergenceKind},
        protection::{Protection, protection},
        rollback::{self, Obstacle, RollbackStep},
        rows::{AppStatus, Hold, RevisionRow},
    },
};

/// The state of a database, migration by migration. Prints as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// The app whose migrations these are.
    pub app: String,
    /// The newest applied version.
    pub head: Option<String>,
    /// All migrations of program and database, in the order of versions.
    pub entries: Vec<Entry>,
    /// Schemas that were dropped after migrations were applied to them.
    pub replaced_schemas: Vec<String>,
    /// Histories of other tools because of which [`up`](crate::Migrator::up) is refused.
    pub foreign_histories: Vec<ForeignHistory>,
    /// The mark of a protected database, if it has one.
    pub protection: Option<Protection>,
    /// Migrations of this app that were rolled back and are not released.
    pub holds: Vec<Held>,
    /// All apps of the database, in this schema of upfront's tables.
    pub apps: Vec<AppStatus>,
    /// All schemas of the database with upfront's tables.
    pub history_schemas: Vec<String>,
}

/// A migration that is held, in a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Held {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// When it was rolled back.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::plan::moment::serde_utc::serialize")
    )]
    pub held_at: SystemTime,
    /// The login that rolled it back.
    pub held_by: String,
}

/// Whether a migration can be rolled back, once all above it are, and by which script.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Down {
    /// Whether it can be rolled back.
    pub possible: bool,
    /// Which script would run.
    pub script: DownScript,
    /// Why it cannot be rolled back.
    pub obstacle: Option<DownObstacle>,
    /// The obstacle as a text.
    pub reason: Option<String>,
}

/// Why a migration cannot be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DownObstacle {
    /// The file says so.
    Irreversible,
    /// It has no down script.
    NoScript,
    /// Its down script has no statement, and does not say that there is nothing to undo.
    NoStatement,
}

/// Where the down script of a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DownScript {
    /// In the program.
    Program,
    /// In the database alone.
    Stored,
    /// There is no down script, or no script is needed.
    Nothing,
}

/// One migration of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Entry {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Whether older programs must not run once it is applied.
    pub breaking: bool,
    /// When it was applied.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::plan::moment::serde_utc::maybe::serialize")
    )]
    pub applied_at: Option<SystemTime>,
    /// How the database contradicts the program, if it does.
    pub divergence: Option<DivergenceKind>,
    /// Whether it can be rolled back; `None` for a partially applied migration of another program.
    pub down: Option<Down>,
    /// A remark, for people.
    pub note: Option<String>,
}

/// The state of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// In the database.
    Applied,
    /// In the program, and not yet in the database.
    Pending,
    /// Interrupted outside a transaction, while it was applied or rolled back.
    Partial,
    /// Running outside a transaction: another process holds the lock.
    Running,
    /// Rolled back and held: pending once it is released.
    Held,
    /// In the database, and newer than the program.
    Ahead,
    /// Program and database contradict each other.
    Diverged,
}

impl Status {
    pub(crate) async fn read(context: &Context<'_>, client: &Object) -> Result<Self> {
        let doing = "reading the history";
        let Some(tables) = context.tables(client).await? else {
            let status = Self::of(context, &[], &History::default(), None);
            return status.with_foreign_histories(context, client).await;
        };
        let status = context.revisions.status(tables);
        let answer = context.read(client, &status).await?.answer(doing)?.unwrap_or_default();
        let unexpected = || Details::Unexpected { doing };
        let rows = dated(&answer).ok_or_else(unexpected)?;
        let history = history(&answer).ok_or_else(unexpected)?;
        let holder = context.holder_of(client, &history.journal).await;
        let standing = protection::read_standing_ahead(context, client, Some(tables)).await?;
        let status = Self {
            protection: protection(&standing),
            apps: apps(&answer).ok_or_else(unexpected)?,
            history_schemas: history_schemas(&answer),
            ..Self::of(context, &rows, &history, holder.as_ref())
        };
        match status.head {
            Some(_) => Ok(status),
            None => status.with_foreign_histories(context, client).await,
        }
    }

    /// Looks for what a boot refuses, where it would start a history.
    async fn with_foreign_histories(
        mut self,
        context: &Context<'_>,
        client: &Object,
    ) -> Result<Self> {
        if !context.set.migrations.is_empty() {
            self.foreign_histories = other_tools::find_ahead(context.settings, client).await?;
        }
        Ok(self)
    }

    /// The error that [`up`](crate::Migrator::up) would return, if the history of another tool is in
    /// its way.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let tables = self.foreign_histories.clone();
        (!tables.is_empty()).then(|| Details::Foreign { tables }.into())
    }

    fn of(
        context: &Context<'_>,
        rows: &[RevisionRow],
        history: &History,
        holder: Option<&LockHolder>,
    ) -> Self {
        let History { journal, lost, holds, .. } = history;
        let found = match pending::plan(context.set, &history.rows, NewerDatabase::Accept) {
            Ok(pending) => pending::deleted(&pending, lost),
            Err(it) => it,
        };
        let mut entries: Vec<_> =
            rows.iter().map(|it| applied(context, it, &found, journal, holder)).collect();
        for (at, (entry, row)) in entries.iter_mut().zip(rows).enumerate() {
            entry.down = Some(Down::of_row(context.set, row, at == 0));
        }
        let absent = context.set.migrations.iter().filter(|it| {
            rows.binary_search_by(|row| row.row.version.as_str().cmp(it.version)).is_err()
        });
        entries.extend(absent.map(|it| {
            let diverged = found.iter().find_map(|found| note(found, it.version));
            let (divergence, note) = diverged.unzip();
            let started = journal.iter().any(|row| row.version == it.version);
            let hold = holds.iter().find(|hold| is_held(it, hold));
            let state = match (&note, started, hold) {
                (Some(_), _, _) => State::Diverged,
                (None, true, _) => unfinished(holder),
                (None, false, Some(_)) => State::Held,
                (None, false, None) => State::Pending,
            };
            let note = note
                .or_else(|| started.then(|| progress(it.version, journal, holder)))
                .or_else(|| {
                    hold.map(|Hold { at, by, .. }| format!("rolled back at {} by {by}", Utc(*at)))
                });
            let (version, name) = (it.version.to_owned(), it.name.to_owned());
            let (breaking, applied_at, down) = (it.breaking, None, Some(Down::of_program(it)));
            Entry { version, name, state, breaking, applied_at, divergence, down, note }
        }));
        entries.extend(journal::unknown(context.set, &history.rows, journal).into_iter().map(
            |it| {
                let progress = progress(&it.version, journal, holder);
                Entry {
                    state: unfinished(holder),
                    note: Some(format!("not in this program; {progress}")),
                    divergence: None,
                    down: None,
                    breaking: it.breaking,
                    applied_at: None,
                    version: it.version,
                    name: it.name,
                }
            },
        ));
        for (version, index) in &history.invalid {
            for it in entries.iter_mut().filter(|it| it.version == *version) {
                let note = it.note.take().map(|it| format!("{it}; ")).unwrap_or_default();
                it.note = Some(format!("{note}the invalid index {index} stays"));
            }
        }
        entries.sort_by(|a, b| a.version.cmp(&b.version));
        let head = rows.last().map(|it| it.row.version.clone());
        let replaced_schemas = if rows.is_empty() { Vec::new() } else { history.replaced.clone() };
        Self {
            app: context.app.to_owned(),
            head,
            entries,
            replaced_schemas,
            foreign_histories: Vec::new(),
            protection: None,
            holds: holds.iter().map(Held::of).collect(),
            apps: Vec::new(),
            history_schemas: Vec::new(),
        }
    }

    /// Returns `true` if nothing is pending, held, partially applied or diverged, and nothing breaking
    /// is ahead.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.replaced_schemas.is_empty()
            && self.entries.iter().all(|it| match it.state {
                State::Applied => true,
                State::Ahead => !it.breaking,
                State::Pending
                | State::Partial
                | State::Running
                | State::Diverged
                | State::Held => false,
            })
    }

    /// What is worth knowing of the database beside its migrations, a line each.
    #[doc(hidden)]
    #[must_use]
    pub fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if let Some(Protection { at, by, copied, .. }) = &self.protection {
            let copied = if *copied { ", when it was another database" } else { "" };
            facts.push(format!("protected by {by} at {} UTC{copied}", Utc(*at)));
        }
        let is_listed =
            |it: &&Held| self.in_state(State::Held).any(|entry| entry.version == it.version);
        for Held { version, name, held_at, held_by } in
            self.holds.iter().filter(|it| !is_listed(it))
        {
            let (title, at) = (title(version, name), Utc(*held_at));
            facts.push(format!("held: {title}, rolled back at {at} UTC by {held_by}"));
        }
        let others = self.apps.iter().filter(|it| it.name != self.app);
        facts.extend(others.map(|AppStatus { name, applied, head, schemas }| {
            let head = head.as_ref().map(|it| format!(" up to {it}")).unwrap_or_default();
            let schemas = match schemas.is_empty() {
                true => String::new(),
                false => format!(", in schema {}", schemas.join(", ")),
            };
            format!("other app {name}: {applied} applied{head}{schemas}")
        }));
        if self.history_schemas.len() > 1 {
            facts.push(format!(
                "schemas with upfront's tables: {}",
                self.history_schemas.join(", ")
            ));
        }
        facts
    }

    /// How many migrations are in which state, in one line.
    pub(crate) fn summary(&self) -> String {
        const OTHERS: [State; 6] = [
            State::Pending,
            State::Held,
            State::Running,
            State::Partial,
            State::Ahead,
            State::Diverged,
        ];
        let count = |state| self.in_state(state).count();
        let applied = format!("app {}: {} applied", self.app, count(State::Applied));
        let others = OTHERS.into_iter().map(|it| (count(it), it)).filter(|(many, _)| *many > 0);
        let others = others.map(|(many, state)| format!("{many} {state}"));
        std::iter::once(applied).chain(others).collect::<Vec<_>>().join(", ")
    }

    /// Iterates over the entries in a state.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |it| it.state == state)
    }
}

impl Held {
    fn of(it: &Hold) -> Self {
        let Hold { version, name, at, by, .. } = it.clone();
        Self { version, name, held_at: at, held_by: by }
    }
}

impl Down {
    fn possible(script: DownScript) -> Self {
        Self { possible: true, script, obstacle: None, reason: None }
    }

    fn impossible(obstacle: &Obstacle) -> Self {
        let reason = Some(obstacle.to_string());
        let obstacle = match obstacle {
            Obstacle::Irreversible { .. } => DownObstacle::Irreversible,
            Obstacle::NoDownSide => DownObstacle::NoScript,
            Obstacle::NoStatement => DownObstacle::NoStatement,
        };
        let (possible, script) = (false, DownScript::Nothing);
        Self { possible, script, obstacle: Some(obstacle), reason }
    }

    /// Of a migration that the program carries, if it is applied as it is.
    fn of_program(it: &'static Migration) -> Self {
        Self::of_undo(it, "applied", false)
    }

    fn of_undo(it: &'static Migration, kind: &str, is_first: bool) -> Self {
        match rollback::undo(it, kind, is_first) {
            Ok(RollbackStep { side: Some(_), .. }) => Self::possible(DownScript::Program),
            Ok(_) => Self::possible(DownScript::Nothing),
            Err((_, obstacle)) => Self::impossible(&obstacle),
        }
    }

    /// Of an applied one: by the program, if it carries what was applied, or by the stored script.
    fn of_row(set: &'static Set, it: &RevisionRow, is_first: bool) -> Self {
        if let Some(migration) = rollback::embedded(set, &it.row) {
            return Self::of_undo(migration, &it.row.kind, is_first);
        }
        match (&it.irreversible, &it.row.down_hash) {
            _ if it.checkpoint && (it.row.kind == "covered" || !is_first) => {
                Self::possible(DownScript::Nothing)
            }
            (Some(reason), _) => {
                let reason = reason.clone();
                Self::impossible(&Obstacle::Irreversible { reason })
            }
            (None, None) => Self::impossible(&Obstacle::NoDownSide),
            (None, Some(_)) if it.down_is_empty => Self::impossible(&Obstacle::NoStatement),
            (None, Some(_)) => Self::possible(DownScript::Stored),
        }
    }
}

fn is_held(it: &Migration, hold: &Hold) -> bool {
    hold.version == it.version && it.accepts(&hold.hash)
}

fn applied(
    context: &Context<'_>,
    it: &RevisionRow,
    found: &[Divergence],
    journal: &[Journal],
    holder: Option<&LockHolder>,
) -> Entry {
    let RevisionRow { row, applied_at, .. } = it;
    let (divergence, diverged) = found.iter().find_map(|it| note(it, &row.version)).unzip();
    let head = context.set.head().map_or("", |it| it.version);
    let cut_off = row.is_being_rolled_back();
    let state = match &diverged {
        _ if cut_off => unfinished(holder),
        _ if row.version.as_str() > head => State::Ahead,
        Some(_) => State::Diverged,
        None => State::Applied,
    };
    Entry {
        version: row.version.clone(),
        name: row.name.clone(),
        state,
        applied_at: Some(*applied_at),
        breaking: row.breaking,
        divergence,
        down: None,
        note: match cut_off {
            true => {
                let what =
                    if holder.is_some() { "its rollback" } else { "its rollback was cut off" };
                Some(format!("{what}: {}", progress(&row.version, journal, holder)))
            }
            false => diverged.or_else(|| (row.kind != "applied").then(|| row.kind.clone())),
        },
    }
}

/// What a divergence says about a version.
fn note(it: &Divergence, about: &str) -> Option<(DivergenceKind, String)> {
    if it.version() != about {
        return None;
    }
    let note = match it {
        Divergence::Edited { .. } => "changed after it was applied".to_owned(),
        Divergence::Renamed { applied, .. } => format!("was applied as {applied}"),
        Divergence::Missing { .. } => "not in this program".to_owned(),
        Divergence::Inserted { head, .. } => format!("never applied, older than {head}"),
        Divergence::Deleted { .. } => "its row was deleted".to_owned(),
        Divergence::Altered { .. } => "its row was changed".to_owned(),
        Divergence::Ahead { .. } => "breaking: this program refuses to run".to_owned(),
    };
    Some((it.kind(), note))
}

fn unfinished(holder: Option<&LockHolder>) -> State {
    if holder.is_some() { State::Running } else { State::Partial }
}

fn progress(version: &str, journal: &[Journal], holder: Option<&LockHolder>) -> String {
    let rows = || journal.iter().filter(|it| it.version == version);
    let by = holder.map(|it| format!("running, by {it}: ")).unwrap_or_default();
    let (done, started) = (rows().filter(|it| it.finished).count(), rows().count());
    format!("{by}{done} of {started} started statements done")
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Partial => "partial",
            Self::Running => "running",
            Self::Held => "held",
            Self::Ahead => "ahead",
            Self::Diverged => "diverged",
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = &self.entries;
        let titles: Vec<_> = entries.iter().map(|it| title(&it.version, &it.name)).collect();
        let wide = titles.iter().map(|it| it.chars().count()).max().unwrap_or(0).max(9);
        write!(f, "{:wide$}  {:8}  applied at (UTC)", "migration", "state")?;
        for (it, title) in entries.iter().zip(&titles) {
            let at = it.applied_at.map_or_else(|| "-".to_owned(), |it| Utc(it).to_string());
            let state = it.state;
            match &it.note {
                Some(note) => write!(f, "\n{title:wide$}  {state:8}  {at:19}  {note}")?,
                None => write!(f, "\n{title:wide$}  {state:8}  {at}")?,
            }
        }
        for it in &self.replaced_schemas {
            write!(f, "\nschema {it} was dropped after migrations were applied to it")?;
        }
        for it in self.facts() {
            write!(f, "\n{it}")?;
        }
        if let Some(it) = self.refusal() {
            write!(f, "\n{it}")?;
        }
        write!(f, "\n{}", self.summary())
    }
}
