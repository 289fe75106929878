use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::stream;
use parking_lot::Mutex;
use slight_capabilities::{Error, Inbox, Message, Reply, ReplyTo, Result};
use tokio::sync::mpsc::{self, error::TrySendError};

/// How many replies an inbox holds that nobody has read yet.
///
/// A replier never waits for a reader: a reply to a full inbox is refused as `Unavailable`, so that one requester that
/// has stopped reading holds up nobody, and the replier learns that its reply is lost.
const MAX_UNREAD: usize = 1024;

/// The inboxes of this process. The file is open here alone, so nobody else could reply.
pub(super) struct Inboxes {
    /// Tells processes apart: a message that stayed in the file may name an inbox of one that has ended.
    process: u64,
    opened: AtomicU64,
    open: Mutex<HashMap<String, mpsc::Sender<Reply>>>,
}

impl Default for Inboxes {
    fn default() -> Self {
        // Each RandomState has keys of its own.
        let process = RandomState::new().build_hasher().finish();
        Self { process, opened: AtomicU64::default(), open: Mutex::default() }
    }
}

impl Inboxes {
    pub(super) fn open(self: &Arc<Self>) -> Inbox {
        let address = format!("redb-{:016x}-{}", self.process, self.opened.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = mpsc::channel(MAX_UNREAD);
        self.open.lock().insert(address.clone(), sender);
        let reader = Reader { receiver, address: address.clone(), inboxes: self.clone() };
        let replies = stream::unfold(reader, |mut reader| async move {
            let reply = reader.receiver.recv().await?;
            Some((Ok(reply), reader))
        });
        Inbox { address, replies: Box::pin(replies) }
    }

    pub(super) fn send(&self, to: &ReplyTo, message: Message) -> Result<()> {
        let Some(inbox) = self.open.lock().get(&to.inbox).cloned() else { return Ok(()) };
        match inbox.try_send(Reply { correlation: to.correlation.clone(), message }) {
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(Error::unavailable(format!(
                "the inbox {:?} is full: its owner has {MAX_UNREAD} replies to read",
                to.inbox
            ))),
        }
    }
}

/// The reading end of an inbox, which takes the inbox with it.
struct Reader {
    receiver: mpsc::Receiver<Reply>,
    address: String,
    inboxes: Arc<Inboxes>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.inboxes.open.lock().remove(&self.address);
    }
}
