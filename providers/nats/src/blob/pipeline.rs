use async_nats::{HeaderMap, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use slight_capabilities::{Error, Result};
use tokio::time::timeout;

use crate::{call::unique, errors, link::Ready, stream::Stream, target::RESPONSE};

/// How many messages may be under way, sent and not answered.
const WINDOW: u64 = 16;

/// Stores messages one after the other in a stream, several under way at the same time.
pub(super) struct Pipeline {
    stream: Stream,
    inbox: String,
    answers: Subscriber,
    ready: Ready,
    sent: u64,
    answered: u64,
    /// The sequence of the last one that was acknowledged.
    last: u64,
}

impl Pipeline {
    pub(super) async fn open(stream: &Stream) -> Result<Self> {
        let inbox = format!("_INBOX.{}", unique());
        let (answers, ready) = stream.link.receive(format!("{inbox}.*")).await?;
        Ok(Self { stream: stream.clone(), inbox, answers, ready, sent: 0, answered: 0, last: 0 })
    }

    /// Sends a message, once there is room in the window.
    pub(super) async fn send(&mut self, subject: &str, headers: HeaderMap, payload: Bytes) -> Result<()> {
        while self.sent - self.answered >= WINDOW {
            self.acknowledge().await?;
        }
        let (subject, reply) = (subject.to_owned(), format!("{}.{}", self.inbox, self.sent));
        let sending = self.ready.client.publish_with_reply_and_headers(subject, reply, headers, payload);
        timeout(RESPONSE, sending).await.map_err(|_| errors::late())?.map_err(errors::odd)?;
        self.sent += 1;
        Ok(())
    }

    /// Waits until all messages are stored.
    pub(super) async fn finish(&mut self) -> Result<()> {
        while self.answered < self.sent {
            self.acknowledge().await?;
        }
        Ok(())
    }

    /// Waits until the server has done with all messages, whatever became of them; false where that will not be known.
    pub(super) async fn settle(&mut self) -> bool {
        while self.answered < self.sent {
            if self.answer().await.is_err() {
                return false;
            }
        }
        true
    }

    async fn acknowledge(&mut self) -> Result<()> {
        let answer = self.answer().await?;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(self.stream.nobody().await);
        }
        let sequence = self.stream.acknowledged(&answer.payload)?;
        // One that was lost on the way and the next one not: the content would have a gap.
        if sequence <= self.last {
            return Err(Error::unavailable("NATS has stored the parts of an object in another order"));
        }
        self.last = sequence;
        Ok(())
    }

    async fn answer(&mut self) -> Result<Message> {
        let answer = tokio::select! {
            biased;
            answer = timeout(RESPONSE, self.answers.next()) => answer,
            () = self.ready.lost() => return Err(errors::lost(true)),
        };
        let Ok(Some(answer)) = answer else { return Err(errors::late()) };
        self.answered += 1;
        Ok(answer)
    }
}
