//! The memory of the process: what all instances, and the host for them, may have together.
//!
//! What instances were granted is counted; what else the process has – values on their way, bodies, the log, data of the
//! provider in memory, slots that the pool keeps – is measured: only the system knows all of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::Notify, time::timeout};

use crate::resident::Resident;

/// What every invocation is granted with its place, so that each that begins can do something: more than most need.
const START: usize = 2 << 20;

/// Of all the memory, this part is for invocations that run to grow into: others begin only in what is left.
const RESERVE: usize = 8;

/// How old a measurement may be. One costs some microseconds.
const FRESH: Duration = Duration::from_millis(10);

/// How often those who wait for room look, beside when some is given back: not all that is freed is told.
const LOOK: Duration = Duration::from_millis(20);

/// The memory of the process.
pub(crate) struct Budget {
    limit: usize,
    start: usize,
    granted: AtomicUsize,
    /// What the process had beyond what was granted, when it was measured last.
    other: AtomicUsize,
    resident: Option<Resident>,
    created: Instant,
    /// When it was measured last, in milliseconds since it was created.
    measured: AtomicU64,
    freed: Notify,
}

impl Budget {
    /// `limit` bytes, and instances that begin with `initial` bytes.
    pub fn new(limit: usize, initial: usize) -> Self {
        Self {
            limit,
            start: initial.max(START),
            granted: AtomicUsize::new(0),
            other: AtomicUsize::new(0),
            resident: Resident::open(),
            created: Instant::now(),
            measured: AtomicU64::new(0),
            freed: Notify::new(),
        }
    }

    /// All of it, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What each invocation has without asking, in bytes.
    pub fn start(&self) -> usize {
        self.start
    }

    /// What is in use, in bytes.
    pub fn used(&self) -> usize {
        self.measure();
        self.granted.load(Ordering::Relaxed).saturating_add(self.other.load(Ordering::Relaxed))
    }

    /// Whether one more invocation may begin.
    pub fn has_room(&self) -> bool {
        self.used().saturating_add(self.start) <= self.limit - self.limit / RESERVE
    }

    /// Waits until one more invocation may begin: there is room, or it would be `alone`, since what others do not give
    /// back it may be there to remove.
    pub async fn room(&self, alone: impl Fn() -> bool) {
        while !self.has_room() && !alone() {
            // Whether it was told or is just time, there is something to look at.
            let _ = timeout(LOOK, self.freed.notified()).await;
        }
    }

    /// Takes what an invocation begins with, whether it is there or not.
    pub fn begin(self: &Arc<Self>) -> Begun {
        self.granted.fetch_add(self.start, Ordering::Relaxed);
        Begun(self.clone())
    }

    /// Takes memory if there is as much; [`give_back`](Self::give_back) ends that.
    pub fn take(&self, bytes: usize) -> bool {
        let fits = || self.used().saturating_add(bytes) <= self.limit;
        let taken = bytes == 0 || fits() || {
            // What others gave back since may not be seen yet.
            self.measured.store(0, Ordering::Relaxed);
            fits()
        };
        if taken {
            self.granted.fetch_add(bytes, Ordering::Relaxed);
        }
        taken
    }

    /// Whether an instance that was granted `own` bytes could have had `more` if nobody else had been granted any.
    pub fn fits_alone(&self, own: usize, more: usize) -> bool {
        let others = self.granted.load(Ordering::Relaxed).saturating_sub(own);
        self.used().saturating_sub(others).saturating_add(more) <= self.limit
    }

    pub fn give_back(&self, bytes: usize) {
        if bytes > 0 {
            self.granted.fetch_sub(bytes, Ordering::Relaxed);
            self.freed.notify_waiters();
        }
    }

    /// Measures, unless that was done just now.
    fn measure(&self) {
        let Some(resident) = &self.resident else { return };
        let now = u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.measured.load(Ordering::Relaxed);
        let is_due = last == 0 || now.saturating_sub(last) >= FRESH.as_millis() as u64;
        // One of those who find it due does it.
        if !is_due || self.measured.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        if let Some(bytes) = resident.read() {
            self.other.store(bytes.saturating_sub(self.granted.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }
}

/// What an invocation begins with, for as long as it runs.
pub(crate) struct Begun(Arc<Budget>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.give_back(self.0.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn counted(limit: usize) -> Arc<Budget> {
        Arc::new(Budget { resident: None, ..Budget::new(limit, 0) })
    }

    #[test]
    fn what_is_taken_is_there_once_it_is_given_back() {
        let budget = counted(10 * MIB);
        assert!(budget.take(6 * MIB) && budget.take(4 * MIB) && !budget.take(1));
        budget.give_back(4 * MIB);
        assert!(!budget.take(5 * MIB) && budget.take(4 * MIB));
    }

    #[test]
    fn invocations_begin_only_where_others_have_room_to_grow() {
        let budget = counted(16 * MIB);
        let begun: Vec<Begun> = std::iter::from_fn(|| budget.has_room().then(|| budget.begin())).collect();
        assert_eq!(begun.len(), 7);
        assert!(budget.take(2 * MIB) && !budget.take(MIB));
        drop(begun);
        assert_eq!(budget.used(), 2 * MIB);
    }

    #[test]
    fn what_others_have_is_told_from_what_nobody_could_have() {
        let budget = counted(10 * MIB);
        assert!(budget.take(6 * MIB));
        assert!(budget.take(2 * MIB) && !budget.take(4 * MIB));
        assert!(budget.fits_alone(2 * MIB, 4 * MIB), "but for the six of others");
        assert!(budget.fits_alone(2 * MIB, 8 * MIB) && !budget.fits_alone(2 * MIB, 8 * MIB + 1));
    }

    #[tokio::test]
    async fn who_waits_for_room_begins_when_some_is_given_back_or_nobody_else_runs() {
        let budget = counted(16 * MIB);
        assert!(budget.take(16 * MIB));
        budget.room(|| true).await;
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.room(|| false).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        budget.give_back(16 * MIB);
        waiting.await.unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_nobody_was_granted_is_measured() {
        let budget = Budget::new(usize::MAX, 0);
        let before = budget.used();
        assert!(before > 0);
        let filled = vec![1_u8; 64 * MIB];
        let is_seen = || budget.used() > before + 32 * MIB;
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_seen() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        drop(std::hint::black_box(filled));
    }
}
