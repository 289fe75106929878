use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

/// How many keys can be counted up by one process at the same time, unless two of them share a place.
const PLACES: usize = 256;

/// The longest wait before a swap that lost a race is tried again.
const LONGEST: Duration = Duration::from_millis(50);

/// Lets the increments of a key in this process have their turns, so that they race only those of other processes: else
/// each success would cost all others a round trip.
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self(std::iter::repeat_with(Mutex::default).take(PLACES).collect())
    }
}

impl Turns {
    /// Waits for the turn of an increment of `subject`.
    pub(super) async fn wait(&self, subject: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        subject.hash(&mut hasher);
        let place = hasher.finish() as usize % PLACES;
        Some(self.0.get(place)?.lock().await)
    }
}

/// How long to wait after so many lost races: a random time, so that not the same meet again.
pub(super) fn jitter(lost: u32) -> Duration {
    let most = Duration::from_millis(1 << lost.min(6)).min(LONGEST);
    most.mul_f64(fastrand::f64())
}
