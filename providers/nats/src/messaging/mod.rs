mod delivery;
mod envelope;
mod group;
mod inbox;
mod member;

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::stream::{Config, RetentionPolicy};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use slight_capabilities::{
    Deliveries, Inbox, Message, Messaging, QualifiedName, Readiness, ReplyTo, Result, Subscription,
};
use slight_handover::handover;

use self::{group::Group, member::Member};
use crate::{
    call::{Call, unique},
    link::{Link, Lost},
    location::{Location, config},
    settings::MessagingSettings,
    stream::Stream,
};

/// By this the server knows a message that is sent again.
const ID: &str = "Nats-Msg-Id";

/// All topics in one stream, with a durable consumer for each group, and inboxes beside it.
///
/// The stream keeps a message until every consumer of its subject has acknowledged it.
pub(crate) struct Topics {
    location: Location,
    name: String,
}

impl Topics {
    pub(crate) fn new(link: &Link, settings: MessagingSettings) -> Self {
        let MessagingSettings { location: name, create, replicas, storage, max_bytes, max_age_seconds } = settings;
        let config = Config {
            retention: RetentionPolicy::Interest,
            max_age: Duration::from_secs(max_age_seconds.unwrap_or_default()),
            ..config(name.clone(), vec![format!("{name}.>")], storage, replicas, max_bytes)
        };
        Self { location: Location::new(link, "messaging", config, create), name }
    }

    pub(crate) async fn prepare(&self) -> Result<()> {
        self.location.ready().await.map(drop)
    }

    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        self.location.inspect().await
    }

    async fn made(&self, stream: &Stream, topic: &QualifiedName, group: &str) -> Result<Arc<Group>> {
        let group = Group::new(&self.name, topic, group);
        self.location.note(group.make(stream).await)?;
        Ok(Arc::new(group))
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let stream = self.location.ready().await?;
        let (mut headers, payload) = envelope::write(message);
        headers.insert(ID, unique());
        let call = Call { subject: group::subject(&self.name, topic), headers: Some(headers), payload };
        let limit = stream.link.max_payload().await?;
        if call.size() > limit {
            return Err(call.too_large(limit));
        }
        self.location.note(stream.publish(&call, Lost::SendAgain).await).map(drop)
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let stream = self.location.ready().await?;
        let Subscription { topics, group, capacity, visibility } = &subscription;
        let groups = try_join_all(topics.iter().map(|topic| self.made(stream, topic, group))).await?;
        let crowded = groups.len() > *capacity;
        let (outlet, deliveries) = handover(*capacity);
        for group in groups {
            let (stream, outlet) = (stream.clone(), outlet.clone());
            tokio::spawn(Member { stream, group, visibility: *visibility, crowded, outlet }.run());
        }
        Ok(deliveries)
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.made(self.location.ready().await?, topic, group).await.map(drop)
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let stream = self.location.ready().await?;
        stream.delete_consumer(&Group::new(&self.name, topic, group).consumer).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        inbox::open(&self.location.stream.link, &self.name).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        inbox::reply(&self.location.stream.link, &self.name, to, message).await
    }
}
