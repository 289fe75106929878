use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::consumer::{AckPolicy, Config, DeliverPolicy};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use slight_capabilities::{Error, QualifiedName, Result};

use crate::{errors, stream::Stream};

/// The lease that the server gives by itself. Other ones are asked for with each message; this one, the default of a
/// subscription, is what a member gives that dies before it could.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How many requests for messages may wait at a server at the same time, from all members of a group.
const MAX_WAITING: i64 = 8192;

/// How much of a group's own name is in that of its consumer, for people.
const SHOWN: usize = 32;

/// A group of a topic: a durable consumer of its subject.
pub(super) struct Group {
    /// The topic, as the guest named it.
    pub(super) topic_name: String,
    pub(super) consumer: String,
    subject: String,
    encoded: String,
    group: String,
}

/// The subject of a topic's messages. An encoded name has nothing in it that means anything to NATS.
pub(super) fn subject(location: &str, topic: &QualifiedName) -> String {
    format!("{location}.{}", topic.encoded())
}

impl Group {
    pub(super) fn new(location: &str, topic: &QualifiedName, group: &str) -> Self {
        Self {
            topic_name: topic.name.clone(),
            consumer: consumer_name(&topic.encoded(), group),
            subject: subject(location, topic),
            encoded: topic.encoded(),
            group: group.to_owned(),
        }
    }

    /// Makes the consumer, if it is not there.
    pub(super) async fn make(&self, stream: &Stream) -> Result<()> {
        let config = self.config();
        if stream.create_consumer(&self.consumer, config.clone()).await?.is_some() {
            return Ok(());
        }
        let found = stream.consumer(&self.consumer).await?;
        match found {
            Some(found) => self.compare(&stream.name, &found.config, &config),
            None => Err(errors::no_jetstream()),
        }
    }

    fn config(&self) -> Config {
        // Names of consumers are short, and have few characters: the real ones are here.
        let metadata = [("slight-topic", &self.encoded), ("slight-group", &self.group)];
        let metadata: HashMap<_, _> = metadata.map(|(name, value)| (name.to_owned(), value.clone())).into();
        Config {
            durable_name: Some(self.consumer.clone()),
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::Explicit,
            ack_wait: LEASE,
            max_deliver: -1,
            max_ack_pending: -1,
            max_waiting: MAX_WAITING,
            filter_subject: self.subject.clone(),
            metadata,
            ..Config::default()
        }
    }

    /// What an operator may set otherwise is no concern of ours; what would lose messages or leases is.
    fn compare(&self, stream: &str, found: &Config, wanted: &Config) -> Result<()> {
        let same = found.filter_subject == wanted.filter_subject
            && found.ack_policy == wanted.ack_policy
            && found.ack_wait == wanted.ack_wait
            && found.max_deliver == wanted.max_deliver
            && found.deliver_subject.is_none();
        if same {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the consumer {:?} of the stream {stream:?} in NATS is not as slight makes it: it needs the filter {:?}, \
             explicit acknowledgements, an ack-wait of {LEASE:?} and no maximum of deliveries",
            self.consumer, self.subject
        )))
    }
}

/// Something of the group's name to be recognised by, and what tells it from all others.
fn consumer_name(topic: &str, group: &str) -> String {
    // An encoded topic has no line break.
    let hash = digest(&SHA256, format!("{topic}\n{group}").as_bytes());
    let hash = hash.as_ref().get(..16).map(|half| URL_SAFE_NO_PAD.encode(half)).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let shown: String = group.chars().take(SHOWN).map(plain).collect();
    format!("{shown}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consumers_are_told_apart_and_recognised() {
        let names = [("t", "g"), ("t", "g "), ("t", "g*"), ("u", "g"), ("tg", ""), ("t", "G")];
        let names: std::collections::BTreeSet<_> =
            names.iter().map(|(topic, group)| consumer_name(topic, group)).collect();
        assert_eq!(names.len(), 6);
        assert!(consumer_name("orders", "fulfilment").starts_with("fulfilment-"));
        let odd = consumer_name("t", &"🦀.*>/\\ ".repeat(20));
        assert!(odd.len() < 64 && odd.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{odd}");
    }
}
