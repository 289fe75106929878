mod delivery;
mod group;
mod member;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use slight_capabilities::{
    Deliveries, Inbox, LocalInboxes, Message, Messaging, QualifiedName, ReplyTo, Result, Subscription,
};

use self::{group::Group, member::Member};

/// Topics with their groups, and the inboxes.
///
/// A topic without groups takes no memory.
#[derive(Default)]
pub(crate) struct Topics {
    topics: RwLock<HashMap<QualifiedName, BTreeMap<String, Arc<Group>>>>,
    inboxes: LocalInboxes,
}

impl Topics {
    fn group(&self, topic: &QualifiedName, group: &str) -> Arc<Group> {
        let mut topics = self.topics.write();
        topics.entry(topic.clone()).or_default().entry(group.to_owned()).or_default().clone()
    }
}

#[async_trait]
impl Messaging for Topics {
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()> {
        let message = Arc::new(message);
        if let Some(groups) = self.topics.read().get(topic) {
            for group in groups.values() {
                group.push(message.clone());
            }
        }
        Ok(())
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries> {
        let groups = subscription.topics.iter().map(|topic| (topic.clone(), self.group(topic, &subscription.group)));
        Ok(Member::new(groups, &subscription).deliveries())
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        self.group(topic, group);
        Ok(())
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let mut topics = self.topics.write();
        let Some(groups) = topics.get_mut(topic) else { return Ok(()) };
        if let Some(group) = groups.remove(group) {
            group.close();
        }
        if groups.is_empty() {
            topics.remove(topic);
        }
        Ok(())
    }

    async fn inbox(&self) -> Result<Inbox> {
        Ok(self.inboxes.open())
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        self.inboxes.send(to, message)
    }
}
