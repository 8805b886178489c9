//! A run: which points, how many at once, and what is recorded.

use std::{
    collections::{BTreeMap, HashSet},
    panic::AssertUnwindSafe,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{runtime::Runtime, time::timeout};

use crate::{
    class::Class,
    classes,
    failure::Result,
    lab::Lab,
    point::{Point, Tried},
    results::{Entry, Journal, Results, Total, Verdict},
};

/// Which points.
#[derive(Debug, Clone, Args)]
pub(crate) struct Selection {
    /// Run this class only; may be repeated
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<Class>,
    /// Run this scenario only; may be repeated
    #[arg(long = "scenario", value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Use PostgreSQL of this major version, 14 to 18
    #[arg(long, value_name = "MAJOR")]
    major: Option<u32>,
    /// Take a sample of each class, evenly spread over its points
    #[arg(long)]
    short: bool,
}

/// The points of one class, those first that are spread most evenly.
struct Enumeration {
    class: Class,
    points: Vec<Point>,
}

/// How they are run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Try this point only; may be repeated
    #[arg(long = "point", value_name = "POINT", conflicts_with_all = ["classes", "short"])]
    points: Vec<Point>,
    /// Try so many points at once
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Begin no point after so many minutes
    #[arg(long, value_name = "MINUTES")]
    minutes: Option<u64>,
    /// Append the results to this file, and skip the points that it has
    #[arg(long, value_name = "FILE", default_value = "target/faults.jsonl")]
    resume: PathBuf,
    /// Empty the file first
    #[arg(long)]
    fresh: bool,
}

/// A point that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Prints how many points there are.
///
/// # Errors
///
/// An undisturbed run fails.
pub(crate) fn list(selection: &Selection) -> Result<ExitCode> {
    let lab = Lab::new(selection.major, selection.scenarios.clone());
    let classes = runtime(2)?.block_on(selection.enumerate(&lab))?;
    for Enumeration { class, points } in &classes {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for it in points {
            *counts.entry(&it.scenario).or_default() += 1;
        }
        for (scenario, count) in counts {
            println!("{class}/{scenario}: {count}");
        }
    }
    println!("{} points", classes.iter().map(|it| it.points.len()).sum::<usize>());
    Ok(ExitCode::SUCCESS)
}

/// Tries points, and records each when it is known.
///
/// # Errors
///
/// An undisturbed run fails, or the results cannot be written.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let jobs = options
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get));
    let lab = Arc::new(Lab::new(options.selection.major, options.selection.scenarios.clone()));
    let until = options.minutes.map(|it| Instant::now() + Duration::from_secs(60 * it));
    runtime(jobs)?.block_on(async {
        let major = lab.version().await?;
        if options.fresh && options.resume.exists() {
            std::fs::remove_file(&options.resume)?;
        }
        let journal = Arc::new(Journal::open(&options.resume)?);
        let points = match options.points.is_empty() {
            true => {
                let classes = options.selection.enumerate(&lab).await?;
                // A count of some scenarios is not that of the class.
                for it in classes.iter().filter(|_| options.selection.scenarios.is_empty()) {
                    let (class, points) = (it.class, it.points.len());
                    journal.total(Total { class, major, points })?;
                }
                remaining(options, major, classes)?
            }
            false => options.points.clone(),
        };
        Run { lab, journal, major, until }.all(points, jobs).await
    })
}

/// The harness blocks a thread wherever it runs a program.
fn runtime(jobs: usize) -> Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.worker_threads(2 * jobs + 2).enable_all().build()?)
}

/// The points of which the file has no verdict. Classes take turns, so that a run that is stopped has
/// tried as much of each.
fn remaining(options: &Options, major: u32, classes: Vec<Enumeration>) -> Result<Vec<Point>> {
    let known: HashSet<_> = Results::read(&options.resume)?
        .entries
        .into_iter()
        .filter(|it| it.major == major && it.verdict != Verdict::Missed)
        .map(|it| it.point)
        .collect();
    let left = |Enumeration { class, mut points }| {
        if options.selection.short {
            points.truncate(class.description().short);
        }
        points.retain(|it| !known.contains(it));
        points
    };
    Ok(by_turns(classes.into_iter().map(left).collect()))
}

fn by_turns(classes: Vec<Vec<Point>>) -> Vec<Point> {
    // The fraction of its class at which a point comes.
    let mut all = Vec::new();
    for points in classes {
        let count = points.len();
        all.extend(points.into_iter().enumerate().map(|(at, it)| ((at * 1_000_000) / count, it)));
    }
    all.sort_by_key(|it| it.0);
    all.into_iter().map(|it| it.1).collect()
}

impl Selection {
    async fn enumerate(&self, lab: &Lab) -> Result<Vec<Enumeration>> {
        let chosen = |it: &Class| self.classes.is_empty() || self.classes.contains(it);
        let mut classes = Vec::new();
        for class in Class::ALL.into_iter().filter(chosen) {
            let mut points = spread(classes::points(class, lab).await?);
            if !self.scenarios.is_empty() {
                points.retain(|it| self.scenarios.contains(&it.scenario));
            }
            classes.push(Enumeration { class, points });
        }
        Ok(classes)
    }
}

/// The same points in an order of which every beginning is spread evenly over all of them, and which
/// is always the same (van der Corput's sequence).
fn spread(points: Vec<Point>) -> Vec<Point> {
    let mut order: Vec<_> = points.into_iter().enumerate().collect();
    let bits = usize::BITS - order.len().leading_zeros();
    order.sort_by_key(|(at, _)| at.reverse_bits() >> (usize::BITS - bits.max(1)));
    order.into_iter().map(|it| it.1).collect()
}

/// What all points of a run share.
#[derive(Clone)]
struct Run {
    lab: Arc<Lab>,
    journal: Arc<Journal>,
    major: u32,
    /// No point is begun later.
    until: Option<Instant>,
}

impl Run {
    async fn all(self, points: Vec<Point>, jobs: usize) -> Result<ExitCode> {
        let bar = progress(points.len());
        let queue = Arc::new(Mutex::new(points.into_iter()));
        let mut workers = Vec::new();
        for _ in 0..jobs {
            let (run, queue, bar) = (self.clone(), Arc::clone(&queue), bar.clone());
            workers.push(tokio::spawn(async move { run.work(&queue, &bar).await }));
        }
        let mut counts = BTreeMap::new();
        for it in workers {
            for (verdict, count) in it.await?? {
                *counts.entry(verdict).or_insert(0) += count;
            }
        }
        bar.finish_and_clear();
        let count = |it: &str| counts.get(it).copied().unwrap_or(0);
        println!(
            "PostgreSQL {}: {} held, {} failed, {} missed, {} not run",
            self.major,
            count("held"),
            count("failed"),
            count("missed"),
            count("not run"),
        );
        Ok(if count("failed") == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn work(
        &self,
        queue: &Mutex<std::vec::IntoIter<Point>>,
        bar: &ProgressBar,
    ) -> Result<BTreeMap<&'static str, usize>> {
        let mut counts = BTreeMap::new();
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        while self.until.is_none_or(|it| Instant::now() < it)
            && let Some(point) = next()
        {
            bar.set_message(point.class.to_string());
            let entry = self.one(point).await;
            if entry.verdict == Verdict::Failed {
                let command = entry.point.command(self.major);
                bar.suspend(|| println!("failed: {command}\n  {}", indented(&entry.reason)));
            }
            *counts.entry(entry.verdict.word()).or_insert(0) += 1;
            self.journal.append(&entry)?;
            bar.inc(1);
        }
        Ok(counts)
    }

    /// Tries a point; a panic of the harness or of the library is a failure.
    async fn one(&self, point: Point) -> Entry {
        let since = Instant::now();
        let (lab, tried) = (Arc::clone(&self.lab), point.clone());
        let task = tokio::spawn(async move {
            let trial = AssertUnwindSafe(classes::try_point(&lab, &tried));
            timeout(PATIENCE, trial.0).await
        });
        let tried: Result<Tried> = match task.await {
            Ok(Ok(it)) => it,
            Ok(Err(_)) => Err(format!("the point was not done within {PATIENCE:?}").into()),
            Err(err) => Err(format!("a panic: {err}").into()),
        };
        let took = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        Entry { took, ..Entry::new(point, self.major, tried) }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "failed",
            Self::Missed => "missed",
            Self::NotRun => "not run",
        }
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

fn progress(points: usize) -> ProgressBar {
    let bar = ProgressBar::new(points as u64);
    let style = "{wide_bar} {pos}/{len} {msg}, {elapsed} of {duration}";
    bar.with_style(ProgressStyle::with_template(style).expect("a valid template"))
}

#[cfg(test)]
mod tests {
    use super::{by_turns, spread};
    use crate::{class::Class, point::Point};

    fn points(class: Class, count: usize) -> Vec<Point> {
        let point = |it: usize| Point { class, scenario: "first".into(), spot: it.to_string() };
        (0..count).map(point).collect()
    }

    fn spots(points: &[Point]) -> Vec<usize> {
        points.iter().map(|it| it.spot.parse().unwrap_or_default()).collect()
    }

    #[test]
    fn every_beginning_is_spread_evenly() {
        let spread = spots(&spread(points(Class::Kill, 1000)));
        for count in [4, 16, 64] {
            let mut beginning = spread[..count].to_vec();
            beginning.sort_unstable();
            let widest = beginning.windows(2).map(|it| it[1] - it[0]).max();
            assert!(widest <= Some(4 * 1000 / count), "{count}: {widest:?}");
        }
        let mut all = spread;
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn classes_take_turns() {
        let all = by_turns(vec![points(Class::Kill, 10), points(Class::Reset, 100)]);
        let kills = all[..55].iter().filter(|it| it.class == Class::Kill).count();
        assert_eq!((all.len(), kills), (110, 5));
    }
}
