//! Runs pairs of schemas through the engine, and an observer that shares none of its code.
//!
//! `cargo run --release -p upfront-schema --example corpus -- FOLDER…`: every folder below with an
//! `old.sql` and a `new.sql` is a pair. For each, the generated up side on the old schema must give
//! the facts and the dump of the new one, the down side must give the old one back, and planning
//! again must give nothing. With `--online` the same once more with online forms. The exit code says
//! whether as many passed as `--goal` wants.

mod dump;
mod pair;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use upfront_schema::Strategy;
use upfront_scratch::Server;

use crate::pair::{Checks, Pair};
use crate::report::Outcome;

#[derive(Parser)]
struct Arguments {
    /// Folders with pairs, at whatever depth.
    #[arg(required = true)]
    folders: Vec<PathBuf>,
    /// Only pairs whose path contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Every nth pair alone.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// How many servers share the work.
    #[arg(long, default_value_t = 2)]
    servers: usize,
    /// Compares facts alone, which takes a third of the time.
    #[arg(long)]
    without_dumps: bool,
    /// Each pair once more, with online forms.
    #[arg(long)]
    online: bool,
    /// How many of a hundred pairs have to pass.
    #[arg(long, default_value_t = 100.0)]
    goal: f64,
    /// Prints the plans too.
    #[arg(long)]
    show: bool,
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut paths = Vec::new();
    for it in &arguments.folders {
        find(it, &mut paths)?;
    }
    paths.retain(|it| it.display().to_string().contains(&arguments.only));
    let paths: Vec<_> = paths.into_iter().step_by(arguments.every.max(1)).collect();
    let outcomes = run(&paths, &arguments)?;
    print!("{}", report::text(&outcomes));
    let is_met = report::share(&outcomes) >= arguments.goal;
    Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if folder.join("old.sql").exists() && folder.join("new.sql").exists() {
        paths.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder)?.map(|it| it.map(|it| it.path()));
    let mut folders = entries.collect::<std::io::Result<Vec<_>>>()?;
    folders.retain(|it| it.is_dir());
    folders.sort();
    folders.iter().try_for_each(|it| find(it, paths))
}

fn run(
    paths: &[PathBuf],
    arguments: &Arguments,
) -> Result<Vec<Outcome>, Box<dyn std::error::Error>> {
    let count = arguments.servers.clamp(1, paths.len().max(1));
    let servers = (0..count).map(|_| Server::start()).collect::<Result<Vec<_>, _>>()?;
    let checks = if arguments.without_dumps { Checks::Facts } else { Checks::FactsAndDumps };
    let strategy = [Strategy::Plain, Strategy::Online];
    let strategy = if arguments.online { &strategy[..] } else { &strategy[..1] };
    let bar = ProgressBar::new((paths.len() * strategy.len()) as u64);
    bar.set_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta} {msg}")?);
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = |server: &Server| {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            for strategy in strategy {
                let outcome = Pair::at(path).check(server, *strategy, checks, arguments.show);
                outcomes.lock().expect("no thread panics").push(outcome);
                bar.inc(1);
            }
        }
    };
    thread::scope(|scope| {
        for server in &servers {
            scope.spawn(|| work(server));
        }
    });
    bar.finish_and_clear();
    let mut outcomes = outcomes.into_inner().expect("no thread panics");
    outcomes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(outcomes)
}
