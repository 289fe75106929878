use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use slight_capabilities::{Inbox, Message, Messaging, Replies, Reply, ReplyTo, Result};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::backoff::{Backoff, random};
use crate::{
    Backend,
    guard::{self, Call},
};

/// The waits after errors of an inbox in a row.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Where replies to this process arrive: one inbox per provider, opened by the first request and shared by all.
///
/// What it holds is bounded by the requests that wait, of which each instance has one at a time.
#[derive(Default)]
pub(crate) struct Inboxes(Mutex<HashMap<Arc<str>, Arc<Slot>>>);

/// A slot is locked while its inbox is opened: those who come meanwhile wait for it.
type Slot = tokio::sync::Mutex<Option<Arc<OpenInbox>>>;

impl Inboxes {
    /// The inbox at a provider. One whose stream has ended is replaced.
    pub async fn open(&self, backend: &Backend<dyn Messaging>) -> Result<Arc<OpenInbox>> {
        let slot = lock(&self.0).entry(backend.section.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(open) = slot.as_ref().filter(|inbox| !inbox.reader.is_finished()) {
            return Ok(open.clone());
        }
        let inbox = backend.provider.inbox().await?;
        Ok(slot.insert(Arc::new(OpenInbox::new(inbox, backend.section.clone()))).clone())
    }
}

/// An inbox, with the requests that wait for replies to it.
pub(crate) struct OpenInbox {
    address: String,
    pending: Arc<Pending>,
    reader: AbortOnDropHandle<()>,
}

impl OpenInbox {
    fn new(inbox: Inbox, section: Arc<str>) -> Self {
        let pending = Arc::new(Pending::default());
        let reader = tokio::spawn(read(inbox.replies, Closing(pending.clone()), section));
        Self { address: inbox.address, pending, reader: AbortOnDropHandle::new(reader) }
    }

    /// Begins to wait for the replies of a new request, and keeps up to `expected` of them.
    pub fn wait(self: &Arc<Self>, expected: usize) -> Waiting {
        let correlation = format!("{:016x}{:016x}", random(), random());
        let (sender, replies) = mpsc::channel(expected.max(1));
        self.pending.insert(&correlation, sender);
        Waiting { inbox: self.clone(), correlation, replies }
    }
}

#[cfg(test)]
impl OpenInbox {
    /// How many requests wait.
    pub fn pending_requests(&self) -> usize {
        lock(&self.pending.0).as_ref().map_or(0, HashMap::len)
    }
}

/// A request that waits for replies; dropped, it waits no more.
pub(crate) struct Waiting {
    inbox: Arc<OpenInbox>,
    correlation: String,
    replies: mpsc::Receiver<Message>,
}

impl Waiting {
    /// What the request carries.
    pub fn address(&self) -> ReplyTo {
        ReplyTo { inbox: self.inbox.address.clone(), correlation: self.correlation.clone() }
    }

    /// The next reply; `None` once the inbox is closed.
    pub async fn next(&mut self) -> Option<Message> {
        self.replies.recv().await
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.pending.remove(&self.correlation);
    }
}

/// Who waits, by correlation; `None` once nothing will come any more.
struct Pending(Mutex<Option<HashMap<String, mpsc::Sender<Message>>>>);

impl Default for Pending {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl Pending {
    fn insert(&self, correlation: &str, sender: mpsc::Sender<Message>) {
        if let Some(waiting) = &mut *lock(&self.0) {
            waiting.insert(correlation.to_owned(), sender);
        }
    }

    fn remove(&self, correlation: &str) {
        if let Some(waiting) = &mut *lock(&self.0) {
            waiting.remove(correlation);
        }
    }

    /// A reply that nobody waits for any more is dropped, and so is one more than were expected.
    fn deliver(&self, reply: Reply) {
        let waiting = lock(&self.0);
        if let Some(sender) = waiting.as_ref().and_then(|waiting| waiting.get(&reply.correlation)) {
            let _ = sender.try_send(reply.message);
        }
    }
}

/// Sends those who wait away, however the reader ends.
struct Closing(Arc<Pending>);

impl Drop for Closing {
    fn drop(&mut self) {
        *lock(&self.0.0) = None;
    }
}

async fn read(mut replies: Replies, pending: Closing, section: Arc<str>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    while let Some(reply) = replies.next().await {
        match reply {
            Ok(reply) => {
                backoff.reset();
                pending.0.deliver(reply);
            }
            Err(error) => {
                guard::log(Call { section: &section, operation: "messaging inbox", target: "replies" }, &error);
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
