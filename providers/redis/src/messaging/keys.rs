use slight_capabilities::{QualifiedName, Result};

use crate::{
    link::{Link, Lost},
    script::{Call, Script},
};

/// The keys of a topic. They have one hash tag, the topic, so that a script may touch them all on a cluster.
#[derive(Clone)]
pub(super) struct TopicKeys {
    /// The messages.
    pub(super) stream: String,
    /// The names of the groups.
    pub(super) groups: String,
    /// What the wake keys of the groups begin with.
    pub(super) wakes: String,
    base: String,
}

/// The keys of a group of a topic.
pub(super) struct GroupKeys {
    pub(super) topic: TopicKeys,
    /// The topic, as the guest named it.
    pub(super) topic_name: String,
    pub(super) group: String,
    /// By id, when each message that is out becomes due: the end of its lease, or the time of its retry.
    due: String,
    /// By id, how many deliveries each message that is out has had. No two leases of a message have the same, so that it
    /// tells who holds it.
    counts: String,
    /// A list that holds an element when a member should look; members wait on it.
    pub(super) wake: String,
}

impl TopicKeys {
    pub(super) fn new(location: &str, topic: &QualifiedName) -> Self {
        // An encoded name has neither braces nor colons.
        let base = format!("{location}:{{{}}}", topic.encoded());
        let key = |name: &str| format!("{base}:{name}");
        Self { stream: key("stream"), groups: key("groups"), wakes: key("wake:"), base }
    }
}

impl GroupKeys {
    pub(super) fn new(location: &str, topic: &QualifiedName, group: &str) -> Self {
        let keys = TopicKeys::new(location, topic);
        let key = |name: &str| format!("{}:{name}:{group}", keys.base);
        Self {
            due: key("due"),
            counts: key("counts"),
            wake: format!("{}{group}", keys.wakes),
            topic_name: topic.name.clone(),
            group: group.to_owned(),
            topic: keys,
        }
    }

    /// Runs one of the scripts about groups; the first argument is the group.
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        link: &Link,
        script: &Script,
        arguments: &[&str],
        lost: Lost,
    ) -> Result<T> {
        let keys = [&self.topic.stream, &self.topic.groups, &self.due, &self.counts, &self.wake].map(String::as_bytes);
        let arguments: Vec<_> =
            std::iter::once(self.group.as_str()).chain(arguments.iter().copied()).map(str::as_bytes).collect();
        link.script(script, Call { keys: &keys, arguments: &arguments }, lost).await
    }
}
