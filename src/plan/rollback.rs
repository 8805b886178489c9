//! Rollback steps: a pure function of the embedded set, the history and the target.

use std::fmt;

use crate::{
    Target,
    embedded::{Migration, Set, Side, title},
    plan::{
        checksum,
        pending::{Divergence, diverged, standing},
        rows::Row,
    },
};

/// A migration that is to be rolled back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RollbackStep {
    /// As the program carries it, or as the database has stored it.
    pub(crate) it: &'static Migration,
    /// What runs; nothing for a checkpoint, which changed nothing that its row does not say.
    pub(crate) side: Option<&'static Side>,
}

impl RollbackStep {
    /// Whether the SQL runs outside a transaction.
    pub(crate) fn is_stepwise(&self) -> bool {
        self.side.is_some_and(|it| !it.transactional)
    }
}

/// Why a target leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// More steps than there are migrations.
    Beyond { steps: usize, applied: usize },
    /// The program knows the version, and the database does not have it.
    NotApplied { version: String, head: Option<String> },
    /// Neither of them knows it.
    UnknownVersion { version: String, known: Vec<String> },
    /// A program without migrations has no head to go down to.
    NoHead,
}

/// Why a migration cannot be rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The file says so.
    Irreversible { reason: String },
    /// Nobody wrote one.
    NoDownSide,
    /// It has no statement, and does not say that there is nothing to undo.
    NoStatement,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Irreversible { reason } => write!(f, "irreversible: {reason}"),
            Self::NoDownSide => f.write_str("no down script"),
            Self::NoStatement => f.write_str("the down script has no statement"),
        }
    }
}

/// The rows above the target, newest first.
///
/// # Errors
///
/// The target is a mistake.
pub(crate) fn above<'a>(
    set: &'static Set,
    rows: &'a [Row],
    target: &Target,
) -> Result<Vec<&'a Row>, Mistake> {
    let newer =
        |than: &str| rows.iter().rev().take_while(|it| it.version.as_str() > than).collect();
    match target {
        Target::Steps(steps) if *steps > rows.len() => {
            Err(Mistake::Beyond { steps: *steps, applied: rows.len() })
        }
        Target::Steps(steps) => Ok(rows.iter().rev().take(*steps).collect()),
        Target::To(version) => {
            let (standing, _) = standing(rows);
            match standing.iter().find(|it| is_called(version, &it.version, &it.name)) {
                Some(it) => Ok(newer(&it.version)),
                None => Err(not_applied(set, rows, version)),
            }
        }
        Target::ToEmbedded => match set.head() {
            Some(it) => Ok(newer(it.version)),
            None => Err(Mistake::NoHead),
        },
        Target::All => Ok(rows.iter().rev().collect()),
    }
}

fn is_called(asked: &str, version: &str, name: &str) -> bool {
    asked == version || asked.strip_suffix(".sql").unwrap_or(asked) == title(version, name)
}

fn not_applied(set: &Set, rows: &[Row], version: &str) -> Mistake {
    const SHOWN: usize = 5;
    let (rows, _) = standing(rows);
    if set.migrations.iter().any(|it| is_called(version, it.version, it.name)) {
        let head = rows.last().map(|it| title(&it.version, &it.name));
        return Mistake::NotApplied { version: version.to_owned(), head };
    }
    let known = rows.iter().rev().take(SHOWN).map(|it| title(&it.version, &it.name)).collect();
    Mistake::UnknownVersion { version: version.to_owned(), known }
}

/// What makes the rows unfit to be gone by: somebody changed or deleted one by hand.
pub(crate) fn tampered(set: &'static Set, rows: &[Row], lost: &[String]) -> Vec<Divergence> {
    let (rows, _) = standing(rows);
    let by_hand =
        |it: &Divergence| matches!(it, Divergence::Altered { .. } | Divergence::Deleted { .. });
    let found = diverged(set, rows).into_iter().filter(by_hand);
    let lost = set.migrations.iter().filter(|it| lost.iter().any(|lost| lost == it.version));
    found.chain(lost.map(|migration| Divergence::Deleted { migration })).collect()
}

/// The migration whose down side it is to be, where this program carries the very one that was
/// applied; else its row has what is needed.
///
/// A row that is being rolled back holds what it was begun with, and continues with that.
pub(crate) fn embedded(set: &'static Set, row: &Row) -> Option<&'static Migration> {
    let it = set.find(&row.version)?;
    (!row.is_being_rolled_back() && is_the_very(it, row)).then_some(it)
}

/// Has the program the text that was applied, so that it knows whether it can be rolled back?
fn is_the_very(it: &Migration, row: &Row) -> bool {
    let knows = it.down.is_some() || it.irreversible.is_some() || row.down_hash.is_none();
    it.name == row.name && it.accepts(&row.hash) && knows
}

/// What runs in order to roll a migration back.
///
/// Passing a checkpoint changes nothing but its row: what it holds is what the files before it
/// made, or would have. Without any row before it, it is what made the schema.
///
/// # Errors
///
/// It has no down side.
pub(crate) fn undo(
    it: &'static Migration,
    kind: &str,
    is_first: bool,
) -> Result<RollbackStep, (String, Obstacle)> {
    if it.checkpoint && (kind == "covered" || !is_first) {
        return Ok(RollbackStep { it, side: None });
    }
    match (&it.down, it.irreversible) {
        (_, Some(reason)) => {
            Err((it.title(), Obstacle::Irreversible { reason: reason.to_owned() }))
        }
        (Some(side), None) if side.count() == 0 && !side.has_nothing_to_undo() => {
            Err((it.title(), Obstacle::NoStatement))
        }
        (Some(side), None) => Ok(RollbackStep { it, side: Some(side) }),
        (None, None) => Err((it.title(), Obstacle::NoDownSide)),
    }
}

impl Row {
    /// Its rollback, outside a transaction, was begun: it has neither its chain nor its effects.
    ///
    /// Programs that do not know of this take the row for one that was altered, or, where it is
    /// above their head, for a breaking one, and stop.
    pub(crate) fn is_being_rolled_back(&self) -> bool {
        self.chain == checksum::START && self.breaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::pending::tests::{rows, set};

    fn versions(found: &[&Row]) -> String {
        found.iter().map(|it| it.version.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn check(program: &str, history: &str, target: &Target, expected: &str) {
        let rows = rows(history);
        let found = above(set(program), &rows, target);
        assert_eq!(versions(&found.unwrap()), expected, "{program} on {history}: {target:?}");
    }

    fn refuses(program: &str, history: &str, target: &Target, expected: &Mistake) {
        let rows = rows(history);
        let found = above(set(program), &rows, target).unwrap_err();
        assert_eq!(found, *expected, "{program} on {history}: {target:?}");
    }

    fn to(version: &str) -> Target {
        Target::To(version.to_owned())
    }

    #[test]
    fn a_target_selects_the_newest_rows_first() {
        check("1a 2b 3c", "1a 2b 3c", &Target::Steps(0), "");
        check("1a 2b 3c", "1a 2b 3c", &Target::Steps(2), "3 2");
        check("1a 2b 3c", "1a 2b 3c", &Target::Steps(3), "3 2 1");
        check("1a 2b 3c", "1a 2b 3c", &Target::All, "3 2 1");
        check("1a 2b 3c", "1a 2b 3c", &to("1"), "3 2");
        check("1a 2b 3c", "1a 2b 3c", &to("3"), "");
        check("1a", "1a 2b 3c", &Target::ToEmbedded, "3 2");
        check("1a 2b 3c", "1a", &Target::ToEmbedded, "");
    }

    #[test]
    fn a_version_may_stand_with_its_name_and_its_extension() {
        for name in ["1", "1_m", "1_m.sql"] {
            check("1a 2b", "1a 2b", &to(name), "2");
        }
    }

    #[test]
    fn refuses_targets_that_no_row_has() {
        refuses("1a", "1a", &Target::Steps(2), &Mistake::Beyond { steps: 2, applied: 1 });
        refuses("", "1a", &Target::ToEmbedded, &Mistake::NoHead);
        let (version, head) = ("2".to_owned(), Some("1_m".to_owned()));
        refuses("1a 2b", "1a", &to("2"), &Mistake::NotApplied { version, head });
        let (version, head) = ("1".to_owned(), None);
        refuses("1a", "", &to("1"), &Mistake::NotApplied { version, head });
        let known = ["6_m", "5_m", "4_m", "3_m", "2_m"].map(str::to_owned).to_vec();
        let unknown = Mistake::UnknownVersion { version: "9".to_owned(), known };
        refuses("1a", "1a 2b 3c 4d 5e 6f", &to("9"), &unknown);
        let unknown = Mistake::UnknownVersion { version: "1_m.txt".to_owned(), known: Vec::new() };
        refuses("", "", &to("1_m.txt"), &unknown);
    }

    #[test]
    fn a_row_whose_rollback_was_interrupted_is_no_target() {
        let mut rows = rows("1a 2b");
        rows[1].chain = checksum::START.to_owned();
        assert!(!rows[1].is_being_rolled_back(), "somebody changed its chain");
        rows[1].breaking = true;
        assert!(rows[1].is_being_rolled_back());
        let found = above(set("1a 2b"), &rows, &to("2")).unwrap_err();
        let (version, head) = ("2".to_owned(), Some("1_m".to_owned()));
        assert_eq!(found, Mistake::NotApplied { version, head });
        assert_eq!(versions(&above(set("1a 2b"), &rows, &Target::Steps(1)).unwrap()), "2");
    }

    #[test]
    fn rows_changed_or_deleted_by_hand_are_tampered_and_edited_files_are_not() {
        let count =
            |program, rows: &[Row], missing: &[String]| tampered(set(program), rows, missing).len();
        assert_eq!(count("1a 2b", &rows("1a 2b"), &[]), 0);
        assert_eq!(count("1a 2x", &rows("1a 2b"), &[]), 0);
        assert_eq!(count("1a 2b", &rows("1a"), &["2".to_owned()]), 1);
        let mut altered = rows("1a 2b");
        altered[0].chain = checksum::sha256("x");
        assert!(count("1a 2b", &altered, &[]) > 0);
    }

    #[test]
    fn the_embedded_script_runs_only_if_its_text_was_applied() {
        let is_embedded = |program, row: &Row| embedded(set(program), row).is_some();
        let row = &rows("1a")[0];
        assert!(is_embedded("1a", row));
        assert!(!is_embedded("1x", row), "edited");
        assert!(!is_embedded("2a", row), "not in this program");
        let stored = Row { down_hash: Some(checksum::sha256("down")), ..row.clone() };
        assert!(!is_embedded("1a", &stored), "only the database has a down script");
        let renamed = Row { name: "other".to_owned(), ..row.clone() };
        assert!(!is_embedded("1a", &renamed));
    }

    #[test]
    fn a_checkpoint_needs_a_down_script_only_if_it_created_the_schema() {
        let step = |program: &str, kind, is_first| {
            let found = undo(&set(program).migrations[0], kind, is_first);
            found.map(|it| it.side.is_some())
        };
        let missing = || Err(("1_m".to_owned(), Obstacle::NoDownSide));
        assert_eq!(step("1a*", "applied", true), missing());
        assert_eq!(step("1a*", "applied", false), Ok(false));
        assert_eq!(step("1a*", "covered", true), Ok(false));
        assert_eq!(step("1a", "covered", false), missing());
    }
}
