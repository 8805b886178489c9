//! Atlas's table `atlas_schema_revisions`: read, and never written. Each `apply` of Atlas migrates
//! the table to its present columns.

use tokio_postgres::SimpleQueryRow;
use upfront_directory::{Sum, SumHasher};

use crate::{
    connection::answer::Answer,
    embedded::{Migration, Set, title},
    plan::{
        external_history::{
            Difference, ExternalHistory, ExternalRevision, LineEnd, Scope, Source, Text, texts,
        },
        foreign_history::Tool,
        rows::Head,
    },
};

/// The key of the advisory lock that `atlas migrate apply` holds: FNV-1, 32 bits, of
/// `atlas_migrate_execute`.
pub(crate) const LOCK: i64 = 2_686_470_616;

/// The row that holds no revision, but the identity that Atlas Cloud gave.
const IDENTITY: &str = ".atlas_cloud_identifier";

/// What is read of a table, whose name is quoted; with the search path pinned.
pub(crate) fn rows_of(table: &str) -> String {
    format!(
        "SELECT version AS upfront_atlas, description, type, applied, total, coalesce(error, ''), \
         hash, executed_at::text, (extract(epoch FROM executed_at) * 1000000)::bigint FROM {table} \
         WHERE version <> '{IDENTITY}' ORDER BY version COLLATE \"C\""
    )
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    version: String,
    description: String,
    /// Bits: 1 baseline, 2 executed, 4 set by hand.
    kind: i64,
    applied: i64,
    total: i64,
    error: String,
    /// As in `atlas.sum`, without `h1:`; empty for a baseline.
    hash: String,
    executed_at: String,
    /// The same in microseconds.
    moment: i64,
}

/// Reads the answer to [`rows_of`]; `None` where it is not of this shape.
pub(crate) fn read(answer: &Answer) -> Option<Vec<Row>> {
    let is_one =
        |it: &&SimpleQueryRow| it.columns().first().is_some_and(|it| it.name() == "upfront_atlas");
    answer.rows.iter().filter(is_one).map(row).collect()
}

fn row(it: &SimpleQueryRow) -> Option<Row> {
    let text = |at: usize| it.get(at).map(str::to_owned);
    let number = |at: usize| it.get(at)?.parse().ok();
    Some(Row {
        version: text(0)?,
        description: text(1)?,
        kind: number(2)?,
        applied: number(3)?,
        total: number(4)?,
        error: text(5)?,
        hash: text(6)?,
        executed_at: text(7)?,
        moment: number(8)?,
    })
}

/// Compares a table, which has rows, with the directory.
///
/// Files below the first row count as applied where that row is a baseline or a checkpoint, and
/// checkpoints without a row wherever they stand: Atlas runs neither.
///
/// # Errors
///
/// All differences, in the order of the versions.
pub(crate) fn compare(
    set: &'static Set,
    sum: &Sum,
    rows: &[Row],
    table: &str,
) -> Result<ExternalHistory, Vec<Difference>> {
    let mut found: Vec<_> =
        rows.iter().filter_map(|it| state(it).map(|is| (&it.version, is))).collect();
    let mut hashes = Hashes::new(set, sum, rows);
    found.extend(rows.iter().filter_map(|it| hashes.check(it).map(|is| (&it.version, is))));
    let gaps = gaps(set, rows);
    let gaps: Vec<_> = gaps.into_iter().map(|(version, it)| (version.to_owned(), it)).collect();
    found.extend(gaps.iter().map(|(version, it)| (version, it.clone())));
    found.sort_by(|a, b| a.0.cmp(b.0));
    if !found.is_empty() {
        return Err(found.into_iter().map(|it| it.1).collect());
    }
    let newest = rows.last().map_or("", |it| it.version.as_str());
    let (old, pending) = set.migrations.split_at(above(set, newest));
    let old = old.iter().zip(hashes.checked).map(|(migration, checked)| {
        // What has no row came with the one that stands for it.
        let row = rows.iter().find(|it| it.version.as_str() >= migration.version);
        let applied_at = row.map(|it| it.executed_at.clone());
        ExternalRevision { migration, applied_at, checked }
    });
    let source = Some(Source { table: table.to_owned(), tool: Tool::Atlas });
    Ok(ExternalHistory { source, old: old.collect(), pending, after: Head::start() })
}

/// How many migrations there are up to a version.
fn above(set: &Set, version: &str) -> usize {
    set.migrations.partition_point(|it| it.version <= version)
}

/// What a row says of itself.
fn state(row: &Row) -> Option<Difference> {
    let Row { kind, applied, total, error, .. } = row;
    let title = title(&row.version, &row.description);
    if !matches!(kind, 1 | 2 | 4 | 6) {
        return Some(Difference::Strange { title, kind: *kind });
    }
    if applied != total {
        return Some(Difference::Partial { title, applied: *applied, total: *total });
    }
    (!error.is_empty()).then(|| Difference::Failed { title, error: error.clone() })
}

/// Does the first row stand for all files below it?
fn starts(set: &'static Set, rows: &[Row]) -> bool {
    let is_checkpoint = |it: &Row| set.find(&it.version).is_some_and(|it| it.checkpoint);
    rows.first().is_some_and(|it| it.kind & 1 != 0 || is_checkpoint(it))
}

/// Files below the newest row that have none.
fn gaps(set: &'static Set, rows: &[Row]) -> Vec<(&'static str, Difference)> {
    let (Some(oldest), Some(newest)) = (rows.first(), rows.last()) else { return Vec::new() };
    let starts = starts(set, rows);
    let title = |it: &Row| title(&it.version, &it.description);
    let gap = |it: &'static Migration| {
        let path = it.up.path;
        if it.version < oldest.version.as_str() {
            let oldest = title(oldest);
            return (!starts).then(|| Difference::Older { title: it.title(), path, oldest });
        }
        let has_row = rows.binary_search_by(|row| row.version.as_str().cmp(it.version)).is_ok();
        let newest = title(newest);
        (!has_row && !it.checkpoint).then(|| Difference::Skipped {
            title: it.title(),
            path,
            newest,
        })
    };
    let up_to = &set.migrations[..above(set, &newest.version)];
    up_to.iter().filter_map(|it| Some((it.version, gap(it)?))).collect()
}

/// The hashes of the rows against those of the directory.
///
/// A hash runs on from file to file: it covers all that were in the directory when the row was
/// written. Files that came later in between, which Atlas allows by `--exec-order`, are in no hash
/// of an earlier row; so where the whole directory does not fit, what was there by then is tried.
struct Hashes<'a> {
    set: &'static Set,
    rows: &'a [Row],
    /// The first row stands for all files below it.
    starts: bool,
    /// Of the bytes as they are here.
    sum: &'a Sum,
    /// By the place of the migration: what it was when it was applied, once a hash has said so.
    texts: Vec<Option<Text<'static>>>,
    /// Before each migration, as far as that was needed; by the line end of those that are unknown.
    running: Vec<[SumHasher; 2]>,
    /// By the place of the migration.
    checked: Vec<bool>,
    /// Up to where all is as it was.
    intact: Option<String>,
    /// The first file since then that is not.
    broken: Option<String>,
}

impl<'a> Hashes<'a> {
    fn new(set: &'static Set, sum: &'a Sum, rows: &'a [Row]) -> Self {
        let count = set.migrations.len();
        Self {
            set,
            rows,
            starts: starts(set, rows),
            sum,
            texts: vec![None; count],
            running: vec![<[SumHasher; 2]>::default()],
            checked: vec![false; count],
            intact: None,
            broken: None,
        }
    }

    fn check(&mut self, row: &Row) -> Option<Difference> {
        let place = self.set.migrations.binary_search_by(|it| it.version.cmp(&row.version));
        let Ok(at) = place else {
            let title = title(&row.version, &row.description);
            self.broken.get_or_insert_with(|| title.clone());
            return Some(Difference::Missing { title });
        };
        let it = &self.set.migrations[at];
        if it.name != row.description {
            let recorded = title(&row.version, &row.description);
            self.broken.get_or_insert_with(|| it.title());
            return Some(Difference::Renamed { title: it.title(), path: it.up.path, recorded });
        }
        if row.hash.is_empty() {
            return None;
        }
        let Some(covered) = self.covered(at, row) else { return Some(self.differs(it, row)) };
        for at in covered {
            self.checked[at] = true;
        }
        (self.intact, self.broken) = (Some(it.title()), None);
        None
    }

    fn differs(&mut self, it: &Migration, row: &Row) -> Difference {
        if let Some(because) = self.broken.clone() {
            return Difference::Unchecked { title: it.title(), because };
        }
        self.broken = Some(it.title());
        Difference::Edited {
            title: it.title(),
            path: it.up.path,
            recorded: format!("h1:{}", row.hash),
            found: format!("h1:{}", self.sum.hash(&file(it)).unwrap_or_default()),
            scope: Scope::Since(self.intact.clone()),
        }
    }

    /// The places of the files that the row's hash covers, if they are as they were.
    fn covered(&mut self, at: usize, row: &Row) -> Option<Vec<usize>> {
        let all = || Some((0..=at).collect());
        if self.fits(at, row) {
            return all();
        }
        if self.sum.hash(&file(&self.set.migrations[at])) == Some(row.hash.as_str()) {
            return all();
        }
        [NoRow::There, NoRow::Later].into_iter().find_map(|rowless| {
            let places = self.there_by(at, row.moment, rowless);
            (places.len() <= at && self.fits_by_then(&places, row)).then_some(places)
        })
    }

    /// Does the row's hash cover the directory up to a place?
    fn fits(&mut self, at: usize, row: &Row) -> bool {
        for place in self.running.len() - 1..at {
            let mut running = self.running[place].clone();
            self.take_in(&mut running, place);
            self.running.push(running);
        }
        let before = self.running[at].clone();
        let places: Vec<_> = (0..=at).collect();
        self.fits_after(&before, &places, row)
    }

    /// Does it cover these files, of which the last is the row's own?
    fn fits_by_then(&mut self, places: &[usize], row: &Row) -> bool {
        let mut before = <[SumHasher; 2]>::default();
        for at in &places[..places.len() - 1] {
            self.take_in(&mut before, *at);
        }
        self.fits_after(&before, places, row)
    }

    /// Tries what the last file may have been after the others, and remembers what they all were.
    fn fits_after(&mut self, before: &[SumHasher; 2], places: &[usize], row: &Row) -> bool {
        let Some(at) = places.last().copied() else { return false };
        let it = &self.set.migrations[at];
        let found = texts(it.up.source).into_iter().find(|text| {
            let mut running = before[text.line_end as usize].clone();
            let hash = running.update(&file(it), text.line_end.of(text.source).as_bytes());
            hash.as_deref() == Some(row.hash.as_str())
        });
        let Some(found) = found else { return false };
        self.texts[at] = Some(found);
        let unknown = places.iter().copied().filter(|it| self.texts[*it].is_none());
        let unknown: Vec<_> = unknown.collect();
        for at in &unknown {
            let source = self.set.migrations[*at].up.source;
            self.texts[*at] = Some(Text { source, line_end: found.line_end });
        }
        let first = unknown.first().map_or(at, |it| at.min(*it));
        self.running.truncate(first + 1);
        true
    }

    /// Takes a file in as it was; where nobody knows, with the one and with the other line end.
    fn take_in(&self, running: &mut [SumHasher; 2], at: usize) {
        let it = &self.set.migrations[at];
        for (running, line_end) in running.iter_mut().zip([LineEnd::Unix, LineEnd::Windows]) {
            let text = self.texts[at].unwrap_or(Text { source: it.up.source, line_end });
            running.update(&file(it), text.line_end.of(text.source).as_bytes());
        }
    }

    /// The files up to a place that were there at a moment.
    fn there_by(&self, at: usize, moment: i64, rowless: NoRow) -> Vec<usize> {
        let oldest = self.rows.first().map_or("", |it| it.version.as_str());
        let was = |at: &usize| {
            let version = self.set.migrations[*at].version;
            match self.rows.binary_search_by(|it| it.version.as_str().cmp(version)) {
                Ok(row) => self.rows[row].moment <= moment,
                Err(_) => (self.starts && version < oldest) || rowless == NoRow::There,
            }
        };
        (0..=at).filter(was).collect()
    }
}

/// What to make of a file without a row between those that have one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NoRow {
    There,
    Later,
}

fn file(it: &Migration) -> String {
    format!("{}.sql", it.title())
}
