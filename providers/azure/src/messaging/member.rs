use std::{sync::Arc, time::Duration};

use azure_storage_queue::models::QueueClientReceiveMessagesOptions;
use futures_util::future::join_all;
use slight_capabilities::{Error, Result};
use slight_handover::{Gone, Outlet, Room};
use tokio::time::{Instant, sleep};

use super::{
    delivery::{AzureDelivery, NOT_FOR_HANDLERS, Source, lease},
    groups::Groups,
    post::{Opened, Post},
    received::{self, Received},
};
use crate::attempts::{Lost, jittered};

/// How many messages Azure gives in one request at most.
const BATCH: usize = 32;

/// How long to wait before looking again where nothing was: twice as long each time, and at most the second. Azure has no
/// request that waits, and each one is paid for.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// After how many seconds a message comes again whose blob could not be had.
const AGAIN: i32 = 1;

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a request, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    post: Arc<Post>,
    groups: Arc<Groups>,
    /// The one to look at next is the first.
    sources: Vec<Watched>,
    lease: i32,
    outlet: Outlet<AzureDelivery>,
}

/// A queue that is looked at.
struct Watched {
    source: Arc<Source>,
    /// When to try again to make it, where it has vanished and cannot be made yet.
    vanished: Option<Instant>,
}

/// What a look at a queue found.
enum Found {
    Messages(Vec<Result<AzureDelivery>>),
    Nothing,
    /// There is no such queue any more.
    Gone,
}

impl Member {
    pub(super) fn new(
        post: Arc<Post>,
        groups: Arc<Groups>,
        sources: Vec<Arc<Source>>,
        visibility: Duration,
        outlet: Outlet<AzureDelivery>,
    ) -> Self {
        let sources = sources.into_iter().map(|source| Watched { source, vanished: None }).collect();
        Self { post, groups, sources, lease: lease(visibility), outlet }
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
            let Some(Watched { source, vanished }) = self.sources.last() else { break };
            let source = source.clone();
            if vanished.is_some_and(|again| Instant::now() < again) {
                continue;
            }
            match self.take(&source, &mut rooms).await {
                Ok(Found::Messages(messages)) => return self.outlet.hand_out(messages).await.map(|()| true),
                Ok(Found::Nothing) => {}
                Ok(Found::Gone) => self.restore(&source).await?,
                Err(error) => self.outlet.report(error).await?,
            }
        }
        Ok(false)
    }

    /// Makes the queue that was looked at last again, or ends looking at it where its group was deleted. Others go on while
    /// Azure does not let it be made.
    async fn restore(&mut self, source: &Source) -> Result<(), Gone> {
        match self.groups.restore(&source.topic, &source.name, Some(&source.group)).await {
            Ok(true) => {
                self.watch_again(None);
                Ok(())
            }
            Ok(false) => {
                self.sources.pop();
                let topic = &source.topic.name;
                self.outlet.report(Error::not_found(format!("the group of topic {topic:?} was deleted"))).await
            }
            Err(error) => {
                if self.watch_again(Some(Instant::now() + LONGEST_PAUSE)).is_none() {
                    tracing::warn!("no messages of topic {:?} are received: {error}", source.topic.name);
                }
                Ok(())
            }
        }
    }

    /// Says when to try again; and when that was before.
    fn watch_again(&mut self, vanished: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut self.sources.last_mut()?.vanished, vanished)
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
            source.queue.receive_messages(Some(options)).await
        };
        // What a lost answer leased comes after its lease. The next request leases others.
        let taken = match self.post.link.ask(Lost::SendAgain, ask).await {
            Ok(taken) => received::read(taken),
            Err(failure) if failure.is_no_queue() => return Ok(Found::Gone),
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

    /// One message. Where what it is in cannot be had now it is given back, and stops no other.
    async fn open(
        &self,
        source: &Arc<Source>,
        received: Result<Received>,
        ends: Instant,
        room: Room,
    ) -> Result<AzureDelivery> {
        let Received { id, receipt, leases, text } = received?;
        let (opened, failed) = match self.post.open(&source.name, &text).await {
            Ok(opened) => (opened, None),
            Err(error) => (Opened::without_blob(&text), Some(error)),
        };
        let Opened { message, blob, released, is_readable } = opened;
        let delivery = AzureDelivery {
            post: self.post.clone(),
            source: source.clone(),
            id,
            receipt,
            count: if is_readable { leases.saturating_sub(released).max(1) } else { NOT_FOR_HANDLERS },
            released,
            message,
            blob,
            lease: self.lease,
            ends,
            _room: room,
        };
        match failed {
            None => Ok(delivery),
            Some(error) => {
                // Where this fails, the lease ends by itself.
                let _ = delivery.release(AGAIN).await;
                Err(error)
            }
        }
    }
}
