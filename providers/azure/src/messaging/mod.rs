mod delivery;
mod envelope;
mod groups;
mod inbox;
mod member;
mod post;
mod queues;
mod received;
mod records;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use slight_capabilities::{
    Deliveries, Error, Inbox, Message, Messaging, QualifiedName, Readiness, ReplyTo, Result, Subscription,
};
use slight_handover::Subscriptions;
use tokio::sync::Notify;

use self::{
    delivery::Source,
    groups::Groups,
    member::Member,
    post::{Post, Sent},
};
use crate::{link::Link, location::Location, settings::MessagingSettings};

pub(crate) use self::{post::MAX_MESSAGE_BYTES, queues::MAX_PREFIX};

/// How long a message waits in its queue: Azure's word for ever.
const FOR_EVER: i32 = -1;

/// All topics and inboxes below one location.
///
/// A group of a topic is a queue, and a topic is no more than the queues of its groups: a publication goes into each.
pub(crate) struct Topics {
    post: Arc<Post>,
    groups: Arc<Groups>,
    /// Tells inboxes that a request went out.
    sent: Arc<Notify>,
    subscriptions: Subscriptions,
}

impl Topics {
    pub(crate) fn new(link: Arc<Link>, settings: &MessagingSettings) -> Self {
        let location = Location::new(link.clone(), &settings.location, settings.create);
        let post = Arc::new(Post { link, location });
        let groups = Arc::new(Groups::new(post.clone(), settings.group_cache));
        Self { groups, post, sent: Arc::default(), subscriptions: Subscriptions::default() }
    }

    pub(crate) fn location(&self) -> &Location {
        &self.post.location
    }

    /// Checks that the container is there, and that the queues can be asked.
    pub(crate) async fn prepare(&self) -> Result<()> {
        self.post.location.prepare().await?;
        self.groups.check().await
    }

    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        let readiness = self.post.location.inspect().await?;
        self.groups.check().await.map(|()| readiness)
    }

    async fn made(&self, topic: &QualifiedName, group: &str) -> Result<Arc<Source>> {
        let name = self.groups.create(topic, group).await?;
        Ok(Arc::new(Source { topic: topic.clone(), group: group.to_owned(), queue: self.post.queue(&name)?, name }))
    }

    /// Sends to one group. Where its queue has vanished, although nobody deleted the group, it is made again first.
    async fn send(&self, topic: &QualifiedName, queue: &str, envelope: &Bytes) -> Result<()> {
        if let Sent::Taken = self.post.send(queue, envelope, FOR_EVER).await? {
            return Ok(());
        }
        if !self.groups.restore(topic, queue, None).await? {
            return Ok(());
        }
        match self.post.send(queue, envelope, FOR_EVER).await? {
            Sent::Taken => Ok(()),
            Sent::NoQueue => Err(Error::unavailable(format!(
                "the queue {queue:?} of topic {:?} is deleted by somebody else again and again",
                topic.name
            ))),
        }
    }

    /// Waits until what nobody saw is given back.
    pub(crate) async fn close(&self) {
        self.subscriptions.given_back().await;
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let is_request = message.reply_to.is_some();
        let envelope = post::pack(message)?;
        let queues = self.groups.of(topic).await?;
        // All of them, also when one fails: a group is not to suffer for another. One that was deleted wants nothing.
        let sent = join_all(queues.iter().map(|queue| self.send(topic, queue, &envelope))).await;
        if is_request {
            self.sent.notify_waiters();
        }
        sent.into_iter().collect()
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let Subscription { topics, group, capacity, visibility } = &subscription;
        let sources = try_join_all(topics.iter().map(|topic| self.made(topic, group))).await?;
        let (outlet, deliveries) = self.subscriptions.open(*capacity);
        tokio::spawn(Member::new(self.post.clone(), self.groups.clone(), sources, *visibility, outlet).run());
        Ok(deliveries)
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.groups.create(topic, group).await.map(drop)
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.groups.delete(topic, group).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        inbox::open(&self.post, self.sent.clone()).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        inbox::reply(&self.post, to, message).await
    }
}
