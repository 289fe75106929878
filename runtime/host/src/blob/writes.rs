//! Providers' writes in flight. Each runs in a task of its own that nobody cancels, so that a write whose guest is gone
//! can still clean up.

use std::{sync::Arc, time::Duration};

use slight_capabilities::{ByteStream, Error, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Container, Failure, pipe::Pipe};
use crate::guard;

/// Writes at a time. Bounds what a provider can pile up that does not get done with those that were given up.
const AT_ONCE: usize = 1024;

/// The writes in flight of one app.
pub(crate) struct Writes {
    running: TaskTracker,
    slots: Arc<Semaphore>,
}

impl Default for Writes {
    fn default() -> Self {
        Self { running: TaskTracker::new(), slots: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Writes {
    /// Waits until no write is in flight, for at most `limit`; false when there still is one. To be called at shutdown,
    /// once no instance is left: writes of instances that are gone end by themselves as soon as they have cleaned up.
    pub async fn finish(&self, limit: Duration) -> bool {
        self.running.close();
        let done = timeout(limit, self.running.wait()).await.is_ok();
        if !done {
            let count = self.running.len();
            tracing::warn!(count, "blob writes did not end within {limit:?}; they may leave parts in the backend");
        }
        done
    }

    /// A place for one more write.
    ///
    /// # Errors
    /// `Unavailable` when there is none for `limit`.
    pub(super) async fn slot(&self, limit: Duration) -> Result<OwnedSemaphorePermit> {
        match timeout(limit, self.slots.clone().acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(Error::unavailable(format!("{AT_ONCE} blob writes are in flight, and none ended in {limit:?}"))),
        }
    }

    /// Starts a provider's write of what the pipe holds and gets.
    pub(super) fn start(&self, slot: OwnedSemaphorePermit, write: Write) {
        let running = async move {
            write.run().await;
            drop(slot);
        };
        self.running.spawn(running.in_current_span());
    }
}

/// One write: from a pipe to an object.
pub(super) struct Write {
    pub container: Container,
    pub object: String,
    pub pipe: Arc<Pipe>,
    pub body: ByteStream,
}

impl Write {
    async fn run(self) {
        let Self { container, object, pipe, body } = self;
        let failure = |error| Failure::from(container.about(&object, error));
        let lost = failure(Error::other("the provider stopped without an answer"));
        let unsettled = Unsettled { pipe: &pipe, lost };
        let call = container.call("blob write");
        let result = match container.container.write(&object, body).await {
            Ok(()) if pipe.is_taken() => Ok(()),
            Ok(()) => {
                let error = Error::other("the provider stopped before the end of the body");
                guard::log(call, &error);
                Err(error)
            }
            Err(error) if pipe.is_abandoned() => {
                tracing::debug!(container = &*container.name, object, "an unfinished write was cleaned up");
                Err(error)
            }
            Err(error) => Err(guard::report(call, error)),
        };
        unsettled.pipe.settle(result.map_err(failure));
    }
}

/// Settles the pipe even if the provider panics, so that the guest does not wait for nothing.
struct Unsettled<'a> {
    pipe: &'a Pipe,
    lost: Failure,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        self.pipe.settle(Err(self.lost.clone()));
    }
}
