use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A longer line counts as several.
const LINE: usize = 1024;

/// How often it is said that lines were suppressed.
const SECOND: Duration = Duration::from_secs(1);

/// Lines that pass, refilled with time. Long ones may overdraw it.
pub(crate) struct Lines {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Lines {
    /// As many as pass in a second pass at once after a pause.
    pub fn new(per_second: f64) -> Self {
        Self { per_second, state: Mutex::new((per_second, Instant::now())) }
    }

    fn take(&self, bytes: usize, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, then) = *state;
        let left = self.per_second.min(left + now.duration_since(then).as_secs_f64() * self.per_second);
        let passes = left > 0.0;
        *state = (if passes { left - 1.0 - (bytes / LINE) as f64 } else { left }, now);
        passes
    }
}

/// How much guests may write to the log.
pub(crate) struct LogQuota {
    per_second: u32,
    all: Lines,
    suppressed: AtomicU64,
}

impl LogQuota {
    pub fn new(per_second: u32) -> Arc<Self> {
        Arc::new(Self { per_second, all: Lines::new(per_second.into()), suppressed: AtomicU64::new(0) })
    }

    /// The part of one instance: half, so that none silences the others.
    pub fn part(&self) -> Lines {
        Lines::new(f64::from(self.per_second) / 2.0)
    }

    /// Whether an instance may write a line of so many bytes. What may not is counted, which is said once a second.
    pub fn take(self: &Arc<Self>, part: &Lines, bytes: usize) -> bool {
        let now = Instant::now();
        let passes = part.take(bytes, now) && self.all.take(bytes, now);
        if !passes && self.suppressed.fetch_add(1, Ordering::Relaxed) == 0 {
            let quota = self.clone();
            let say = move || {
                thread::sleep(SECOND);
                quota.say_suppressed();
            };
            // Without a thread the next to be suppressed tries again.
            if thread::Builder::new().name("suppressed".into()).spawn(say).is_err() {
                self.say_suppressed();
            }
        }
        passes
    }

    /// Says how many lines were suppressed since it was said last, if any.
    pub fn say_suppressed(&self) {
        let (suppressed, per_second) = (self.suppressed.swap(0, Ordering::Relaxed), self.per_second);
        if suppressed > 0 {
            tracing::warn!(
                "{suppressed} similar log entries suppressed: the component writes more than {per_second} lines a second \
                 (limits.log-lines), or one instance more than half of that"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passing(lines: &Lines, bytes: usize, now: Instant) -> usize {
        (0..10_000).filter(|_| lines.take(bytes, now)).count()
    }

    #[test]
    fn so_many_lines_a_second_pass_and_long_ones_count_more() {
        let (lines, now) = (Lines::new(100.0), Instant::now());
        assert_eq!(passing(&lines, 80, now), 100);
        assert_eq!(passing(&lines, 80, now + SECOND / 2), 50);
        assert_eq!(passing(&lines, 9 * LINE, now + 10 * SECOND), 10);
        assert_eq!(passing(&lines, 1 << 20, now + 20 * SECOND), 1);
    }

    #[test]
    fn no_instance_takes_all() {
        let quota = LogQuota::new(100);
        let (loud, other) = (quota.part(), quota.part());
        let loud = (0..1000).filter(|_| quota.take(&loud, 80)).count();
        assert!((50..60).contains(&loud), "{loud}");
        assert!(quota.take(&other, 80));
        assert!(quota.suppressed.load(Ordering::Relaxed) >= 940);
    }
}
