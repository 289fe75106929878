use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use slight_capabilities::{Deliveries, Error, Inbox, Message, Messaging, QualifiedName, ReplyTo, Result, Subscription};

/// A provider that fails as often as it is told, and then does what the one behind it does.
pub struct Faulty {
    pub behind: Arc<dyn Messaging>,
    pub failing_groups: AtomicU32,
    pub failing_subscribes: AtomicU32,
    /// Streams that give an error, a message at most, and end.
    pub ending_streams: AtomicU32,
    /// Errors that a stream begins with.
    pub queued_errors: AtomicU32,
    pub failing_publishes: AtomicU32,
    pub error: fn() -> Error,
}

impl Faulty {
    pub fn new(behind: &Arc<dyn Messaging>) -> Self {
        Self {
            behind: behind.clone(),
            failing_groups: 0.into(),
            failing_subscribes: 0.into(),
            ending_streams: 0.into(),
            queued_errors: 0.into(),
            failing_publishes: 0.into(),
            error: || Error::unavailable("the backend is away"),
        }
    }

    fn fail(&self, left: &AtomicU32) -> Result<()> {
        let fails = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if fails { Err((self.error)()) } else { Ok(()) }
    }
}

#[async_trait]
impl Messaging for Faulty {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        self.fail(&self.failing_publishes)?;
        self.behind.publish(topic, message).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        self.fail(&self.failing_subscribes)?;
        let deliveries = self.behind.subscribe(subscription).await?;
        let errors: Vec<_> = (0..self.queued_errors.swap(0, Ordering::Relaxed)).map(|_| Err((self.error)())).collect();
        let deliveries = stream::iter(errors).chain(deliveries).boxed();
        match self.fail(&self.ending_streams) {
            Ok(()) => Ok(deliveries),
            Err(error) => Ok(stream::iter([Err(error)]).chain(deliveries.take(1)).boxed()),
        }
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.fail(&self.failing_groups)?;
        self.behind.create_group(topic, group).await
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.behind.delete_group(topic, group).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        self.behind.inbox().await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        self.behind.reply(to, message).await
    }
}
