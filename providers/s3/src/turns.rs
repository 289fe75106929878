use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

const TURNS: usize = 64;

/// Lets increments of one key within this process go one after the other: they would only be in each other's way, and S3
/// tells the loser no sooner than the winner. Between processes S3 decides.
pub(crate) struct Turns(Vec<Mutex<()>>);

impl Default for Turns {
    fn default() -> Self {
        Self((0..TURNS).map(|_| Mutex::default()).collect())
    }
}

impl Turns {
    /// Waits for the key's turn. A few other keys share it.
    pub(crate) async fn take(&self, key: &str) -> Option<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let number = hasher.finish() as usize % self.0.len();
        Some(self.0.get(number)?.lock().await)
    }
}
