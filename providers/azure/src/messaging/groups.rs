use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_storage_queue::models::{
    QueueClientCreateOptions, QueueClientGetPropertiesResultHeaders, QueueServiceClientListQueuesOptions,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;
use slight_capabilities::{Error, QualifiedName, Result, encode_name};
use tokio::time::{Instant, sleep, sleep_until};

use super::{post::Post, queues};
use crate::attempts::Lost;

/// A group this old by its maker's clock is in every list, whatever the clocks differ by.
const OLD: Duration = Duration::from_secs(60);

/// How long to wait for Azure to be through with deleting a queue of the same name.
const PAUSE: Duration = Duration::from_secs(1);

/// In the metadata of a queue: what its name is a hash of, and when it was made, in seconds since 1970.
const TOPIC: &str = "topic";
const GROUP: &str = "group";
const CREATED: &str = "created";

/// The groups of all topics, as far as this process knows them.
pub(super) struct Groups {
    post: Arc<Post>,
    /// How long publishers of all processes go by a list of groups. Whoever makes a group waits as long, and then every
    /// publication that begins later reaches it.
    known_for: Duration,
    lists: Mutex<HashMap<String, List>>,
    /// By queue, when a group was new to this process and perhaps to all.
    new: Mutex<HashMap<String, Instant>>,
}

#[derive(Clone)]
struct List {
    asked: Instant,
    queues: Arc<[String]>,
}

pub(super) fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Groups {
    pub(super) fn new(post: Arc<Post>, known_for: Duration) -> Self {
        Self { post, known_for, lists: Mutex::default(), new: Mutex::default() }
    }

    /// The queues of the groups of a topic, as they were a short time ago.
    pub(super) async fn of(&self, topic: &QualifiedName) -> Result<Arc<[String]>> {
        let prefix = queues::of_topic(&self.post.location.name, topic);
        let known = |list: &List| list.asked.elapsed() < self.known_for;
        if let Some(list) = self.lists.lock().get(&prefix).filter(|list| known(list)) {
            return Ok(list.queues.clone());
        }
        // From before the request: what it does not list may have been made right after it began.
        let asked = Instant::now();
        let queues: Arc<[String]> = self.list(&prefix).await?.into();
        let mut lists = self.lists.lock();
        lists.retain(|_, list| known(list));
        lists.insert(prefix, List { asked, queues: queues.clone() });
        Ok(queues)
    }

    /// Asks for a list that matters to nobody.
    pub(super) async fn check(&self) -> Result<()> {
        self.list(&queues::of_topic(&self.post.location.name, &"".into())).await.map(drop)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let service = self.post.link.queues()?;
        let ask = || {
            let options = QueueServiceClientListQueuesOptions { prefix: Some(prefix.to_owned()), ..Default::default() };
            let pages = service.list_queues(Some(options));
            async {
                let mut pages = pages?.into_pages();
                let mut names = Vec::new();
                while let Some(page) = pages.try_next().await? {
                    names.extend(page.into_model()?.queue_items.into_iter().filter_map(|queue| queue.name));
                }
                Ok(names)
            }
        };
        self.post.link.ask(Lost::SendAgain, ask).await.map_err(|failure| failure.into_error(prefix))
    }

    /// Makes a group if it is not there, and returns its queue when every later publication will reach it.
    pub(super) async fn create(&self, topic: &QualifiedName, group: &str) -> Result<String> {
        let queue = queues::of_group(&self.post.location.name, topic, group);
        let deadline = self.post.link.deadline();
        loop {
            match self.make(&queue, topic, group).await? {
                Made::New => self.note(&queue, true),
                Made::Old => {}
                Made::There => self.note(&queue, false),
                Made::BeingDeleted if Instant::now() + PAUSE < deadline => {
                    sleep(PAUSE).await;
                    continue;
                }
                Made::BeingDeleted => {
                    return Err(Error::unavailable(format!(
                        "the group {group:?} was deleted, for which Azure takes half a minute or more; try again later"
                    )));
                }
            }
            let new = self.new.lock().get(&queue).copied();
            if let Some(new) = new {
                sleep_until(new + self.known_for).await;
            }
            return Ok(queue);
        }
    }

    fn note(&self, queue: &str, is_new: bool) {
        let mut new = self.new.lock();
        new.retain(|_, since| since.elapsed() < 2 * OLD);
        if is_new || !new.contains_key(queue) {
            new.insert(queue.to_owned(), Instant::now());
        }
    }

    async fn make(&self, queue: &str, topic: &QualifiedName, group: &str) -> Result<Made> {
        let client = self.post.queue(queue)?;
        let (topic, encoded) = (topic.encoded(), encode_name(group));
        let metadata = [(TOPIC, topic.clone()), (GROUP, encoded.clone()), (CREATED, seconds_since_1970().to_string())];
        let metadata: HashMap<_, _> = metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let ask = || {
            let options = QueueClientCreateOptions { metadata: Some(metadata.clone()), ..Default::default() };
            client.create(Some(options))
        };
        match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(_) => return Ok(Made::New),
            Err(failure) if failure.code() == "QueueBeingDeleted" => return Ok(Made::BeingDeleted),
            // Its metadata is another: when it was made.
            Err(failure) if failure.code() == "QueueAlreadyExists" => {}
            Err(failure) => return Err(failure.into_error(queue)),
        }
        let found = match self.post.link.ask(Lost::SendAgain, || client.get_properties(None)).await {
            Ok(found) => found.metadata().unwrap_or_default(),
            Err(failure) if failure.status() == 404 => return Ok(Made::BeingDeleted),
            Err(failure) => return Err(failure.into_error(queue)),
        };
        if found.get(TOPIC) != Some(&topic) || found.get(GROUP) != Some(&encoded) {
            return Err(Error::other(format!("the queue {queue:?} is there, and is not that of the group {group:?}")));
        }
        let created = found.get(CREATED).and_then(|created| created.parse().ok()).unwrap_or(u64::MAX);
        let age = Duration::from_secs(seconds_since_1970().saturating_sub(created));
        Ok(if age > OLD { Made::Old } else { Made::There })
    }

    /// Removes a group with its messages.
    pub(super) async fn delete(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let queue = queues::of_group(&self.post.location.name, topic, group);
        self.lists.lock().remove(&queues::of_topic(&self.post.location.name, topic));
        self.new.lock().remove(&queue);
        self.post.remove(&queue).await
    }
}

/// What came of making a queue.
enum Made {
    New,
    /// It was there, and is in every list.
    Old,
    /// It was there, and may be as new as one just made.
    There,
    BeingDeleted,
}
