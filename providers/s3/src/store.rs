use std::{
    error::Error as StdError,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_sdk_s3::{
    Client,
    config::{self, http::HttpResponse, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use slight_capabilities::{Error, Result};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

use crate::{
    errors::{Effect, Failure},
    location::Location,
    pause::Pause,
    site::Site,
};

/// So many bytes of a request make its time limit a second longer.
const BYTES_A_SECOND: u64 = 128 * 1024;

/// A location, and how to reach it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) client: Client,
    pub(crate) region: String,
    pub(crate) site: Arc<Site>,
    pub(crate) timeout: Duration,
    pub(crate) location: Location,
    /// Whether the S3 bucket is made if it is missing.
    pub(crate) create: bool,
    /// Set once the location is known to be there.
    pub(crate) ready: OnceCell<()>,
    /// The bucket was there and has gone: the next use makes it again.
    pub(crate) gone: Arc<AtomicBool>,
}

impl Store {
    /// The same S3 elsewhere.
    pub(crate) fn at(&self, location: Location, create: bool) -> Self {
        Self { location, create, ready: OnceCell::new(), gone: Arc::default(), ..self.clone() }
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.location.bucket
    }

    /// By when a call that begins now is over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline_with(0)
    }

    /// By when a request with so many bytes that begins now is over.
    pub(crate) fn deadline_with(&self, bytes: u64) -> Instant {
        Instant::now() + self.timeout + Duration::from_secs(bytes / BYTES_A_SECOND)
    }

    /// Says what a failure of this location means, of a request that has this effect.
    pub(crate) fn error(&self, failure: Failure, effect: Effect) -> Error {
        if self.create && failure.is_no_bucket() {
            self.gone.store(true, Ordering::SeqCst);
            return Error::unavailable(format!(
                "the S3 bucket {:?} has been deleted; the next call makes it again, empty",
                self.bucket()
            ));
        }
        failure.into_error(&self.site, self.bucket(), effect)
    }
}

/// Sends a request and waits for its answer until the deadline.
pub(crate) async fn ask<T, E>(
    deadline: Instant,
    request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match timeout_at(deadline, request).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::late()),
    }
}

/// Sends a request that must not take effect twice: `send` sends it with [`once`]. An answer that asks for fewer requests
/// is the only one after which it is sent again, since then it was certainly not done.
pub(crate) async fn ask_once<T, E, Request>(deadline: Instant, mut send: impl FnMut() -> Request) -> Result<T, Failure>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    Request: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut pause = Pause::default();
    // So that the last one has time for its answer: else it would end with an outcome that nobody knows.
    let last = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
    loop {
        match ask(deadline, send()).await {
            Err(failure) if failure.is_throttled() && pause.wait(last).await => {}
            answer => return answer,
        }
    }
}

/// For a single request: the client does not send it again.
pub(crate) fn once() -> config::Builder {
    config::Builder::new().retry_config(RetryConfig::disabled())
}
