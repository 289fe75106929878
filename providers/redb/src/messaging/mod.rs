//! Topics and groups as tables.
//!
//! A message of a group is either *ready* or *waiting*: leased until a time, or due for its retry then. Several are leased
//! with one durable write. The first is counted with it, since it is handed out at once; each other one when it is handed
//! out, by a write that is on its way before the handler sees it and that nobody waits for. So what a process that dies
//! had fetched and not handed out has no higher count, and stands at the head of the line for the next process, so that a
//! message that kills each of them at once is counted, too.

mod clock;
mod delivery;
mod encoding;
mod leases;
mod member;
mod queues;
mod tables;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{
    Deliveries, Error, Inbox, LocalInboxes, Message, Messaging, QualifiedName, Readiness, ReplyTo, Result, Subscription,
};
use tokio::sync::OnceCell;

pub(crate) use self::encoding::MAX_MESSAGE_BYTES;
use self::{
    encoding::encoded,
    member::Member,
    queues::{Queues, Source},
};
use crate::store::Store;

#[derive(Clone)]
pub(crate) struct Topics {
    queues: Arc<Queues>,
    inboxes: LocalInboxes,
    prepared: Arc<OnceCell<()>>,
}

impl Topics {
    pub(crate) fn new(store: Arc<Store>, location: &str) -> Self {
        Self {
            queues: Arc::new(Queues::new(store, location)),
            inboxes: LocalInboxes::default(),
            prepared: Arc::default(),
        }
    }

    /// Once: a second time it would void the leases that this process has given out.
    pub(crate) async fn prepare(&self, create: bool) -> Result<()> {
        self.prepared.get_or_try_init(|| self.queues.prepare(create)).await.copied()
    }

    pub(crate) async fn inspect(&self, create: bool) -> Result<Readiness> {
        self.queues.inspect(create).await
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let size = message.size();
        if size > MAX_MESSAGE_BYTES {
            return Err(Error::too_large("the message", size as u64, MAX_MESSAGE_BYTES as u64));
        }
        self.queues.publish(topic.encoded(), encoded(&message)).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let mut sources = Vec::with_capacity(subscription.topics.len());
        for topic in &subscription.topics {
            let generation = self.queues.generation();
            let (encoded, group) = (topic.encoded(), subscription.group.clone());
            let id = self.queues.create_group(encoded.clone(), group.clone()).await?;
            sources.push(Source {
                id,
                topic: topic.name.as_str().into(),
                encoded: encoded.into(),
                group: group.into(),
                generation,
            });
        }
        Ok(Member::new(self.queues.clone(), sources, &subscription).deliveries())
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.queues.create_group(topic.encoded(), group.to_owned()).await?;
        Ok(())
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.queues.delete_group(topic.encoded(), group.to_owned()).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        Ok(self.inboxes.open())
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        self.inboxes.send(to, message)
    }
}
