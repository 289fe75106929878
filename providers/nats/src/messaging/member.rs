use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{HeaderValue, Message};
use futures_util::future::join_all;
use slight_capabilities::{Error, ErrorKind, Result};
use slight_handover::{Gone, Leased, Outlet, Room};
use tokio::time::{Instant, sleep};

use super::{ID, delivery::NatsDelivery, envelope, group::Group, groups::Groups, uncounted::Uncounted};
use crate::{
    call::Call,
    link::Lost,
    pull::{Pulled, Puller, place},
    stream::{Stored, Stream},
};

/// How many messages are fetched in one round trip at most.
const BATCH: usize = 64;

/// How long a request waits for a message. After the subscriber has gone, one may go on so long.
const WAIT: Duration = Duration::from_secs(5);

/// The same where several topics have to share the room for a message.
const SHORT_WAIT: Duration = Duration::from_millis(250);

/// How long to wait before a group that was made again is asked for messages.
const AGAIN: Duration = Duration::from_millis(100);

/// How many messages are looked at after the client has given up the connection.
const LOOKED_AT: usize = 1000;

/// Stands for "never" where a time is beyond what clocks can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// One topic of a subscriber: a task that gets messages while there is room, and hands them out.
///
/// It waits for one message, and then takes what else is there without waiting, so that the room of a topic where nothing
/// happens is left to the others. It is never stopped in the middle of a request, since the messages that this brings
/// would be nobody's until their leases end: when the subscriber has gone, it gives them back, and ends.
pub(super) struct Member {
    pub(super) stream: Stream,
    pub(super) group: Arc<Group>,
    pub(super) groups: Arc<Groups>,
    pub(super) uncounted: Arc<Uncounted>,
    pub(super) visibility: Duration,
    /// Whether there are more topics than room.
    pub(super) crowded: bool,
    pub(super) outlet: Outlet<NatsDelivery>,
}

/// Why a member goes no further.
enum End {
    /// The subscriber has gone.
    Gone,
    Failed(Error),
    /// There is no such consumer, or it has no leader.
    Nobody,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Gone> for End {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl Member {
    /// Runs until the subscriber has gone or the group was deleted.
    pub(super) async fn run(mut self) {
        self.visibility = self.visibility.min(FAR);
        let mut puller = Puller::new(&self.stream, self.group.consumer.clone());
        loop {
            let error = match self.turn(&mut puller).await {
                Ok(()) => continue,
                Err(End::Gone) => return,
                Err(End::Failed(error)) => {
                    if error.kind() == ErrorKind::Unavailable {
                        // Where the server is not there, the next turn says it.
                        let _ = self.replace_unreadable().await;
                    }
                    error
                }
                Err(End::Nobody) => match self.groups.restore(&self.group).await {
                    Ok(true) => match self.outlet.unless_gone(sleep(AGAIN)).await {
                        Ok(()) => continue,
                        Err(Gone) => return,
                    },
                    Ok(false) => {
                        let topic = &self.group.topic_name;
                        let error = Error::not_found(format!("the group of topic {topic:?} was deleted"));
                        let _ = self.outlet.report(error).await;
                        return;
                    }
                    Err(error) => error,
                },
            };
            if self.outlet.report(error).await.is_err() {
                return;
            }
        }
    }

    async fn turn(&self, puller: &mut Puller) -> Result<(), End> {
        let room = self.outlet.room(1).await?;
        self.groups.look().await?;
        let wait = if self.crowded { SHORT_WAIT } else { WAIT };
        puller.ask(1, Some(wait)).await?;
        let found = self.take(puller, room).await?;
        let mut more = found > 0;
        while more {
            let rooms = self.outlet.more_room(BATCH);
            let asked = rooms.len();
            if asked > 0 {
                puller.ask(asked, None).await?;
            }
            more = asked > 0 && self.take(puller, rooms).await? == asked;
        }
        Ok(())
    }

    /// Hands out what the running request brings, and says how much that was.
    async fn take(&self, puller: &mut Puller, mut rooms: Vec<Room>) -> Result<usize, End> {
        let mut taken = Vec::new();
        let end = loop {
            match puller.next().await {
                Ok(Pulled::Message(message)) => match rooms.pop().map(|room| self.delivery(message, room)) {
                    Some(Ok(delivery)) => {
                        // Where it is lost, the server's own lease is as good.
                        let _ = delivery.lease().await;
                        taken.push(delivery);
                    }
                    Some(Err(error)) => break Err(End::Failed(error)),
                    None => break Err(End::Failed(Error::other("NATS sent more messages than were asked for"))),
                },
                Ok(Pulled::Done) => break Ok(()),
                Ok(Pulled::Nobody) => break Err(End::Nobody),
                Err(error) => break Err(End::Failed(error)),
            }
        };
        drop(rooms);
        let count = taken.len();
        let counted = join_all(taken.into_iter().map(counted)).await;
        self.outlet.hand_out(counted).await?;
        end.map(|()| count)
    }

    /// Puts others in the place of messages that the client cannot read: it has given up the connection on which one came.
    ///
    /// All groups get the one in its place, also one that already had it from a client that can read it.
    async fn replace_unreadable(&self) -> Result<()> {
        let Some(found) = self.stream.consumer(&self.group.consumer).await? else { return Ok(()) };
        let (mut from, mut unread) = (found.ack_floor.stream_sequence + 1, None);
        for _ in 0..LOOKED_AT {
            match self.stream.next(from, &self.group.subject).await? {
                Some(stored) if stored.sequence <= found.delivered.stream_sequence => {
                    from = stored.sequence + 1;
                    if !envelope::is_readable(&stored.headers) {
                        self.replace(stored).await?;
                        unread.get_or_insert(BATCH);
                    } else if let Some(left @ 1..) = unread {
                        unread = Some(left - 1);
                        self.give_back(&stored).await?;
                    }
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Gives back what came over the connection after a message that could not be read. Some of it may be with another
    /// member, who is then not the only one that gets it.
    async fn give_back(&self, stored: &Stored) -> Result<()> {
        let (consumer, sequence, time) = (&self.group.consumer, stored.sequence, nanoseconds(stored.time));
        self.uncounted.add(&format!("{consumer}.{sequence}.{time}")).await;
        // As the server would have told it; it finds the message by its sequence.
        let subject = format!("$JS.ACK.{}.{consumer}.1.{sequence}.{sequence}.{time}.0", self.stream.name);
        self.stream.link.tell(Call { subject, headers: None, payload: "-NAK".into() }).await
    }

    async fn replace(&self, stored: Stored) -> Result<()> {
        let Stored { subject, sequence, time, data, headers, .. } = stored;
        let (mut headers, payload) = envelope::write(envelope::read_anyway(&headers, data));
        // Others may do the same now: the server keeps one.
        headers.insert(ID, HeaderValue::from(format!("{sequence}-{}", nanoseconds(time)).as_str()));
        let call = Call { subject, headers: Some(headers), payload };
        self.stream.publish(&call, Lost::SendAgain).await?;
        self.stream.remove(sequence).await?;
        tracing::warn!(
            "message {sequence} of the stream {:?} in NATS, of topic {:?}, has headers that cannot be read, and was \
             replaced by one with its body and with what of them can be",
            self.stream.name,
            self.group.topic_name
        );
        Ok(())
    }

    fn delivery(&self, message: Message, room: Room) -> Result<NatsDelivery> {
        let place = place(&message)?;
        Ok(NatsDelivery {
            link: self.stream.link.clone(),
            group: self.group.clone(),
            reply: message.reply.map(|reply| reply.to_string()).unwrap_or_default(),
            place,
            not_counted: 0,
            uncounted: self.uncounted.clone(),
            message: envelope::read(message.headers.as_ref(), message.payload),
            visibility: self.visibility,
            ends: Instant::now() + self.visibility,
            room: Some(room),
            is_accounted: false,
        })
    }
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// A delivery with its count. Where that cannot be had, it is better given back than taken for one that came too often.
async fn counted(mut delivery: NatsDelivery) -> Result<NatsDelivery> {
    match delivery.subtract().await {
        Ok(()) => Ok(delivery),
        Err(error) => {
            delivery.give_back().await;
            Err(error)
        }
    }
}
