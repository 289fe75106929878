//! Waiting for a condition, with a deadline.

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// By when anything that is waited for has happened. Generous: it is only ever reached by a failing test.
pub const DEADLINE: Duration = Duration::from_secs(60);

const INTERVAL: Duration = Duration::from_millis(5);

/// Awaits something that must come about.
///
/// # Panics
/// When it has not by the deadline.
#[track_caller]
pub fn within<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let (what, caller) = (what.to_owned(), std::panic::Location::caller());
    async move {
        match timeout(DEADLINE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{what} did not come about within {DEADLINE:?} ({caller})"),
        }
    }
}

/// Asks again until there is an answer.
///
/// # Panics
/// When there is none by the deadline.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "{what} did not come about within {DEADLINE:?}");
        sleep(INTERVAL).await;
    }
}
