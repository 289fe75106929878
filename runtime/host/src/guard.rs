//! The one place for policy around a call to a backend: its time limit, and what the log says of its failure.

use std::{
    error::Error as _,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use slight_capabilities::{Error, ErrorKind, Result};

/// Names a call for messages and logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// The section of the provider.
    pub section: &'a str,
    /// What is done, as `key-value get`.
    pub operation: &'static str,
    /// The bucket, container or topic.
    pub target: &'a str,
}

/// Awaits a call to a backend, for at most `limit`.
///
/// # Errors
/// What the call gave, or `Timeout`. Failures of the backend are logged with all their causes, which the guest never
/// sees; what the guest got wrong is its own affair and only in the debug log.
pub(crate) async fn call<T>(limit: Duration, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    // Most calls to a backend in this process are done at once: they must not pay for a timer, nor carry room for one.
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    let result = match first {
        Poll::Ready(result) => result,
        Poll::Pending => Box::pin(timed(limit, call, future)).await,
    };
    if let Err(error) = &result {
        log(call, error);
    }
    result
}

async fn timed<T>(limit: Duration, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let result = tokio::time::timeout(limit, future).await.unwrap_or_else(|_| Err(timed_out(limit, call)));
    let Call { section, operation, target } = call;
    tracing::debug!(provider = section, operation, name = target, "took {:.1?}", start.elapsed());
    result
}

fn timed_out(limit: Duration, call: Call<'_>) -> Error {
    Error::timeout(format!(
        "{} on {:?} had no answer from the provider {:?} within {limit:?} (limits.backend-timeout); whether it took \
         effect is unknown",
        call.operation, call.target, call.section
    ))
}

/// Logs a failure with all its causes.
pub(crate) fn log(call: Call<'_>, error: &Error) {
    let Call { section, operation, target } = call;
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Other => {
            let causes = causes(error);
            tracing::warn!(provider = section, operation, name = target, "{error}{causes}");
        }
        kind => tracing::debug!(provider = section, operation, name = target, ?kind, "{error}"),
    }
}

fn causes(error: &Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call<'static> = Call { section: "cache", operation: "key-value get", target: "users" };

    #[tokio::test]
    async fn a_call_that_never_ends_is_a_timeout_that_names_it() {
        let error = call::<()>(Duration::from_millis(5), CALL, std::future::pending()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        for part in ["key-value get", "users", "cache", "5ms", "unknown"] {
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_done_at_once_needs_no_timer() {
        assert_eq!(call(Duration::ZERO, CALL, async { Ok(1) }).await.unwrap(), 1);
    }

    #[test]
    fn the_log_has_every_cause() {
        let inner = std::io::Error::other("connection refused");
        let error = Error::unavailable("the server does not answer").with_source(inner);
        assert_eq!(causes(&error), ": connection refused");
    }
}
