use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_storage_queue::models::{
    QueueClientCreateOptions, QueueClientGetPropertiesResultHeaders, QueueServiceClientListQueuesOptions,
};
use futures_util::{TryStreamExt, future::try_join};
use parking_lot::Mutex;
use slight_capabilities::{Error, QualifiedName, Result, encode_name};
use tokio::time::{Instant, sleep, sleep_until};

use super::{post::Post, queues, records::Record};
use crate::attempts::Lost;

/// A group this old by its maker's clock is in every list, whatever the clocks differ by.
const OLD: Duration = Duration::from_secs(60);

/// How long a list that is too old to go by is kept, for what it tells of queues that have vanished since.
const REMEMBERED: Duration = Duration::from_secs(600);

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

    /// The queues of the groups of a topic, as they were a short time ago: all that are there, and all that were and have
    /// vanished although nobody deleted their groups.
    pub(super) async fn of(&self, topic: &QualifiedName) -> Result<Arc<[String]>> {
        let prefix = queues::of_topic(&self.post.location.name, topic);
        let before = self.lists.lock().get(&prefix).cloned();
        let before = match before {
            Some(list) if list.asked.elapsed() < self.known_for => return Ok(list.queues),
            before => before.map(|list| list.queues).unwrap_or_default(),
        };
        // From before the request: what it does not list may have been made right after it began.
        let asked = Instant::now();
        let (there, records) = try_join(self.list(&prefix), self.post.records(&prefix)).await?;
        let (recorded, deleted): (Vec<_>, Vec<_>) = records.into_iter().partition(|(_, is_deleted)| !is_deleted);
        let deleted: BTreeSet<_> = deleted.into_iter().map(|(queue, _)| queue).collect();
        let vanished = before.iter().filter(|queue| !deleted.contains(*queue)).cloned();
        let all: BTreeSet<_> = vanished.chain(recorded.into_iter().map(|(queue, _)| queue)).chain(there).collect();
        let queues: Arc<[String]> = all.into_iter().collect();
        let mut lists = self.lists.lock();
        lists.retain(|_, list| list.asked.elapsed() < REMEMBERED);
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
        let names = self.post.link.ask(Lost::SendAgain, ask).await.map_err(|failure| failure.into_error(prefix))?;
        // What another program has put beside them is no group.
        Ok(names.into_iter().filter(|name| queues::is_of_topic(prefix, name)).collect())
    }

    /// Makes a group if it is not there, and returns its queue when every later publication will reach it.
    pub(super) async fn create(&self, topic: &QualifiedName, group: &str) -> Result<String> {
        let queue = queues::of_group(&self.post.location.name, topic, group);
        let deadline = self.post.link.deadline();
        loop {
            match self.make(&queue, topic, Some(&encode_name(group))).await? {
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
            self.post.record(&queue, &encode_name(group)).await?;
            let new = self.new.lock().get(&queue).copied();
            if let Some(new) = new {
                sleep_until(new + self.known_for).await;
            }
            return Ok(queue);
        }
    }

    /// Makes the queue of a group anew that has vanished; false if the group was deleted by those who use it.
    ///
    /// # Errors
    /// `Unavailable` while Azure is deleting the queue.
    pub(super) async fn restore(&self, topic: &QualifiedName, queue: &str, group: Option<&str>) -> Result<bool> {
        let recorded = match self.post.recorded(queue).await? {
            Record::Deleted => return Ok(false),
            Record::Group(encoded) => Some(encoded),
            Record::None => None,
        };
        let encoded = group.map(encode_name).or_else(|| recorded.clone());
        match self.make(queue, topic, encoded.as_deref()).await? {
            Made::BeingDeleted => Err(Error::unavailable(format!(
                "the queue {queue:?} of topic {:?} was deleted by somebody else, for which Azure takes half a minute or \
                 more; it is made again then",
                topic.name
            ))),
            made => {
                if matches!(made, Made::New) {
                    tracing::warn!(
                        "the queue {queue:?} of topic {:?} had been deleted with all messages that waited in it, however \
                         many; it was made again, empty",
                        topic.name
                    );
                }
                if let (None, Some(encoded)) = (recorded, encoded) {
                    self.post.record(queue, &encoded).await?;
                }
                Ok(true)
            }
        }
    }

    fn note(&self, queue: &str, is_new: bool) {
        let mut new = self.new.lock();
        new.retain(|_, since| since.elapsed() < 2 * OLD);
        if is_new || !new.contains_key(queue) {
            new.insert(queue.to_owned(), Instant::now());
        }
    }

    /// `encoded` is the group's name, where it is known.
    async fn make(&self, queue: &str, topic: &QualifiedName, encoded: Option<&str>) -> Result<Made> {
        let client = self.post.queue(queue)?;
        let mut metadata = HashMap::from([(TOPIC.to_owned(), topic.encoded())]);
        metadata.extend(encoded.map(|encoded| (GROUP.to_owned(), encoded.to_owned())));
        let said = metadata.clone();
        metadata.insert(CREATED.to_owned(), seconds_since_1970().to_string());
        let ask = || {
            let options = QueueClientCreateOptions { metadata: Some(metadata.clone()), ..Default::default() };
            client.create(Some(options))
        };
        match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(created) if u16::from(created.status()) == 201 => return Ok(Made::New),
            // It is there, with the metadata that was given: made within this second.
            Ok(_) => return Ok(Made::There),
            Err(failure) if failure.code() == "QueueBeingDeleted" => return Ok(Made::BeingDeleted),
            // Its metadata is another: when it was made.
            Err(failure) if failure.code() == "QueueAlreadyExists" => {}
            Err(failure) => return Err(failure.into_error(queue)),
        }
        let found = match self.post.link.ask(Lost::SendAgain, || client.get_properties(None)).await {
            Ok(found) => found.metadata().unwrap_or_default(),
            Err(failure) if failure.is_no_queue() => return Ok(Made::BeingDeleted),
            Err(failure) => return Err(failure.into_error(queue)),
        };
        let created = found.get(CREATED).and_then(|created| created.parse().ok());
        if created.is_none() || said.iter().any(|(name, value)| found.get(name) != Some(value)) {
            self.mend(queue, metadata, created).await?;
        }
        let age = seconds_since_1970().saturating_sub(created.unwrap_or(u64::MAX));
        Ok(if Duration::from_secs(age) > OLD { Made::Old } else { Made::There })
    }

    /// Has a queue say again what it is. Its name is a hash of that, so that it can be no other.
    async fn mend(&self, queue: &str, mut metadata: HashMap<String, String>, created: Option<u64>) -> Result<()> {
        let client = self.post.queue(queue)?;
        metadata.extend(created.map(|created| (CREATED.to_owned(), created.to_string())));
        let set = self.post.link.ask(Lost::SendAgain, || client.set_metadata(&metadata, None)).await;
        set.map_err(|failure| failure.into_error(queue))?;
        tracing::warn!("the metadata of the queue {queue:?} had been changed; it was set again");
        Ok(())
    }

    /// Removes a group with its messages.
    pub(super) async fn delete(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let queue = queues::of_group(&self.post.location.name, topic, group);
        self.lists.lock().remove(&queues::of_topic(&self.post.location.name, topic));
        self.new.lock().remove(&queue);
        // Before the queue goes: who misses that looks here.
        self.post.record_deletion(&queue).await?;
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
