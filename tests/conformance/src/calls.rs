//! The calls of a case: which of them it waits for, and which of them an error came from.

use std::{
    collections::BTreeMap,
    error, fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use slight_capabilities::{Error, Result};
use tokio::time::Instant;

/// How many calls are shown.
const SHOWN: usize = 3;

/// The calls that run.
#[derive(Default)]
pub(crate) struct Calls {
    running: Mutex<BTreeMap<u64, (String, Instant)>>,
    next: AtomicU64,
}

impl Calls {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, (String, Instant)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Awaits a call; an error of it will tell which call it was.
    pub(crate) fn call<T>(
        self: &Arc<Self>,
        what: impl fmt::Display,
        call: impl Future<Output = Result<T>>,
    ) -> impl Future<Output = Result<T>> {
        let (what, calls) = (what.to_string(), self.clone());
        async move {
            let number = calls.next.fetch_add(1, Ordering::Relaxed);
            calls.running().insert(number, (what.clone(), Instant::now()));
            // Also where the case drops the call.
            let _running = Running { calls, number };
            call.await.map_err(|error| told(what, error))
        }
    }

    /// What is being waited for, and since when: the oldest calls first.
    pub(crate) fn waited_for(&self) -> String {
        let running = self.running();
        let shown: Vec<_> = running
            .values()
            .take(SHOWN)
            .map(|(what, since)| format!("`{what}` since {} s", since.elapsed().as_secs()))
            .collect();
        match running.len() {
            0 => "no call runs: it waits for what should come of an earlier one".to_owned(),
            count if count > SHOWN => format!("{}, and {} more calls", shown.join(", "), count - SHOWN),
            _ => shown.join(", "),
        }
    }
}

struct Running {
    calls: Arc<Calls>,
    number: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.calls.running().remove(&self.number);
    }
}

/// Stands between an error and its source, and names the call that failed.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) what: String,
    error: Error,
}

fn told(what: String, error: Error) -> Error {
    Error::new(error.kind(), error.message()).with_source(Called { what, error })
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl error::Error for Called {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        error::Error::source(&self.error)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "all of it is a test")]
mod tests {
    use super::*;
    use crate::check::described;

    #[tokio::test]
    async fn an_error_tells_its_call_and_all_its_causes() {
        let cause = Error::other("the server said no").with_source("column \"version\" does not exist");
        let failing = async { Err::<(), _>(Error::other("the statement was refused").with_source(cause)) };
        let error = Arc::<Calls>::default().call(r#"set "a\0b""#, failing).await.unwrap_err();
        assert_eq!(
            described(&error),
            r#"Other: the statement was refused: the server said no: column "version" does not exist (of `set "a\0b"`)"#
        );
        assert_eq!(error.message(), "the statement was refused");
    }

    #[tokio::test]
    async fn what_runs_is_waited_for_until_it_ends_or_is_dropped() {
        let calls = Arc::<Calls>::default();
        let mut waiting = Box::pin(calls.call("get \"a\"", std::future::pending::<Result<()>>()));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        assert_eq!(calls.waited_for(), "`get \"a\"` since 0 s");
        drop(waiting);
        assert!(calls.waited_for().starts_with("no call runs"));
    }
}
