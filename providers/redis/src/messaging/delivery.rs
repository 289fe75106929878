use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use slight_capabilities::{Delivery, Error, Message, Outcome, Result, retry_wait};
use slight_handover::{Leased, Room};
use tokio::time::Instant;

use super::{counting::Counting, keys::GroupKeys, scripts};
use crate::link::Link;

/// One message that is leased to this process.
pub(super) struct RedisDelivery {
    pub(super) link: Link,
    pub(super) keys: Arc<GroupKeys>,
    pub(super) id: String,
    /// Tells this lease from all others of the message.
    pub(super) token: Arc<str>,
    /// This delivery among them.
    pub(super) count: u32,
    pub(super) message: Message,
    pub(super) visibility: Duration,
    /// When the lease is over, by our clock; not before it is by the server's, as far as both run at the same speed.
    pub(super) ends: Instant,
    pub(super) counting: Counting,
    /// The room that it takes up in the subscription.
    pub(super) _room: Room,
}

impl RedisDelivery {
    /// Gives the message back, to come again after a while.
    async fn postpone(&self, by: Duration, count: u32) -> Result<()> {
        self.run(&scripts::POSTPONE, &[&milliseconds(by), &count.to_string()]).await
    }

    async fn run(&self, script: &crate::script::Script, arguments: &[&str]) -> Result<()> {
        let arguments: Vec<_> = [self.id.as_str(), &*self.token].iter().chain(arguments).copied().collect();
        let held: bool = self.keys.run(&self.link, script, &arguments).await?;
        if held { Ok(()) } else { Err(self.lost()) }
    }

    fn lost(&self) -> Error {
        Error::conflict(format!("the lease on a message of topic {:?} has ended", self.keys.topic.name))
    }
}

#[async_trait]
impl Leased for RedisDelivery {
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    fn taken(&mut self) {
        self.counting.taken(&self.keys, &self.id, &self.token, self.count);
    }

    async fn give_back(self) {
        // Where this fails, the lease ends by itself.
        let _ = self.postpone(Duration::ZERO, self.count.saturating_sub(1)).await;
    }
}

#[async_trait]
impl Delivery for RedisDelivery {
    fn topic(&self) -> &str {
        &self.keys.topic.name
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.count
    }

    async fn extend(&mut self) -> Result<()> {
        let (lease, count) = (milliseconds(self.visibility), self.count.to_string());
        self.run(&scripts::POSTPONE, &[&lease, &count, &self.token]).await
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Ack => self.run(&scripts::ACK, &[]).await,
            Outcome::Release => self.postpone(Duration::ZERO, self.count.saturating_sub(1)).await,
            Outcome::Retry { after } => self.postpone(retry_wait(after), self.count).await,
        }
    }
}

/// Milliseconds as the scripts take them: never 0 for a time that is not.
pub(super) fn milliseconds(time: Duration) -> String {
    time.as_nanos().div_ceil(1_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_rounded_up() {
        assert_eq!(milliseconds(Duration::ZERO), "0");
        assert_eq!(milliseconds(Duration::from_nanos(1)), "1");
        assert_eq!(milliseconds(Duration::from_millis(2500)), "2500");
    }
}
