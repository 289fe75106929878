mod alarm;
mod counting;
mod delivery;
mod envelope;
mod inbox;
mod keys;
mod member;
mod scripts;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;
use slight_capabilities::{Deliveries, Inbox, Message, Messaging, QualifiedName, ReplyTo, Result, Subscription};
use slight_handover::Subscriptions;
use tokio_util::sync::CancellationToken;

pub(crate) use self::envelope::MAX_MESSAGE_BYTES;
use self::{
    keys::{GroupKeys, TopicKeys},
    member::Member,
    server::Server,
};
use crate::{
    link::{Link, Lost},
    script::Script,
    settings::MessagingSettings,
};

/// All topics and inboxes below one location.
///
/// A topic is a stream with a consumer group for each group. Beside the group's list of pending entries, which knows
/// neither times to come nor who may still acknowledge, are a sorted set of due times and the counts of deliveries.
pub(crate) struct Topics {
    server: Arc<Server>,
    location: String,
    max_length: String,
    subscriptions: Subscriptions,
}

impl Topics {
    pub(crate) fn new(link: Link, settings: MessagingSettings) -> Self {
        let max_length = settings.max_length.map_or_else(String::new, |length| length.to_string());
        Self {
            server: Arc::new(Server::new(link)),
            location: settings.location,
            max_length,
            subscriptions: Subscriptions::default(),
        }
    }

    async fn made(&self, topic: &QualifiedName, group: &str) -> Result<Arc<GroupKeys>> {
        let keys = GroupKeys::new(&self.location, topic, group);
        self.run(&scripts::CREATE_GROUP, &keys, &[group]).await?;
        Ok(Arc::new(keys))
    }

    async fn run(&self, script: &Script, keys: &GroupKeys, arguments: &[&str]) -> Result<()> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        self.server.run(script, &keys.topic, &keys.all(), &arguments, Lost::SendAgain).await
    }

    /// Waits until what nobody saw is given back.
    pub(crate) async fn close(&self) {
        self.subscriptions.given_back().await;
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let topic = TopicKeys::new(&self.location, topic);
        let fields = envelope::write(message)?;
        let arguments: Vec<&[u8]> =
            std::iter::once(self.max_length.as_bytes()).chain(fields.iter().map(Bytes::as_ref)).collect();
        let keys = [topic.stream.as_str(), &topic.groups, &topic.epoch];
        self.server.run(&scripts::PUBLISH, &topic, &keys, &arguments, Lost::Report).await
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let Subscription { topics, group, capacity, visibility } = &subscription;
        let sources = try_join_all(topics.iter().map(|topic| self.made(topic, group))).await?;
        let (outlet, deliveries) = self.subscriptions.open(*capacity);
        // On a cluster each topic has a member of its own: a node that is down holds up nobody else.
        let each = if self.server.link.is_cluster() { 1 } else { sources.len().max(1) };
        let ended = CancellationToken::new();
        for sources in sources.chunks(each) {
            let (server, outlet, ended) = (self.server.clone(), outlet.clone(), ended.clone());
            tokio::spawn(Member::new(server, sources.to_vec(), *visibility, outlet, ended).run());
        }
        Ok(deliveries)
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.made(topic, group).await.map(drop)
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let keys = GroupKeys::new(&self.location, topic, group);
        self.run(&scripts::DELETE_GROUP, &keys, &[group, &server::DELETED.as_millis().to_string()]).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        inbox::open(&self.server.link, &self.location).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        inbox::reply(&self.server.link, &self.location, to, message).await
    }
}
