use std::{collections::HashMap, time::Duration};

use async_nats::{
    Message, StatusCode, Subscriber,
    jetstream::consumer::{AckPolicy, Config, DeliverPolicy, Info},
};
use futures_util::StreamExt;
use serde_json::json;
use slight_capabilities::{Error, Result};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use crate::{call::unique, errors, link::Ready, stream::Stream, target::RESPONSE};

/// After how long without a request a server removes a consumer that nobody has removed.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Gets messages from a consumer, as many as were asked for and no more.
pub(crate) struct Puller {
    stream: Stream,
    consumer: String,
    inbox: String,
    /// Made with the first request, and again after the connection was lost.
    receiving: Option<(Subscriber, Ready)>,
    /// Tells what comes for an earlier request.
    request: u64,
    /// How many messages the running request may still bring.
    expected: usize,
    ends: Instant,
}

/// What a request has brought.
pub(crate) enum Pulled {
    Message(Message),
    /// It brings no more.
    Done,
    /// There is no such consumer, or it has no leader.
    Nobody,
}

impl Puller {
    pub(crate) fn new(stream: &Stream, consumer: String) -> Self {
        Self {
            stream: stream.clone(),
            consumer,
            inbox: format!("_INBOX.{}", unique()),
            receiving: None,
            request: 0,
            expected: 0,
            ends: Instant::now(),
        }
    }

    /// Asks for messages that are there, or, with `wait`, for such as come by then.
    pub(crate) async fn ask(&mut self, count: usize, wait: Option<Duration>) -> Result<()> {
        let receiving = match self.receiving.take() {
            Some(receiving) => receiving,
            None => {
                // What a request of the lost connection still brings is not taken for what this one does.
                self.inbox = format!("_INBOX.{}", unique());
                self.receive().await?
            }
        };
        self.request += 1;
        let arguments = match wait {
            Some(wait) => json!({ "batch": count, "expires": wait.as_nanos() as u64 }),
            None => json!({ "batch": count, "no_wait": true }),
        };
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream.name, self.consumer);
        let reply = format!("{}.{}", self.inbox, self.request);
        let payload = arguments.to_string().into();
        let sending = receiving.1.client.publish_with_reply(subject, reply, payload);
        tokio::select! {
            sent = sending => sent.map_err(|error| {
                self.stream.link.renew_beside(&receiving.1.client);
                errors::ended(error)
            })?,
            () = tokio::time::sleep(RESPONSE) => return Err(errors::late()),
        }
        self.receiving = Some(receiving);
        self.expected = count;
        self.ends = Instant::now() + wait.unwrap_or_default() + RESPONSE;
        Ok(())
    }

    async fn receive(&self) -> Result<(Subscriber, Ready)> {
        let beside = self.stream.link.beside();
        let receiving = beside.receive(format!("{}.*", self.inbox)).await;
        if receiving.is_err()
            && let Ok(ready) = beside.ready().await
        {
            self.stream.link.renew_beside(&ready.client);
        }
        receiving
    }

    /// What the running request brings next. Nothing is lost where this is dropped before it ends.
    pub(crate) async fn next(&mut self) -> Result<Pulled> {
        loop {
            let Some((subscriber, ready)) = self.receiving.as_mut().filter(|_| self.expected > 0) else {
                return Ok(Pulled::Done);
            };
            let received = tokio::select! {
                biased;
                received = timeout_at(self.ends, subscriber.next()) => received,
                () = ready.lost() => {
                    self.receiving = None;
                    return Err(errors::lost(true));
                }
            };
            let Ok(received) = received else {
                self.receiving = None;
                return Err(Error::unavailable("NATS did not answer in time"));
            };
            let Some(message) = received else {
                self.stream.link.renew_beside(&ready.client);
                self.receiving = None;
                return Err(errors::lost(true));
            };
            match self.sort(message)? {
                Some(pulled) => return Ok(pulled),
                None => continue,
            }
        }
    }

    /// Tells messages from notes about the request; `None` for what means nothing.
    fn sort(&mut self, message: Message) -> Result<Option<Pulled>> {
        // Who writes a message may give it a status, too.
        let Some(status) = message.status.filter(|_| place(&message).is_err()) else {
            self.expected = self.expected.saturating_sub(1);
            return Ok(Some(Pulled::Message(message)));
        };
        let of_this = message.subject.strip_prefix(&*self.inbox).and_then(|rest| rest.strip_prefix('.'));
        if status == StatusCode::IDLE_HEARTBEAT || of_this != Some(self.request.to_string().as_str()) {
            return Ok(None);
        }
        self.expected = 0;
        match status {
            StatusCode::NOT_FOUND | StatusCode::TIMEOUT => Ok(Some(Pulled::Done)),
            StatusCode::NO_RESPONDERS => Ok(Some(Pulled::Nobody)),
            StatusCode::REQUEST_TERMINATED => match message.description.as_deref().unwrap_or_default() {
                gone if gone.contains("Consumer Deleted") => Ok(Some(Pulled::Nobody)),
                done if done.contains("Batch Completed") => Ok(Some(Pulled::Done)),
                _ => Err(Error::unavailable("NATS ended a request for messages; it is tried again")),
            },
            _ => Err(Error::other("NATS refused a request for messages")),
        }
    }
}

/// A consumer that reads a stretch of a stream once, and is removed with this value.
pub(crate) struct Reader {
    pub(crate) puller: Puller,
    /// How many messages there were when it was made.
    pub(crate) pending: u64,
}

/// What is read.
pub(crate) struct Stretch<'a> {
    pub(crate) filter: &'a str,
    /// The sequence to begin with.
    pub(crate) from: u64,
    /// Without the payloads, but with their size in [`SIZE`].
    pub(crate) headers_only: bool,
}

/// The header with the size of a payload that was left out.
pub(crate) const SIZE: &str = "Nats-Msg-Size";

impl Reader {
    pub(crate) async fn open(stream: &Stream, stretch: Stretch<'_>) -> Result<Self> {
        let name = format!("slight-{}", unique());
        let config = Config {
            name: Some(name.clone()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: stretch.from.max(1) },
            ack_policy: AckPolicy::None,
            filter_subject: stretch.filter.to_owned(),
            headers_only: stretch.headers_only,
            inactive_threshold: FORGOTTEN,
            num_replicas: 1,
            memory_storage: true,
            metadata: HashMap::new(),
            ..Config::default()
        };
        let info: Option<Info> = stream.create_consumer(&name, config).await?;
        let pending = info.ok_or_else(|| Error::other("a consumer of a random name exists"))?.num_pending;
        Ok(Self { puller: Puller::new(stream, name), pending })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // At the end of the process there is no runtime: then the server forgets it.
        let Ok(runtime) = Handle::try_current() else { return };
        let (stream, consumer) = (self.puller.stream.clone(), std::mem::take(&mut self.puller.consumer));
        runtime.spawn(async move { stream.delete_consumer(&consumer).await });
    }
}

/// The place of a message in its stream, and how many come after it.
pub(crate) fn place(message: &Message) -> Result<Place> {
    let reply = message.reply.as_ref().map_or("", |reply| reply.as_str());
    Place::read(reply).ok_or_else(|| Error::other("NATS sent a message without its place in the stream"))
}

/// Where a message is, as the subject for its acknowledgement tells.
pub(crate) struct Place {
    /// How often it was delivered to the consumer.
    pub(crate) delivered: u32,
    pub(crate) sequence: u64,
    /// When it was stored, in nanoseconds: with the sequence it tells a message from those of another stream of the name.
    pub(crate) time: u64,
    /// How many more there are for the consumer.
    pub(crate) pending: u64,
}

impl Place {
    /// `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer's sequence>.<time>.<pending>`, or the same with a
    /// domain and an account before the stream and possibly more at the end.
    fn read(reply: &str) -> Option<Self> {
        let parts: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
        let parts = if parts.len() == 7 { &parts[..] } else { parts.get(2..9)? };
        let number = |index: usize| parts.get(index)?.parse::<u64>().ok();
        Some(Self {
            delivered: u32::try_from(number(2)?).unwrap_or(u32::MAX),
            sequence: number(3)?,
            time: number(5)?,
            pending: number(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_read_from_both_forms_of_the_reply_subject() {
        for reply in [
            "$JS.ACK.slight-msg.group.3.100.7.1790230470084404000.42",
            "$JS.ACK._.szMpdrwD.slight-msg.group.3.100.7.1790230470084404000.42",
            "$JS.ACK.hub.szMpdrwD.slight-msg.group.3.100.7.1790230470084404000.42.token.more",
        ] {
            let place = Place::read(reply).unwrap();
            assert_eq!((place.delivered, place.sequence, place.pending), (3, 100, 42), "{reply}");
            assert_eq!(place.time, 1_790_230_470_084_404_000);
        }
        for reply in ["", "$JS.ACK", "_INBOX.a", "$JS.ACK.a.b.c.d.e.f.g"] {
            assert!(Place::read(reply).is_none(), "{reply}");
        }
    }
}
