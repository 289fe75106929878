use std::{sync::Arc, time::Duration};

use redis::{Value, from_redis_value};
use slight_capabilities::{Error, Result};
use slight_handover::{Gone, Outlet, Room};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    alarm::{Alarm, LONGEST},
    counting::Counting,
    delivery::{RedisDelivery, milliseconds},
    envelope,
    keys::GroupKeys,
    scripts,
    server::{Server, unique},
};
use crate::link::Lost;

/// How many messages are fetched in one round trip at most.
const BATCH: usize = 32;

/// How many bytes of messages are enough for one round trip: they have to arrive within the time for an answer.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;

/// Stands for "never" where a time is beyond what the server's clock can say.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a group that could not be looked at is left alone, while others go on.
const PAUSE: Duration = Duration::from_millis(250);

/// One subscriber: a task that leases messages while there is room, and hands them out.
///
/// It is never stopped in the middle of a call, since the messages leased by that would be nobody's until their leases
/// end: when the subscriber has gone, it gives back what it has, and ends.
pub(super) struct Member {
    server: Arc<Server>,
    /// The one to look at next is the first.
    sources: Vec<Source>,
    visibility: Duration,
    /// Messages that are due and such as are new take turns to be first, so that neither keeps the other waiting.
    due_first: bool,
    /// What leases are told by, with a number.
    name: String,
    turns: u64,
    counting: Counting,
    outlet: Outlet<RedisDelivery>,
    /// When the group of one topic was deleted: whoever subscribes anew has it made again.
    ended: CancellationToken,
}

/// One group of one topic.
#[derive(Clone)]
struct Source {
    keys: Arc<GroupKeys>,
    /// Until when it is left alone.
    paused: Option<Instant>,
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
        server: Arc<Server>,
        sources: Vec<Arc<GroupKeys>>,
        visibility: Duration,
        outlet: Outlet<RedisDelivery>,
        ended: CancellationToken,
    ) -> Self {
        Self {
            sources: sources.into_iter().map(|keys| Source { keys, paused: None }).collect(),
            visibility: visibility.min(FAR),
            due_first: false,
            name: unique(),
            turns: 0,
            counting: Counting::start(server.link.clone()),
            server,
            outlet,
            ended,
        }
    }

    /// Runs until the subscriber has gone or a group was deleted.
    pub(super) async fn run(mut self) {
        let keys: Vec<_> = self.sources.iter().map(|source| source.keys.clone()).collect();
        let mut alarm = Alarm::new(&self.server.link, &keys);
        while !self.ended.is_cancelled() {
            if let Err(Gone) = self.turn(&mut alarm).await {
                return;
            }
        }
    }

    async fn turn(&mut self, alarm: &mut Alarm) -> Result<(), Gone> {
        let Some(rooms) = self.ended.run_until_cancelled(self.outlet.room(BATCH)).await else { return Ok(()) };
        let Some(time) = self.look(rooms?).await? else { return Ok(()) };
        let waiting = self.outlet.unless_gone(alarm.wait(time));
        match self.ended.run_until_cancelled(waiting).await.transpose()? {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) => self.outlet.report(error).await,
        }
    }

    /// Looks at each group until there are messages, and hands them out; or says how long there will be none. One that
    /// cannot be looked at keeps nobody from the others.
    async fn look(&mut self, mut rooms: Vec<Room>) -> Result<Option<Duration>, Gone> {
        self.due_first = !self.due_first;
        let mut wait = LONGEST;
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(source) = self.sources.last().cloned() else { break };
            let pause = source.paused.map(|until| until.saturating_duration_since(Instant::now()));
            if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
                wait = wait.min(pause);
                continue;
            }
            match self.take(&source.keys, &mut rooms).await {
                Ok(Found::Messages(messages)) => {
                    return self.outlet.hand_out(messages.into_iter().map(Ok)).await.map(|()| None);
                }
                Ok(Found::Nothing(time)) => wait = wait.min(time),
                Ok(Found::Deleted) => return self.end(&source.keys).await.map(|()| None),
                Err(error) => {
                    if let Some(source) = self.sources.last_mut() {
                        source.paused = Some(Instant::now() + PAUSE);
                    }
                    wait = wait.min(PAUSE);
                    self.outlet.hand_out([Err(error)]).await?;
                }
            }
        }
        Ok(Some(wait))
    }

    /// Ends the subscription, with what it says of its end.
    async fn end(&self, group: &GroupKeys) -> Result<(), Gone> {
        self.ended.cancel();
        let topic = &group.topic.name;
        self.outlet.hand_out([Err(Error::not_found(format!("the group of topic {topic:?} was deleted")))]).await
    }

    /// Leases as many messages of one group as there is room for.
    async fn take(&mut self, keys: &Arc<GroupKeys>, rooms: &mut Vec<Room>) -> Result<Found> {
        self.turns += 1;
        let token: Arc<str> = format!("{}-{}", self.name, self.turns).into();
        let ends = Instant::now() + self.visibility;
        let (count, lease) = (rooms.len().to_string(), milliseconds(self.visibility));
        let (first, enough) = (if self.due_first { "due" } else { "new" }, ENOUGH_BYTES.to_string());
        let arguments = [&keys.group, &*count, &lease, first, &token, &enough].map(str::as_bytes);
        let answer: Option<(i64, Vec<Value>)> =
            self.server.run(&scripts::TAKE, &keys.topic, &keys.all(), &arguments, Lost::Report).await?;
        let Some((wait, taken)) = answer else { return Ok(Found::Deleted) };
        let filled = taken.len().min(rooms.len());
        let leased = taken.into_iter().zip(rooms.drain(..filled));
        // Each by itself: what one holds keeps nobody from the others.
        let messages: Vec<_> =
            leased.filter_map(|(value, room)| self.delivery(keys, &token, value, ends, room)).collect();
        if !messages.is_empty() {
            return Ok(Found::Messages(messages));
        }
        Ok(Found::Nothing(u64::try_from(wait).map_or(LONGEST, Duration::from_millis)))
    }

    /// `None` for an answer of another form than the script's.
    fn delivery(
        &self,
        keys: &Arc<GroupKeys>,
        token: &Arc<str>,
        taken: Value,
        ends: Instant,
        room: Room,
    ) -> Option<RedisDelivery> {
        let (id, count, fields): (String, u32, Vec<Value>) = from_redis_value(taken).ok()?;
        Some(RedisDelivery {
            link: self.server.link.clone(),
            keys: keys.clone(),
            id,
            token: token.clone(),
            count,
            message: envelope::read(fields),
            visibility: self.visibility,
            ends,
            counting: self.counting.clone(),
            _room: room,
        })
    }
}
