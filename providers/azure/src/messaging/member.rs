use std::{sync::Arc, time::Duration};

use azure_storage_queue::models::{QueueClientReceiveMessagesOptions, ReceivedMessage};
use futures_util::future::join_all;
use slight_capabilities::{Error, Result, Subscription};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep},
};

use super::{
    delivery::{AzureDelivery, Source, lease},
    post::Post,
};
use crate::attempts::{Lost, jittered};

/// How many messages Azure gives in one request at most.
const BATCH: usize = 32;

/// How long to wait before looking again where nothing was: twice as long each time, and at most the second. Azure has no
/// request that waits, and each one is paid for.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(250);

/// What a subscriber gets next.
pub(super) type Item = Result<AzureDelivery>;

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a request, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    post: Arc<Post>,
    /// The one to look at next is the first.
    sources: Vec<Arc<Source>>,
    /// One permit for each delivery that may be held.
    room: Arc<Semaphore>,
    lease: i32,
    out: mpsc::Sender<Item>,
}

/// What a look at a queue found.
enum Found {
    Messages(Vec<Item>),
    Nothing,
    /// There is no such group any more.
    Deleted,
}

/// The subscriber has gone.
struct Gone;

impl Member {
    pub(super) fn new(
        post: Arc<Post>,
        sources: Vec<Arc<Source>>,
        subscription: &Subscription,
        out: mpsc::Sender<Item>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(subscription.capacity.clamp(1, Semaphore::MAX_PERMITS)));
        Self { post, sources, room, lease: lease(subscription.visibility), out }
    }

    /// Runs until the subscriber has gone or every group was deleted.
    pub(super) async fn run(mut self) {
        let mut longest = FIRST_PAUSE;
        while !self.sources.is_empty() {
            let out = self.out.clone();
            let turn = tokio::select! {
                () = out.closed() => return,
                room = self.room.clone().acquire_owned() => match room {
                    Ok(room) => self.look(room).await,
                    Err(_) => return,
                },
            };
            match turn {
                Ok(true) => longest = FIRST_PAUSE,
                Ok(false) => {
                    if self.wait(jittered(longest)).await.is_err() {
                        return;
                    }
                    longest = (longest * 2).min(LONGEST_PAUSE);
                }
                Err(Gone) => return,
            }
        }
    }

    /// Looks at each queue until there are messages, and hands them out; false if there are none.
    async fn look(&mut self, room: OwnedSemaphorePermit) -> Result<bool, Gone> {
        let mut rooms = vec![room];
        while rooms.len() < BATCH
            && let Ok(more) = self.room.clone().try_acquire_owned()
        {
            rooms.push(more);
        }
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(source) = self.sources.last().cloned() else { break };
            match self.take(&source, &mut rooms).await {
                Ok(Found::Messages(messages)) => return self.hand_out(messages).await.map(|()| true),
                Ok(Found::Nothing) => {}
                Ok(Found::Deleted) => {
                    self.sources.pop();
                    let topic = &source.topic;
                    self.report(Error::not_found(format!("the group of topic {topic:?} was deleted"))).await?;
                }
                Err(error) => self.report(error).await?,
            }
        }
        Ok(false)
    }

    /// Leases as many messages of one group as there is room for.
    async fn take(&self, source: &Arc<Source>, rooms: &mut Vec<OwnedSemaphorePermit>) -> Result<Found> {
        let ends = Instant::now() + Duration::from_secs(self.lease.unsigned_abs().into());
        let ask = || async {
            let options = QueueClientReceiveMessagesOptions {
                number_of_messages: i32::try_from(rooms.len()).ok(),
                visibility_timeout: Some(self.lease),
                ..Default::default()
            };
            source.queue.receive_messages(Some(options)).await?.into_model()
        };
        // What a lost answer leased comes after its lease. The next request leases others.
        let taken = match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(taken) => taken.items.unwrap_or_default(),
            Err(failure) if failure.status() == 404 => return Ok(Found::Deleted),
            Err(failure) => return Err(failure.into_error(&source.name)),
        };
        if taken.is_empty() {
            return Ok(Found::Nothing);
        }
        let filled = taken.len().min(rooms.len());
        let opening = taken.into_iter().zip(rooms.drain(..filled));
        let opened = join_all(opening.map(|(received, room)| self.open(source, received, ends, room))).await;
        Ok(Found::Messages(opened))
    }

    async fn open(
        &self,
        source: &Arc<Source>,
        received: ReceivedMessage,
        ends: Instant,
        room: OwnedSemaphorePermit,
    ) -> Item {
        let (message, blob) = self.post.open(&source.name, &received).await?;
        let (Some(id), Some(receipt)) = (received.message_id, received.pop_receipt) else {
            return Err(Error::other("Azure gave a message without an ID or a receipt"));
        };
        Ok(AzureDelivery {
            post: self.post.clone(),
            source: source.clone(),
            id,
            receipt,
            count: received.dequeue_count.and_then(|count| count.try_into().ok()).unwrap_or(1),
            message,
            blob,
            lease: self.lease,
            ends,
            _room: room,
        })
    }

    async fn hand_out(&self, messages: Vec<Item>) -> Result<(), Gone> {
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            if message.as_ref().is_ok_and(AzureDelivery::is_over) {
                continue;
            }
            if let Err(unsent) = self.out.send(message).await {
                give_back(unsent.0.into_iter().chain(messages.flatten())).await;
                return Err(Gone);
            }
        }
        Ok(())
    }

    /// Tells the subscriber of an error, and gives Azure time.
    async fn report(&self, error: Error) -> Result<(), Gone> {
        self.out.send(Err(error)).await.map_err(|_| Gone)?;
        self.wait(PAUSE).await
    }

    async fn wait(&self, time: Duration) -> Result<(), Gone> {
        tokio::select! {
            () = self.out.closed() => Err(Gone),
            () = sleep(time) => Ok(()),
        }
    }
}

/// Gives back what nobody has seen.
pub(super) async fn give_back(messages: impl Iterator<Item = AzureDelivery>) {
    join_all(messages.map(AzureDelivery::give_back)).await;
}
