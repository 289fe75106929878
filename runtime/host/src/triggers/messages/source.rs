use std::time::Duration;

use slight_capabilities as capabilities;
use slight_capabilities::{Deliveries, Error, Messaging, QualifiedName, Result, check_name};

use crate::{Backend, Services, guard::Call, services::find_route, state::Shared};

/// The group that every dead-letter topic has, so that nothing there is dropped.
const DEAD_LETTER_GROUP: &str = "dead-letter";

/// Topics whose messages are handed to the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The messaging client whose route leads to the topics.
    pub client: String,
    /// Literal names; there are no wildcards.
    pub topics: Vec<String>,
    /// Its members share the messages.
    pub group: String,
    /// How many messages may be with this process at a time. At least 1.
    pub capacity: usize,
    /// How long a message may be out before it is given to another member. It is renewed while a handler runs.
    pub visibility: Duration,
    /// How often a message is delivered before it goes to the dead-letter topic. At least 1.
    pub max_deliveries: u32,
    /// The dead-letter topic; without, `<topic>.<group>.dead`.
    pub dead_letter: Option<String>,
}

/// A subscription with what its names lead to.
pub(super) struct Source {
    pub backend: Backend<dyn Messaging>,
    pub group: String,
    pub capacity: usize,
    pub visibility: Duration,
    pub max_deliveries: u32,
    prefix: String,
    topics: Vec<String>,
    dead_letter: Option<String>,
}

impl Source {
    /// Finds the route, and checks all names.
    pub fn new(subscription: &Subscription, services: &Services) -> Result<Self> {
        let Subscription { client, topics, group, capacity, visibility, max_deliveries, dead_letter } =
            subscription.clone();
        let route = find_route(&services.messaging, "messaging", "client", &client)?;
        let backend = route.provider.clone();
        let prefix = route.prefix.clone();
        let source = Self { backend, group, capacity, visibility, max_deliveries, prefix, topics, dead_letter };
        source.check()?;
        Ok(source)
    }

    fn check(&self) -> Result<()> {
        check_name("group of a subscription", &self.group)?;
        if self.topics.is_empty() || self.capacity == 0 || self.max_deliveries == 0 || self.visibility.is_zero() {
            return Err(Error::invalid(format!(
                "the subscription of the group {:?} needs a topic, and a capacity, a visibility and max-deliveries of \
                 more than 0",
                self.group
            )));
        }
        for topic in &self.topics {
            check_name("topic of a subscription", topic)?;
            let dead_letter = self.dead_letter_name(topic);
            check_name("dead-letter topic", &dead_letter).map_err(|error| {
                Error::invalid(format!("{error}; set dead-letter in the subscription to {topic:?} to a shorter name"))
            })?;
            if self.topics.contains(&dead_letter) {
                return Err(Error::invalid(format!(
                    "the group {:?} subscribes to its own dead-letter topic {dead_letter:?}; messages would go round",
                    self.group
                )));
            }
        }
        Ok(())
    }

    fn dead_letter_name(&self, topic: &str) -> String {
        self.dead_letter.clone().unwrap_or_else(|| format!("{topic}.{}.dead", self.group))
    }

    /// Where messages of a topic go that were tried too often.
    pub fn dead_letter_topic(&self, topic: &str) -> QualifiedName {
        QualifiedName::new(self.prefix.clone(), self.dead_letter_name(topic))
    }

    /// The topics and the group, for the log.
    pub fn describe(&self) -> String {
        format!("{} in the group {:?}", self.topics.join(", "), self.group)
    }

    /// Names a call for messages and logs.
    pub fn call<'a>(&'a self, operation: &'static str, target: &'a str) -> Call<'a> {
        Call { section: &self.backend.section, operation, target }
    }

    /// Makes the dead-letter topics ready, then joins the group.
    pub async fn subscribe(&self, shared: &Shared) -> Result<Deliveries> {
        let provider = &self.backend.provider;
        for topic in &self.topics {
            let dead_letter = self.dead_letter_topic(topic);
            let create = provider.create_group(&dead_letter, DEAD_LETTER_GROUP);
            shared.guarded(self.call("messaging create group", &dead_letter.name), create).await?;
        }
        let topics = self.topics.iter().map(|topic| QualifiedName::new(self.prefix.clone(), topic.as_str()));
        let subscription = capabilities::Subscription {
            topics: topics.collect(),
            group: self.group.clone(),
            capacity: self.capacity,
            visibility: self.visibility,
        };
        shared.guarded(self.call("messaging subscribe", &self.group), provider.subscribe(subscription)).await
    }
}
