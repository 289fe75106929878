use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use parking_lot::Mutex;
use redis::{FromRedisValue, Value, from_redis_value};
use slight_capabilities::Result;
use tokio::time::Instant;

use super::keys::TopicKeys;
use crate::{
    errors,
    link::{Link, Lost},
    script::{Call, Script},
};

/// How long the server remembers that the last group of a topic was deleted on purpose.
pub(super) const DELETED: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long what this process knows of a topic is used: no longer than the server remembers.
const KNOWN: Duration = Duration::from_secs(29 * 24 * 3600);

/// The server as the scripts of topics see it, with what this process knows of their groups.
///
/// A server that was emptied, or replaced by one that knows less, has no groups any more, and would take messages for
/// nobody. Who has seen them has them made again, in the same step as what it asks for.
pub(super) struct Server {
    pub(super) link: Link,
    /// By the key of the topic's stream. Topics without groups are not in it.
    known: Mutex<HashMap<String, Known>>,
}

/// The groups that a topic had.
struct Known {
    epoch: String,
    changes: String,
    groups: Vec<Vec<u8>>,
    seen: Instant,
}

/// What the script answers: sentences for the log; epoch, changes and groups, if they are new; and what was asked for.
type Answer = (Vec<Vec<u8>>, Option<(String, String, Vec<Vec<u8>>)>, Value);

impl Server {
    pub(super) fn new(link: Link) -> Self {
        Self { link, known: Mutex::default() }
    }

    /// Runs one of the scripts about topics.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        topic: &TopicKeys,
        keys: &[&str],
        arguments: &[&[u8]],
        lost: Lost,
    ) -> Result<T> {
        let mut all = self.what_is_known(topic);
        all.push(topic.base.clone().into_bytes());
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).chain(arguments.iter().copied()).collect();
        let keys: Vec<_> = keys.iter().map(|key| key.as_bytes()).collect();
        let call = Call { keys: &keys, arguments: &all };
        let (notes, state, answer): Answer = self.link.script(script, call, lost).await?;
        for note in notes {
            log(&format!("the topic {:?}", topic.name), &note);
        }
        if let Some((epoch, changes, groups)) = state {
            self.remember(topic, epoch, changes, groups);
        }
        from_redis_value(answer).map_err(|_| errors::odd())
    }

    fn what_is_known(&self, topic: &TopicKeys) -> Vec<Vec<u8>> {
        let known = self.known.lock();
        let known = known.get(&topic.stream).filter(|known| known.seen.elapsed() < KNOWN);
        let (epoch, changes, groups) = known.map_or(("", "0", &[][..]), |known| {
            (known.epoch.as_str(), known.changes.as_str(), known.groups.as_slice())
        });
        let count = groups.len().to_string();
        let mut all = [&unique(), epoch, changes, &count].map(|part| part.as_bytes().to_vec()).to_vec();
        all.extend_from_slice(groups);
        all
    }

    fn remember(&self, topic: &TopicKeys, epoch: String, changes: String, groups: Vec<Vec<u8>>) {
        let mut known = self.known.lock();
        if groups.is_empty() {
            known.remove(&topic.stream);
        } else {
            known.insert(topic.stream.clone(), Known { epoch, changes, groups, seen: Instant::now() });
        }
    }
}

/// Says what was found otherwise than it was left: once, since the script has mended it.
pub(super) fn log(what: &str, note: &[u8]) {
    let note = String::from_utf8_lossy(note).replace(char::is_control, " ");
    tracing::warn!("what Redis keeps of {what} was changed from outside: {note}");
}

/// A text that nobody else has. Each `RandomState` has keys of its own.
pub(super) fn unique() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}
