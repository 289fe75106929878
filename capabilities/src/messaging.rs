use std::{pin::Pin, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::{QualifiedName, Result};

/// A message: a body, and an envelope that is carried and never interpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The body.
    pub data: Bytes,
    /// The media type of the body, if the sender gave one.
    pub content_type: Option<String>,
    /// Names and values, in the sender's order.
    pub metadata: Vec<(String, String)>,
    /// Where replies go, if the sender waits for any.
    pub reply_to: Option<ReplyTo>,
}

impl Message {
    /// What counts against limits: the bytes of body, content type and metadata, and for each entry of the metadata 32
    /// more, since one that is empty takes room, too.
    pub fn size(&self) -> usize {
        const ENTRY: usize = 32;
        let metadata: usize = self.metadata.iter().map(|(key, value)| key.len() + value.len() + ENTRY).sum();
        self.data.len() + self.content_type.as_ref().map_or(0, String::len) + metadata
    }
}

/// The address of one request: an inbox and the request's number in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyTo {
    /// The inbox, as [`Inbox::address`] said it.
    pub inbox: String,
    /// Tells the requests of one inbox apart; carried back by every reply.
    pub correlation: String,
}

/// A reply as it arrives in an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// That of the request.
    pub correlation: String,
    /// The reply itself.
    pub message: Message,
}

/// Replies in the order of arrival. An `Err` item is transient and the stream goes on.
pub type Replies = Pin<Box<dyn Stream<Item = Result<Reply>> + Send + 'static>>;

/// Where one process receives replies. Dropping the stream closes it. One left by a dead process expires: 15 minutes later
/// at the latest it is gone, or is removed by whoever opens the next one.
pub struct Inbox {
    /// Put into [`ReplyTo::inbox`].
    pub address: String,
    /// What arrives.
    pub replies: Replies,
}

/// What a group wants to receive.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Literal topic names; there are no wildcards.
    pub topics: Vec<QualifiedName>,
    /// The group: its members share its messages.
    pub group: String,
    /// At most this many deliveries are held by this subscriber, neither settled nor dropped, at a time. At least 1.
    pub capacity: usize,
    /// How long a message may be out before it is given to another member, unless the lease is extended.
    pub visibility: Duration,
}

/// Messages for a subscriber. An `Err` item is transient and the stream goes on.
pub type Deliveries = Pin<Box<dyn Stream<Item = Result<Box<dyn Delivery>>> + Send + 'static>>;

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done: the group does not get it again.
    Ack,
    /// Not done: the group gets it again after this long, rounded up to seconds, at most one hour.
    Retry {
        /// The wait before the next delivery.
        after: Duration,
    },
    /// Not begun: the group gets it again at once, and this delivery does not count.
    Release,
}

/// The longest wait before a message is delivered again.
pub const MAX_RETRY: Duration = Duration::from_secs(3600);

/// How long a message waits that is returned with [`Outcome::Retry`]: whole seconds, rounded up, at most [`MAX_RETRY`].
pub fn retry_wait(after: Duration) -> Duration {
    let part = u64::from(after.subsec_nanos() > 0);
    Duration::from_secs(after.as_secs().saturating_add(part)).min(MAX_RETRY)
}

/// One message, leased to one member of a group.
///
/// It counts from the moment that the subscriber takes it from the stream, unless it is [released](Outcome::Release): what
/// a provider leased ahead and nobody took does not count. Dropping it unsettled gives it back when the lease ends.
#[async_trait]
pub trait Delivery: Send + Sync {
    /// The topic it was published to, as the guest named it.
    fn topic(&self) -> &str;

    /// The message.
    fn message(&self) -> &Message;

    /// Which delivery of this message to this group it is: 1 is the first.
    fn count(&self) -> u32;

    /// Begins the lease anew: `visibility` from now.
    ///
    /// # Errors
    /// `Conflict` when the lease has ended and the message may be with somebody else.
    async fn extend(&mut self) -> Result<()>;

    /// Ends the delivery.
    ///
    /// # Errors
    /// `Conflict` when the lease had ended; the message may come once more, and is not lost. So it may when the answer was
    /// lost (`Unavailable` or `Timeout`).
    async fn settle(self: Box<Self>, outcome: Outcome) -> Result<()>;
}

/// Topics, and groups that each receive every message once or more.
///
/// # Behavior
/// - **a message comes back as it was sent**: body, content type, and metadata with order and odd characters; also all
///   of them empty or absent.
/// - **a message of 256 KiB is delivered**: body and metadata together, on every provider with default settings.
/// - **a larger message is delivered or too large**: 4 MiB is either delivered whole or `TooLarge` at once.
/// - **topics are literal**: `*`, `>`, `a.b`, `a/b`, spaces, emoji, 128 bytes are plain characters, and similar topics are told apart.
/// - **a prefix isolates topics**: the same name under two prefixes is two topics; and prefix and name together are never
///   another prefix with another name (`shop` with `-a`, `shop-` with `a`).
/// - **a topic without a group drops messages**: `publish` is `Ok`, and a group made later does not get them.
/// - **an unsubscribed topic gets nothing**: a subscriber of one topic sees none of another's messages.
/// - **a subscription may have many topics**: each delivery tells its own.
///
/// Groups:
/// - **a group starts at now**: it gets every message published after `subscribe` or `create_group` returned.
/// - **a group shares its messages**: two members together get each message, and each only once while all are settled.
/// - **two groups each get all**.
/// - **group names may hold any characters**: as topics, to 128 bytes.
/// - **a group keeps its messages without a subscriber**: what is published between two subscriptions is delivered to the
///   second.
/// - **create group is idempotent**: on an existing group it changes nothing and loses nothing.
/// - **delete group drops its messages**: and is idempotent; other groups keep theirs.
///
/// Leases:
/// - **at most capacity are out at a time**: a further message comes only after one is settled.
/// - **the count starts at one and grows**: with every delivery of a message to the group.
/// - **an acked message does not come again**: also after its lease would have ended.
/// - **retry delivers again after the delay**: not before it, and soon after.
/// - **retry with no delay delivers again at once**: to any member of the group.
/// - **a released message comes again at once and uncounted**: to any member of the group, with the count that it had;
///   also when it was retried before, and as often as it is released.
/// - **what nobody took does not count**: a message that a stream held when it was dropped comes to the next member with
///   the count that it would have had.
/// - **an unsettled message comes again after its lease**: to another member, with a higher count, when its holder dies or drops it.
/// - **extend keeps the lease**: a message extended in time is given to nobody else for longer than `visibility`.
/// - **settling after the lease ended loses nothing**: ack, retry and extend then are `Ok` or `Conflict`.
/// - **a dropped stream loses nothing**: what it had not handed out or its holder had not settled goes to another member.
/// - **racing members get each message once**: many members, many messages, all acked: none twice, none missing.
///
/// Dropped calls:
/// - **a dropped call is done or not done**: the runtime drops a call that takes longer than `limits.backend-timeout`. It is
///   then done, or not, or will be soon; nothing is half done, and all other calls go on.
///   A message whose `settle`, `extend` or `subscribe` was dropped is settled, or comes again when its lease ends.
///
/// Inboxes:
/// - **a reply reaches its inbox**: with its correlation, body, content type and metadata.
/// - **a request carries its reply address**: `reply_to` arrives as it was sent.
/// - **one request may have many replies**: all arrive, in any order.
/// - **inboxes are apart**: a reply reaches the inbox named and no other.
/// - **a reply to a closed inbox is ok**: nobody waits any more, and that is no failure of the replier.
#[async_trait]
pub trait Messaging: Send + Sync + 'static {
    /// Gives a message to every group that the topic has when the call starts. With no group it is dropped.
    ///
    /// `Ok` means that every one of them will get it. After an error some may, also after `Unavailable`: one that is
    /// published again may come twice.
    ///
    /// # Errors
    /// `TooLarge` with the limit in the sentence.
    async fn publish(&self, topic: &QualifiedName, message: Message) -> Result<()>;

    /// Receives as a member of a group, which is made if it is not there. Every message published after the call
    /// returned reaches the group.
    ///
    /// Dropping the stream ends the membership, never the group. Deliveries taken from it stay valid.
    async fn subscribe(&self, subscription: Subscription) -> Result<Deliveries>;

    /// Makes a group, if it is not there, that begins to collect messages now.
    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()>;

    /// Removes a group with the messages it holds, if it is there. Members that are subscribed get nothing more
    /// from it; their streams may say so with an error, and may end.
    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()>;

    /// Opens an inbox for replies.
    async fn inbox(&self) -> Result<Inbox>;

    /// Sends a reply to the inbox that a request named.
    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_wait_for_whole_seconds_and_at_most_an_hour() {
        for (asked, seconds) in [(1, 1), (1000, 1), (1001, 2), (3_599_001, 3600), (7_200_000, 3600)] {
            assert_eq!(retry_wait(Duration::from_millis(asked)), Duration::from_secs(seconds));
        }
        assert_eq!(retry_wait(Duration::MAX), MAX_RETRY);
        assert_eq!(retry_wait(Duration::ZERO), Duration::ZERO);
    }
}
