use std::{sync::Arc, time::Duration};

use redis::{Value, from_redis_value};
use slight_capabilities::{Error, Result};
use slight_handover::{Gone, Outlet, Room};
use tokio::time::Instant;

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
const BATCH: usize = 32;

/// Stands for "never" where a time is beyond what the server's clock can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a call, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    link: Link,
    /// The one to look at next is the first.
    sources: Vec<Arc<GroupKeys>>,
    visibility: Duration,
    /// Messages that are due and such as are new take turns to be first, so that neither keeps the other waiting.
    due_first: bool,
    outlet: Outlet<RedisDelivery>,
}

/// What a look at a group found.
enum Found {
    Messages(Vec<RedisDelivery>),
    /// Nothing; something may be due after that time.
    Nothing(Duration),
    /// There is no such group any more.
    Deleted,
}

impl Member {
    pub(super) fn new(
        link: Link,
        sources: Vec<Arc<GroupKeys>>,
        visibility: Duration,
        outlet: Outlet<RedisDelivery>,
    ) -> Self {
        Self { link, sources, visibility: visibility.min(FAR), due_first: false, outlet }
    }

    /// Runs until the subscriber has gone or every group was deleted.
    pub(super) async fn run(mut self) {
        let mut alarm = Alarm::new(&self.link, &self.sources);
        while !self.sources.is_empty() {
            if let Err(Gone) = self.turn(&mut alarm).await {
                return;
            }
        }
    }

    async fn turn(&mut self, alarm: &mut Alarm) -> Result<(), Gone> {
        let rooms = self.outlet.room(BATCH).await?;
        let Some(time) = self.look(rooms).await? else { return Ok(()) };
        match self.outlet.unless_gone(alarm.wait(time)).await? {
            Ok(()) => Ok(()),
            Err(error) => self.outlet.report(error).await,
        }
    }

    /// Looks at each group until there are messages, and hands them out; or says how long there will be none.
    async fn look(&mut self, mut rooms: Vec<Room>) -> Result<Option<Duration>, Gone> {
        self.due_first = !self.due_first;
        let mut wait = LONGEST;
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(source) = self.sources.last().cloned() else { break };
            match self.take(&source, &mut rooms).await {
                Ok(Found::Messages(messages)) => {
                    return self.outlet.hand_out(messages.into_iter().map(Ok)).await.map(|()| None);
                }
                Ok(Found::Nothing(time)) => wait = wait.min(time),
                Ok(Found::Deleted) => {
                    self.sources.pop();
                    let topic = &source.topic_name;
                    self.outlet.report(Error::not_found(format!("the group of topic {topic:?} was deleted"))).await?;
                }
                Err(error) => return self.outlet.report(error).await.map(|()| None),
            }
        }
        Ok(Some(wait))
    }

    /// Leases as many messages of one group as there is room for.
    async fn take(&self, source: &Arc<GroupKeys>, rooms: &mut Vec<Room>) -> Result<Found> {
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

    fn delivery(&self, source: &Arc<GroupKeys>, taken: Value, ends: Instant, room: Room) -> Result<RedisDelivery> {
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
}
