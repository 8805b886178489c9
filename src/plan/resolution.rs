//! What a person's word about a migration changes in the history: a pure function of the program's
//! migrations, the history and what was said.

use std::fmt;

use crate::{
    Direction,
    embedded::{Migration, Set, title},
    plan::{
        checksum,
        command::{CommandOptions, shell_word},
        history::History,
        journal::{self, Journal, Listed, Rewrite},
        pending::{self, Divergence},
        rows::{Head, Row},
        words::list,
    },
};

/// The newest successful row of the log about a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) hash: String,
}

/// The rows to write.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) shown: Vec<ResolvedChange>,
    pub(crate) writes: Vec<Write>,
}

/// One change of upfront's own tables.
#[derive(Debug)]
pub(crate) enum Write {
    /// A row of the history goes.
    Remove { version: String },
    /// A row of the history comes, after this head.
    Insert { migration: &'static Migration, head: Head },
    /// The row of a rollback that was cut off counts as applied again.
    Restore { version: String, chain: String, breaking: bool },
    /// Rows behind the change continue another chain.
    Chains(Vec<(String, String)>),
    /// The journal of a migration ends.
    ForgetJournal { version: String },
    /// Migrations of this version are not held any more.
    Release { version: String },
    /// The schemas are not compared with what they were.
    ForgetTargets,
    /// A statement of the journal took effect; its hash, where the file is known.
    FinishStep { version: String, direction: Direction, ordinal: usize, hash: Option<String> },
    /// A statement of the journal did not take effect.
    ForgetStep { version: String, direction: Direction, ordinal: usize },
    /// A journal fits the file as it is now.
    Rewrite { version: String, direction: Direction, rewrite: Rewrite },
    /// A line of the log.
    Log { version: String, name: String, hash: String, what: Logs, message: String },
}

/// What a line of the log records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logs {
    Migration(Resolution),
    /// A part of the side that was cut off.
    Part(Direction),
}

/// Why a person's word is not recorded.
#[derive(Debug, Clone)]
pub(crate) enum Mistake {
    /// Neither program, history nor log know the version.
    UnknownVersion { version: String, known: Vec<String> },
    /// The program carries a migration with later ones applied: without its row it is out of order.
    StillCarried { migration: String, version: String, path: &'static str, later: String },
    /// Its text is not known.
    NotCarried { migration: String, label: &'static str },
    /// Older migrations are not applied.
    OlderPending { migration: String, pending: Vec<String> },
    /// It is not applied in part.
    NotPartial { migration: String },
    /// The journal has no such statement, or says that it is done.
    NoStatement { migration: String, statement: usize, open: Vec<usize> },
    /// The history contradicts the program elsewhere.
    Diverged(Vec<Divergence>),
}

/// What is known of a database, for a decision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolutionInput<'a> {
    pub(crate) set: &'static Set,
    pub(crate) history: &'a History,
    pub(crate) logged: &'a [Logged],
    /// What the text that was applied says of a migration whose rollback was cut off.
    pub(crate) was_breaking: bool,
}

/// A version with its name and hash, from wherever they are known.
#[derive(Debug, Clone)]
struct Known {
    version: String,
    name: String,
    hash: String,
}

impl Known {
    fn title(&self) -> String {
        title(&self.version, &self.name)
    }

    fn link(&self, previous: &str) -> String {
        checksum::link(previous, &self.version, &self.name, &self.hash)
    }
}

/// Decides what is written.
///
/// # Errors
///
/// The word contradicts what is known, or would leave a history that no program accepts.
pub(crate) fn decide(facts: ResolutionInput<'_>, asked: &Resolve) -> Result<Changes, Mistake> {
    match asked {
        Resolve::All { outcome: Resolution::RolledBack } => Ok(facts.all_rolled_back()),
        Resolve::All { outcome: Resolution::Applied } => Ok(facts.all_applied()),
        Resolve::Migration { version, outcome: Resolution::RolledBack } => {
            facts.rolled_back(&facts.find(version)?)
        }
        Resolve::Migration { version, outcome: Resolution::Applied } => {
            facts.applied(&facts.find(version)?)
        }
        Resolve::Statement { version, statement, outcome } => {
            facts.statement(&facts.find(version)?, *statement, *outcome)
        }
        Resolve::Edited { version, outcome } => facts.edited(&facts.find(version)?, *outcome),
    }
}

impl<'a> ResolutionInput<'a> {
    /// A version that history, journal, log or program know; by itself or with its name.
    fn find(self, asked: &str) -> Result<Known, Mistake> {
        let asked = asked.strip_suffix(".sql").unwrap_or(asked);
        let row = |it: &Row| known(&it.version, &it.name, &it.hash);
        let rows = self.history.rows.iter().map(row);
        let carried = self.set.migrations.iter();
        let carried = carried.map(|it| known(it.version, it.name, it.up.hash));
        let logged = self.logged.iter().map(|it| known(&it.version, &it.name, &it.hash));
        let begun = self.history.journal.iter().map(|it| known(&it.version, &it.name, ""));
        let mut all = rows.chain(carried).chain(logged).chain(begun);
        let is_asked = |it: &Known| asked == it.version || asked == it.title();
        all.find(is_asked).ok_or_else(|| self.unknown(asked))
    }

    fn unknown(self, asked: &str) -> Mistake {
        const SHOWN: usize = 5;
        let known = self.history.rows.iter().rev().take(SHOWN).map(Row::title).collect();
        Mistake::UnknownVersion { version: asked.to_owned(), known }
    }

    fn row(self, version: &str) -> Option<&'a Row> {
        self.history.rows.iter().find(|it| it.version == version)
    }

    fn journal(self, version: &str) -> impl Iterator<Item = &'a Journal> + use<'a> {
        let version = version.to_owned();
        self.history.journal.iter().filter(move |it| it.version == version)
    }

    fn before(self, it: &Known) -> Before {
        match self.row(&it.version) {
            Some(row) if row.is_being_rolled_back() => Before::PartiallyRolledBack,
            Some(_) => Before::Applied,
            None if self.journal(&it.version).next().is_some() => Before::PartiallyApplied,
            None if self.is_missing(&it.version) => Before::Missing,
            None => Before::NotApplied,
        }
    }

    fn is_missing(self, version: &str) -> bool {
        self.history.lost.iter().any(|it| it == version)
    }

    fn rolled_back(self, it: &Known) -> Result<Changes, Mistake> {
        let before = self.before(it);
        if before == Before::NotApplied {
            return Ok(Changes::default());
        }
        self.refuse_altered(it)?;
        self.refuse_out_of_order(it)?;
        let version = it.version.clone();
        let mut changes = Changes::of(it, before, Resolution::RolledBack);
        if self.row(&version).is_some() {
            changes.writes.push(Write::Remove { version: version.clone() });
        }
        changes.end_journal(self, &version);
        let below = self.below(&version);
        let below = below.map_or((checksum::START, ""), |row| (&row.chain, &row.version));
        changes.chain_behind(self, it, below);
        changes.log(it, Logs::Migration(Resolution::RolledBack), "undone by hand");
        Ok(changes)
    }

    fn applied(self, it: &Known) -> Result<Changes, Mistake> {
        let before = self.before(it);
        let row = self.row(&it.version);
        let carried = self.set.find(&it.version);
        if let (Before::Applied, Some(row)) = (before, row) {
            let changed = carried.and_then(|it| pending::changed(it, row));
            return changed.map_or(Ok(Changes::default()), |it| Err(Mistake::Diverged(vec![it])));
        }
        self.refuse_altered(it)?;
        let mut changes = Changes::of(it, before, Resolution::Applied);
        match (row, carried) {
            (Some(row), carried) => {
                let breaking = carried.filter(|it| it.accepts(&row.hash));
                let breaking = breaking.map_or(self.was_breaking, |it| it.breaking);
                let (version, chain) = (row.version.clone(), self.chain_of(it));
                changes.writes.push(Write::Restore { version, chain, breaking });
            }
            (None, Some(migration)) => self.insert(migration, &mut changes)?,
            (None, None) => {
                let label = self.set.label;
                return Err(Mistake::NotCarried { migration: it.title(), label });
            }
        }
        changes.end_journal(self, &it.version);
        changes.writes.push(Write::Release { version: it.version.clone() });
        changes.log(it, Logs::Migration(Resolution::Applied), "done by hand");
        Ok(changes)
    }

    /// A new row at its place, and the rows behind it on top of it.
    fn insert(self, it: &'static Migration, changes: &mut Changes) -> Result<(), Mistake> {
        let rows = &self.history.rows;
        let head = rows.last().map_or("", |it| it.version.as_str());
        let older = self.set.migrations.iter();
        let older = older.filter(|older| older.version > head && older.version < it.version);
        let pending: Vec<_> = older.map(Migration::title).collect();
        if !pending.is_empty() {
            return Err(Mistake::OlderPending { migration: it.title(), pending });
        }
        let new = known(it.version, it.name, it.up.hash);
        let chain = self.chain_of(&new);
        let head = Head { version: new.version.clone(), chain: chain.clone() };
        changes.writes.push(Write::Insert { migration: it, head });
        changes.chain_behind(self, &new, (&chain, it.version));
        Ok(())
    }

    /// The newest row below a version.
    fn below(self, version: &str) -> Option<&'a Row> {
        self.history.rows.iter().rev().find(|row| row.version.as_str() < version)
    }

    /// The chain that a row of this version would have, on top of the row below it.
    fn chain_of(self, it: &Known) -> String {
        let behind = self.history.rows.iter().find(|row| row.version >= it.version);
        let counts = behind.is_some_and(|row| self.counts_missing(row));
        let (chain, version) = self
            .below(&it.version)
            .map_or((checksum::START, ""), |row| (row.chain.as_str(), row.version.as_str()));
        match counts {
            true => it.link(&self.through_missing((chain, version), it, it)),
            false => it.link(chain),
        }
    }

    /// Does the chain of a row count rows that were deleted below it?
    fn counts_missing(self, row: &Row) -> bool {
        let below = self.below(&row.version).map_or(checksum::START, |it| it.chain.as_str());
        !row.is_being_rolled_back()
            && checksum::link(below, &row.version, &row.name, &row.hash) != row.chain
    }

    /// A chain, with the deleted rows between its version and another one; one of them aside.
    fn through_missing(self, (chain, from): (&str, &str), to: &Known, aside: &Known) -> String {
        let between = |it: &&Logged| {
            self.is_missing(&it.version)
                && it.version.as_str() > from
                && it.version < to.version
                && it.version != aside.version
        };
        self.logged.iter().filter(between).fold(chain.to_owned(), |chain, it| {
            checksum::link(&chain, &it.version, &it.name, &it.hash)
        })
    }

    /// Without its row a migration that the program carries would be older than the newest.
    fn refuse_out_of_order(self, it: &Known) -> Result<(), Mistake> {
        let (rows, _) = pending::standing(&self.history.rows);
        let later = rows.last().filter(|row| row.version > it.version);
        match (self.set.find(&it.version), later) {
            (Some(carried), Some(later)) => Err(Mistake::StillCarried {
                migration: carried.title(),
                version: it.version.clone(),
                path: carried.up.path,
                later: later.title(),
            }),
            _ => Ok(()),
        }
    }

    /// A new chain must not cover a row that somebody changed: each row has to continue the one
    /// before it, or what the log says was between them.
    fn refuse_altered(self, except: &Known) -> Result<(), Mistake> {
        let nobody = known("", "", "");
        let mut previous = (checksum::START, "");
        for row in pending::standing(&self.history.rows).0 {
            let it = known(&row.version, &row.name, &row.hash);
            let through = self.through_missing(previous, &it, &nobody);
            let fits = [it.link(previous.0), it.link(&through)].contains(&row.chain);
            if !fits && row.version != except.version {
                let (version, name) = (row.version.clone(), row.name.clone());
                return Err(Mistake::Diverged(vec![Divergence::Altered { version, name }]));
            }
            previous = (&row.chain, &row.version);
        }
        Ok(())
    }

    fn all_rolled_back(self) -> Changes {
        let mut changes = Changes::default();
        let partial = journal::unknown(self.set, &[], &self.history.journal);
        let partial = partial.into_iter().map(|it| known(&it.version, &it.name, ""));
        let carried = self.set.migrations.iter().map(|it| known(it.version, it.name, it.up.hash));
        let begun = carried.filter(|it| self.journal(&it.version).next().is_some());
        let rows = self.history.rows.iter().map(|it| known(&it.version, &it.name, &it.hash));
        let lost = self.logged.iter().filter(|it| self.is_missing(&it.version));
        let lost = lost.map(|it| known(&it.version, &it.name, &it.hash));
        let mut all: Vec<_> = rows.chain(begun).chain(partial).chain(lost).collect();
        all.sort_by(|a, b| b.version.cmp(&a.version));
        all.dedup_by(|a, b| a.version == b.version);
        for it in &all {
            let version = it.version.clone();
            let before = self.before(it);
            changes.shown.push(ResolvedChange::of(&it.version, &it.name, before));
            if self.row(&version).is_some() {
                changes.writes.push(Write::Remove { version: version.clone() });
            }
            changes.end_journal(self, &version);
            changes.log(it, Logs::Migration(Resolution::RolledBack), "all migrations are undone");
        }
        if !all.is_empty() {
            changes.writes.push(Write::ForgetTargets);
        }
        changes
    }

    fn all_applied(self) -> Changes {
        let mut changes = Changes::default();
        let Some(newest) = self.history.rows.last().filter(|_| !self.history.replaced.is_empty())
        else {
            return changes;
        };
        let it = known(&newest.version, &newest.name, &newest.hash);
        changes.shown.push(ResolvedChange::of(&it.version, &it.name, Before::SchemaReplaced));
        changes.writes.push(Write::ForgetTargets);
        changes.log(
            &it,
            Logs::Migration(Resolution::Applied),
            "the schema was restored by other means",
        );
        changes
    }

    /// The side of a migration that was cut off.
    fn direction(self, it: &Known) -> Result<Direction, Mistake> {
        match self.before(it) {
            Before::PartiallyApplied => Ok(Direction::Up),
            Before::PartiallyRolledBack => Ok(Direction::Down),
            _ => Err(Mistake::NotPartial { migration: it.title() }),
        }
    }

    /// The statements of the side that was cut off, if the program carries it.
    fn file(self, it: &Known, direction: Direction) -> Option<Vec<Listed>> {
        let migration = self.set.find(&it.version)?;
        let side = match direction {
            Direction::Up => Some(&migration.up),
            Direction::Down => migration.down.as_ref(),
        }?;
        let hash = |it| checksum::sha256(side.text_and_data(it));
        Some(side.statements().iter().map(|it| Listed::new(hash(it), it.class)).collect())
    }

    fn statement(
        self,
        it: &Known,
        ordinal: usize,
        outcome: Resolution,
    ) -> Result<Changes, Mistake> {
        let direction = self.direction(it)?;
        let rows: Vec<_> =
            self.journal(&it.version).filter(|it| it.direction == direction).collect();
        let row = rows.iter().find(|it| it.ordinal == ordinal);
        match (row.map(|it| it.finished), outcome) {
            (Some(true), Resolution::Applied) => return Ok(Changes::default()),
            (Some(false), _) => {}
            _ => {
                let open = rows.iter().filter(|it| !it.finished).map(|it| it.ordinal).collect();
                let migration = it.title();
                return Err(Mistake::NoStatement { migration, statement: ordinal, open });
            }
        }
        let version = it.version.clone();
        let mut changes = Changes::of(it, self.before(it), outcome);
        changes.shown[0].statement = Some(ordinal);
        changes.writes.push(match outcome {
            Resolution::Applied => {
                let file = self.file(it, direction);
                let hash = file.and_then(|it| Some(it.get(ordinal - 1)?.hash.clone()));
                Write::FinishStep { version, direction, ordinal, hash }
            }
            Resolution::RolledBack => Write::ForgetStep { version, direction, ordinal },
        });
        let why = match outcome {
            Resolution::Applied => format!("statement {ordinal} took effect"),
            Resolution::RolledBack => format!("statement {ordinal} did not take effect"),
        };
        changes.log(it, Logs::Part(direction), &why);
        Ok(changes)
    }

    fn edited(self, it: &Known, outcome: Resolution) -> Result<Changes, Mistake> {
        let direction = self.direction(it)?;
        let file = self.file(it, direction);
        let Some(file) = file else {
            return Err(Mistake::NotCarried { migration: it.title(), label: self.set.label });
        };
        let rows: Vec<_> =
            self.journal(&it.version).filter(|it| it.direction == direction).collect();
        let Some(mismatch) = journal::mismatch(&file, &rows) else { return Ok(Changes::default()) };
        let rewrite = match outcome {
            Resolution::Applied => mismatch.done,
            Resolution::RolledBack => mismatch.to_run,
        };
        let mut changes = Changes::of(it, self.before(it), outcome);
        let version = it.version.clone();
        changes.writes.push(Write::Rewrite { version, direction, rewrite });
        let why = match outcome {
            Resolution::Applied => "the new statements of the edited file took effect",
            Resolution::RolledBack => "the new statements of the edited file did not run",
        };
        changes.log(it, Logs::Part(direction), why);
        Ok(changes)
    }
}

fn known(version: &str, name: &str, hash: &str) -> Known {
    Known { version: version.to_owned(), name: name.to_owned(), hash: hash.to_owned() }
}

impl Changes {
    fn of(it: &Known, before: Before, after: Resolution) -> Self {
        let shown = ResolvedChange { after, ..ResolvedChange::of(&it.version, &it.name, before) };
        Self { shown: vec![shown], writes: Vec::new() }
    }

    fn end_journal(&mut self, facts: ResolutionInput<'_>, version: &str) {
        if facts.journal(version).next().is_some() {
            self.writes.push(Write::ForgetJournal { version: version.to_owned() });
        }
    }

    /// The rows behind a version continue another one: its new row, or the row below it.
    fn chain_behind(
        &mut self,
        facts: ResolutionInput<'_>,
        it: &Known,
        (chain, from): (&str, &str),
    ) {
        let own = facts.row(&it.version).is_some_and(|row| facts.counts_missing(row));
        let (mut previous, mut changed) = ((chain.to_owned(), from.to_owned()), Vec::new());
        let (rows, _) = pending::standing(&facts.history.rows);
        let behind = rows.iter().filter(|row| row.version > it.version);
        for (at, row) in behind.enumerate() {
            let next = known(&row.version, &row.name, &row.hash);
            let counts = facts.counts_missing(row) || (at == 0 && own);
            let chain = match counts {
                true => next.link(&facts.through_missing((&previous.0, &previous.1), &next, it)),
                false => next.link(&previous.0),
            };
            if chain != row.chain {
                changed.push((row.version.clone(), chain.clone()));
            }
            previous = (chain, row.version.clone());
        }
        if !changed.is_empty() {
            self.writes.push(Write::Chains(changed));
        }
    }

    fn log(&mut self, it: &Known, what: Logs, why: &str) {
        let Known { version, name, hash } = it.clone();
        let message = format!("{why}; recorded by upfront {}", env!("CARGO_PKG_VERSION"));
        self.writes.push(Write::Log { version, name, hash, what, message });
    }
}

/// A person's word that is refused, and the options for commands in the message.
#[derive(Debug)]
pub(crate) struct ResolveError {
    pub(crate) mistake: Mistake,
    pub(crate) options: CommandOptions,
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = |words: String| self.options.command(&words);
        match &self.mistake {
            Mistake::UnknownVersion { version, known } => {
                write!(
                    f,
                    "version `{version}` is unknown to this program, to the database and to its log; \
                     nothing was recorded"
                )?;
                list(f, "applied", known)?;
                write!(
                    f,
                    "\n  help: {} lists all versions; another app of this database is named by \
                     `--app`",
                    command("status".to_owned())
                )
            }
            Mistake::StillCarried { migration, version, path, later } => write!(
                f,
                "migration `{migration}` is older than `{later}`, which is applied, and this program \
                 still carries it: without its row it would be out of order; nothing was recorded\n  \
                 file: {path}\n  help: delete its files first with {}, then run {}",
                command(format!("rm {} --files-only", shell_word(version))),
                command(format!("resolve {} --rolled-back", shell_word(version)))
            ),
            Mistake::NotCarried { migration, label } => write!(
                f,
                "migration `{migration}` is not in this program, so it cannot be recorded as applied; \
                 nothing was recorded\n  file: {label}/{migration}.sql\n  help: restore the file and \
                 run the command again"
            ),
            Mistake::OlderPending { migration, pending } => {
                write!(
                    f,
                    "migration `{migration}` cannot be recorded as applied: older migrations are \
                     pending; nothing was recorded"
                )?;
                list(f, "pending", pending)?;
                write!(
                    f,
                    "\n  help: apply them first with {}; if they were applied by hand too, record them in \
                     their order, first {}",
                    command("up".to_owned()),
                    command(format!("resolve {} --applied", shell_word(&pending[0])))
                )
            }
            Mistake::NotPartial { migration } => write!(
                f,
                "migration `{migration}` is not partially applied; nothing was recorded\n  help: {} \
                 shows its state",
                command("status".to_owned())
            ),
            Mistake::NoStatement { migration, statement, open } => {
                write!(
                    f,
                    "statement {statement} of migration `{migration}` is not one whose outcome is \
                     unknown; nothing was recorded"
                )?;
                let open: Vec<_> = open.iter().map(ToString::to_string).collect();
                list(f, "unknown outcome", &open)?;
                write!(f, "\n  help: run {}, which shows how to continue", command("up".to_owned()))
            }
            Mistake::Diverged(_) => f.write_str("the history and this program differ"),
        }
    }
}

/// What became of a migration, or of a part of it, by the word of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Resolution {
    /// It took effect: all that it does is in the database.
    Applied,
    /// It did not take effect, or was undone: nothing that it does is in the database.
    RolledBack,
}

/// What a person knows, for [`Migrator::plan_resolve`](crate::Migrator::plan_resolve). Versions stand alone or with their name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolve {
    /// A migration was undone, or applied, by hand.
    Migration {
        /// Its version.
        version: String,
        /// What became of it.
        outcome: Resolution,
    },
    /// A statement of a partially applied (or rolled back) migration took effect, or did not. The
    /// next [`up`](crate::Migrator::up) or [`down`](crate::Migrator::down) continues accordingly.
    Statement {
        /// The version of the migration.
        version: String,
        /// The number of the statement in its file, from 1.
        statement: usize,
        /// What became of it.
        outcome: Resolution,
    },
    /// The file of a partially applied migration was edited: its new statements took effect, or are
    /// still to run.
    Edited {
        /// The version of the migration.
        version: String,
        /// What became of the new statements.
        outcome: Resolution,
    },
    /// All migrations of the app: undone, as by `DROP SCHEMA`, or restored by other means.
    All {
        /// What became of them.
        outcome: Resolution,
    },
}

/// One migration of a [`Resolved`](crate::Resolved).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ResolvedChange {
    /// Its version.
    pub version: String,
    /// Its name.
    pub name: String,
    /// The number of the statement, if only a statement is meant.
    pub statement: Option<usize>,
    /// What the history says of the migration before.
    pub before: Before,
    /// What is recorded.
    pub after: Resolution,
}

/// What the history says of a migration before it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Before {
    /// It is applied.
    Applied,
    /// It is not applied.
    NotApplied,
    /// It was cut off while it was applied, outside a transaction.
    PartiallyApplied,
    /// It was cut off while it was rolled back, outside a transaction.
    PartiallyRolledBack,
    /// It was applied, and its row was deleted.
    Missing,
    /// It is applied, and its schema was dropped or created again since.
    SchemaReplaced,
}

impl ResolvedChange {
    pub(crate) fn of(version: &str, name: &str, before: Before) -> Self {
        let (version, name) = (version.to_owned(), name.to_owned());
        let after = match before {
            Before::SchemaReplaced => Resolution::Applied,
            _ => Resolution::RolledBack,
        };
        Self { version, name, statement: None, before, after }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::RolledBack => "rolled back",
        })
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Applied => "applied",
            Self::NotApplied => "not applied",
            Self::PartiallyApplied => "partially applied",
            Self::PartiallyRolledBack => "partially rolled back",
            Self::Missing => "applied, with its row deleted",
            Self::SchemaReplaced => "applied to a schema that was dropped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pending::tests::{rows, set};

    fn describe(it: &Write) -> String {
        match it {
            Write::Remove { version } => format!("remove {version}"),
            Write::Insert { migration, .. } => format!("insert {}", migration.version),
            Write::Restore { version, .. } => format!("restore {version}"),
            Write::Chains(chains) => {
                let versions: Vec<_> = chains.iter().map(|(version, _)| version.as_str()).collect();
                format!("chain {}", versions.join(" "))
            }
            Write::ForgetJournal { version } => format!("forget journal {version}"),
            Write::Release { version } => format!("release {version}"),
            Write::ForgetTargets => "forget targets".to_owned(),
            Write::FinishStep { version, ordinal, .. } => format!("finish {version}.{ordinal}"),
            Write::ForgetStep { version, ordinal, .. } => format!("forget {version}.{ordinal}"),
            Write::Rewrite { version, .. } => format!("rewrite {version}"),
            Write::Log { version, .. } => format!("log {version}"),
        }
    }

    fn decided(program: &str, rows: Vec<Row>, asked: &Resolve) -> String {
        let history = History { rows, ..History::default() };
        let set = set(program);
        let input = ResolutionInput { set, history: &history, logged: &[], was_breaking: false };
        match decide(input, asked) {
            Ok(it) => it.writes.iter().map(describe).collect::<Vec<_>>().join(", "),
            Err(Mistake::UnknownVersion { .. }) => "unknown version".to_owned(),
            Err(Mistake::StillCarried { later, .. }) => format!("still carried, {later} is later"),
            Err(Mistake::NotCarried { .. }) => "not carried".to_owned(),
            Err(Mistake::OlderPending { pending, .. }) => format!("pending: {}", pending.join(" ")),
            Err(Mistake::NotPartial { .. }) => "not partial".to_owned(),
            Err(Mistake::NoStatement { .. }) => "no statement".to_owned(),
            Err(Mistake::Diverged(found)) => format!("diverged: {}", found.len()),
        }
    }

    fn migration(version: &str, outcome: Resolution) -> Resolve {
        Resolve::Migration { version: version.to_owned(), outcome }
    }

    fn check(program: &str, history: &str, asked: &Resolve, expected: &str) {
        let found = decided(program, rows(history), asked);
        assert_eq!(found, expected, "{program} on {history}: {asked:?}");
    }

    #[test]
    fn a_rolled_back_migration_loses_its_row() {
        let newest = migration("2", Resolution::RolledBack);
        check("1a 2b", "1a 2b", &newest, "remove 2, log 2");
        check("1a 2b", "1a", &newest, "");
        check("1a", "1a", &newest, "unknown version");
        let oldest = migration("1_m.sql", Resolution::RolledBack);
        check("2b", "1a 2b", &oldest, "remove 1, chain 2, log 1");
        check("1a 2b", "1a 2b", &oldest, "still carried, 2_m is later");
    }

    #[test]
    fn an_applied_migration_gets_a_row_at_its_place() {
        let asked = migration("2", Resolution::Applied);
        check("1a 2b", "1a", &asked, "insert 2, release 2, log 2");
        check("1a 2b 3c", "1a 3c", &asked, "insert 2, chain 3, release 2, log 2");
        check("1a 2b", "1a 2b", &asked, "");
        check("1a 2b", "", &asked, "pending: 1_m");
        check("1a 2x", "1a 2b", &asked, "diverged: 1");
    }

    #[test]
    fn a_history_changed_by_hand_gets_no_new_chain() {
        let mut altered = rows("1a 2b 3c");
        altered[1].hash = checksum::sha256("x");
        let asked = migration("3", Resolution::RolledBack);
        assert_eq!(decided("1a 2b 3c", altered, &asked), "diverged: 1");
    }

    #[test]
    fn only_a_partially_applied_migration_has_statements_to_resolve() {
        let outcome = Resolution::Applied;
        let statement = Resolve::Statement { version: "1".to_owned(), statement: 2, outcome };
        check("1a", "1a", &statement, "not partial");
        let edited = Resolve::Edited { version: "1".to_owned(), outcome };
        check("1a", "1a", &edited, "not partial");
    }
}
