//! Results of points, as lines of a file.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{
    class::Class,
    failure::Result,
    point::{Measures, Point, Tried},
};

/// What became of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Held,
    Failed,
    /// The run ended before the fault.
    Missed,
    /// It cannot be tried on this machine.
    NotRun,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) point: Point,
    pub(crate) major: u32,
    pub(crate) verdict: Verdict,
    /// Why it failed or was not run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub(crate) measures: Measures,
    /// How long it took, in milliseconds.
    pub(crate) took: u64,
}

impl Entry {
    /// The entry of a point that was tried.
    pub(crate) fn new(point: Point, major: u32, tried: Result<Tried>) -> Self {
        let (verdict, reason, measures) = match tried {
            Ok(Tried::Held(measures)) => (Verdict::Held, String::new(), measures),
            Ok(Tried::Missed) => (Verdict::Missed, String::new(), Measures::new()),
            Ok(Tried::NotRun(reason)) => (Verdict::NotRun, reason, Measures::new()),
            Err(err) => (Verdict::Failed, err.to_string(), Measures::new()),
        };
        Self { point, major, verdict, reason, measures, took: 0 }
    }
}

/// How many points a class has on one major version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Total {
    pub(crate) class: Class,
    pub(crate) major: u32,
    pub(crate) points: usize,
}

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(Entry),
    Total(Total),
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) entries: Vec<Entry>,
    pub(crate) totals: Vec<Total>,
}

/// A file to which entries are appended, each when it is known.
#[derive(Debug)]
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    /// Opens a file, and the folder for it.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if let Some(it) = path.parent() {
            fs::create_dir_all(it)?;
        }
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?.into()))
    }

    /// Appends an entry.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn append(&self, entry: &Entry) -> Result<()> {
        self.write(serde_json::to_string(entry)?)
    }

    /// Appends how many points a class has.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn total(&self, total: Total) -> Result<()> {
        self.write(serde_json::to_string(&total)?)
    }

    fn write(&self, mut line: String) -> Result<()> {
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(file.write_all(line.as_bytes())?)
    }
}

impl Results {
    /// Reads a file; nothing if there is no file. A line that was cut off by a kill is left out.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut results = Self::default();
        if path.exists() {
            for line in fs::read_to_string(path)?.lines() {
                match serde_json::from_str(line) {
                    Ok(Line::Entry(it)) => results.entries.push(it),
                    Ok(Line::Total(it)) => results.totals.push(it),
                    Err(_) => {}
                }
            }
        }
        Ok(results.latest())
    }

    /// Adds those of another file.
    pub(crate) fn and(mut self, mut other: Self) -> Self {
        self.entries.append(&mut other.entries);
        self.totals.append(&mut other.totals);
        self.latest()
    }

    /// Of a point that was tried more than once, and of a class that was counted more than once, the
    /// last line counts.
    fn latest(self) -> Self {
        let entries = self.entries.into_iter().map(|it| ((it.major, it.point.clone()), it));
        let totals = self.totals.into_iter().map(|it| ((it.major, it.class), it));
        Self {
            entries: entries.collect::<BTreeMap<_, _>>().into_values().collect(),
            totals: totals.collect::<BTreeMap<_, _>>().into_values().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

    use super::{Entry, Journal, Results, Total, Verdict};
    use crate::class::Class;
    use crate::point::Tried;

    #[test]
    fn the_last_entry_of_a_point_counts_and_half_a_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/results.jsonl");
        assert_eq!(Results::read(&path).unwrap(), Results::default());
        let point: crate::point::Point = "kill/first/sent.1.before".parse().unwrap();
        let journal = Journal::open(&path).unwrap();
        for points in [5, 7] {
            journal.total(Total { class: Class::Kill, major: 15, points }).unwrap();
        }
        journal.append(&Entry::new(point.clone(), 15, Err("no".into()))).unwrap();
        journal.append(&Entry::new(point.clone(), 16, Ok(Tried::held()))).unwrap();
        journal.append(&Entry::new(point, 15, Ok(Tried::held()))).unwrap();
        std::io::Write::write_all(&mut *journal.0.lock().unwrap(), b"{\"point\":\"ki").unwrap();
        let results = Results::read(&path).unwrap();
        let verdicts: Vec<_> = results.entries.iter().map(|it| (it.major, it.verdict)).collect();
        assert_eq!(verdicts, [(15, Verdict::Held), (16, Verdict::Held)]);
        assert_eq!(results.totals, [Total { class: Class::Kill, major: 15, points: 7 }]);
    }
}
