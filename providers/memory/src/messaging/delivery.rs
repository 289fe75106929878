use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use slight_capabilities::{Delivery, Error, Message, Outcome, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::group::{Group, Leased};

/// A leased message. Dropped unsettled, it is ready again when the lease ends.
pub(super) struct MemoryDelivery {
    group: Arc<Group>,
    topic: Arc<str>,
    leased: Leased,
    visibility: Duration,
    /// The room that it takes at its subscriber.
    _room: OwnedSemaphorePermit,
}

impl MemoryDelivery {
    pub(super) fn new(
        group: Arc<Group>,
        topic: Arc<str>,
        leased: Leased,
        visibility: Duration,
        room: OwnedSemaphorePermit,
    ) -> Self {
        Self { group, topic, leased, visibility, _room: room }
    }

    fn lost(&self) -> Error {
        Error::conflict(format!("the lease on a message of topic {:?} has ended", self.topic))
    }
}

#[async_trait]
impl Delivery for MemoryDelivery {
    fn topic(&self) -> &str {
        &self.topic
    }

    fn message(&self) -> &Message {
        &self.leased.message
    }

    fn count(&self) -> u32 {
        self.leased.count
    }

    async fn extend(&mut self) -> Result<()> {
        let ticket = self.group.extend(self.leased.ticket, self.visibility);
        self.leased.ticket = ticket.ok_or_else(|| self.lost())?;
        Ok(())
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        if self.group.settle(self.leased.ticket, outcome) { Ok(()) } else { Err(self.lost()) }
    }
}
