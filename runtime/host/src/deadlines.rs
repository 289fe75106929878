//! When invocations must have ended.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Gives out deadlines that lie `timeout` ahead.
///
/// A timer for every request would cost more than many a request does. So those that begin within the same short
/// stretch share one: a deadline is up to 1/64 of the timeout late, at least 1 ms, and at most 50 ms or, where that is
/// more, 1/1000 of the timeout; and never early.
///
/// All of them pass at once when there is to be an `end`, so that nobody has to wait for two things.
pub(crate) struct Deadlines {
    timeout: Duration,
    end: CancellationToken,
    stretch: Duration,
    current: Mutex<Option<Shared>>,
}

struct Shared {
    begins_until: Instant,
    deadline: Deadline,
}

/// A moment shared by the invocations that must have ended by then.
#[derive(Debug, Clone)]
pub(crate) struct Deadline(CancellationToken);

impl Deadline {
    /// Waits for the moment.
    pub fn passed(self) -> impl Future<Output = ()> + Send + Sync + 'static {
        self.0.cancelled_owned()
    }

    /// Whether it is past.
    pub fn is_past(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Deadlines {
    /// Deadlines that lie `timeout` ahead, and no later than `end`.
    pub fn new(timeout: Duration, end: CancellationToken) -> Self {
        // Each stretch has a timer for as long as the timeout: a thousand of them at a time are enough.
        let longest = Duration::from_millis(50).max(timeout / 1000);
        let stretch = (timeout / 64).clamp(Duration::from_millis(1), longest);
        Self { timeout, end, stretch, current: Mutex::new(None) }
    }

    /// The deadline of an invocation that begins now. Called within a tokio runtime.
    pub fn begin(&self) -> Deadline {
        let now = Instant::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(shared) if now < shared.begins_until => shared.deadline.clone(),
            _ => {
                let shared = self.start(now);
                current.insert(shared).deadline.clone()
            }
        }
    }

    fn start(&self, now: Instant) -> Shared {
        let begins_until = now + self.stretch;
        let deadline = Deadline(self.end.child_token());
        if let Some(end) = begins_until.checked_add(self.timeout) {
            let token = deadline.0.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(end).await;
                token.cancel();
            });
        }
        Shared { begins_until, deadline }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_never_early_and_hardly_late() {
        let deadlines = Deadlines::new(Duration::from_secs(1), CancellationToken::new());
        let start = Instant::now();
        deadlines.begin().passed().await;
        let waited = start.elapsed();
        assert!(waited >= Duration::from_secs(1) && waited <= Duration::from_millis(1050), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_begins_later_ends_later() {
        let deadlines = Deadlines::new(Duration::from_secs(1), CancellationToken::new());
        let first = deadlines.begin();
        tokio::time::advance(Duration::from_millis(500)).await;
        let second = deadlines.begin();
        first.passed().await;
        assert!(!second.is_past());
        second.passed().await;
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_all_have_passed() {
        let end = CancellationToken::new();
        let deadlines = Deadlines::new(Duration::from_secs(1), end.clone());
        let before = deadlines.begin();
        assert!(!before.is_past());
        end.cancel();
        assert!(before.is_past() && deadlines.begin().is_past());
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(deadlines.begin().is_past());
    }
}
