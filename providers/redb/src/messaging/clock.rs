use std::time::{Duration, Instant, SystemTime};

/// The longest that a retry waits.
pub(super) const MAX_RETRY: Duration = Duration::from_secs(3600);

/// Milliseconds since 1970, as they went by since the file was opened: setting the system's clock changes no lease.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    opened: Instant,
    at: Duration,
}

impl Clock {
    pub(super) fn start() -> Self {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { opened: Instant::now(), at }
    }

    pub(super) fn now(self) -> u64 {
        self.after(Duration::ZERO)
    }

    pub(super) fn after(self, wait: Duration) -> u64 {
        let at = self.at.saturating_add(self.opened.elapsed()).saturating_add(wait);
        // Rounded up: nothing is due early.
        u64::try_from(at.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// Rounded up, and at most [`MAX_RETRY`].
pub(super) fn whole_seconds(after: Duration) -> Duration {
    let part = u64::from(after.subsec_nanos() > 0);
    Duration::from_secs(after.as_secs().saturating_add(part)).min(MAX_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_for_whole_seconds_and_at_most_an_hour() {
        for (milliseconds, seconds) in [(1, 1), (1000, 1), (1001, 2), (3_599_001, 3600), (7_200_000, 3600)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), Duration::from_secs(seconds));
        }
        assert_eq!(whole_seconds(Duration::MAX), MAX_RETRY);
    }
}
