use std::sync::Arc;

use azure_core::http::RequestContent;
use azure_storage_queue::{
    QueueClient,
    models::{QueueClientSendMessageOptions, QueueMessage},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{Error, ErrorKind, Message, Result};

use super::{
    envelope::{self, Envelope, Held},
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

/// In the metadata of dead letters: why a message is one.
const WHY: &str = "dead-letter-error";

/// How many blobs of a queue are removed at a time.
const AT_ONCE: usize = 16;

/// A message as it was sent.
pub(super) struct Opened {
    pub(super) message: Message,
    /// Where it is, if it was too large for the queue.
    pub(super) blob: Option<String>,
    /// How many of its leases were given back without being begun.
    pub(super) released: u32,
    /// False where it can never be read: no handler is to see it.
    pub(super) is_readable: bool,
}

impl Opened {
    /// What a text tells of a message whose blob cannot be had now.
    pub(super) fn without_blob(text: &str) -> Self {
        let Envelope { held, released } = envelope::read_text(text);
        let (message, blob) = match held {
            Held::Message(message) => (message, None),
            Held::Blob(blob) => (Message::default(), Some(blob)),
        };
        Self { message, blob, released, is_readable: true }
    }
}

/// A message of which no more is left than what is in the queue: that, and why.
fn unreadable(text: &str, blob: Option<String>, why: String) -> Opened {
    let metadata = vec![(WHY.to_owned(), format!("the message cannot be read: {why}"))];
    let message = Message { data: Bytes::copy_from_slice(text.as_bytes()), metadata, ..Message::default() };
    Opened { message, blob, released: 0, is_readable: false }
}

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
    envelope::write(message, 0)
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
        let (text, blob) = self.text(name, envelope, 0).await?;
        let sent = self.put(&queue, text, seconds).await;
        if let Some(blob) = blob
            && sent.as_ref().is_err_and(|failure| !failure.is_unclear())
        {
            // Nobody will come for it. Where this fails, it goes with its queue.
            let _ = self.location.delete(&blob).await;
        }
        finish(name, sent)
    }

    /// What is written in the queue of this name for an envelope; and the blob that the envelope is in, if it is too large
    /// for the queue.
    pub(super) async fn text(&self, name: &str, envelope: &Bytes, released: u32) -> Result<(String, Option<String>)> {
        if envelope.len() <= MAX_IN_QUEUE {
            return Ok((envelope::to_text(envelope), None));
        }
        self.location.prepare().await?;
        let blob = format!("{name}/{}", queues::new_address());
        let deadline = self.link.deadline();
        let stored = self.location.put(&blob, envelope.clone(), Required::Anything, Lost::SendAgain, deadline).await;
        stored.map_err(|failure| self.location.error(failure))?;
        Ok((envelope::to_text(&envelope::write_blob(&blob, released)?), Some(blob)))
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

    /// Reads the text of a message from the queue of this name, with the blob that it may be in.
    ///
    /// # Errors
    /// Where the blob cannot be had now.
    pub(super) async fn open(&self, name: &str, text: &str) -> Result<Opened> {
        let Envelope { held, released } = envelope::read_text(text);
        let blob = match held {
            Held::Message(message) => return Ok(Opened { message, blob: None, released, is_readable: true }),
            Held::Blob(blob) => blob,
        };
        if !blob.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')) {
            return Ok(unreadable(
                text,
                None,
                format!("it is said to be in {blob:?}, which is not of the queue {name:?}"),
            ));
        }
        // With its header, which may be larger than the message counts.
        let limit = 2 * MAX_MESSAGE_BYTES as u64;
        let content = match self.location.get(&blob, limit, self.link.deadline()).await {
            Ok(Some((content, _))) => content,
            Ok(None) => return Ok(unreadable(text, None, format!("its blob {blob:?} is gone"))),
            Err(error) if error.kind() == ErrorKind::TooLarge => {
                return Ok(unreadable(text, None, error.message().to_owned()));
            }
            Err(error) => return Err(error),
        };
        Ok(match envelope::read(content).held {
            Held::Message(message) => Opened { message, blob: Some(blob), released, is_readable: true },
            Held::Blob(_) => unreadable(text, Some(blob), "its blob holds the name of another".to_owned()),
        })
    }

    /// Removes a queue with its messages and their blobs, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let queue = self.queue(name)?;
        match self.link.ask(Lost::SendAgain, || queue.delete(None)).await {
            Ok(_) => {}
            Err(failure) if failure.is_no_queue() => {}
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
        Err(failure) if failure.is_no_queue() => Ok(Sent::NoQueue),
        Err(failure) => Err(failure.into_error(name)),
    }
}
