//! Messages of subscribed topics, each handled by a fresh instance.
//!
//! Providers deliver and redeliver; what is built on that is here, once for all of them: renewing leases, backing off,
//! and giving up on a message by moving it to a dead-letter topic. A message is acknowledged when it was handled, or
//! when its dead-letter topic has it, and not before.

mod dead_letter;
mod delivery;
mod dispatcher;
mod guest;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::join_all;
use slight_capabilities::{Error, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::source::Subscription;
use self::{dispatcher::Dispatcher, guest::Guest, source::Source};
use crate::{instances::Instances, messaging::Message};

/// What messages are handed to.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The right to handle one message.
    type Place: Send + 'static;

    /// Waits for its turn. Until then a message counts as not started, and can be given back.
    fn admit(&self) -> impl Future<Output = Self::Place> + Send;

    /// Handles a message.
    ///
    /// # Errors
    /// That it is not done, as a sentence for the log and the dead-letter topic.
    fn handle(
        self: Arc<Self>,
        place: Self::Place,
        message: Message,
    ) -> impl Future<Output = Result<(), String>> + Send + 'static;
}

/// Hands the messages of subscriptions to a component.
pub(crate) struct MessageServer {
    dispatchers: Vec<Dispatcher<Guest>>,
}

impl MessageServer {
    /// A server for a component that exports a handler.
    ///
    /// # Errors
    /// `Invalid` when it does not, or for a subscription with names that cannot be; `Denied` for one without a route.
    pub fn new(instances: Arc<Instances>, subscriptions: &[Subscription]) -> Result<Self> {
        let shared = instances.shared.clone();
        let guest = Guest::new(instances).map_err(|error| {
            Error::invalid(format!("the component does not export the handler of messages: {error:#}"))
        })?;
        let guest = Arc::new(guest);
        // No more is leased than can be begun: what waits for a place would be counted as delivered, and unseen, when the
        // process is killed.
        let places = (shared.limits.concurrency / subscriptions.len().max(1)).max(1);
        let dispatcher = |subscription: &Subscription| {
            let capacity = subscription.capacity.min(places);
            let source = Source::new(&Subscription { capacity, ..subscription.clone() }, &shared.services)?;
            Ok(Dispatcher::new(source, shared.clone(), guest.clone()))
        };
        Ok(Self { dispatchers: subscriptions.iter().map(dispatcher).collect::<Result<_>>()? })
    }

    /// Tries once to subscribe to everything: what is published after that arrives. What fails is logged, and tried
    /// again by [`serve`](Self::serve).
    pub async fn connect(&mut self) {
        join_all(self.dispatchers.iter_mut().map(Dispatcher::connect)).await;
    }

    /// Receives until `stop`; then begins nothing new, lets running handlers end until `abandon`, and gives back every
    /// message that was not handled.
    pub async fn serve(self, stop: CancellationToken, abandon: CancellationToken) {
        let dispatchers = self.dispatchers.into_iter();
        let mut running: JoinSet<()> = dispatchers.map(|one| one.run(stop.clone(), abandon.clone())).collect();
        while let Some(ended) = running.join_next().await {
            if let Err(error) = ended {
                tracing::error!("a subscription ended early: {error}");
            }
        }
    }
}
