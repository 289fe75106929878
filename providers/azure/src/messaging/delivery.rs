use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::http::{RequestContent, headers::HeaderName};
use azure_storage_queue::{
    QueueClient,
    models::{QueueClientUpdateMessageOptions, QueueMessage},
};
use slight_capabilities::{Delivery, Error, MAX_RETRY, Message, Outcome, QualifiedName, Result};
use slight_handover::{Leased, Room};
use tokio::time::Instant;

use super::{envelope, post::Post};
use crate::{attempts::Lost, errors::Failure};

/// The longest lease, by Azure's rules.
const MAX_LEASE: Duration = Duration::from_secs(7 * 24 * 3600);

const POP_RECEIPT: HeaderName = HeaderName::from_static("x-ms-popreceipt");

/// The count of what cannot be read: more than any limit, so that it goes to the dead letters and no handler sees it.
pub(super) const NOT_FOR_HANDLERS: u32 = u32::MAX;

/// The queue of one group of a topic.
pub(super) struct Source {
    pub(super) topic: QualifiedName,
    pub(super) group: String,
    pub(super) queue: QueueClient,
    /// The queue's name.
    pub(super) name: String,
}

/// One message that is leased to this process.
pub(super) struct AzureDelivery {
    pub(super) post: Arc<Post>,
    pub(super) source: Arc<Source>,
    pub(super) id: String,
    /// Tells who holds the message: every lease has another one.
    pub(super) receipt: String,
    /// Which delivery it is: without the leases that were given back.
    pub(super) count: u32,
    /// How many leases were given back before.
    pub(super) released: u32,
    pub(super) message: Message,
    /// Where the message is, if it was too large for the queue.
    pub(super) blob: Option<String>,
    /// In seconds, as Azure counts.
    pub(super) lease: i32,
    /// When the lease is over, by our clock; not before it is by Azure's, as far as both run at the same speed.
    pub(super) ends: Instant,
    /// The room that it takes up in the subscription.
    pub(super) _room: Room,
}

impl AzureDelivery {
    /// Lets the message come again after so many seconds, with another text if one is given.
    async fn postpone(&self, seconds: i32, text: Option<String>) -> Result<()> {
        let message = text.map(|text| QueueMessage { message_text: Some(text) });
        let ask = || async {
            let content: Option<RequestContent<_, _>> = message.clone().map(TryInto::try_into).transpose()?;
            let options = QueueClientUpdateMessageOptions { queue_message: content, ..Default::default() };
            self.source.queue.update_message(&self.id, &self.receipt, seconds, Some(options)).await
        };
        match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(_) => Ok(()),
            // Done by an attempt whose answer was lost: the receipt is good for once.
            Err(failure) if failure.repeated && is_lost(&failure) => Ok(()),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Lets the message come again after so many seconds as if it had not been leased: what the queue has counted is
    /// taken off by the message's own text, so that every process reads it there.
    pub(super) async fn release(&self, seconds: i32) -> Result<()> {
        if self.count == NOT_FOR_HANDLERS {
            // As it is in the queue, for whoever can tell what it was.
            return self.postpone(seconds, None).await;
        }
        let released = self.released.saturating_add(1);
        let (text, blob) = match &self.blob {
            Some(blob) => (envelope::to_text(&envelope::write_blob(blob, released)?), None),
            None => {
                let envelope = envelope::write(self.message.clone(), released)?;
                self.post.text(&self.source.name, &envelope, released).await?
            }
        };
        let done = self.postpone(seconds, Some(text)).await;
        if let (Some(blob), Err(_)) = (blob, &done) {
            // Where this fails, it goes with its queue.
            let _ = self.post.location.delete(&blob).await;
        }
        done
    }

    async fn acknowledge(&self) -> Result<()> {
        let ask = || self.source.queue.delete_message(&self.id, &self.receipt, None);
        match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(_) => {}
            Err(failure) if failure.repeated && is_lost(&failure) => {}
            Err(failure) => return Err(self.error(failure)),
        }
        if let Some(blob) = &self.blob {
            // The message is done with; a blob that stays goes with its queue.
            let _ = self.post.location.delete(blob).await;
        }
        Ok(())
    }

    fn error(&self, failure: Failure) -> Error {
        match is_lost(&failure) {
            true => Error::conflict(format!("the lease on a message of topic {:?} has ended", self.source.topic.name)),
            false => failure.into_error(&self.source.name),
        }
    }
}

/// True when somebody else has the message, or nobody any more.
fn is_lost(failure: &Failure) -> bool {
    matches!(failure.code(), "PopReceiptMismatch" | "MessageNotFound" | "QueueNotFound")
}

#[async_trait]
impl Leased for AzureDelivery {
    fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    async fn give_back(self) {
        // Where this fails, the lease ends by itself.
        let _ = self.release(0).await;
    }
}

#[async_trait]
impl Delivery for AzureDelivery {
    fn topic(&self) -> &str {
        &self.source.topic.name
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.count
    }

    async fn extend(&mut self) -> Result<()> {
        let ends = Instant::now() + Duration::from_secs(self.lease.unsigned_abs().into());
        let ask = || self.source.queue.update_message(&self.id, &self.receipt, self.lease, None);
        // Without its answer, and so without its receipt, the lease would be nobody's.
        let extended = self.post.link.ask(Lost::Report, ask).await.map_err(|failure| self.error(failure))?;
        let receipt = extended.headers().get_optional_string(&POP_RECEIPT);
        self.receipt = receipt.ok_or_else(|| Error::other("Azure told no receipt for an extended lease"))?;
        self.ends = ends;
        Ok(())
    }

    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Ack => self.acknowledge().await,
            Outcome::Release => self.release(0).await,
            Outcome::Retry { after } => self.postpone(whole_seconds(after, MAX_RETRY), None).await,
        }
    }
}

/// A lease as Azure counts it: at least a second, and at most a week.
pub(super) fn lease(visibility: Duration) -> i32 {
    whole_seconds(visibility, MAX_LEASE).max(1)
}

/// Rounded up, and at most so long.
fn whole_seconds(time: Duration, longest: Duration) -> i32 {
    let part = u64::from(time.subsec_nanos() > 0);
    let seconds = time.as_secs().saturating_add(part).min(longest.as_secs());
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_for_whole_seconds_and_at_most_an_hour() {
        for (asked, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (3_599_001, 3600), (7_200_000, 3600)] {
            assert_eq!(whole_seconds(Duration::from_millis(asked), MAX_RETRY), seconds);
        }
        assert_eq!(whole_seconds(Duration::MAX, MAX_RETRY), 3600);
    }

    #[test]
    fn leases_are_at_least_a_second_and_at_most_a_week() {
        assert_eq!(lease(Duration::from_millis(1)), 1);
        assert_eq!(lease(Duration::from_secs(30)), 30);
        assert_eq!(lease(Duration::MAX), 604_800);
    }
}
