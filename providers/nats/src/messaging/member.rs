use std::{sync::Arc, time::Duration};

use async_nats::Message;
use slight_capabilities::{Error, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep},
};

use super::{delivery::NatsDelivery, envelope, group::Group};
use crate::{
    pull::{Pulled, Puller, place},
    stream::Stream,
};

/// How many messages are fetched in one round trip at most.
const BATCH: usize = 64;

/// How long a request waits for a message. After the subscriber has gone, one may go on so long.
const WAIT: Duration = Duration::from_secs(5);

/// The same where several topics have to share the room for a message.
const SHORT_WAIT: Duration = Duration::from_millis(250);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(250);

/// Stands for "never" where a time is beyond what clocks can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a subscriber gets next.
pub(super) type Item = Result<NatsDelivery>;

/// One topic of a subscriber: a task that gets messages while there is room, and hands them out.
///
/// It waits for one message, and then takes what else is there without waiting, so that the room of a topic where nothing
/// happens is left to the others. It is never stopped in the middle of a request, since the messages that this brings
/// would be nobody's until their leases end: when the subscriber has gone, it gives them back, and ends.
pub(super) struct Member {
    pub(super) stream: Stream,
    pub(super) group: Arc<Group>,
    /// One permit for each delivery that may be held, for all topics of the subscriber.
    pub(super) room: Arc<Semaphore>,
    pub(super) visibility: Duration,
    /// Whether there are more topics than room.
    pub(super) crowded: bool,
    pub(super) out: mpsc::Sender<Item>,
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

impl Member {
    /// Runs until the subscriber has gone or the group was deleted.
    pub(super) async fn run(mut self) {
        self.visibility = self.visibility.min(FAR);
        let mut puller = Puller::new(&self.stream, self.group.consumer.clone());
        loop {
            let room = tokio::select! {
                () = self.out.closed() => return,
                room = self.room.clone().acquire_owned() => room,
            };
            let Ok(room) = room else { return };
            let error = match self.turn(&mut puller, room).await {
                Ok(()) => continue,
                Err(End::Gone) => return,
                Err(End::Failed(error)) => error,
                Err(End::Nobody) => match self.stream.consumer(&self.group.consumer).await {
                    Ok(None) => {
                        let topic = &self.group.topic_name;
                        let error = Error::not_found(format!("the group of topic {topic:?} was deleted"));
                        let _ = self.out.send(Err(error)).await;
                        return;
                    }
                    Ok(Some(_)) => Error::unavailable("NATS gives no messages: the group has no leader at the moment"),
                    Err(error) => error,
                },
            };
            if self.report(error).await.is_err() {
                return;
            }
        }
    }

    async fn turn(&self, puller: &mut Puller, room: OwnedSemaphorePermit) -> Result<(), End> {
        let wait = if self.crowded { SHORT_WAIT } else { WAIT };
        puller.ask(1, Some(wait)).await?;
        let found = self.take(puller, vec![room]).await?;
        let mut more = found > 0;
        while more {
            let mut rooms = Vec::new();
            while rooms.len() < BATCH
                && let Ok(room) = self.room.clone().try_acquire_owned()
            {
                rooms.push(room);
            }
            let asked = rooms.len();
            if asked > 0 {
                puller.ask(asked, None).await?;
            }
            more = asked > 0 && self.take(puller, rooms).await? == asked;
        }
        Ok(())
    }

    /// Hands out what the running request brings, and says how much that was.
    async fn take(&self, puller: &mut Puller, mut rooms: Vec<OwnedSemaphorePermit>) -> Result<usize, End> {
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
        self.hand_out(taken).await?;
        end.map(|()| count)
    }

    fn delivery(&self, message: Message, room: OwnedSemaphorePermit) -> Result<NatsDelivery> {
        let place = place(&message)?;
        Ok(NatsDelivery {
            link: self.stream.link.clone(),
            group: self.group.clone(),
            reply: message.reply.map(|reply| reply.to_string()).unwrap_or_default(),
            count: place.delivered,
            message: envelope::read(message.headers.as_ref(), message.payload),
            visibility: self.visibility,
            ends: Instant::now() + self.visibility,
            _room: room,
        })
    }

    async fn hand_out(&self, messages: Vec<NatsDelivery>) -> Result<(), End> {
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            if message.is_over() {
                continue;
            }
            if let Err(unsent) = self.out.send(Ok(message)).await {
                give_back(unsent.0.into_iter().chain(messages)).await;
                return Err(End::Gone);
            }
        }
        Ok(())
    }

    /// Tells the subscriber of an error, and gives the server time.
    async fn report(&self, error: Error) -> Result<(), End> {
        self.out.send(Err(error)).await.map_err(|_| End::Gone)?;
        tokio::select! {
            () = self.out.closed() => Err(End::Gone),
            () = sleep(PAUSE) => Ok(()),
        }
    }
}

/// Gives back what nobody has seen.
pub(super) async fn give_back(messages: impl Iterator<Item = NatsDelivery>) {
    futures_util::future::join_all(messages.map(NatsDelivery::give_back)).await;
}
