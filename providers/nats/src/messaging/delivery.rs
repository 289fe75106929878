use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use slight_capabilities::{Delivery, Error, Message, Outcome, Result, retry_wait};
use slight_handover::{Leased, Room};
use tokio::{runtime::Handle, time::Instant};

use super::{
    group::{Group, LEASE},
    uncounted::Uncounted,
};
use crate::{
    call::Call,
    link::{Link, Lost},
    pull::Place,
};

/// One message that is leased to this process.
pub(super) struct NatsDelivery {
    pub(super) link: Link,
    pub(super) group: Arc<Group>,
    /// Where what becomes of it is told.
    pub(super) reply: String,
    pub(super) place: Place,
    /// How many of its deliveries nobody took.
    pub(super) not_counted: u32,
    pub(super) uncounted: Arc<Uncounted>,
    pub(super) message: Message,
    pub(super) visibility: Duration,
    /// When the lease is over, by our clock.
    pub(super) ends: Instant,
    /// The room that it takes up in the subscription.
    pub(super) room: Option<Room>,
    /// Whether the server's count of this delivery is right, or was written down as wrong.
    pub(super) is_accounted: bool,
}

impl NatsDelivery {
    /// Asks for a lease of another length than the server gives by itself. Where this is lost, the message comes again
    /// after that.
    pub(super) async fn lease(&self) -> Result<()> {
        if self.visibility == LEASE {
            return Ok(());
        }
        self.link.tell(self.call(postponed(self.visibility))).await
    }

    /// Takes note of deliveries that nobody took: only one that has come before has any.
    pub(super) async fn subtract(&mut self) -> Result<()> {
        if self.place.delivered > 1 {
            self.not_counted = self.uncounted.of(&self.record()).await?;
        }
        Ok(())
    }

    fn record(&self) -> String {
        let Place { sequence, time, .. } = self.place;
        format!("{}.{sequence}.{time}", self.group.consumer)
    }

    /// Gives the message to whoever asks next, with the count that it had. That is written down first: it comes at once.
    async fn release(&self) -> Result<()> {
        self.uncounted.add(&self.record()).await;
        // Somebody else may have it, who must not lose it.
        if self.is_over() { Err(self.lost()) } else { self.tell(postponed(Duration::ZERO)).await.map(drop) }
    }

    fn call(&self, said: Bytes) -> Call {
        Call { subject: self.reply.clone(), headers: None, payload: said }
    }

    /// Tells what becomes of the message; false where the group is no more.
    async fn tell(&self, said: Bytes) -> Result<bool> {
        Ok(self.link.ask(&self.call(said), Lost::SendAgain).await?.is_some())
    }

    fn lost(&self) -> Error {
        Error::conflict(format!("the lease on a message of topic {:?} has ended", self.group.topic_name))
    }
}

#[async_trait]
impl Leased for NatsDelivery {
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    async fn give_back(mut self) {
        self.is_accounted = true;
        // Where this fails, the lease ends by itself.
        let _ = self.release().await;
    }

    fn taken(&mut self) {
        self.is_accounted = true;
    }
}

impl Drop for NatsDelivery {
    /// Takes note of a delivery whose lease has ended before anybody took it.
    fn drop(&mut self) {
        let (false, Ok(runtime)) = (self.is_accounted, Handle::try_current()) else { return };
        let (uncounted, record, room) = (self.uncounted.clone(), self.record(), self.room.take());
        runtime.spawn(async move {
            uncounted.add(&record).await;
            // It may come to this member again, not before.
            drop(room);
        });
    }
}

#[async_trait]
impl Delivery for NatsDelivery {
    fn topic(&self) -> &str {
        &self.group.topic_name
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.place.delivered.saturating_sub(self.not_counted).max(1)
    }

    async fn extend(&mut self) -> Result<()> {
        if self.is_over() {
            return Err(self.lost());
        }
        let asked = Instant::now();
        if !self.tell(postponed(self.visibility)).await? {
            return Err(self.lost());
        }
        self.ends = asked + self.visibility;
        Ok(())
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        match outcome {
            // It takes effect also where the lease has ended: then nobody needs to do it once more.
            Outcome::Ack => {
                self.tell(Bytes::from_static(b"+ACK")).await?;
                if self.not_counted > 0 {
                    self.uncounted.forget(&self.record()).await;
                }
                Ok(())
            }
            Outcome::Release => self.release().await,
            // The message may be with somebody else, who must not lose it.
            Outcome::Retry { .. } if self.is_over() => Err(self.lost()),
            Outcome::Retry { after } => self.tell(postponed(retry_wait(after))).await.map(drop),
        }
    }
}

/// What makes the server deliver a message again after `time`, and not before, unless it is acknowledged until then. The
/// server's own way to prolong a lease knows one length for all.
fn postponed(time: Duration) -> Bytes {
    if time.is_zero() {
        return Bytes::from_static(b"-NAK");
    }
    // The server calculates in 63 bits.
    const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
    format!("-NAK {{\"delay\":{}}}", time.min(FAR).as_nanos()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postponing_is_said_in_nanoseconds_that_the_server_can_hold() {
        assert_eq!(postponed(Duration::ZERO), "-NAK");
        assert_eq!(postponed(Duration::from_secs(2)), "-NAK {\"delay\":2000000000}");
        assert_eq!(postponed(Duration::MAX), "-NAK {\"delay\":31536000000000000}");
    }
}
