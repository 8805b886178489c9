//! How long to pause before asking again.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

/// Pauses of a tenth of the time waited so far, between 20 ms and 1 s, give or take a quarter, so
/// that a crowd does not ask in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    since: Instant,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now() }
    }

    pub(crate) fn waited(&self) -> Duration {
        self.since.elapsed()
    }

    /// The next pause.
    pub(crate) fn next(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(20);
        const LONGEST: Duration = Duration::from_secs(1);
        // The standard library's hasher is seeded at random, which is randomness enough.
        let [random, ..] = RandomState::new().hash_one(self.since).to_be_bytes();
        let jitter = 0.75 + f64::from(random) / 256.0 / 2.0;
        (self.waited() / 10).clamp(SHORTEST, LONGEST).mul_f64(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_time_waited_and_differ() {
        for (waited, shortest, longest) in [(0, 15, 25), (2_000, 150, 260), (60_000, 750, 1_250)] {
            let since = Instant::now().checked_sub(Duration::from_millis(waited)).unwrap();
            let backoff = Backoff { since };
            let pauses: Vec<_> = (0..50).map(|_| backoff.next().as_millis()).collect();
            let range = shortest..=longest;
            assert!(pauses.iter().all(|it| range.contains(it)), "{waited}: {pauses:?}");
            assert!(pauses.iter().any(|it| *it != pauses[0]), "{waited}: {pauses:?}");
        }
    }
}
