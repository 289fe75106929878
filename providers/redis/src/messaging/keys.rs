use redis::FromRedisValue;
use slight_capabilities::{QualifiedName, Result};

use crate::{
    link::{Link, Lost},
    script::{Call, Script},
};

/// The keys of a topic. They have one hash tag, the topic, so that a script may touch them all on a cluster.
#[derive(Clone)]
pub(super) struct TopicKeys {
    /// The topic, as the guest named it.
    pub(super) name: String,
    /// What all begin with.
    pub(super) base: String,
    /// The messages.
    pub(super) stream: String,
    /// The names of the groups.
    pub(super) groups: String,
    /// A hash: which life of the topic this is, and how many groups were made and deleted in it.
    pub(super) epoch: String,
}

/// The keys of a group of a topic.
pub(super) struct GroupKeys {
    pub(super) topic: TopicKeys,
    pub(super) group: String,
    /// By id, when each message that is out becomes due: the end of its lease, or the time of its retry.
    due: String,
    /// By id, how many deliveries each message that is out has had, and the token of its lease.
    counts: String,
    /// A list that holds an element when a member should look; members wait on it.
    pub(super) wake: String,
}

impl TopicKeys {
    pub(super) fn new(location: &str, topic: &QualifiedName) -> Self {
        // An encoded name has neither braces nor colons.
        let base = format!("{location}:{{{}}}", topic.encoded());
        let key = |name: &str| format!("{base}:{name}");
        let (stream, groups, epoch) = (key("stream"), key("groups"), key("epoch"));
        Self { name: topic.name.clone(), base, stream, groups, epoch }
    }
}

impl GroupKeys {
    pub(super) fn new(location: &str, topic: &QualifiedName, group: &str) -> Self {
        let topic = TopicKeys::new(location, topic);
        let key = |name: &str| format!("{}:{name}:{group}", topic.base);
        let (due, counts, wake) = (key("due"), key("counts"), key("wake"));
        Self { topic, group: group.to_owned(), due, counts, wake }
    }

    /// In the order in which the scripts take them.
    pub(super) fn all(&self) -> [&str; 6] {
        let topic = &self.topic;
        [&topic.stream, &topic.groups, &topic.epoch, &self.due, &self.counts, &self.wake]
    }

    /// Runs one of the scripts about leases; the first argument is the group.
    pub(super) async fn run<T: FromRedisValue>(&self, link: &Link, script: &Script, arguments: &[&str]) -> Result<T> {
        let arguments: Vec<_> =
            std::iter::once(self.group.as_str()).chain(arguments.iter().copied()).map(str::as_bytes).collect();
        link.script(script, Call { keys: &self.all().map(str::as_bytes), arguments: &arguments }, Lost::Report).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{super::inbox, *};
    use crate::key_value;

    /// Parts of names that look like what is put between names.
    const HOSTILE: [&str; 16] = [
        "a", "b", "-a", "a-", "a:b", "a}:b", "{a}", "a/b", "=/a", "odd", "odd:due", "due:a", "stream", "a:stream",
        "inbox:a", "a}",
    ];

    #[test]
    fn no_two_names_share_a_key() {
        let mut owners = BTreeMap::new();
        let mut owns = |key: String, owner: String| {
            if let Some(other) = owners.insert(key.clone(), owner.clone()) {
                assert_eq!(other, owner, "{key}");
            }
        };
        for (location, prefix, name) in ["a", "a-", "a/b", "a.b"].into_iter().flat_map(|location| {
            ["", "a", "a-", "a/", "a/b"]
                .into_iter()
                .flat_map(move |prefix| HOSTILE.map(|name| (location, prefix, name)))
        }) {
            let topic = QualifiedName::new(prefix, name);
            for group in HOSTILE {
                for (number, key) in GroupKeys::new(location, &topic, group).all().into_iter().enumerate() {
                    let group = if number < 3 { "" } else { group };
                    owns(key.to_owned(), format!("{number} {location} {prefix} {name} {group}"));
                    // Where what is not ours is put aside.
                    owns(key.replacen('}', "}:odd", 1), format!("odd {number} {location} {prefix} {name} {group}"));
                }
            }
            for address in ["0", "0a"] {
                let inbox = inbox::key(location, address);
                owns(inbox.replacen('}', "}:odd", 1), format!("odd inbox {location} {address}"));
                owns(inbox, format!("inbox {location} {address}"));
            }
            for key in HOSTILE {
                owns(key_value::prefix(location, &topic) + key, format!("entry {location} {prefix} {name} {key}"));
            }
        }
    }
}
