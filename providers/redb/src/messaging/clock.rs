use std::time::{Duration, Instant, SystemTime};

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
