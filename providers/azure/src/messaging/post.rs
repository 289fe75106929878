use std::sync::Arc;

use azure_core::http::RequestContent;
use azure_storage_queue::{
    QueueClient,
    models::{QueueClientSendMessageOptions, QueueMessage, ReceivedMessage},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{Error, Message, Result};

use super::{
    envelope::{self, Held},
    queues,
};
use crate::{
    attempts::Lost,
    errors::{self, Failure},
    link::Link,
    listing,
    location::{Location, Required},
};

/// The largest message, with its envelope.
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// The largest envelope that is in the queue itself, which takes 64 KiB of base64.
const MAX_IN_QUEUE: usize = 40 * 1024;

/// How many blobs of a queue are removed at a time.
const AT_ONCE: usize = 16;

/// Whether there was a queue to take a message.
pub(super) enum Sent {
    Taken,
    NoQueue,
}

/// Sends to queues and reads what comes from them, with the blobs for what is too large.
pub(super) struct Post {
    pub(super) link: Arc<Link>,
    /// The container for large messages; its name is also what the names of the queues begin with.
    pub(super) location: Location,
}

/// Checks a message, and writes it.
///
/// # Errors
/// `TooLarge`.
pub(super) fn pack(message: Message) -> Result<Bytes> {
    if message.size() > MAX_MESSAGE_BYTES {
        return Err(Error::too_large("the message", message.size() as u64, MAX_MESSAGE_BYTES as u64));
    }
    envelope::write(message)
}

impl Post {
    pub(super) fn queue(&self, name: &str) -> Result<QueueClient> {
        self.link.queues()?.queue_client(name).map_err(|error| {
            Error::invalid("the address of the queues cannot be used").with_source(errors::described(&error))
        })
    }

    /// Puts an envelope into a queue, for so many seconds; -1 is for ever.
    pub(super) async fn send(&self, name: &str, envelope: &Bytes, seconds: i32) -> Result<Sent> {
        let queue = self.queue(name)?;
        if envelope.len() <= MAX_IN_QUEUE {
            return finish(name, self.put(&queue, envelope::to_text(envelope), seconds).await);
        }
        self.location.prepare().await?;
        let blob = format!("{name}/{}", queues::new_address());
        let deadline = self.link.deadline();
        let stored = self.location.put(&blob, envelope.clone(), Required::Anything, Lost::SendAgain, deadline).await;
        stored.map_err(|failure| self.location.error(failure))?;
        let sent = self.put(&queue, envelope::to_text(&envelope::write_blob(&blob)?), seconds).await;
        if sent.as_ref().is_err_and(|failure| !failure.is_unclear()) {
            // Nobody will come for it. Where this fails, it goes with its queue.
            let _ = self.location.delete(&blob).await;
        }
        finish(name, sent)
    }

    async fn put(&self, queue: &QueueClient, text: String, seconds: i32) -> Result<(), Failure> {
        let message = QueueMessage { message_text: Some(text) };
        let ask = || async {
            let content: RequestContent<_, _> = message.clone().try_into()?;
            let options = QueueClientSendMessageOptions { message_time_to_live: Some(seconds), ..Default::default() };
            queue.send_message(content, Some(options)).await
        };
        // Sent again, it might be there twice.
        self.link.ask(Lost::Report, ask).await.map(drop)
    }

    /// Reads a message that came from the queue of this name, and says in which blob it was, if in one.
    pub(super) async fn open(&self, name: &str, received: &ReceivedMessage) -> Result<(Message, Option<String>)> {
        let text = received.message_text.as_deref().unwrap_or_default();
        let blob = match envelope::read_text(text) {
            Held::Message(message) => return Ok((message, None)),
            Held::Blob(blob) if blob.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')) => blob,
            Held::Blob(_) => return Err(Error::other(format!("a message in {name:?} is in a blob of something else"))),
        };
        // With its header, which may be larger than the message counts.
        let limit = 2 * MAX_MESSAGE_BYTES as u64;
        let found = self.location.get(&blob, limit, self.link.deadline()).await?;
        let gone = || Error::other(format!("the body of a message is gone: the blob {blob:?} is not there"));
        match envelope::read(found.ok_or_else(gone)?.0) {
            Held::Message(message) => Ok((message, Some(blob))),
            Held::Blob(_) => Err(Error::other(format!("the blob {blob:?} is no message"))),
        }
    }

    /// Removes a queue with its messages and their blobs, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let queue = self.queue(name)?;
        match self.link.ask(Lost::SendAgain, || queue.delete(None)).await {
            Ok(_) => {}
            Err(failure) if failure.status() == 404 => {}
            Err(failure) => return Err(failure.into_error(name)),
        }
        self.location.prepare().await?;
        let prefix = format!("{name}/");
        loop {
            let page = listing::page(&self.location, &prefix, |rest| Some(rest.to_owned()), None).await?;
            let blobs: Vec<_> = page.items.iter().map(|rest| format!("{prefix}{rest}")).collect();
            let deletes: Vec<_> = blobs.iter().map(|blob| self.location.delete(blob)).collect();
            stream::iter(deletes).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            if page.next.is_none() {
                return Ok(());
            }
        }
    }
}

fn finish(name: &str, sent: Result<(), Failure>) -> Result<Sent> {
    match sent {
        Ok(()) => Ok(Sent::Taken),
        Err(failure) if failure.status() == 404 => Ok(Sent::NoQueue),
        Err(failure) => Err(failure.into_error(name)),
    }
}
