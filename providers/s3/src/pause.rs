use std::time::Duration;

use tokio::time::{Instant, sleep};

/// What the first pause is at most.
const FIRST: Duration = Duration::from_millis(10);

/// What any pause is at most.
const LONGEST: Duration = Duration::from_millis(500);

/// Pauses between attempts: random, so that those who collided do not do so again, and longer each time.
pub(crate) struct Pause {
    most: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { most: FIRST }
    }
}

impl Pause {
    /// For a server that fails, and needs longer than one that has only met another request.
    pub(crate) fn after_a_failure() -> Self {
        Self { most: LONGEST }
    }

    /// Pauses. False, without a pause, when the deadline would pass meanwhile.
    pub(crate) async fn wait(&mut self, deadline: Instant) -> bool {
        let pause = self.most.mul_f64(fastrand::f64());
        self.most = (self.most * 2).min(LONGEST);
        if Instant::now() + pause >= deadline {
            return false;
        }
        sleep(pause).await;
        true
    }
}
