mod delivery;
mod envelope;
mod group;
mod groups;
mod inbox;
mod member;
mod uncounted;

use std::{sync::Arc, time::Duration};

use async_nats::{
    HeaderValue,
    jetstream::stream::{Config, RetentionPolicy},
};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use slight_capabilities::{
    Deliveries, Error, ErrorKind, Inbox, Message, Messaging, QualifiedName, Readiness, ReplyTo, Result, Subscription,
};
use slight_handover::Subscriptions;

use self::{group::Group, groups::Groups, member::Member, uncounted::Uncounted};
use crate::{
    call::{Call, unique},
    link::{Link, Lost},
    location::{Location, config},
    settings::MessagingSettings,
};

/// How often a message is sent whose groups are removed meanwhile.
const ATTEMPTS: usize = 5;

/// By this the server knows a message that is sent again.
const ID: &str = "Nats-Msg-Id";

/// All topics in one stream, with a durable consumer for each group, and inboxes beside it.
///
/// The stream keeps a message until every consumer of its subject has acknowledged it.
pub(crate) struct Topics {
    location: Arc<Location>,
    name: String,
    groups: Arc<Groups>,
    uncounted: Arc<Uncounted>,
    subscriptions: Subscriptions,
}

impl Topics {
    pub(crate) fn new(link: &Link, settings: MessagingSettings) -> Self {
        let uncounted = Arc::new(Uncounted::new(link, &settings));
        let MessagingSettings { location: name, create, replicas, storage, max_bytes, max_age_seconds } = settings;
        let config = Config {
            retention: RetentionPolicy::Interest,
            max_age: Duration::from_secs(max_age_seconds.unwrap_or_default()),
            ..config(name.clone(), vec![format!("{name}.>")], storage, replicas, max_bytes)
        };
        let location = Arc::new(Location::new(link, "messaging", config, create));
        let groups = Arc::new(Groups::new(&location, &uncounted));
        Self { location, name, groups, uncounted, subscriptions: Subscriptions::default() }
    }

    pub(crate) async fn prepare(&self) -> Result<()> {
        self.location.ready().await.map(drop)
    }

    pub(crate) async fn inspect(&self) -> Result<Readiness> {
        self.location.inspect().await
    }

    async fn made(&self, topic: &QualifiedName, group: &str) -> Result<Arc<Group>> {
        self.location.ready().await?;
        self.location.note(self.groups.declare(Group::new(&self.name, topic, group)).await)
    }

    /// Sends a message once; false where a group was made again meanwhile, which may have missed it.
    async fn send(&self, call: &Call) -> Result<bool> {
        let stream = self.location.ready().await?;
        self.groups.look().await?;
        let renewals = self.groups.renewals(&call.subject)?;
        let limit = stream.link.max_payload().await?;
        if call.size() > limit {
            return Err(call.too_large(limit));
        }
        match self.location.note(stream.publish(call, Lost::SendAgain).await) {
            // The stream is gone: the next attempt makes it again.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(_) => {
                self.groups.look().await?;
                Ok(self.groups.renewals(&call.subject)? == renewals)
            }
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
        let (headers, payload) = envelope::write(message);
        let mut call = Call { subject: group::subject(&self.name, topic), headers: Some(headers), payload };
        for _ in 0..ATTEMPTS {
            call.headers.get_or_insert_default().insert(ID, HeaderValue::from(unique().as_str()));
            if self.send(&call).await? {
                return Ok(());
            }
        }
        Err(Error::unavailable(format!("the groups of topic {:?} are removed from NATS all the time", topic.name)))
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let Subscription { topics, group, capacity, visibility } = &subscription;
        let groups = try_join_all(topics.iter().map(|topic| self.made(topic, group))).await?;
        let crowded = groups.len() > *capacity;
        let (outlet, deliveries) = self.subscriptions.open(*capacity);
        for group in groups {
            let (stream, outlet) = (self.location.stream.clone(), outlet.clone());
            let (groups, uncounted) = (self.groups.clone(), self.uncounted.clone());
            tokio::spawn(Member { stream, group, groups, uncounted, visibility: *visibility, crowded, outlet }.run());
        }
        Ok(deliveries)
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.made(topic, group).await.map(drop)
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let stream = self.location.ready().await?;
        self.groups.remove(stream, &Group::new(&self.name, topic, group)).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        inbox::open(&self.location.stream.link, &self.name).await
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        inbox::reply(&self.location.stream.link, &self.name, to, message).await
    }
}
