//! What a long command is doing: a line that changes on a terminal, a few plain lines elsewhere.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use upfront::{Direction, Event, cli::Output};

/// Plain lines about one stage are this far apart.
const EVERY: Duration = Duration::from_secs(10);

/// One stage of a command, until it is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    output: Option<Output>,
    bar: Option<ProgressBar>,
    printed_at: Mutex<Instant>,
}

impl Stage {
    /// Shows what begins.
    pub(crate) fn begin(output: &Output, text: &str) -> Self {
        let stage = Self::on_terminal(output, text);
        if stage.bar.is_none() {
            output.note(text);
        }
        stage
    }

    /// The same for what is not worth a plain line.
    pub(crate) fn on_terminal(output: &Output, text: &str) -> Self {
        let bar = Output::is_watched().then(|| bar(output, text));
        Self { output: Some(output.clone()), bar, printed_at: Mutex::new(Instant::now()) }
    }

    /// Shows nothing.
    pub(crate) fn silent() -> Self {
        Self { output: None, bar: None, printed_at: Mutex::new(Instant::now()) }
    }

    /// Shows how far it is; as a plain line only if the last one is some time ago.
    pub(crate) fn step(&self, text: impl FnOnce() -> String) {
        match (&self.bar, &self.output) {
            (Some(bar), _) => bar.set_message(text()),
            (None, Some(output)) if self.is_due() => output.note(&format!("  … {}", text())),
            (None, _) => {}
        }
    }

    /// Shows what is worth a plain line at once.
    pub(crate) fn say(&self, text: &str) {
        match (&self.bar, &self.output) {
            (Some(bar), _) => bar.set_message(text.to_owned()),
            (None, Some(output)) => output.note(text),
            (None, None) => {}
        }
    }

    /// Shows which migration is under way.
    pub(crate) fn event(&self, event: &Event) {
        let Event::Started { version, name, direction, ordinal, of } = event else { return };
        let doing = match direction {
            Direction::Up => "replaying",
            Direction::Down => "rolling back",
        };
        self.step(|| format!("{doing} {version}_{name} ({ordinal} of {of})"));
    }

    fn is_due(&self) -> bool {
        let mut printed_at = self.printed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = printed_at.elapsed() >= EVERY;
        if is_due {
            *printed_at = Instant::now();
        }
        is_due
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

fn bar(output: &Output, text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let template = match output.has_colors() {
        true => "{spinner:.green} {wide_msg} {elapsed:.dim}",
        false => "{spinner} {wide_msg} {elapsed}",
    };
    if let Ok(it) = ProgressStyle::with_template(template) {
        bar.set_style(it);
    }
    bar.set_message(text.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// `1 file`, `2 files`.
pub(crate) fn count(many: usize, what: &str) -> String {
    let s = if many == 1 { "" } else { "s" };
    format!("{many} {what}{s}")
}
