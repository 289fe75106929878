use std::{sync::Arc, time::Duration};

use futures_util::stream;
use slight_capabilities::{Deliveries, Delivery, Error, QualifiedName, Result, Subscription};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep_until},
};

use super::{
    delivery::MemoryDelivery,
    group::{Group, Leased, Take},
};

/// One subscriber: takes from its groups when it is asked and has room, and holds nothing back.
///
/// So a subscriber that goes away has nothing to return.
pub(super) struct Member {
    /// The one to look at last is the last.
    sources: Vec<Source>,
    /// One permit for each delivery that may be held.
    room: Arc<Semaphore>,
    visibility: Duration,
    wake: Arc<Notify>,
}

struct Source {
    topic: Arc<str>,
    group: Arc<Group>,
}

/// What a look at all groups found.
enum Found {
    Message(Arc<Group>, Arc<str>, Leased),
    Nothing(Option<Instant>),
    Closed(Arc<str>),
}

impl Member {
    pub(super) fn new(groups: impl Iterator<Item = (QualifiedName, Arc<Group>)>, subscription: &Subscription) -> Self {
        let wake = Arc::new(Notify::new());
        let join = |(topic, group): (QualifiedName, Arc<Group>)| {
            group.join(&wake);
            Source { topic: topic.name.into(), group }
        };
        let room = subscription.capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            sources: groups.map(join).collect(),
            room: Arc::new(Semaphore::new(room)),
            visibility: subscription.visibility,
            wake,
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
        let room = self.room.clone().acquire_owned().await.ok()?;
        while !self.sources.is_empty() {
            match self.look() {
                Found::Message(group, topic, leased) => {
                    let delivery = MemoryDelivery::new(group, topic, leased, self.visibility, room);
                    return Some(Ok(Box::new(delivery)));
                }
                Found::Nothing(due) => self.wait(due).await,
                Found::Closed(topic) => {
                    return Some(Err(Error::not_found(format!("the group of topic {topic:?} was deleted"))));
                }
            }
        }
        None
    }

    /// Takes the first message there is, beginning behind the group that had its turn last.
    fn look(&mut self) -> Found {
        let mut earliest = None;
        for _ in 0..self.sources.len() {
            self.sources.rotate_left(1);
            let Some(Source { topic, group }) = self.sources.last() else { break };
            match group.take(self.visibility) {
                Take::Message(leased) => return Found::Message(group.clone(), topic.clone(), leased),
                Take::Nothing(due) => earliest = [earliest, due].into_iter().flatten().min(),
                Take::Closed => {
                    let topic = topic.clone();
                    self.sources.pop();
                    return Found::Closed(topic);
                }
            }
        }
        Found::Nothing(earliest)
    }

    /// Until a group calls, or something is due. A call that came before the wait is not lost: `Notify` keeps it.
    async fn wait(&self, due: Option<Instant>) {
        match due {
            None => self.wake.notified().await,
            Some(due) => tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(due) => {}
            },
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        for source in &self.sources {
            source.group.leave(&self.wake);
        }
    }
}
