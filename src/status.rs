//! Where a database stands.

use std::fmt;

use deadpool_postgres::Object;

use crate::{
    Ahead, Error, ForeignHistory, Result,
    embedded::{Migration, title},
    error::Kind,
    event::Holder,
    foreign, journal,
    plan::{self, Divergence, Hold, Row},
    revisions::{History, Journal, dated, history},
    work::Work,
};

/// Where a database stands, migration by migration. Prints as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// The app whose migrations these are.
    pub app: String,
    /// The newest version that the database has.
    pub head: Option<String>,
    /// All that program or database know, in the order of versions.
    pub entries: Vec<Entry>,
    /// Schemas that were dropped after migrations were applied to them.
    pub replaced_schemas: Vec<String>,
    /// Histories of other tools for which [`up`](crate::Migrator::up) refuses to start one of
    /// upfront's.
    pub foreign_histories: Vec<ForeignHistory>,
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
    /// Where it stands.
    pub state: State,
    /// Programs that do not know it refuse to run.
    pub breaking: bool,
    /// When it was applied, as the server prints a time in UTC.
    pub applied_at: Option<String>,
    /// What else is to be said.
    pub note: Option<String>,
}

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum State {
    /// In the database.
    Applied,
    /// In the program, and not yet in the database.
    Pending,
    /// Cut off outside a transaction, either way.
    Partial,
    /// Under way outside a transaction, either way: another process holds the lock.
    Running,
    /// Rolled back, and not to come back by itself: pending once it is released.
    Held,
    /// In the database, and newer than the program.
    Ahead,
    /// Program and database contradict each other.
    Diverged,
}

/// A row with what a person wants to see.
#[derive(Debug)]
pub(crate) struct Dated {
    pub(crate) row: Row,
    pub(crate) applied_at: String,
}

impl Status {
    pub(crate) async fn read(work: &Work<'_>, client: &Object) -> Result<Self> {
        let doing = "reading the history";
        let Some(tables) = work.tables(client).await? else {
            let status = Self::of(work, &[], &History::default(), None);
            return status.with_foreign_histories(work, client).await;
        };
        let status = work.revisions.status(tables);
        let answer = work.read(client, &status).await?.answer(doing)?.unwrap_or_default();
        let rows = dated(&answer).ok_or(Kind::Unexpected { doing })?;
        let history = history(&answer).ok_or(Kind::Unexpected { doing })?;
        let holder = work.holder_of(client, &history.journal).await;
        let status = Self::of(work, &rows, &history, holder.as_ref());
        match status.head {
            Some(_) => Ok(status),
            None => status.with_foreign_histories(work, client).await,
        }
    }

    /// Looks for what a boot refuses, where it would start a history.
    async fn with_foreign_histories(mut self, work: &Work<'_>, client: &Object) -> Result<Self> {
        if !work.set.migrations.is_empty() {
            self.foreign_histories = foreign::find_ahead(work.settings, client).await?;
        }
        Ok(self)
    }

    /// The error that [`up`](crate::Migrator::up) would return, if the history of another tool is in
    /// its way.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let tables = self.foreign_histories.clone();
        (!tables.is_empty()).then(|| Kind::Foreign { tables }.into())
    }

    fn of(work: &Work<'_>, rows: &[Dated], history: &History, holder: Option<&Holder>) -> Self {
        let History { journal, lost, holds, .. } = history;
        let found = match plan::plan(work.set, &history.rows, Ahead::Accept) {
            Ok(pending) => plan::deleted(&pending, lost),
            Err(it) => it,
        };
        let mut entries: Vec<_> =
            rows.iter().map(|it| applied(work, it, &found, journal, holder)).collect();
        let absent = work.set.migrations.iter().filter(|it| {
            rows.binary_search_by(|row| row.row.version.as_str().cmp(it.version)).is_err()
        });
        entries.extend(absent.map(|it| {
            let note = found.iter().find_map(|found| note(found, it.version));
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
                .or_else(|| hold.map(|Hold { at, by, .. }| format!("rolled back at {at} by {by}")));
            let (version, name) = (it.version.to_owned(), it.name.to_owned());
            Entry { version, name, state, breaking: it.breaking, applied_at: None, note }
        }));
        entries.extend(journal::unknown(work.set, &history.rows, journal).into_iter().map(|it| {
            let progress = progress(&it.version, journal, holder);
            Entry {
                state: unfinished(holder),
                note: Some(format!("not in this program; {progress}")),
                breaking: it.breaking,
                applied_at: None,
                version: it.version,
                name: it.name,
            }
        }));
        for (version, index) in &history.invalid {
            for it in entries.iter_mut().filter(|it| it.version == *version) {
                let note = it.note.take().map(|it| format!("{it}; ")).unwrap_or_default();
                it.note = Some(format!("{note}the invalid index {index} stays"));
            }
        }
        entries.sort_by(|a, b| a.version.cmp(&b.version));
        let head = rows.last().map(|it| it.row.version.clone());
        let replaced_schemas = if rows.is_empty() { Vec::new() } else { history.replaced.clone() };
        let foreign_histories = Vec::new();
        Self { app: work.app.to_owned(), head, entries, replaced_schemas, foreign_histories }
    }

    /// Is nothing pending, partial or diverged, and nothing breaking ahead?
    #[must_use]
    pub fn is_settled(&self) -> bool {
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

    /// The entries in a state.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |it| it.state == state)
    }
}

fn is_held(it: &Migration, hold: &Hold) -> bool {
    hold.version == it.version && it.accepts(&hold.hash)
}

fn applied(
    work: &Work<'_>,
    it: &Dated,
    found: &[Divergence],
    journal: &[Journal],
    holder: Option<&Holder>,
) -> Entry {
    let Dated { row, applied_at } = it;
    let diverged = found.iter().find_map(|it| note(it, &row.version));
    let head = work.set.head().map_or("", |it| it.version);
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
        applied_at: Some(applied_at.clone()),
        breaking: row.breaking,
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
fn note(it: &Divergence, about: &str) -> Option<String> {
    let (version, note) = match it {
        Divergence::Edited { migration, .. } => {
            (migration.version, "changed after it was applied".to_owned())
        }
        Divergence::Renamed { migration, applied } => {
            (migration.version, format!("was applied as {applied}"))
        }
        Divergence::Missing { version, .. } => (version.as_str(), "not in this program".to_owned()),
        Divergence::Inserted { migration, head } => {
            (migration.version, format!("never applied, older than {head}"))
        }
        Divergence::Deleted { migration } => (migration.version, "its row was deleted".to_owned()),
        Divergence::Altered { version, .. } => (version.as_str(), "its row was changed".to_owned()),
        Divergence::Ahead { version, .. } => {
            (version.as_str(), "breaking: this program refuses to run".to_owned())
        }
    };
    (version == about).then_some(note)
}

fn unfinished(holder: Option<&Holder>) -> State {
    if holder.is_some() { State::Running } else { State::Partial }
}

fn progress(version: &str, journal: &[Journal], holder: Option<&Holder>) -> String {
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
        let Self { app, entries, .. } = self;
        let titles: Vec<_> = entries.iter().map(|it| title(&it.version, &it.name)).collect();
        let wide = titles.iter().map(|it| it.chars().count()).max().unwrap_or(0).max(9);
        write!(f, "{:wide$}  {:8}  applied at (UTC)", "migration", "state")?;
        for (it, title) in entries.iter().zip(&titles) {
            let at = it.applied_at.as_deref().unwrap_or("-");
            let state = it.state;
            match &it.note {
                Some(note) => write!(f, "\n{title:wide$}  {state:8}  {at:19}  {note}")?,
                None => write!(f, "\n{title:wide$}  {state:8}  {at}")?,
            }
        }
        for it in &self.replaced_schemas {
            write!(f, "\nschema {it} was dropped after migrations were applied to it")?;
        }
        if let Some(it) = self.refusal() {
            write!(f, "\n{it}")?;
        }
        let count = |state| self.in_state(state).count();
        write!(f, "\napp {app}: {} applied", count(State::Applied))?;
        for state in [
            State::Pending,
            State::Held,
            State::Running,
            State::Partial,
            State::Ahead,
            State::Diverged,
        ] {
            match count(state) {
                0 => {}
                many => write!(f, ", {many} {state}")?,
            }
        }
        Ok(())
    }
}
