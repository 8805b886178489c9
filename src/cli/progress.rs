//! What a command does while it works: a line that changes in a terminal, plain lines elsewhere.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    Direction, Event, LockHolder, Migrator, Report, Result,
    cli::{
        exit::Exit,
        interrupt::{self, Running},
        output::Output,
    },
    embedded::title,
};

/// Receives each event, on the thread where it happens.
#[derive(Clone)]
pub(super) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    /// The state of the last line; a long wait is reported once.
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// What has started and not finished.
    running: Vec<Running>,
    /// How many came to their end.
    done: usize,
    /// The migration under way, with its place.
    migration: String,
    /// Its version and name.
    title: String,
    waiting: String,
    /// When a line about the wait was printed last.
    waited_at: Option<Instant>,
}

impl Progress {
    pub(super) fn new(output: &Output) -> Self {
        let bar = Output::is_watched().then(|| bar(output));
        Self { output: output.clone(), bar, seen: Arc::default() }
    }

    pub(super) fn listener(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let it = self.clone();
        move |event| it.notify(event)
    }

    /// Waits for what changes a database, and prints what it did, or what a signal left of it.
    pub(super) async fn watch(
        self,
        migrator: &Migrator,
        context: impl Future<Output = Result<Report>> + Unpin,
    ) -> Result<Exit> {
        let output = self.output.clone();
        Ok(match self.watch_quietly(migrator, context).await? {
            Ok(report) => {
                output.result(&report, || report.to_string());
                Exit::Done
            }
            Err(exit) => exit,
        })
    }

    /// Waits for what changes a database; prints what a signal left of it.
    pub(super) async fn watch_quietly(
        self,
        migrator: &Migrator,
        context: impl Future<Output = Result<Report>> + Unpin,
    ) -> Result<Result<Report, Exit>> {
        let done = interrupt::or_signal(context).await;
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
        match done {
            Ok(report) => {
                let report = report?;
                for it in &report.partially_applied {
                    self.output.warning(&format!(
                        "the database has a part of migration `{it}`, which is not in this \
                         directory: `check` says how to go on"
                    ));
                }
                Ok(Ok(report))
            }
            Err(exit) => {
                let (running, done) = self.state_of_work();
                Ok(Err(interrupt::report(migrator, &running, done, exit, &self.output).await))
            }
        }
    }

    fn state_of_work(&self) -> (Vec<Running>, usize) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (seen.running.clone(), seen.done)
    }

    fn notify(&self, event: &Event) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::NoMigrations => {
                self.above(|| self.output.warning("there are no migrations"));
            }
            Event::Waiting { holder, .. } => {
                self.wait(&mut seen, |age| match holder {
                    Some(it) => format!("waiting for {}", shown(it, age)),
                    None => "waiting for another process".into(),
                });
            }
            Event::Started { version, name, direction, ordinal, of } => {
                seen.start(version, name, *direction);
                let doing = match direction {
                    Direction::Up => "applying",
                    Direction::Down => "rolling back",
                };
                let migration = format!("{doing} {} ({ordinal} of {of})", title(version, name));
                if seen.migration != migration {
                    self.state(&migration);
                    seen.title = title(version, name);
                    seen.migration = migration;
                }
            }
            Event::Statement { ordinal, of, .. } => {
                self.changing(|| format!("{}: statement {ordinal} of {of}", seen.migration));
            }
            Event::Retrying { attempt, blockers, .. } => {
                self.changing(|| format!("{}: try {attempt}", seen.migration));
                self.wait(&mut seen, |age| {
                    let holder = blockers.first().map(|it| format!(": {}", shown(it, age)));
                    let holder = holder.unwrap_or_default();
                    format!("waiting for a table that others have locked{holder}")
                });
            }
            Event::Finished { version, name, direction, duration } => {
                seen.finish(version);
                let did = match direction {
                    Direction::Up => "applied",
                    Direction::Down => "rolled back",
                };
                self.line(&format!("{did} {} in {duration:.1?}", title(version, name)));
            }
            #[cfg(feature = "dev")]
            Event::Outdated { version, name, why } => {
                let title = title(version, name);
                self.line(&format!("{title} does not fit the directory any more: {why}"));
            }
            Event::Notice { severity, message, .. } => {
                let text = format!("{}: {message}", seen.title);
                match severity.as_str() {
                    "WARNING" => self.above(|| self.output.warning(&text)),
                    severity => {
                        self.line(&format!("{}: {text}", severity.to_ascii_lowercase()));
                    }
                }
            }
            Event::Reconnecting { .. } => self.line("the connection was lost; connecting again"),
        }
    }

    /// A line that stays. In a terminal it stands above the one that changes.
    fn line(&self, text: &str) {
        self.above(|| self.output.note(text));
    }

    /// Prints above the line that changes, if there is one.
    fn above(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(it) => it.suspend(print),
            None => print(),
        }
    }

    /// Shows the current step, as the terminal allows.
    fn state(&self, text: &str) {
        match &self.bar {
            Some(it) => it.set_message(text.to_owned()),
            None => self.output.note(text),
        }
    }

    /// Shows the current step if a line can change.
    fn changing(&self, text: impl FnOnce() -> String) {
        if let Some(it) = &self.bar {
            it.set_message(text());
        }
    }

    /// A line that stays is printed at once, and then every five seconds at most, if it is another.
    fn wait(&self, seen: &mut Seen, text: impl Fn(Age) -> String) {
        const EVERY: Duration = Duration::from_secs(5);
        let (subject, text) = (text(Age::Hidden), text(Age::Shown));
        let is_due = seen.waited_at.is_none_or(|it| it.elapsed() >= EVERY);
        if seen.waiting != subject && is_due {
            seen.waiting = subject;
            seen.waited_at = Some(Instant::now());
            self.state(&text);
        } else {
            self.changing(|| text);
        }
    }
}

/// Whether a lock holder is printed with the time since which it is busy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Shown,
    Hidden,
}

fn shown(holder: &LockHolder, age: Age) -> String {
    let age = holder.age.filter(|_| age == Age::Shown);
    LockHolder { age, ..holder.clone() }.to_string()
}

impl Seen {
    fn start(&mut self, version: &str, name: &str, direction: Direction) {
        let title = title(version, name);
        let running = Running { version: version.into(), title, direction };
        if !self.running.contains(&running) {
            self.running.push(running);
        }
    }

    fn finish(&mut self, version: &str) {
        self.running.retain(|it| it.version != version);
        self.done += 1;
    }
}

fn bar(output: &Output) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let template = match output.has_colors() {
        true => "{spinner:.green} {wide_msg} {elapsed:.dim}",
        false => "{spinner} {wide_msg} {elapsed}",
    };
    if let Ok(it) = ProgressStyle::with_template(template) {
        bar.set_style(it);
    }
    bar.set_message("looking at the database");
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
