mod alarm;
mod delivery;
mod envelope;
mod inbox;
mod keys;
mod member;
mod scripts;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;
use slight_capabilities::{Deliveries, Inbox, Message, Messaging, QualifiedName, ReplyTo, Result, Subscription};
use slight_handover::handover;

pub(crate) use self::envelope::MAX_MESSAGE_BYTES;
use self::{
    keys::{GroupKeys, TopicKeys},
    member::Member,
};
use crate::{
    link::{Link, Lost},
    script::Call,
    settings::MessagingSettings,
};

/// All topics and inboxes below one location.
///
/// A topic is a stream with a consumer group for each group. Beside the group's list of pending entries, which knows
/// neither times to come nor who may still acknowledge, are a sorted set of due times and the counts of deliveries.
pub(crate) struct Topics {
    link: Link,
    location: String,
    max_length: String,
}

impl Topics {
    pub(crate) fn new(link: Link, settings: MessagingSettings) -> Self {
        let max_length = settings.max_length.map_or_else(String::new, |length| length.to_string());
        Self { link, location: settings.location, max_length }
    }

    async fn made(&self, topic: &QualifiedName, group: &str) -> Result<Arc<GroupKeys>> {
        let keys = GroupKeys::new(&self.location, topic, group);
        keys.run::<()>(&self.link, &scripts::CREATE_GROUP, &[], Lost::SendAgain).await?;
        Ok(Arc::new(keys))
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let keys = TopicKeys::new(&self.location, topic);
        let fields = envelope::write(message)?;
        let arguments: Vec<&[u8]> = [keys.wakes.as_bytes(), self.max_length.as_bytes()]
            .into_iter()
            .chain(fields.iter().map(Bytes::as_ref))
            .collect();
        let call = Call { keys: &[keys.stream.as_bytes(), keys.groups.as_bytes()], arguments: &arguments };
        self.link.script(&scripts::PUBLISH, call, Lost::Report).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let Subscription { topics, group, capacity, visibility } = &subscription;
        let sources = try_join_all(topics.iter().map(|topic| self.made(topic, group))).await?;
        let (outlet, deliveries) = handover(*capacity);
        tokio::spawn(Member::new(self.link.clone(), sources, *visibility, outlet).run());
        Ok(deliveries)
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.made(topic, group).await.map(drop)
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let keys = GroupKeys::new(&self.location, topic, group);
        keys.run(&self.link, &scripts::DELETE_GROUP, &[], Lost::SendAgain).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        inbox::open(&self.link, &self.location).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        inbox::reply(&self.link, &self.location, to, message).await
    }
}
