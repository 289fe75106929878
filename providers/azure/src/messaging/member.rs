use std::{sync::Arc, time::Duration};

use azure_storage_queue::models::{QueueClientReceiveMessagesOptions, ReceivedMessage};
use futures_util::future::join_all;
use slight_capabilities::{Error, Result};
use slight_handover::{Gone, Outlet, Room};
use tokio::time::{Instant, sleep};

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

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a request, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    post: Arc<Post>,
    /// The one to look at next is the first.
    sources: Vec<Arc<Source>>,
    lease: i32,
    outlet: Outlet<AzureDelivery>,
}

/// What a look at a queue found.
enum Found {
    Messages(Vec<Result<AzureDelivery>>),
    Nothing,
    /// There is no such group any more.
    Deleted,
}

impl Member {
    pub(super) fn new(
        post: Arc<Post>,
        sources: Vec<Arc<Source>>,
        visibility: Duration,
        outlet: Outlet<AzureDelivery>,
    ) -> Self {
        Self { post, sources, lease: lease(visibility), outlet }
    }

    /// Runs until the subscriber has gone or every group was deleted.
    pub(super) async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        while !self.sources.is_empty() {
            match self.turn(pause).await {
                Ok(true) => pause = FIRST_PAUSE,
                Ok(false) => pause = (pause * 2).min(LONGEST_PAUSE),
                Err(Gone) => return,
            }
        }
    }

    /// Looks once, and waits where there was nothing.
    async fn turn(&mut self, pause: Duration) -> Result<bool, Gone> {
        let rooms = self.outlet.room(BATCH).await?;
        let found = self.look(rooms).await?;
        if !found {
            self.outlet.unless_gone(sleep(jittered(pause))).await?;
        }
        Ok(found)
    }

    /// Looks at each queue until there are messages, and hands them out; false if there are none.
    async fn look(&mut self, mut rooms: Vec<Room>) -> Result<bool, Gone> {
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(source) = self.sources.last().cloned() else { break };
            match self.take(&source, &mut rooms).await {
                Ok(Found::Messages(messages)) => return self.outlet.hand_out(messages).await.map(|()| true),
                Ok(Found::Nothing) => {}
                Ok(Found::Deleted) => {
                    self.sources.pop();
                    let topic = &source.topic;
                    self.outlet.report(Error::not_found(format!("the group of topic {topic:?} was deleted"))).await?;
                }
                Err(error) => self.outlet.report(error).await?,
            }
        }
        Ok(false)
    }

    /// Leases as many messages of one group as there is room for.
    async fn take(&self, source: &Arc<Source>, rooms: &mut Vec<Room>) -> Result<Found> {
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
        room: Room,
    ) -> Result<AzureDelivery> {
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
}
