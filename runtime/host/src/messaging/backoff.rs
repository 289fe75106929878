use std::{collections::hash_map::RandomState, hash::BuildHasher, time::Duration};

use tokio::time::Instant;

/// Waits that double with every failure in a row, up to a limit.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
    last: Option<Instant>,
}

impl Backoff {
    /// No failure yet.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0, last: None }
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait after one more failure. One after a time without any is the first again.
    pub fn next(&mut self) -> Duration {
        let now = Instant::now();
        if self.last.replace(now).is_some_and(|last| now - last > self.longest * 2) {
            self.reset();
        }
        self.failures = self.failures.saturating_add(1);
        self.after(self.failures)
    }

    /// How long to wait after this many failures: with a random part taken off, so that those who failed together do
    /// not come back together, and at least half.
    pub fn after(&self, failures: u32) -> Duration {
        let doubled = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        let half = whole / 2;
        half + (whole - half).mul_f64(random() as f64 / u64::MAX as f64)
    }
}

/// A number that nobody can guess.
pub(crate) fn random() -> u64 {
    // Each `RandomState` has keys of its own, from the operating system's randomness.
    RandomState::new().hash_one(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(5));
        for whole in [1, 2, 4, 5, 5].map(seconds) {
            let wait = backoff.next();
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= seconds(1));
        assert!(backoff.after(u32::MAX) <= seconds(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_after_a_time_without_any_is_the_first_again() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new(seconds(1), seconds(8));
        for _ in 0..5 {
            backoff.next();
        }
        tokio::time::advance(seconds(17)).await;
        assert!(backoff.next() <= seconds(1));
    }

    #[test]
    fn those_who_failed_together_do_not_come_back_together() {
        let backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(60));
        let first = backoff.after(1);
        assert!((0..100).any(|_| backoff.after(1) != first));
    }
}
