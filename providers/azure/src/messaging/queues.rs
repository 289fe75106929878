//! How queues are named: with 3 to 63 characters of `a-z 0-9 -`, which is too few for topics and groups as they are.

use sha2::{Digest, Sha256};
use slight_capabilities::QualifiedName;

use crate::attempts::random;

/// The longest location: the rest of a name is two hashes, each after a hyphen.
pub(crate) const MAX_PREFIX: usize = 20;

/// The length of a hash: 100 bits, so that two names never have the same by chance.
const HASH: usize = 20;

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What the names of the queues of all groups of a topic begin with.
pub(super) fn of_topic(location: &str, topic: &QualifiedName) -> String {
    format!("{location}-{}-", hash(&topic.encoded()))
}

/// The queue of one group of a topic.
pub(super) fn of_group(location: &str, topic: &QualifiedName, group: &str) -> String {
    format!("{}{}", of_topic(location, topic), hash(group))
}

/// Whether a name that begins as those of a topic's groups is that of one of them.
pub(super) fn is_of_topic(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(is_address)
}

/// What the names of the queues of all inboxes begin with. No hash is as short.
pub(super) fn of_inboxes(location: &str) -> String {
    format!("{location}-inbox-")
}

/// An address that nobody has.
pub(super) fn new_address() -> String {
    let bytes: Vec<u8> = (0..HASH.div_ceil(8)).flat_map(|_| random().to_be_bytes()).collect();
    digits(&bytes)
}

/// Whether this may be the address of an inbox: it is part of the name of a queue.
pub(super) fn is_address(text: &str) -> bool {
    text.len() == HASH && text.bytes().all(|byte| DIGITS.contains(&byte))
}

fn hash(name: &str) -> String {
    digits(&Sha256::digest(name))
}

/// Five bits of each byte.
fn digits(bytes: &[u8]) -> String {
    let digit = |byte: &u8| DIGITS.get(usize::from(byte % 32)).copied().map(char::from);
    bytes.iter().filter_map(digit).take(HASH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_tell_apart() {
        let location = "x".repeat(MAX_PREFIX);
        let queue = |topic: &str, group: &str| of_group(&location, &topic.into(), group);
        let long = "🦀".repeat(32);
        for name in [queue("orders", "billing"), queue(&long, &long)] {
            assert!(name.len() <= 63, "{name}");
            assert!(crate::location::is_name(&name), "{name}");
        }
        assert_ne!(queue("a", "b"), queue("b", "a"));
        assert_ne!(queue("a", "b"), queue("a", "c"));
        assert!(queue("a", "b").starts_with(&of_topic(&location, &"a".into())));
    }

    #[test]
    fn no_name_is_of_two_locations_topics_or_kinds() {
        let (locations, texts) =
            (["abc", "abc-inbox", "abc-inbox-inbox", "inbox", "groups"], ["a", "b", "a/b", "inbox"]);
        let mut names = Vec::new();
        for location in locations {
            names.push(format!("{}{}", of_inboxes(location), "a".repeat(HASH)));
            for topic in texts {
                for prefix in ["", "a", "a-", "a/"] {
                    let topic = QualifiedName::new(prefix, topic);
                    names.extend(texts.map(|group| of_group(location, &topic, group)));
                }
            }
        }
        let all: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(all.len(), names.len());
        for location in locations {
            let inboxes = names.iter().filter(|name| name.strip_prefix(&of_inboxes(location)).is_some_and(is_address));
            assert_eq!(inboxes.count(), 1, "{location}");
            let topic = of_topic(location, &"a".into());
            assert_eq!(names.iter().filter(|name| is_of_topic(&topic, name)).count(), texts.len(), "{location}");
        }
    }

    #[test]
    fn addresses_are_new_each_time() {
        let (one, other) = (new_address(), new_address());
        assert!(is_address(&one) && is_address(&other) && one != other, "{one} {other}");
        assert!(!is_address("../slight-msg") && !is_address(""));
    }
}
