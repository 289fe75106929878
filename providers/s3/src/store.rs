use std::{error::Error as StdError, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{self, http::HttpResponse, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::{BucketLocationConstraint, CreateBucketConfiguration},
};
use slight_capabilities::{Error, Readiness, Result};
use tokio::time::{Instant, timeout_at};

use crate::{errors::Failure, location::Location, pause::Pause};

/// So many bytes of a request make its time limit a second longer.
const BYTES_A_SECOND: u64 = 128 * 1024;

/// The region whose buckets are made without saying so.
const FIRST_REGION: &str = "us-east-1";

/// A location, and how to reach it.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) client: Client,
    pub(crate) region: String,
    pub(crate) timeout: Duration,
    pub(crate) location: Location,
}

impl Store {
    /// The same S3 elsewhere.
    pub(crate) fn at(&self, location: Location) -> Self {
        Self { location, ..self.clone() }
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

    /// Says what a failure of this location means. With `repeatable`, a second attempt would have done no harm.
    pub(crate) fn error(&self, failure: Failure, repeatable: bool) -> Error {
        failure.into_error(self.bucket(), repeatable)
    }

    /// Asks for any one key, so that the bucket, the credentials and the region are known to be good.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        let list = self.client.list_objects_v2().bucket(self.bucket()).prefix(&self.location.prefix).max_keys(1);
        ask(self.deadline(), list.send()).await.map(drop)
    }

    /// Says whether the location, named by the setting `what`, is there, or its bucket would be made.
    pub(crate) async fn inspect(&self, what: &str, create: bool) -> Result<Readiness> {
        let bucket = self.bucket();
        match self.check().await {
            Err(failure) if failure.is_no_bucket() && create => {
                Ok(Readiness::ToBeCreated(format!("the S3 bucket {bucket}")))
            }
            Err(failure) if failure.is_no_bucket() => Err(Error::not_found(format!(
                "the S3 bucket {bucket:?} ({what}.location) does not exist: create it, or set {what}.create = true"
            ))),
            checked => checked.map(|()| Readiness::Ready).map_err(|failure| self.error(failure, true)),
        }
    }

    /// Checks the location, named by the setting `what`, and makes its bucket if it is missing and may be made.
    pub(crate) async fn prepare(&self, what: &str, create: bool) -> Result<()> {
        match self.inspect(what, create).await? {
            Readiness::Ready => Ok(()),
            Readiness::ToBeCreated(_) => self.create().await,
        }
    }

    async fn create(&self) -> Result<()> {
        let elsewhere = (self.region != FIRST_REGION).then(|| {
            let region = BucketLocationConstraint::from(self.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let create = self.client.create_bucket().bucket(self.bucket()).set_create_bucket_configuration(elsewhere);
        match ask(self.deadline(), create.send()).await {
            Err(failure) if failure.is_bucket_of_others() => Err(Error::denied(format!(
                "the S3 bucket {:?} belongs to somebody else: choose another name",
                self.bucket()
            ))),
            // Another process was faster, or is at it.
            Err(failure) if failure.is_conflict() => self.check().await.map_err(|failure| self.error(failure, true)),
            created => created.map(drop).map_err(|failure| self.error(failure, true)),
        }
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
