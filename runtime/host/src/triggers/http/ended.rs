use std::{fmt, time::Duration};

use http::Response;
use wasmtime_wasi_http::WasiBody;

use super::answer;
use crate::{deadlines::Deadline, instances::Instances, repeats::once_a_second};

/// Why a request has no response, or not a whole one.
#[derive(Debug)]
pub(super) enum Ended {
    /// The host was told to stop, and the time to drain is over.
    Drained(Duration),
    /// The time of the invocation is over.
    TimedOut(Duration),
    /// The time of the invocation is over, and the client had not sent all of the request.
    Stalled(Duration),
    /// It failed, as the text says, after the process had no memory left for it.
    CrowdedOut(String, Option<u64>),
    /// Anything else, in words; and the instance that failed, if there was one.
    Failed(String, Option<u64>),
}

impl Ended {
    /// `failed` says what is known of an end of `instance` that neither limit brought about.
    pub fn new(
        instances: &Instances,
        deadline: &Deadline,
        instance: Option<u64>,
        failed: impl FnOnce() -> String,
    ) -> Self {
        let limits = &instances.shared.limits;
        if instances.abandon.is_cancelled() {
            Self::Drained(limits.drain_timeout)
        } else if deadline.is_past() {
            Self::TimedOut(limits.timeout)
        } else {
            Self::Failed(failed(), instance)
        }
    }

    /// The same where the guest was waiting for the client.
    pub fn of_client(self) -> Self {
        if let Self::TimedOut(timeout) = self { Self::Stalled(timeout) } else { self }
    }

    /// The same where the instance was refused memory for the sake of others.
    pub fn of_crowded_out(self) -> Self {
        if let Self::Failed(why, instance) = self { Self::CrowdedOut(why, instance) } else { self }
    }

    /// The answer of a request that has none yet, with its line in the log.
    pub fn answer(&self, request: &str) -> Response<WasiBody> {
        let response = match self {
            Self::Drained(_) => answer::stopping(),
            Self::TimedOut(timeout) => answer::timed_out(*timeout),
            Self::Stalled(timeout) => answer::too_slow(*timeout),
            Self::CrowdedOut(..) => answer::no_memory(),
            Self::Failed(..) => answer::failed(),
        };
        self.log(&format!("{request} was answered with {}", response.status().as_u16()));
        response
    }

    /// Logs that a response that had begun ends before its end.
    pub fn log_cut(&self, request: &str) {
        self.log(&format!("the response to {request} was cut off"));
    }

    fn log(&self, what: &str) {
        once_a_second(what, |unsaid| match self {
            Self::Failed(_, instance) => tracing::error!(instance, "{what}: {self}{unsaid}"),
            Self::CrowdedOut(_, instance) => tracing::warn!(instance, "{what}: {self}{unsaid}"),
            Self::Drained(_) | Self::TimedOut(_) | Self::Stalled(_) => tracing::warn!("{what}: {self}{unsaid}"),
        });
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained(limit) => {
                write!(f, "the host is being stopped, and it did not end within limits.drain-timeout ({limit:?})")
            }
            Self::TimedOut(limit) => write!(f, "it did not end within limits.timeout ({limit:?})"),
            Self::Stalled(limit) => write!(f, "its body did not arrive within limits.timeout ({limit:?})"),
            Self::CrowdedOut(why, _) => write!(f, "there was no memory left for it (limits.total-memory): {why}"),
            Self::Failed(why, _) => f.write_str(why),
        }
    }
}
