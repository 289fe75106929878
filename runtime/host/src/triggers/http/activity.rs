//! What happens on a connection, for those who decide when it ends.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// The requests of one connection.
pub(super) struct Activity {
    requests: Mutex<Requests>,
    /// Part of a request's head has come, and not the rest.
    beginning: AtomicBool,
    multiplexed: Notify,
}

struct Requests {
    running: usize,
    /// When the last of them ended.
    still_since: Instant,
}

/// A request that is in progress, until its response is made.
pub(crate) struct InProgress(Arc<Activity>);

impl Activity {
    pub fn new() -> Arc<Self> {
        let requests = Mutex::new(Requests { running: 0, still_since: Instant::now() });
        Arc::new(Self { requests, beginning: AtomicBool::new(false), multiplexed: Notify::new() })
    }

    /// A request has come whole, up to its body.
    pub fn begin(self: &Arc<Self>, version: http::Version) -> InProgress {
        self.requests().running += 1;
        if version == http::Version::HTTP_2 {
            // Kept for whoever asks later.
            self.multiplexed.notify_one();
        }
        InProgress(self.clone())
    }

    /// Says whether the head of a request has come in part.
    pub fn set_beginning(&self, beginning: bool) {
        self.beginning.store(beginning, Ordering::Relaxed);
    }

    /// Waits until the first request over HTTP/2 has begun.
    pub async fn multiplexed(&self) {
        self.multiplexed.notified().await;
    }

    /// Waits until there has been no request for so long, counted from now at the earliest. Bytes that make no request
    /// do not count.
    pub async fn idle(&self, time: Duration) {
        self.still(time, || false).await;
    }

    /// The same where a request that is on its way counts too, however little of it has come.
    pub async fn quiet(&self, time: Duration) {
        self.still(time, || self.beginning.load(Ordering::Relaxed)).await;
    }

    async fn still(&self, time: Duration, beginning: impl Fn() -> bool) {
        let begin = Instant::now();
        loop {
            let (busy, since) = {
                let requests = self.requests();
                (requests.running > 0 || beginning(), requests.still_since.max(begin))
            };
            // What ends while this sleeps is quiet for less than `time` then.
            if busy {
                sleep(time).await;
            } else if since.elapsed() >= time {
                return;
            } else {
                sleep_until(since + time).await;
            }
        }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut requests = self.0.requests();
        requests.running = requests.running.saturating_sub(1);
        requests.still_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_so_long_after_its_last_request() {
        let activity = Activity::new();
        let begin = Instant::now();
        let request = activity.begin(http::Version::HTTP_11);
        let ends = async {
            sleep(TIME * 3 / 2).await;
            drop(request);
        };
        tokio::join!(ends, activity.idle(TIME));
        assert_eq!(begin.elapsed(), TIME * 5 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_of_a_request_keeps_a_connection_from_being_quiet_but_not_from_being_idle() {
        let activity = Activity::new();
        activity.set_beginning(true);
        activity.idle(TIME).await;
        let quiet = tokio::time::timeout(10 * TIME, activity.quiet(TIME));
        assert!(quiet.await.is_err());
        activity.set_beginning(false);
        activity.quiet(TIME).await;
    }
}
