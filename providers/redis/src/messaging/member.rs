use std::{sync::Arc, time::Duration};

use redis::{Value, from_redis_value};
use slight_capabilities::{Error, Result, Subscription};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep},
};

use super::{
    alarm::{Alarm, LONGEST},
    delivery::{RedisDelivery, milliseconds},
    envelope,
    keys::GroupKeys,
    scripts,
};
use crate::{
    errors,
    link::{Link, Lost},
};

/// How many messages are fetched in one round trip at most.
const BATCH: u32 = 32;

/// How long to wait after an error.
const PAUSE: Duration = Duration::from_millis(250);

/// Stands for "never" where a time is beyond what the server's clock can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a subscriber gets next.
pub(super) type Item = Result<RedisDelivery>;

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a call, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    link: Link,
    /// The one to look at next is the first.
    sources: Vec<Arc<GroupKeys>>,
    /// One permit for each delivery that may be held.
    room: Arc<Semaphore>,
    visibility: Duration,
    /// Messages that are due and such as are new take turns to be first, so that neither keeps the other waiting.
    due_first: bool,
    out: mpsc::Sender<Item>,
}

/// What a look at a group found.
enum Found {
    Messages(Vec<RedisDelivery>),
    /// Nothing; something may be due after that time.
    Nothing(Duration),
    /// There is no such group any more.
    Deleted,
}

/// The subscriber has gone.
struct Gone;

impl Member {
    pub(super) fn new(
        link: Link,
        sources: Vec<Arc<GroupKeys>>,
        subscription: &Subscription,
        out: mpsc::Sender<Item>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(subscription.capacity.clamp(1, Semaphore::MAX_PERMITS)));
        Self { link, sources, room, visibility: subscription.visibility.min(FAR), due_first: false, out }
    }

    /// Runs until the subscriber has gone or every group was deleted.
    pub(super) async fn run(mut self) {
        let mut alarm = Alarm::new(&self.link, &self.sources);
        while !self.sources.is_empty() {
            let out = self.out.clone();
            let turn = tokio::select! {
                () = out.closed() => return,
                room = self.room.clone().acquire_owned() => match room {
                    Ok(room) => self.look(room).await,
                    Err(_) => return,
                },
            };
            let waited = match turn {
                Ok(None) => continue,
                Ok(Some(time)) => tokio::select! {
                    () = out.closed() => return,
                    waited = alarm.wait(time) => waited,
                },
                Err(Gone) => return,
            };
            if let Err(error) = waited
                && self.report(error).await.is_err()
            {
                return;
            }
        }
    }

    /// Looks at each group until there are messages, and hands them out; or says how long there will be none.
    async fn look(&mut self, room: OwnedSemaphorePermit) -> Result<Option<Duration>, Gone> {
        let mut rooms = vec![room];
        while (rooms.len() as u32) < BATCH
            && let Ok(more) = self.room.clone().try_acquire_owned()
        {
            rooms.push(more);
        }
        self.due_first = !self.due_first;
        let mut wait = LONGEST;
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(source) = self.sources.last().cloned() else { break };
            match self.take(&source, &mut rooms).await {
                Ok(Found::Messages(messages)) => return self.hand_out(messages).await.map(|()| None),
                Ok(Found::Nothing(time)) => wait = wait.min(time),
                Ok(Found::Deleted) => {
                    self.sources.pop();
                    let topic = &source.topic_name;
                    self.report(Error::not_found(format!("the group of topic {topic:?} was deleted"))).await?;
                }
                Err(error) => return self.report(error).await.map(|()| None),
            }
        }
        Ok(Some(wait))
    }

    /// Leases as many messages of one group as there is room for.
    async fn take(&self, source: &Arc<GroupKeys>, rooms: &mut Vec<OwnedSemaphorePermit>) -> Result<Found> {
        let ends = Instant::now() + self.visibility;
        let (count, lease) = (rooms.len().to_string(), milliseconds(self.visibility));
        let first = if self.due_first { "due" } else { "new" };
        let answer: Option<(i64, Vec<Value>)> =
            source.run(&self.link, &scripts::TAKE, &[&count, &lease, first], Lost::Report).await?;
        let Some((wait, taken)) = answer else { return Ok(Found::Deleted) };
        let mut messages = Vec::with_capacity(taken.len());
        let filled = taken.len().min(rooms.len());
        for (value, room) in taken.into_iter().zip(rooms.drain(..filled)) {
            messages.push(self.delivery(source, value, ends, room)?);
        }
        if !messages.is_empty() {
            return Ok(Found::Messages(messages));
        }
        Ok(Found::Nothing(u64::try_from(wait).map_or(LONGEST, Duration::from_millis)))
    }

    fn delivery(
        &self,
        source: &Arc<GroupKeys>,
        taken: Value,
        ends: Instant,
        room: OwnedSemaphorePermit,
    ) -> Result<RedisDelivery> {
        let (id, count, fields): (String, u32, Vec<(String, Vec<u8>)>) =
            from_redis_value(taken).map_err(|_| errors::odd())?;
        Ok(RedisDelivery {
            link: self.link.clone(),
            keys: source.clone(),
            id,
            count,
            message: envelope::read(fields),
            visibility: self.visibility,
            ends,
            _room: room,
        })
    }

    async fn hand_out(&self, messages: Vec<RedisDelivery>) -> Result<(), Gone> {
        let mut messages = messages.into_iter();
        while let Some(message) = messages.next() {
            if message.is_over() {
                continue;
            }
            if let Err(unsent) = self.out.send(Ok(message)).await {
                give_back(unsent.0.into_iter().chain(messages)).await;
                return Err(Gone);
            }
        }
        Ok(())
    }

    /// Tells the subscriber of an error, and gives the server time.
    async fn report(&self, error: Error) -> Result<(), Gone> {
        self.out.send(Err(error)).await.map_err(|_| Gone)?;
        tokio::select! {
            () = self.out.closed() => Err(Gone),
            () = sleep(PAUSE) => Ok(()),
        }
    }
}

/// Gives back what nobody has seen.
pub(super) async fn give_back(messages: impl Iterator<Item = RedisDelivery>) {
    futures_util::future::join_all(messages.map(|message| message.give_back())).await;
}
