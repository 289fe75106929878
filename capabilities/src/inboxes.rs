use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_channel::mpsc;
use futures_core::Stream;

use crate::{Error, Inbox, Message, Reply, ReplyTo, Result};

/// How many replies an inbox holds that nobody has read yet.
///
/// A replier never waits for a reader: a reply to a full inbox is refused as `Unavailable`, so that one requester that
/// has stopped reading holds up nobody, and the replier learns that its reply is lost.
const MAX_UNREAD: usize = 1024;

/// The inboxes of one process, for providers whose messages no other process can see.
#[derive(Clone)]
pub struct LocalInboxes {
    /// Tells processes apart: a message that outlived one may name an inbox of it.
    process: u64,
    open: Arc<Mutex<Open>>,
}

#[derive(Default)]
struct Open {
    opened: u64,
    senders: HashMap<String, mpsc::Sender<Reply>>,
}

impl Default for LocalInboxes {
    fn default() -> Self {
        // Each RandomState has keys of its own.
        Self { process: RandomState::new().build_hasher().finish(), open: Arc::default() }
    }
}

impl LocalInboxes {
    /// A new inbox, which ends when its replies are no longer read.
    pub fn open(&self) -> Inbox {
        // The sender itself has one place more.
        let (sender, replies) = mpsc::channel(MAX_UNREAD - 1);
        let mut open = self.lock();
        open.opened += 1;
        let address = format!("{:016x}-{}", self.process, open.opened);
        open.senders.insert(address.clone(), sender);
        let replies = Reader { replies, address: address.clone(), inboxes: self.clone() };
        Inbox { address, replies: Box::pin(replies) }
    }

    /// Puts a reply into the inbox that asked for it. One that is gone, or of another process, is no error.
    ///
    /// # Errors
    /// `Unavailable` when the inbox is full.
    pub fn send(&self, to: &ReplyTo, message: Message) -> Result<()> {
        let mut open = self.lock();
        let Some(inbox) = open.senders.get_mut(&to.inbox) else { return Ok(()) };
        match inbox.try_send(Reply { correlation: to.correlation.clone(), message }) {
            Err(error) if error.is_full() => Err(Error::unavailable(format!(
                "the inbox {:?} is full: its owner has {MAX_UNREAD} replies to read",
                to.inbox
            ))),
            _ => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading end of an inbox, which takes the inbox with it.
struct Reader {
    replies: mpsc::Receiver<Reply>,
    address: String,
    inboxes: LocalInboxes,
}

impl Stream for Reader {
    type Item = Result<Reply>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Reply>>> {
        Pin::new(&mut self.replies).poll_next(cx).map(|reply| reply.map(Ok))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.inboxes.lock().senders.remove(&self.address);
    }
}
