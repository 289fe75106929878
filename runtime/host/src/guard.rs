//! The one place for policy around a call to a backend: its time limit, and what the log says of its failure.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use slight_capabilities::{Error, ErrorKind, Result};

use crate::{failure::with_causes, repeats::once_a_second};

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
/// What the call gave, as [`report`] tells it, or `Timeout`.
pub(crate) async fn call<T>(limit: Duration, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut future = pin!(future);
    // Most calls to a backend in this process are done at once: they must not pay for a timer, nor carry room for one.
    let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    let ended = match first {
        Poll::Ready(result) => Some(result),
        Poll::Pending => Box::pin(timed(limit, call, future)).await,
    };
    match ended {
        Some(result) => result.map_err(|error| report(call, error)),
        None => {
            let error = timed_out(limit, call);
            log(call, &error);
            Err(error)
        }
    }
}

/// What came of it within the limit.
async fn timed<T>(limit: Duration, call: Call<'_>, future: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    let start = Instant::now();
    let ended = tokio::time::timeout(limit, future).await.ok();
    let Call { section, operation, target } = call;
    tracing::debug!(provider = section, operation, name = target, "took {:.1?}", start.elapsed());
    ended
}

fn timed_out(limit: Duration, call: Call<'_>) -> Error {
    Error::timeout(format!(
        "{} on {:?} had no answer from the provider {:?} within {limit:?} (limits.backend-timeout); whether it took \
         effect is unknown",
        call.operation, call.target, call.section
    ))
}

/// Logs a failure, and gives what the guest is told of it: how the backend failed is for the operator, and may tell where
/// it is. What the guest can do something about keeps the provider's sentence.
pub(crate) fn report(call: Call<'_>, error: Error) -> Error {
    log(call, &error);
    let Call { operation, target, .. } = call;
    let sentence = match error.kind() {
        ErrorKind::Unavailable => {
            format!("{operation} failed: the backend of {target:?} is not available; the log of the host says why")
        }
        ErrorKind::Timeout => format!(
            "{operation} had no answer from the backend of {target:?} in time; whether it took effect is unknown; the log \
             of the host says more"
        ),
        ErrorKind::Other => format!("{operation} failed in the backend of {target:?}; the log of the host says why"),
        _ => return error,
    };
    Error::new(error.kind(), sentence)
}

/// Logs a failure with all its causes: what an operator can do something about as a warning, the guest's own affairs for
/// those who ask.
pub(crate) fn log(call: Call<'_>, error: &Error) {
    let Call { section, operation, target } = call;
    let (kind, text) = (error.kind(), with_causes(error));
    if is_for_operators(call, kind) {
        once_a_second((section, operation, &text), |unsaid| {
            tracing::warn!(provider = section, operation, name = target, "{text}{unsaid}");
        });
    } else {
        tracing::debug!(provider = section, operation, name = target, ?kind, "{text}");
    }
}

fn is_for_operators(call: Call<'_>, kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Other | ErrorKind::Denied => true,
        // A missing key is no error, so it is the backend's location. With blobs it is mostly an object.
        ErrorKind::NotFound => call.operation.starts_with("key-value"),
        _ => false,
    }
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
    fn a_guest_is_told_how_the_backend_failed_and_not_where_it_is() {
        let sentence = "Redis at 127.0.0.1:6379 cannot be reached";
        for kind in [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Other] {
            let error = report(CALL, Error::new(kind, sentence));
            assert_eq!(error.kind(), kind);
            assert!(!error.message().contains("Redis") && error.message().contains("\"users\""), "{error}");
        }
        for kind in [ErrorKind::TooLarge, ErrorKind::Invalid, ErrorKind::Denied, ErrorKind::Conflict] {
            assert_eq!(
                report(CALL, Error::new(kind, "the counter is no number")).message(),
                "the counter is no number"
            );
        }
    }
}
