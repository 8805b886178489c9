//! What a start with dev auto-apply undoes before it applies: a pure function of the directory, of
//! what the database has, and of what is committed.

use std::fmt;

use crate::{
    NewerDatabase,
    embedded::{Migration, Set, title},
    migrations::git::Committed,
    plan::{
        pending::{self, Divergence},
        rows::Row,
    },
};

/// How to reset a history that differs from the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reset {
    /// Nothing is to be undone.
    Plain,
    /// These, the newest first, down to the version that stays, if one does.
    RollBack { outdated: Vec<Outdated>, floor: Option<String> },
    /// What would have to be undone is committed.
    Kept(KeptReason),
}

/// An applied migration that is to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outdated {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) why: Why,
}

/// Why an applied migration cannot stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// The text of its file is not what was applied.
    Edited,
    /// Its file is gone: deleted, or on another branch.
    Absent,
    /// A file comes before it that was never applied.
    Overtaken { by: String },
    /// It was applied after one that cannot stay.
    After { first: String },
}

/// Why nothing is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeptReason {
    /// This migration is in git's HEAD.
    Committed { migration: String },
    /// Git cannot tell.
    Unknown { why: String },
}

/// Compares a history with the directory.
///
/// Whatever was applied from the first difference on has to go, as migrations are undone in the
/// reverse order; so nothing of it may be committed. A row that was changed or deleted by hand is
/// no difference of files: the boot refuses it.
pub(crate) fn restart(
    set: &'static Set,
    rows: &[Row],
    committed: impl FnOnce() -> Committed,
) -> Reset {
    let (rows, _) = pending::standing(rows);
    let Some((first, why)) = first_difference(set, rows) else { return Reset::Plain };
    if is_tampered(set, rows) {
        return Reset::Plain;
    }
    let (kept, undone) = (&committed(), &rows[first..]);
    if let Some(it) = undone.iter().find(|it| kept.holds_migration(&it.version, &it.name)) {
        return Reset::Kept(match kept {
            Committed::These(_) => {
                KeptReason::Committed { migration: title(&it.version, &it.name) }
            }
            Committed::All { why } => KeptReason::Unknown { why: why.clone() },
        });
    }
    let floor = first.checked_sub(1).map(|at| rows[at].version.clone());
    Reset::RollBack { outdated: outdated(set, undone, &why), floor }
}

/// The first row that does not fit the directory.
fn first_difference(set: &'static Set, rows: &[Row]) -> Option<(usize, Why)> {
    let mut migrations = set.migrations.iter().peekable();
    for (at, row) in rows.iter().enumerate() {
        let why = match migrations.next_if(|it| *it.version <= *row.version) {
            Some(it) if it.version < row.version.as_str() => {
                Some(Why::Overtaken { by: it.title() })
            }
            Some(it) => changed(it, row),
            None => Some(Why::Absent),
        };
        if let Some(why) = why {
            return Some((at, why));
        }
    }
    None
}

fn changed(it: &Migration, row: &Row) -> Option<Why> {
    match it.name == row.name {
        true => (!it.accepts(&row.hash)).then_some(Why::Edited),
        false => Some(Why::Absent),
    }
}

fn is_tampered(set: &'static Set, rows: &[Row]) -> bool {
    let by_hand =
        |it: &Divergence| matches!(it, Divergence::Deleted { .. } | Divergence::Altered { .. });
    pending::plan(set, rows, NewerDatabase::Accept).is_err_and(|found| found.iter().any(by_hand))
}

/// The newest first, each with its reason: its own where it has one.
fn outdated(set: &'static Set, rows: &[Row], first: &Why) -> Vec<Outdated> {
    let title_of = |it: &Row| title(&it.version, &it.name);
    let why = |(at, row): (usize, &Row)| match set.find(&row.version) {
        _ if at == 0 => first.clone(),
        Some(it) => changed(it, row).unwrap_or_else(|| Why::After { first: title_of(&rows[0]) }),
        None => Why::Absent,
    };
    let outdated = |(at, row): (usize, &Row)| Outdated {
        version: row.version.clone(),
        name: row.name.clone(),
        why: why((at, row)),
    };
    rows.iter().enumerate().rev().map(outdated).collect()
}

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not committed, and {}", title(&self.version, &self.name), self.why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited => f.write_str("its file changed"),
            Self::Absent => f.write_str("its file is not here"),
            Self::Overtaken { by } => write!(f, "`{by}` comes before it"),
            Self::After { first } => write!(f, "it was applied after `{first}`"),
        }
    }
}

impl fmt::Display for KeptReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed { migration } => write!(
                f,
                "`{migration}` is in git's HEAD, and what is committed is not rolled back"
            ),
            Self::Unknown { why } => {
                write!(f, "everything counts as committed, as git cannot tell: {why}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{
        checksum,
        pending::tests::{rows, set},
    };

    /// Versions that are committed; each migration of these tests is called `m`.
    fn these(versions: &str) -> Committed {
        let file = |it: &str| format!("{it}_m.sql");
        Committed::These(versions.split_whitespace().map(file).collect())
    }

    fn check(directory: &str, history: &[Row], committed: &str, expected: &str) {
        let found = match restart(set(directory), history, || these(committed)) {
            Reset::Plain => "plain".to_owned(),
            Reset::Kept(it) => it.to_string(),
            Reset::RollBack { outdated, .. } => {
                let undo = outdated.iter().map(|it| format!("{}: {}", it.version, it.why));
                undo.collect::<Vec<_>>().join(", ")
            }
        };
        assert_eq!(found, expected, "{directory} on {history:?}, committed: {committed}");
    }

    #[test]
    fn undoes_nothing_where_nothing_differs() {
        check("", &[], "", "plain");
        check("1a 2b", &[], "", "plain");
        check("1a 2b 3c", &rows("1a 2b"), "1", "plain");
        check("1a 2b", &rows("1a 2b"), "", "plain");
    }

    #[test]
    fn git_is_asked_only_where_something_differs() {
        let restart = restart(set("1a 2b"), &rows("1a"), || panic!("git was asked"));
        assert_eq!(restart, Reset::Plain);
    }

    #[test]
    fn undoes_what_was_edited_with_what_came_later() {
        check("1a 2x", &rows("1a 2b"), "1", "2: its file changed");
        let after = "3: it was applied after `2_m`, 2: its file changed";
        check("1a 2x 3c 4d", &rows("1a 2b 3c"), "1", after);
        check("1a 2x 3y", &rows("1a 2b 3c"), "1", "3: its file changed, 2: its file changed");
        check("1x", &rows("1a"), "", "1: its file changed");
    }

    #[test]
    fn undoes_the_unknown_head_of_another_branch() {
        check("1a", &rows("1a 3c"), "1", "3: its file is not here");
        check("1a", &rows("1a 2b 3c"), "1", "3: its file is not here, 2: its file is not here");
        check("1a 4d", &rows("1a 3c"), "1 4", "3: its file is not here");
        check("", &rows("1a"), "", "1: its file is not here");
        let mut renamed = rows("1a 2b");
        renamed[1].name = "other".into();
        renamed[1].chain = checksum::link(&renamed[0].chain, "2", "other", &renamed[1].hash);
        check("1a 2b", &renamed, "1 2", "2: its file is not here");
    }

    #[test]
    fn goes_down_to_the_last_that_fits() {
        let floor =
            |directory: &str, history: &[Row]| match restart(set(directory), history, || these(""))
            {
                Reset::RollBack { floor, .. } => floor,
                it => panic!("{it:?}"),
            };
        assert_eq!(floor("1a 2b 3x", &rows("1a 2b 3c")).as_deref(), Some("2"));
        assert_eq!(floor("1a 2x 3c", &rows("1a 2b 3c")).as_deref(), Some("1"));
        assert_eq!(floor("1x 2b", &rows("1a 2b")), None);
    }

    #[test]
    fn undoes_what_an_older_file_overtook() {
        check("1a 2b 3c", &rows("1a 3c"), "1 2", "3: `2_m` comes before it");
        let two = "4: it was applied after `3_m`, 3: `2_m` comes before it";
        check("1a 2b 3c 4d", &rows("1a 3c 4d"), "1 2", two);
    }

    #[test]
    fn keeps_what_is_committed() {
        let kept = |it: &str| {
            format!("`{it}_m` is in git's HEAD, and what is committed is not rolled back")
        };
        check("1a 2x", &rows("1a 2b"), "1 2", &kept("2"));
        check("1a 2x 3c", &rows("1a 2b 3c"), "1 3", &kept("3"));
        check("1a", &rows("1a 2b"), "1 2", &kept("2"));
        check("1a 2b 3c", &rows("1a 3c"), "1 2 3", &kept("3"));
    }

    #[test]
    fn without_git_everything_counts_as_committed() {
        let why = "not a git repository";
        let all = || Committed::All { why: why.into() };
        let expected = Reset::Kept(KeptReason::Unknown { why: why.into() });
        assert_eq!(restart(set("1a 2x"), &rows("1a 2b"), all), expected);
    }

    #[test]
    fn a_rollback_that_was_cut_off_comes_to_its_end_first() {
        let mut history = rows("1a 2b");
        history[1].chain = checksum::START.to_owned();
        check("1a 2x", &history, "", "plain");
    }

    #[test]
    fn leaves_rows_changed_by_hand_to_the_boot() {
        let mut history = rows("1a 2b 3c");
        history.remove(1);
        check("1a 2b 3c", &history, "", "plain");
        let mut history = rows("1a 2b");
        history[1].chain = checksum::sha256("another");
        check("1a 2x", &history, "", "plain");
    }
}
