//! What may happen many times a second is said once a second: a log that is flooded tells nobody anything.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// As the log is one of the process.
static REPEATS: LazyLock<Repeats> = LazyLock::new(|| Repeats::new(Duration::from_secs(1), 1024));

/// Calls `say`, unless the same was said less than a second ago. Gives it how often that was the case before.
pub(crate) fn once_a_second(what: impl Hash, say: impl FnOnce(Unsaid)) {
    if let Some(unsaid) = REPEATS.note(what, Instant::now()) {
        say(unsaid);
    }
}

/// Says at the end how much was not said since it was said last.
pub(crate) fn say_rest() {
    let rest = REPEATS.take_rest();
    if rest > 0 {
        tracing::warn!("entries that were left out, being like those above: {rest}");
    }
}

/// How often something was not said. Nothing in words if never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsaid(u64);

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            times => write!(f, " ({times} more like it before this one)"),
        }
    }
}

/// Knows what was said lately.
pub(crate) struct Repeats {
    /// How long nothing is said of what was just said.
    quiet: Duration,
    /// How much is told apart: what it is made of is the clients' or the guest's, so there is no end to it.
    remembered: usize,
    hasher: RandomState,
    /// By its hash: when it was said last, and how often not since.
    said: Mutex<HashMap<u64, (Instant, u64)>>,
}

impl Repeats {
    pub fn new(quiet: Duration, remembered: usize) -> Self {
        Self { quiet, remembered, hasher: RandomState::new(), said: Mutex::default() }
    }

    /// How often it was not said before, if it is to be said now.
    pub fn note(&self, what: impl Hash, now: Instant) -> Option<Unsaid> {
        let hash = self.hasher.hash_one(what);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |then: &Instant| now.duration_since(*then) < self.quiet;
        if let Some((then, unsaid)) = said.get_mut(&hash) {
            if is_recent(then) {
                *unsaid += 1;
                return None;
            }
            let before = std::mem::take(unsaid);
            *then = now;
            return Some(Unsaid(before));
        }
        if said.len() >= self.remembered {
            said.retain(|_, (then, _)| is_recent(then));
        }
        let has_room = said.len() < self.remembered;
        has_room.then(|| {
            said.insert(hash, (now, 0));
            Unsaid(0)
        })
    }

    fn take_rest(&self) -> u64 {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.drain().map(|(_, (_, unsaid))| unsaid).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_secs(1);
    const REMEMBERED: usize = 1024;

    #[test]
    fn the_same_is_said_once_a_second_and_counted() {
        let (repeats, now) = (Repeats::new(QUIET, REMEMBERED), Instant::now());
        assert_eq!(repeats.note("a", now), Some(Unsaid(0)));
        assert_eq!(repeats.note("a", now), None);
        assert_eq!(repeats.note("b", now), Some(Unsaid(0)));
        assert_eq!(repeats.note("a", now + QUIET / 2), None);
        assert_eq!(repeats.note("a", now + QUIET), Some(Unsaid(2)));
        assert_eq!(repeats.note("a", now + QUIET * 2), Some(Unsaid(0)));
        assert_eq!(repeats.note("a", now + QUIET * 2), None);
        assert_eq!((repeats.take_rest(), repeats.take_rest()), (1, 0));
        assert_eq!(Unsaid(2).to_string(), " (2 more like it before this one)");
    }

    #[test]
    fn a_flood_of_different_things_ends_too() {
        let (repeats, now) = (Repeats::new(QUIET, REMEMBERED), Instant::now());
        let said = (0..10 * REMEMBERED).filter(|number| repeats.note(number, now).is_some()).count();
        assert_eq!(said, REMEMBERED);
        assert!(repeats.note("a", now + QUIET).is_some());
    }
}
