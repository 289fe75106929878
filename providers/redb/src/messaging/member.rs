use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use slight_capabilities::{Deliveries, Delivery, Error, Message, Result, Subscription};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, sleep},
};

use super::{
    delivery::RedbDelivery,
    encoding::decoded,
    leases::{Fetched, Look},
    queues::{Queues, Source},
};

/// How many messages are fetched by one write, if there is room for them.
const FETCH: usize = 32;

/// One subscriber: fetches from its groups when it is asked and has room, as much as it has room for.
pub(super) struct Member {
    queues: Arc<Queues>,
    /// The one to look at first is the first.
    sources: Vec<Source>,
    /// One permit for each delivery that may be held.
    room: Arc<Semaphore>,
    visibility: Duration,
    wake: Arc<Notify>,
    /// What was fetched and nobody has seen yet; there is room for each.
    fetched: VecDeque<Fetched>,
    fetched_from: Arc<str>,
    fetched_at: Instant,
}

impl Member {
    pub(super) fn new(queues: Arc<Queues>, sources: Vec<Source>, subscription: &Subscription) -> Self {
        let wake = Arc::new(Notify::new());
        sources.iter().for_each(|source| queues.wakes().join(source.id, &wake));
        let room = subscription.capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            queues,
            sources,
            room: Arc::new(Semaphore::new(room)),
            visibility: subscription.visibility,
            wake,
            fetched: VecDeque::new(),
            fetched_from: "".into(),
            fetched_at: Instant::now(),
        }
    }

    /// Ends when every group was deleted.
    pub(super) fn deliveries(self) -> Deliveries {
        Box::pin(stream::unfold(self, |mut member| async move {
            let delivery = member.next().await?;
            Some((delivery, member))
        }))
    }

    async fn next(&mut self) -> Option<Result<Box<dyn Delivery>>> {
        let mut room = self.room.clone().acquire_owned().await.ok()?;
        loop {
            while let Some(fetched) = self.fetched.pop_front() {
                match self.hand_out(fetched, room).await {
                    Ok(Ok(delivery)) => return Some(Ok(Box::new(delivery))),
                    // Somebody else has it.
                    Ok(Err(unused)) => room = unused,
                    Err(error) => return Some(Err(error)),
                }
            }
            match self.fetch().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Makes a delivery, or gives the room back when the lease was lost.
    async fn hand_out(
        &self,
        mut fetched: Fetched,
        room: OwnedSemaphorePermit,
    ) -> Result<Result<RedbDelivery, OwnedSemaphorePermit>> {
        // The holder counts on a lease that begins now.
        if self.fetched_at.elapsed() > self.visibility / 4 {
            match self.queues.extend(fetched.ticket, self.visibility).await? {
                Some(ticket) => fetched.ticket = ticket,
                None => return Ok(Err(room)),
            }
        }
        let Some(body) = self.queues.body(fetched.message).await? else { return Ok(Err(room)) };
        if !fetched.counted {
            self.queues.count(fetched.ticket).await?;
        }
        Ok(Ok(RedbDelivery {
            queues: self.queues.clone(),
            topic: self.fetched_from.clone(),
            ticket: fetched.ticket,
            count: fetched.count,
            message: self.readable(body),
            visibility: self.visibility,
            _room: room,
        }))
    }

    /// What another program has put in the file is handed on as it is: whoever handles it can tell what is wrong with it, and
    /// it ends among the dead letters like any other that cannot be handled.
    fn readable(&self, stored: Bytes) -> Message {
        decoded(stored.clone()).unwrap_or_else(|error| {
            tracing::warn!("topic {:?}: {error}; its bytes are handed on as they are", self.fetched_from);
            Message { data: stored, ..Message::default() }
        })
    }

    /// Fetches from the first group that has something, or waits until one may have; false when all groups are gone.
    async fn fetch(&mut self) -> Result<bool> {
        if self.sources.is_empty() {
            return Ok(false);
        }
        let mut earliest = None;
        let looks = self.queues.look(self.sources.clone()).await?;
        // Only then: it may be the look that finds another file.
        let generation = self.queues.generation();
        for (index, look) in looks.into_iter().enumerate() {
            match look {
                Look::Some => return self.fetch_from(index).await,
                Look::None(due) => earliest = [earliest, due].into_iter().flatten().min(),
                Look::Gone if self.sources.get(index).is_some_and(|source| source.generation != generation) => {
                    return self.rejoin(index).await;
                }
                Look::Gone => {
                    let source = self.sources.remove(index);
                    self.queues.wakes().leave(source.id, &self.wake);
                    return Err(Error::not_found(format!("the group of topic {:?} was deleted", source.topic)));
                }
            }
        }
        self.wait(earliest).await;
        Ok(true)
    }

    /// Finds a group again whose file has another in its place.
    async fn rejoin(&mut self, index: usize) -> Result<bool> {
        let generation = self.queues.generation();
        let Some(source) = self.sources.get_mut(index) else { return Ok(true) };
        let id = self.queues.create_group(source.encoded.to_string(), source.group.to_string()).await?;
        self.queues.wakes().leave(source.id, &self.wake);
        self.queues.wakes().join(id, &self.wake);
        (source.id, source.generation) = (id, generation);
        Ok(true)
    }

    async fn fetch_from(&mut self, index: usize) -> Result<bool> {
        let Some(source) = self.sources.get(index).cloned() else { return Ok(true) };
        // Behind the others, for the next time.
        self.sources.rotate_left(index + 1);
        let limit = (self.room.available_permits() + 1).min(FETCH);
        self.fetched_from = source.topic.clone();
        self.fetched_at = Instant::now();
        self.fetched = fetch_or_give_back(self.queues.clone(), source, limit, self.visibility).await?.into();
        Ok(true)
    }

    /// Until a group calls, or something is due. A call that came before the wait is not lost: `Notify` keeps it.
    async fn wait(&self, due: Option<Duration>) {
        match due {
            None => self.wake.notified().await,
            Some(due) => tokio::select! {
                () = self.wake.notified() => {}
                () = sleep(due) => {}
            },
        }
    }
}

/// Leases messages. Whoever asked may be gone when they are leased; then nobody has seen them.
async fn fetch_or_give_back(
    queues: Arc<Queues>,
    source: Source,
    limit: usize,
    visibility: Duration,
) -> Result<Vec<Fetched>> {
    let (answer, fetched) = oneshot::channel();
    tokio::spawn(async move {
        if let Err(Ok(unseen)) = answer.send(queues.fetch(source, limit, visibility).await) {
            queues.give_back(unseen);
        }
    });
    fetched.await.map_err(|_| Error::unavailable("the messages were not fetched, since the process is ending"))?
}

impl Drop for Member {
    fn drop(&mut self) {
        self.sources.iter().for_each(|source| self.queues.wakes().leave(source.id, &self.wake));
        let fetched: Vec<_> = self.fetched.drain(..).collect();
        if !fetched.is_empty() {
            self.queues.give_back(fetched);
        }
    }
}
