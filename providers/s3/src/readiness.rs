//! That the S3 bucket of a location is there: looked at when the program starts, or where it may be made, by the first use.

use std::sync::atomic::Ordering;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use slight_capabilities::{Capability, Error, Readiness, Result};
use tokio::time::{Instant, timeout_at};

use crate::{
    errors::{Effect, Failure},
    store::{Store, ask},
};

/// The region whose buckets are made without saying so.
const FIRST_REGION: &str = "us-east-1";

impl Store {
    /// Asks for any one key, so that the bucket, the credentials and the region are known to be good.
    pub(crate) async fn check(&self) -> Result<(), Failure> {
        self.check_by(self.deadline()).await
    }

    async fn check_by(&self, deadline: Instant) -> Result<(), Failure> {
        let list = self.client.list_objects_v2().bucket(self.bucket()).prefix(&self.location.prefix).max_keys(1);
        ask(deadline, list.send()).await.map(drop)
    }

    /// Says whether the location is there, or its bucket would be made.
    pub(crate) async fn inspect(&self, capability: Capability) -> Result<Readiness> {
        let (bucket, what) = (self.bucket(), capability.name());
        match self.check().await {
            Err(failure) if failure.is_no_bucket() && self.create => {
                Ok(Readiness::ToBeCreated(format!("the S3 bucket {bucket}")))
            }
            Err(failure) if failure.is_no_bucket() => Err(Error::not_found(format!(
                "the S3 bucket {bucket:?} ({what}.location) does not exist: create it, or set {what}.create = true"
            ))),
            checked => checked.map(|()| Readiness::Ready).map_err(|failure| self.error(failure, Effect::None)),
        }
    }

    /// Checks the location, and makes its bucket if it is missing and may be made.
    pub(crate) async fn prepare(&self, capability: Capability) -> Result<()> {
        match self.inspect(capability).await? {
            Readiness::Ready => {}
            Readiness::ToBeCreated(_) => drop(self.make(self.deadline()).await?),
        }
        // Another preparation may have been faster.
        self.ready.set(()).ok();
        Ok(())
    }

    /// Whether nobody has seen the bucket yet, and its first use makes it if it is missing.
    pub(crate) fn is_to_be_made(&self) -> bool {
        self.create && !self.ready.initialized()
    }

    /// Makes the bucket, if it may be made and is missing, before the first use: until that has come out well once.
    pub(crate) async fn ready(&self, deadline: Instant) -> Result<()> {
        if self.gone.swap(false, Ordering::SeqCst) {
            self.make_again(deadline).await?;
        }
        if !self.is_to_be_made() {
            return Ok(());
        }
        let made = timeout_at(deadline, self.ready.get_or_try_init(|| self.found_or_made(deadline))).await;
        made.map_err(|_| self.error(Failure::late(), Effect::None))?.copied()
    }

    async fn found_or_made(&self, deadline: Instant) -> Result<()> {
        match self.check_by(deadline).await {
            Err(failure) if failure.is_no_bucket() => self.make(deadline).await.map(drop),
            checked => checked.map_err(|failure| self.error(failure, Effect::None)),
        }
    }

    async fn make_again(&self, deadline: Instant) -> Result<()> {
        match self.make(deadline).await {
            Ok(true) => {
                let bucket = self.bucket();
                tracing::warn!(
                    "the S3 bucket {bucket:?} had been deleted with all that was in it; it was made again, empty"
                );
                Ok(())
            }
            // Another process was faster, and has said so.
            Ok(false) => Ok(()),
            Err(error) => {
                self.gone.store(true, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    /// False if another process was faster.
    async fn make(&self, deadline: Instant) -> Result<bool> {
        let elsewhere = (self.region != FIRST_REGION).then(|| {
            let region = BucketLocationConstraint::from(self.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let create = self.client.create_bucket().bucket(self.bucket()).set_create_bucket_configuration(elsewhere);
        let failure = match ask(deadline, create.send()).await {
            Ok(_) => return Ok(true),
            Err(failure) if failure.is_bucket_there() => failure,
            Err(failure) => return Err(self.error(failure, Effect::None)),
        };
        // Another process was faster, or is at it; or the bucket is somebody else's.
        match self.check_by(deadline).await {
            Ok(()) => Ok(false),
            Err(_) if failure.is_bucket_of_others() => Err(Error::denied(format!(
                "the S3 bucket {:?} belongs to somebody else: choose another name",
                self.bucket()
            ))),
            Err(failure) => Err(self.error(failure, Effect::None)),
        }
    }
}
