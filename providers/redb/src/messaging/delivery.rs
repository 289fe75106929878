use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use slight_capabilities::{Delivery, Error, Message, Outcome, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::{queues::Queues, tables::Waiting};

/// A message with its holder.
pub(super) struct RedbDelivery {
    pub(super) queues: Arc<Queues>,
    pub(super) topic: Arc<str>,
    pub(super) ticket: Waiting,
    pub(super) count: u32,
    pub(super) message: Message,
    pub(super) visibility: Duration,
    /// The room that it takes of its subscriber's, as long as it lives.
    pub(super) _room: OwnedSemaphorePermit,
}

impl RedbDelivery {
    fn lost(&self) -> Error {
        Error::conflict(format!("the lease on a message of topic {:?} has ended", self.topic))
    }
}

#[async_trait]
impl Delivery for RedbDelivery {
    fn topic(&self) -> &str {
        &self.topic
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.count
    }

    async fn extend(&mut self) -> Result<()> {
        self.ticket = self.queues.extend(self.ticket, self.visibility).await?.ok_or_else(|| self.lost())?;
        Ok(())
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        if self.queues.settle(self.ticket, outcome).await? { Ok(()) } else { Err(self.lost()) }
    }
}
