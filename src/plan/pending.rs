//! Pending migrations: a pure function of the embedded set and the history.

use crate::{
    Direction,
    embedded::{Migration, Set, title},
    event::LockHolder,
    plan::{
        checksum,
        journal::{Journal, PartlyApplied},
        rows::{Head, Hold, Row, UnknownMigration},
    },
};

/// What one transaction records: rows of migrations that do not run, then one that runs.
#[derive(Debug)]
pub(crate) struct Step {
    /// Recorded without running: a checkpoint, or what stands before one. With the head each
    /// leaves.
    pub(crate) covers: Vec<(&'static Migration, Head)>,
    /// The migration that runs.
    pub(crate) runs: Option<&'static Migration>,
    /// The head which it leaves.
    pub(crate) to: Head,
}

impl Step {
    fn next(
        head: &mut Head,
        covers: &'static [Migration],
        runs: Option<&'static Migration>,
    ) -> Self {
        let mut pass = |it: &'static Migration| {
            *head = head.after(it);
            (it, head.clone())
        };
        let covers = covers.iter().map(&mut pass).collect();
        let runs = runs.map(|it| pass(it).0);
        Self { covers, runs, to: head.clone() }
    }

    /// The migration after which the step is called.
    pub(crate) fn migration(&self) -> &'static Migration {
        self.runs.unwrap_or_else(|| self.covers.last().expect("a step holds a migration").0)
    }

    /// All migrations that it records.
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static Migration> {
        self.covers.iter().map(|(it, _)| *it).chain(self.runs)
    }

    /// How many rows the step records.
    pub(crate) fn len(&self) -> usize {
        self.covers.len() + usize::from(self.runs.is_some())
    }

    /// Whether the step's SQL runs outside a transaction.
    pub(crate) fn is_stepwise(&self) -> bool {
        self.runs.is_some_and(|it| !it.up.transactional)
    }
}

/// Pending steps, and the state that they start from.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) steps: Vec<Step>,
    pub(crate) ahead: Vec<UnknownMigration>,
    /// Applied migrations whose stored down side is not the program's.
    pub(crate) downs: Vec<&'static Migration>,
    /// The newest row, where its rollback was begun outside a transaction and cut off.
    pub(crate) cut_off: Option<Box<Row>>,
    /// What this program does not carry, and the database has in part.
    pub(crate) partly: Vec<PartlyApplied>,
}

impl Pending {
    /// Is there nothing to do?
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.cut_off.is_none()
    }

    /// The names of all that is to be done.
    pub(crate) fn titles(&self) -> Vec<String> {
        self.titles_as_of(&[], None)
    }

    /// The same, with what has run of them already, and who runs it.
    pub(crate) fn titles_as_of(
        &self,
        journal: &[Journal],
        holder: Option<&LockHolder>,
    ) -> Vec<String> {
        let cut_off = self.cut_off.iter().map(|it| match holder {
            Some(holder) => format!("{} (its rollback is running, by {holder})", it.title()),
            None => format!("{} (its rollback was cut off)", it.title()),
        });
        let title = |it: &Migration| match (is_begun(it, journal), holder) {
            (true, Some(holder)) => format!("{} (running, by {holder})", it.title()),
            (true, None) => format!("{} (partially applied)", it.title()),
            (false, _) => it.title(),
        };
        cut_off.chain(self.steps.iter().flat_map(Step::all).map(title)).collect()
    }
}

fn is_begun(it: &Migration, journal: &[Journal]) -> bool {
    journal.iter().any(|row| row.version == it.version && row.direction == Direction::Up)
}

/// One way in which a history differs from the program.
#[derive(Debug, Clone)]
pub(crate) enum Divergence {
    /// The file's text is not what was applied.
    Edited { migration: &'static Migration, applied: String, difference: Option<String> },
    /// The same text under another name.
    Renamed { migration: &'static Migration, applied: String },
    /// Applied, below the head, and not in the program.
    Missing {
        version: String,
        name: String,
        hash: String,
        /// The version of the row below it.
        below: Option<String>,
        /// Its down script is stored.
        has_down: bool,
    },
    /// In the program, below the newest applied, and never applied.
    Inserted { migration: &'static Migration, head: String },
    /// Its row was deleted: the rows after it still count it in.
    Deleted { migration: &'static Migration },
    /// A row says something else than when it was written.
    Altered { version: String, name: String },
    /// Unknown to this program and breaking for it, or refused by the setting.
    Ahead { version: String, name: String, breaking: bool, partly: bool },
}

/// How a program and a database contradict each other about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DivergenceKind {
    /// The file was changed after it was applied.
    Edited,
    /// The file has another name than when it was applied.
    Renamed,
    /// Applied, and not in the program, which has newer ones.
    Missing,
    /// Never applied, and older than the newest applied.
    OutOfOrder,
    /// Applied, and its row was deleted.
    RowDeleted,
    /// Its row was changed.
    RowChanged,
    /// Newer than the program, which must not run on it.
    Ahead,
}

impl Divergence {
    pub(crate) fn kind(&self) -> DivergenceKind {
        match self {
            Self::Edited { .. } => DivergenceKind::Edited,
            Self::Renamed { .. } => DivergenceKind::Renamed,
            Self::Missing { .. } => DivergenceKind::Missing,
            Self::Inserted { .. } => DivergenceKind::OutOfOrder,
            Self::Deleted { .. } => DivergenceKind::RowDeleted,
            Self::Altered { .. } => DivergenceKind::RowChanged,
            Self::Ahead { .. } => DivergenceKind::Ahead,
        }
    }

    pub(crate) fn version(&self) -> &str {
        match self {
            Self::Edited { migration, .. }
            | Self::Renamed { migration, .. }
            | Self::Inserted { migration, .. }
            | Self::Deleted { migration } => migration.version,
            Self::Missing { version, .. }
            | Self::Altered { version, .. }
            | Self::Ahead { version, .. } => version,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Edited { migration, .. }
            | Self::Renamed { migration, .. }
            | Self::Inserted { migration, .. }
            | Self::Deleted { migration } => migration.name,
            Self::Missing { name, .. } | Self::Altered { name, .. } | Self::Ahead { name, .. } => {
                name
            }
        }
    }
}

/// What to do if the database is newer than the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewerDatabase {
    /// The program boots, unless a migration that it does not know is marked
    /// `-- upfront:breaking`. The report names what is ahead.
    #[default]
    Accept,
    /// The program refuses any migration that it does not know.
    Refuse,
}

impl NewerDatabase {
    fn refuses(self, breaking: bool) -> bool {
        breaking || self == Self::Refuse
    }
}

/// Compares a history with the program.
///
/// # Errors
///
/// All divergences, in the order of their versions.
pub(crate) fn plan(
    set: &'static Set,
    rows: &[Row],
    ahead: NewerDatabase,
) -> Result<Pending, Vec<Divergence>> {
    plan_up_to(set, None, rows, ahead)
}

/// As [`plan`], with nothing pending above a version.
pub(crate) fn plan_up_to(
    set: &'static Set,
    newest: Option<&str>,
    rows: &[Row],
    ahead: NewerDatabase,
) -> Result<Pending, Vec<Divergence>> {
    let (rows, cut_off) = standing(rows);
    let unknown = unknown_above(set, rows);
    let mut found = diverged(set, rows);
    found.extend(refused(ahead, &unknown));
    if !found.is_empty() {
        return Err(found);
    }
    let head = rows.last().map_or_else(Head::start, |it| Head {
        version: it.version.clone(),
        chain: it.chain.clone(),
    });
    let is_wanted = |it: &Migration| newest.is_none_or(|newest| it.version <= newest);
    let wanted = &set.migrations[..set.migrations.partition_point(is_wanted)];
    let (steps, downs) = (steps(wanted, head), downs(set, rows));
    let cut_off = cut_off.cloned().map(Box::new);
    Ok(Pending { steps, ahead: unknown, downs, cut_off, partly: Vec::new() })
}

/// The rows that stand, without the one that was being rolled back.
pub(crate) fn standing(rows: &[Row]) -> (&[Row], Option<&Row>) {
    match rows.split_last() {
        Some((last, rest)) if last.is_being_rolled_back() => (rest, Some(last)),
        _ => (rows, None),
    }
}

/// What is pending and held.
pub(crate) fn held(pending: &Pending, holds: &[Hold]) -> Vec<Hold> {
    let is_pending = |hold: &&Hold| {
        let runs =
            |it: &Step| it.all().any(|it| it.version == hold.version && it.accepts(&hold.hash));
        pending.steps.iter().any(runs)
    };
    holds.iter().filter(is_pending).cloned().collect()
}

/// What is pending only because its row was deleted.
pub(crate) fn deleted(pending: &Pending, lost: &[String]) -> Vec<Divergence> {
    let migrations = pending.steps.iter().flat_map(Step::all);
    migrations
        .filter(|it| lost.iter().any(|lost| lost == it.version))
        .map(|migration| Divergence::Deleted { migration })
        .collect()
}

/// Judges what stands above the program's head.
pub(crate) fn refused(ahead: NewerDatabase, unknown: &[UnknownMigration]) -> Vec<Divergence> {
    unknown
        .iter()
        .filter(|it| ahead.refuses(it.breaking))
        .map(|it| Divergence::Ahead {
            version: it.version.clone(),
            name: it.name.clone(),
            breaking: it.breaking,
            partly: false,
        })
        .collect()
}

/// Judges what is applied in part and unknown, as if it were applied.
pub(crate) fn refused_partly(ahead: NewerDatabase, partly: &[PartlyApplied]) -> Vec<Divergence> {
    let refused = partly.iter().filter(|it| ahead.refuses(it.breaking));
    refused
        .map(|it| Divergence::Ahead {
            version: it.version.clone(),
            name: it.name.clone(),
            breaking: it.breaking,
            partly: true,
        })
        .collect()
}

fn unknown_above(set: &Set, rows: &[Row]) -> Vec<UnknownMigration> {
    let head = set.head().map_or("", |it| it.version);
    rows.iter()
        .filter(|it| it.version.as_str() > head)
        .map(|it| UnknownMigration {
            version: it.version.clone(),
            name: it.name.clone(),
            breaking: it.breaking,
        })
        .collect()
}

/// Walks rows and migrations side by side, in the order of versions.
pub(crate) fn diverged(set: &'static Set, rows: &[Row]) -> Vec<Divergence> {
    let mut found = Vec::new();
    let (mut previous, mut below) = (checksum::START.to_owned(), None);
    let mut migrations = set.migrations.iter().peekable();
    let newest = rows.last().map(|it| title(&it.version, &it.name)).unwrap_or_default();
    let head = set.head().map_or("", |it| it.version);
    for row in rows {
        let mut passed = Vec::new();
        while let Some(it) = migrations.next_if(|it| *it.version < *row.version) {
            passed.push(it);
        }
        let skipped = !passed.is_empty();
        found.extend(absent(&passed, row, &mut previous, &newest));
        match migrations.next_if(|it| *it.version == *row.version) {
            Some(it) => found.extend(changed(it, row)),
            None if row.version.as_str() < head => found.push(Divergence::Missing {
                version: row.version.clone(),
                name: row.name.clone(),
                hash: row.hash.clone(),
                below: below.clone(),
                has_down: row.down_hash.is_some(),
            }),
            None => {}
        }
        if !skipped && checksum::link(&previous, &row.version, &row.name, &row.hash) != row.chain {
            found
                .push(Divergence::Altered { version: row.version.clone(), name: row.name.clone() });
        }
        previous.clone_from(&row.chain);
        below = Some(row.version.clone());
    }
    found
}

/// Migrations below the head without a row: never applied, or were their rows deleted? The chain of
/// the next row decides.
fn absent(
    passed: &[&'static Migration],
    next: &Row,
    previous: &mut String,
    newest: &str,
) -> Vec<Divergence> {
    for it in passed {
        *previous = checksum::link(previous, it.version, it.name, it.up.hash);
    }
    let deleted = checksum::link(previous, &next.version, &next.name, &next.hash) == next.chain;
    let divergence = |it: &&'static Migration| match deleted {
        true => Divergence::Deleted { migration: it },
        false => Divergence::Inserted { migration: it, head: newest.to_owned() },
    };
    passed.iter().map(divergence).collect()
}

pub(crate) fn changed(it: &'static Migration, row: &Row) -> Option<Divergence> {
    if !it.accepts(&row.hash) {
        return Some(Divergence::Edited {
            migration: it,
            applied: row.hash.clone(),
            difference: None,
        });
    }
    if it.name != row.name {
        let applied = title(&row.version, &row.name);
        return Some(Divergence::Renamed { migration: it, applied });
    }
    let same_text = it.up.hash == row.hash;
    (same_text && it.breaking != row.breaking)
        .then(|| Divergence::Altered { version: row.version.clone(), name: row.name.clone() })
}

fn downs(set: &'static Set, rows: &[Row]) -> Vec<&'static Migration> {
    let stale = |row: &Row| {
        let it = set.find(&row.version)?;
        let hash = it.down.as_ref().map(|it| it.hash);
        (hash.is_some() && hash != row.down_hash.as_deref()).then_some(it)
    };
    rows.iter().filter_map(stale).collect()
}

/// What is above the head. An empty history starts at the last checkpoint; elsewhere a checkpoint
/// is recorded and not run.
fn steps(migrations: &'static [Migration], mut head: Head) -> Vec<Step> {
    let above = migrations.partition_point(|it| *it.version <= *head.version);
    let mut pending = &migrations[above..];
    let mut steps = Vec::with_capacity(pending.len());
    let checkpoint = pending.iter().rposition(|it| it.checkpoint);
    if let Some(at) = checkpoint.filter(|_| head == Head::start()) {
        steps.push(Step::next(&mut head, &pending[..at], Some(&pending[at])));
        pending = &pending[at + 1..];
    }
    steps.extend(pending.iter().map(|it| match it.checkpoint {
        true => Step::next(&mut head, std::slice::from_ref(it), None),
        false => Step::next(&mut head, &[], Some(it)),
    }));
    steps
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::embedded::Side;

    /// `1a 2b* 3c!`: version and text; `*` marks a checkpoint, `!` a breaking migration.
    pub(crate) fn set(text: &str) -> &'static Set {
        let mut previous = checksum::START.to_owned();
        let migrations = text.split_whitespace().map(|it| {
            let (version, hash) = parts(it);
            previous = checksum::link(&previous, version, "m", &hash);
            Migration {
                version: leak(version),
                name: "m",
                chain: leak(&previous),
                breaking: it.ends_with('!'),
                irreversible: None,
                checkpoint: it.ends_with('*'),
                accepts: &[],
                up: Side {
                    path: leak(&format!("migrations/{version}_m.sql")),
                    source: "",
                    body: None,
                    hash: leak(&hash),
                    transactional: true,
                    lock_timeout_ms: None,
                    statement_timeout_ms: None,
                    statements: Vec::new().into(),
                },
                down: None,
            }
        });
        let migrations = Vec::leak(migrations.collect());
        Box::leak(Box::new(Set { label: "migrations", fingerprint: "", migrations }))
    }

    pub(crate) fn rows(text: &str) -> Vec<Row> {
        let row = |it: &Migration| Row {
            version: it.version.to_owned(),
            name: it.name.to_owned(),
            hash: it.up.hash.to_owned(),
            chain: it.chain.to_owned(),
            breaking: it.breaking,
            down_hash: None,
            kind: "applied".to_owned(),
        };
        set(text).migrations.iter().map(row).collect()
    }

    fn parts(it: &str) -> (&str, String) {
        let it = it.trim_end_matches(['*', '!']);
        let at = it.find(|c: char| c.is_ascii_lowercase()).expect("a version and a letter");
        (&it[..at], checksum::sha256(&it[at..]))
    }

    fn leak(text: &str) -> &'static str {
        text.to_owned().leak()
    }

    fn describe(it: &Divergence) -> String {
        match it {
            Divergence::Edited { migration, .. } => format!("edited {}", migration.version),
            Divergence::Renamed { migration, .. } => format!("renamed {}", migration.version),
            Divergence::Missing { version, .. } => format!("missing {version}"),
            Divergence::Inserted { migration, .. } => format!("inserted {}", migration.version),
            Divergence::Deleted { migration } => format!("deleted {}", migration.version),
            Divergence::Altered { version, .. } => format!("altered {version}"),
            Divergence::Ahead { version, .. } => format!("ahead {version}"),
        }
    }

    fn check(program: &str, history: &[Row], expected: &str) {
        let step = |it: &Step| {
            let covers = it.covers.iter().map(|(it, _)| format!("({}) ", it.version));
            covers.collect::<String>() + it.runs.map_or("", |it| it.version)
        };
        let found = match plan(set(program), history, NewerDatabase::Accept) {
            Ok(it) => it.steps.iter().map(step).collect::<Vec<_>>(),
            Err(found) => found.iter().map(describe).collect(),
        };
        assert_eq!(found.join(", "), expected, "{program} on {history:?}");
    }

    #[test]
    fn brings_what_is_above_the_head() {
        check("", &[], "");
        check("1a 2b", &[], "1, 2");
        check("1a 2b", &rows("1a"), "2");
        check("1a 2b", &rows("1a 2b"), "");
        check("1a", &rows("1a 2b"), "");
    }

    #[test]
    fn an_empty_history_starts_at_the_last_checkpoint() {
        check("1a 2b* 3c", &[], "(1) 2, 3");
        check("1a 2b* 3c* 4d", &[], "(1) (2) 3, 4");
        check("1a 2b* 3c", &rows("1a"), "(2) , 3");
        check("1a* 2b", &[], "1, 2");
    }

    #[test]
    fn brings_nothing_above_a_version() {
        let check = |program: &str, newest: &str, history: &[Row], expected: &[&str]| {
            let pending = plan_up_to(set(program), Some(newest), history, NewerDatabase::Accept);
            let pending = pending.expect("nothing diverged");
            let found: Vec<_> = pending.steps.iter().map(|it| it.to.version.as_str()).collect();
            assert_eq!(found, expected, "{program} up to {newest}");
        };
        check("1a 2b 3c", "2", &[], &["1", "2"]);
        check("1a 2b 3c", "2", &rows("1a 2b"), &[]);
        check("1a 2b 3c!", "2", &rows("1a 2b 3c!"), &[]);
        check("1a 2b* 3c* 4d", "2", &[], &["2"]);
    }

    #[test]
    fn refuses_a_changed_history() {
        check("1a 2x", &rows("1a 2b"), "edited 2");
        check("1a 3c", &rows("1a 2b 3c"), "missing 2");
        check("1a 2b 3c", &rows("1a 3c"), "inserted 2");
        check("1a 2b 3c", &rows("1a 4d"), "inserted 2, inserted 3");
        check("1a", &rows("1a 2b!"), "ahead 2");
        check("1x 3c", &rows("1a 2b 3c"), "edited 1, missing 2");
    }

    #[test]
    fn notices_rows_edited_by_hand() {
        let mut history = rows("1a 2b 3c");
        history.remove(1);
        check("1a 2b 3c", &history, "deleted 2");
        let mut history = rows("1a 2b 3c 4d");
        history.drain(1..3);
        check("1a 2b 3c 4d", &history, "deleted 2, deleted 3");
        let mut history = rows("1a 2b");
        history[1].chain = checksum::START.to_owned();
        check("1a 2b", &history, "altered 2");
        let mut history = rows("1a 2b");
        history[0].breaking = true;
        check("1a 2b", &history, "altered 1");
    }

    #[test]
    fn both_ways_past_a_checkpoint_leave_one_chain() {
        let program = set("1a 2b* 3c");
        let last = |history: &[Row]| {
            let pending = plan(program, history, NewerDatabase::Accept).expect("nothing diverged");
            pending.steps.last().expect("something is pending").to.clone()
        };
        assert_eq!(last(&[]), last(&rows("1a")));
        assert_eq!(last(&[]).chain, program.head().expect("a head").chain);
    }
}
