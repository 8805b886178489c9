//! Samples, and what is said of them.

use std::time::Duration;

/// One duration for each round.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, it: Duration) {
        self.0.push(it);
    }

    pub(crate) fn median(&self) -> Duration {
        Duration::from_secs_f64(median(self.0.iter().map(Duration::as_secs_f64)))
    }

    pub(crate) fn max(&self) -> Duration {
        self.0.iter().max().copied().unwrap_or_default()
    }

    /// The median of the ratios round by round: what slows a whole round down cancels out.
    pub(crate) fn ratio(&self, to: &Self) -> f64 {
        median(self.0.iter().zip(&to.0).map(|(it, to)| it.as_secs_f64() / to.as_secs_f64()))
    }

    /// Median and ratio, for a cell.
    pub(crate) fn beside(&self, floor: &Self) -> String {
        format!("{} ({})", shown(self.median()), times(self.ratio(floor)))
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(it: I) -> Self {
        Self(it.into_iter().collect())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len => f64::midpoint(values[(len - 1) / 2], values[len / 2]),
    }
}

/// Three digits, and a unit.
pub(crate) fn shown(it: Duration) -> String {
    let milliseconds = it.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.2} ms"),
        ..100.0 => format!("{milliseconds:.1} ms"),
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.2} s", milliseconds / 1e3),
    }
}

pub(crate) fn times(ratio: f64) -> String {
    match ratio {
        ..10.0 => format!("{ratio:.2}×"),
        _ => format!("{ratio:.0}×"),
    }
}
