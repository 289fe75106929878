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
    pub(super) subject: String,
    pub(super) group: String,
    encoded: String,
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

    /// Makes the consumer, if it is not there, and what it needs of one that is there.
    pub(super) async fn make(&self, stream: &Stream) -> Result<()> {
        if stream.create_consumer(&self.consumer, self.config()).await?.is_some() {
            return Ok(());
        }
        match stream.consumer(&self.consumer).await? {
            Some(found) => self.mend(stream, &found.config).await,
            None => Err(errors::no_jetstream()),
        }
    }

    /// Sets back what somebody has set of the consumer that would lose messages or leases. Anything else that an operator
    /// may set is no concern of ours.
    pub(super) async fn mend(&self, stream: &Stream, found: &Config) -> Result<()> {
        let mended = self.mended(found.clone());
        if *found == mended {
            return Ok(());
        }
        let topic = &self.topic_name;
        if found.deliver_subject.is_none() && stream.update_consumer(&self.consumer, mended).await?.is_some() {
            tracing::warn!(
                "the consumer {:?} of the stream {:?} in NATS, which is the group {:?} of topic {topic:?}, was changed by \
                 somebody so that messages would have been lost, and was set back",
                self.consumer,
                stream.name,
                self.group
            );
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the consumer {:?} of the stream {:?} in NATS is not as slight makes it: it needs to be a pull consumer with \
             the filter {:?}, explicit acknowledgements, an ack-wait of {LEASE:?} and no maximum of deliveries; delete it, \
             and it is made anew",
            self.consumer, stream.name, self.subject
        )))
    }

    fn mended(&self, found: Config) -> Config {
        let wanted = self.config();
        Config {
            filter_subject: wanted.filter_subject,
            filter_subjects: wanted.filter_subjects,
            ack_policy: wanted.ack_policy,
            ack_wait: wanted.ack_wait,
            max_deliver: wanted.max_deliver,
            backoff: wanted.backoff,
            headers_only: wanted.headers_only,
            max_batch: wanted.max_batch,
            max_bytes: wanted.max_bytes,
            max_expires: wanted.max_expires,
            inactive_threshold: wanted.inactive_threshold,
            ..found
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
    fn no_two_topics_are_one_subject_and_no_two_groups_one_consumer() {
        let (mut subjects, mut consumers) = (std::collections::HashSet::new(), std::collections::HashSet::new());
        for prefix in ["", "shop", "shop-", "shop/"] {
            for name in ["a", "-a", "=", "shop=/a", "=/a", "a\ng"] {
                for group in ["g", "", "g\n", "\ng", "a\ng"] {
                    let group = Group::new("l", &QualifiedName::new(prefix, name), group);
                    subjects.insert(group.subject.clone());
                    assert!(consumers.insert(group.consumer), "{prefix:?} {name:?} {:?}", group.group);
                }
            }
        }
        assert_eq!(subjects.len(), 4 * 6);
    }

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
