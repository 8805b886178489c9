//! The journal of a migration outside a transaction, compared with the file as it is now.
//!
//! Pure: what to run, and what to ask a person, is decided here over rows and hashes.

use std::time::Duration;

use crate::{
    Direction,
    embedded::{Class, Set, title},
    plan::rows::Row,
};

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Journal {
    pub(crate) version: String,
    pub(crate) direction: Direction,
    pub(crate) ordinal: usize,
    /// Of the statement; or a [`Failed`] statement's mark.
    pub(crate) hash: String,
    pub(crate) finished: bool,
    /// The migration's, for a program that does not carry it; empty in rows of an older upfront.
    pub(crate) name: String,
    pub(crate) breaking: bool,
    /// Seconds since the statement started, or failed.
    pub(crate) age: u64,
}

/// The mark of a statement that failed and left something behind: an invalid index, say.
///
/// It takes the place of the hash, as nothing has to be cleared up by a person: the file may be
/// corrected, and the next run removes what was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// How often in a row.
    pub(crate) times: u32,
    /// The server's SQLSTATE.
    pub(crate) code: String,
    /// The index that stays; 0 where it is something else.
    pub(crate) index: u32,
    /// Of the statement.
    pub(crate) hash: String,
}

impl Failed {
    /// As the journal has it.
    pub(crate) fn mark(&self) -> String {
        let Self { times, code, index, hash } = self;
        format!("failed:{times}:{code}:{index}:{hash}")
    }

    /// How long to wait before the next try, so that a program that is restarted again and again
    /// does not build an index each time: 2 s, 4 s, and so on up to five minutes after a failure.
    pub(crate) fn pause(&self, age: u64) -> Duration {
        const LONGEST: u64 = 300;
        let pause = 2_u64.saturating_pow(self.times).min(LONGEST);
        Duration::from_secs(pause.saturating_sub(age))
    }

    fn parse(mark: &str) -> Option<Self> {
        let mut parts = mark.strip_prefix("failed:")?.splitn(4, ':');
        let times = parts.next()?.parse().ok()?;
        let code = parts.next()?.to_owned();
        let index = parts.next()?.parse().ok()?;
        Some(Self { times, code, index, hash: parts.next()?.to_owned() })
    }
}

impl Journal {
    /// What the statement left when it failed; nothing where it did not.
    pub(crate) fn failed(&self) -> Option<Failed> {
        Failed::parse(&self.hash)
    }
}

/// A migration outside a transaction of which the database has a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartlyApplied {
    pub(crate) version: String,
    pub(crate) name: String,
    pub(crate) breaking: bool,
    /// How many statements are done, of those that started.
    pub(crate) done: usize,
    pub(crate) started: usize,
}

impl PartlyApplied {
    /// As messages name it.
    pub(crate) fn title(&self) -> String {
        title(&self.version, &self.name)
    }
}

/// The migrations that are applied in part and that a program does not carry. What is being rolled
/// back has a row still.
pub(crate) fn unknown(set: &Set, rows: &[Row], journal: &[Journal]) -> Vec<PartlyApplied> {
    let is_known =
        |version: &str| set.find(version).is_some() || rows.iter().any(|it| it.version == version);
    let mut found: Vec<PartlyApplied> = Vec::new();
    for it in journal.iter().filter(|it| it.direction == Direction::Up && !is_known(&it.version)) {
        let done = usize::from(it.finished);
        match found.last_mut().filter(|last| last.version == it.version) {
            Some(last) => {
                (last.done, last.started) = (last.done + done, last.started + 1);
                last.breaking |= it.breaking;
            }
            None => found.push(PartlyApplied {
                version: it.version.clone(),
                name: it.name.clone(),
                breaking: it.breaking,
                done,
                started: 1,
            }),
        }
    }
    found
}

/// One statement of the file as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) hash: String,
    /// Settings of the session have no rows.
    pub(crate) is_journaled: bool,
}

impl Listed {
    pub(crate) fn new(hash: String, class: Class) -> Self {
        Self { hash, is_journaled: class != Class::Session }
    }
}

/// A file that is not the one of which some statements ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Statements that are not in the file any more, by their old places.
    pub(crate) gone: Vec<usize>,
    /// One of those may have run, or not.
    pub(crate) is_unclear: bool,
    /// Statements of the file of which the journal knows nothing, at or before the last place at
    /// which something ran.
    pub(crate) new: Vec<usize>,
    /// The rows if the new statements have still to run.
    pub(crate) to_run: Rewrite,
    /// The rows if what they do is done.
    pub(crate) done: Rewrite,
}

/// A journal from one place on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite {
    pub(crate) from: usize,
    /// Place, hash, and whether it is done.
    pub(crate) rows: Vec<(usize, String, bool)>,
}

/// Compares the rows of one side of a migration with its file; nothing where they fit.
pub(crate) fn mismatch(file: &[Listed], rows: &[&Journal]) -> Option<Mismatch> {
    let rows: Vec<_> = rows.iter().filter(|it| it.failed().is_none()).copied().collect();
    let fits = |row: &&Journal| {
        file.get(row.ordinal - 1).is_some_and(|it| it.is_journaled && it.hash == row.hash)
    };
    if rows.iter().all(fits) {
        return None;
    }
    let mut matched = in_order(file, &rows);
    matched.extend(moved(file, &rows, &matched));
    matched.sort_by_key(|(_, at)| *at);
    let gone: Vec<_> =
        (0..rows.len()).filter(|at| matched.iter().all(|(row, _)| row != at)).collect();
    let new = new(file, &matched, &gone);
    let kept = matched.iter().map(|&(row, at)| (at + 1, file[at].hash.clone(), rows[row].finished));
    let to_run: Vec<_> = kept.collect();
    let mut done = to_run.clone();
    done.extend(new.iter().map(|&at| (at + 1, file[at].hash.clone(), true)));
    done.sort();
    Some(Mismatch {
        is_unclear: gone.iter().any(|&it| !rows[it].finished),
        gone: gone.iter().map(|&it| rows[it].ordinal).collect(),
        new: new.iter().map(|at| at + 1).collect(),
        to_run: Rewrite::of(&rows, to_run),
        done: Rewrite::of(&rows, done),
    })
}

/// The longest list of rows whose statements are in the file in the same order: row and place.
fn in_order(file: &[Listed], rows: &[&Journal]) -> Vec<(usize, usize)> {
    let same = |row: usize, at: usize| file[at].is_journaled && file[at].hash == rows[row].hash;
    let mut longest = vec![vec![0_u32; file.len() + 1]; rows.len() + 1];
    for row in (0..rows.len()).rev() {
        for at in (0..file.len()).rev() {
            longest[row][at] = match same(row, at) {
                true => longest[row + 1][at + 1] + 1,
                false => longest[row + 1][at].max(longest[row][at + 1]),
            };
        }
    }
    let (mut row, mut at, mut matched) = (0, 0, Vec::new());
    while row < rows.len() && at < file.len() {
        if same(row, at) {
            matched.push((row, at));
            (row, at) = (row + 1, at + 1);
        } else if longest[row + 1][at] >= longest[row][at + 1] {
            row += 1;
        } else {
            at += 1;
        }
    }
    matched
}

/// The rest of the rows whose statements are in the file at all: those did not run less for having
/// another order now.
fn moved(file: &[Listed], rows: &[&Journal], in_order: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut free: Vec<_> = (0..file.len())
        .filter(|at| file[*at].is_journaled && in_order.iter().all(|(_, it)| it != at))
        .collect();
    let left = (0..rows.len()).filter(|row| in_order.iter().all(|(it, _)| it != row));
    let place = |row: usize| {
        let found = free.iter().position(|at| file[*at].hash == rows[row].hash)?;
        Some((row, free.remove(found)))
    };
    left.filter_map(place).collect()
}

/// Statements that no row speaks of, before the last that ran; and behind it as many as rows lost
/// their statement there, as each may stand for one of those.
fn new(file: &[Listed], matched: &[(usize, usize)], gone: &[usize]) -> Vec<usize> {
    let last_row = matched.iter().map(|(row, _)| *row).max();
    let end = matched.last().map_or(0, |(_, at)| at + 1);
    let behind = gone.iter().filter(|it| last_row.is_none_or(|last| **it > last)).count();
    let is_new = |at: &usize| file[*at].is_journaled && matched.iter().all(|(_, it)| it != at);
    let before = (0..end).filter(is_new);
    before.chain((end..file.len()).filter(is_new).take(behind)).collect()
}

impl Rewrite {
    /// Leaves out what stays as it is.
    fn of(rows: &[&Journal], wanted: Vec<(usize, String, bool)>) -> Self {
        let is_same = |(row, it): &(&&Journal, &(usize, String, bool))| {
            row.ordinal == it.0 && row.hash == it.1 && row.finished == it.2
        };
        let same = rows.iter().zip(&wanted).take_while(is_same).count();
        let from = rows.get(same).map(|it| it.ordinal);
        let from = from.into_iter().chain(wanted.get(same).map(|it| it.0)).min();
        Self { from: from.unwrap_or(1), rows: wanted.into_iter().skip(same).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a b- c!`: statements by letter; `-` marks one that sets something for the session, `!` one
    /// whose end nobody recorded.
    fn file(text: &str) -> Vec<Listed> {
        let listed = |it: &str| Listed {
            hash: it.trim_end_matches('-').to_owned(),
            is_journaled: !it.ends_with('-'),
        };
        text.split_whitespace().map(listed).collect()
    }

    fn rows(text: &str) -> Vec<Journal> {
        let row = |(at, it): (usize, &str)| Journal {
            version: "1".to_owned(),
            direction: Direction::Up,
            ordinal: at + 1,
            hash: it.trim_end_matches('!').to_owned(),
            finished: !it.ends_with('!'),
            name: "m".to_owned(),
            breaking: false,
            age: 0,
        };
        text.split_whitespace().enumerate().filter(|(_, it)| !it.ends_with('-')).map(row).collect()
    }

    fn shown(it: &Rewrite) -> String {
        let row = |(at, hash, done): &(usize, String, bool)| {
            format!("{at}{hash}{}", if *done { "" } else { "!" })
        };
        format!("{}: {}", it.from, it.rows.iter().map(row).collect::<Vec<_>>().join(" "))
    }

    #[track_caller]
    fn check(ran: &str, now: &str, expected: &str) {
        let rows = rows(ran);
        let rows: Vec<_> = rows.iter().collect();
        let found = mismatch(&file(now), &rows).map_or("fits".to_owned(), |it| {
            let Mismatch { gone, new, to_run, done, .. } = it;
            format!("gone {gone:?} new {new:?} run [{}] done [{}]", shown(&to_run), shown(&done))
        });
        assert_eq!(found, expected, "`{ran}`, then `{now}`");
    }

    #[test]
    fn fits_as_long_as_what_ran_stands_where_it_stood() {
        check("", "a b", "fits");
        check("a b", "a b", "fits");
        check("a b!", "a b c", "fits");
        check("s- a", "s- a b", "fits");
        check("s- a", "t- a b", "fits");
    }

    #[test]
    fn finds_what_moved_went_and_came() {
        check("a b", "a x b c", "gone [] new [2] run [2: 3b] done [2: 2x 3b]");
        check("a b", "b", "gone [1] new [] run [1: 1b] done [1: 1b]");
        check("a b", "a y c", "gone [2] new [2] run [2: ] done [2: 2y]");
        check("a b!", "a c d", "gone [2] new [2] run [2: ] done [2: 2c]");
        check("a b", "b a", "gone [] new [] run [1: 1b 2a] done [1: 1b 2a]");
        check("a b", "b x a", "gone [] new [2] run [1: 1b 3a] done [1: 1b 2x 3a]");
        check("a b", "a", "gone [2] new [] run [2: ] done [2: ]");
        check("a b c", "x a c", "gone [2] new [1] run [1: 2a 3c] done [1: 1x 2a 3c]");
        check("a b", "s- a b", "gone [] new [] run [1: 2a 3b] done [1: 2a 3b]");
        check("a a b", "a b", "gone [2] new [] run [2: 2b] done [2: 2b]");
        check("a b!", "x a b", "gone [] new [1] run [1: 2a 3b!] done [1: 1x 2a 3b!]");
    }

    #[test]
    fn pauses_longer_after_each_failure() {
        let failed = |times| Failed { times, code: "57014".into(), index: 7, hash: "b".into() };
        let seconds = |times, age| failed(times).pause(age).as_secs();
        assert_eq!([1, 2, 3, 8, 9, 99].map(|it| seconds(it, 0)), [2, 4, 8, 256, 300, 300]);
        assert_eq!([seconds(3, 5), seconds(3, 9)], [3, 0]);
    }

    #[test]
    fn a_failed_statement_may_be_another_one() {
        let failed = Failed { times: 2, code: "23505".into(), index: 7, hash: "b".into() };
        assert_eq!(Failed::parse(&failed.mark()), Some(failed.clone()));
        for (now, expected) in [("a c", true), ("a", true), ("x b", false)] {
            let mut rows = rows("a b!");
            rows[1].hash = failed.mark();
            let rows: Vec<_> = rows.iter().collect();
            assert_eq!(mismatch(&file(now), &rows).is_none(), expected, "`{now}`");
        }
    }
}
