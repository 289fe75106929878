//! The groups that this process has subscribed to or made: they are made again where somebody removes them, before a
//! message of their topics is acknowledged to its publisher.
//!
//! The server tells of what is removed, on the connection over which we publish and before it acknowledges a message that
//! the removed one does not get. Where its user may not listen to that, the groups are looked at after every message.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt, future::join_all};
use parking_lot::Mutex;
use slight_capabilities::{Error, ErrorKind, Result};

use super::{group::Group, uncounted::Uncounted};
use crate::{
    call::Call,
    link::{Link, Ready},
    location::{LOOK, Location},
    stream::Stream,
};

/// Names no inbox. Consumers that are removed on purpose are told of there.
const REMOVED: &str = "=removed";

pub(super) struct Groups {
    location: Arc<Location>,
    uncounted: Arc<Uncounted>,
    /// By the names of their consumers.
    declared: Mutex<HashMap<String, Declared>>,
    /// How many were made again.
    renewals: AtomicU64,
    news: tokio::sync::Mutex<News>,
}

struct Declared {
    group: Arc<Group>,
    /// Whether it was there once.
    made: bool,
    /// Whether it is to be looked at before anything else.
    due: bool,
    /// How many messages waited for it at the last look.
    waiting: u64,
    /// Why it could not be made.
    trouble: Option<(ErrorKind, String)>,
}

#[derive(Default)]
struct News {
    ears: Option<Ears>,
    /// When all groups were looked at.
    looked: Option<Instant>,
    /// How often the stream had been made anew then.
    streams: u64,
}

/// What tells of removals.
struct Ears {
    notes: Subscriber,
    consumers: Subscriber,
    streams: Subscriber,
    connection: Ready,
    /// The server does not tell us.
    deaf: bool,
}

impl Groups {
    pub(super) fn new(location: &Arc<Location>, uncounted: &Arc<Uncounted>) -> Self {
        Self {
            location: location.clone(),
            uncounted: uncounted.clone(),
            declared: Mutex::default(),
            renewals: AtomicU64::new(0),
            news: tokio::sync::Mutex::default(),
        }
    }

    fn link(&self) -> &Link {
        &self.location.stream.link
    }

    /// Makes a group, if it is not there, and keeps it there from now on.
    pub(super) async fn declare(&self, group: Group) -> Result<Arc<Group>> {
        let (consumer, group) = (group.consumer.clone(), Arc::new(group));
        // Nothing that was told before is about this one.
        self.news.lock().await.hear(self).await?;
        let new = || Declared { group: group.clone(), made: false, due: true, waiting: 0, trouble: None };
        self.declared.lock().entry(consumer.clone()).or_insert_with(new).due = true;
        let made = match self.look().await {
            Ok(()) => self.trouble(&group),
            Err(error) => Err(error),
        };
        if made.is_err() {
            let mut declared = self.declared.lock();
            if declared.get(&consumer).is_some_and(|declared| !declared.made) {
                declared.remove(&consumer);
            }
        }
        made.map(|()| group)
    }

    /// Removes a group on purpose: neither this process nor any other makes it again.
    pub(super) async fn remove(&self, stream: &Stream, group: &Group) -> Result<()> {
        self.declared.lock().remove(&group.consumer);
        // It reaches the others before the server tells them of the removal.
        let note = Call { subject: self.removals(), headers: None, payload: group.consumer.clone().into() };
        self.link().tell(note).await?;
        stream.delete_consumer(&group.consumer).await
    }

    fn removals(&self) -> String {
        format!("_INBOX.{}.{REMOVED}", self.location.stream.name)
    }

    /// How often groups were made again; or why one of a topic is not there.
    pub(super) fn renewals(&self, subject: &str) -> Result<u64> {
        let declared = self.declared.lock();
        let troubled =
            declared.values().find(|declared| declared.group.subject == subject && declared.trouble.is_some());
        match troubled.and_then(|declared| declared.trouble.as_ref()) {
            Some((kind, message)) => Err(Error::new(*kind, message.clone())),
            None => Ok(self.renewals.load(Ordering::Relaxed)),
        }
    }

    fn trouble(&self, group: &Group) -> Result<()> {
        match self.declared.lock().get(&group.consumer).and_then(|declared| declared.trouble.as_ref()) {
            Some((kind, message)) => Err(Error::new(*kind, message.clone())),
            None => Ok(()),
        }
    }

    /// Looks at a group that gives nothing; false where it was removed on purpose.
    pub(super) async fn restore(&self, group: &Group) -> Result<bool> {
        if let Some(declared) = self.declared.lock().get_mut(&group.consumer) {
            declared.due = true;
        }
        self.look().await?;
        self.trouble(group)?;
        Ok(self.declared.lock().contains_key(&group.consumer))
    }

    /// Looks at the groups that something is told of, and from time to time at all.
    pub(super) async fn look(&self) -> Result<()> {
        if self.declared.lock().is_empty() {
            return Ok(());
        }
        let mut news = self.news.lock().await;
        news.hear(self).await?;
        if !self.declared.lock().values().any(|declared| declared.due) {
            return Ok(());
        }
        let stream = self.location.ready().await?;
        if news.streams != self.location.renewals() {
            news.streams = self.location.renewals();
            self.all_are_due();
        }
        let missing: Vec<_> = join_all(self.due().iter().map(|group| self.check(stream, group))).await;
        // Some may have been removed on purpose, of which we are told before we can see it.
        news.hear(self).await?;
        for group in missing.into_iter().flatten() {
            self.renew(stream, &group).await;
        }
        Ok(())
    }

    fn due(&self) -> Vec<Arc<Group>> {
        let declared = self.declared.lock();
        declared.values().filter(|declared| declared.due).map(|declared| declared.group.clone()).collect()
    }

    fn all_are_due(&self) {
        self.declared.lock().values_mut().for_each(|declared| declared.due = true);
    }

    /// Gives the group where it is not there.
    async fn check(&self, stream: &Stream, group: &Arc<Group>) -> Option<Arc<Group>> {
        let checked = match stream.consumer(&group.consumer).await {
            Ok(None) => return Some(group.clone()),
            Ok(Some(found)) => {
                let waiting = found.num_pending + found.num_ack_pending as u64;
                group.mend(stream, &found.config).await.map(|()| waiting)
            }
            Err(error) => Err(error),
        };
        self.note(group, checked);
        None
    }

    async fn renew(&self, stream: &Stream, group: &Arc<Group>) {
        let declared = self.declared.lock().get(&group.consumer).map(|declared| (declared.made, declared.waiting));
        let Some((made_before, waiting)) = declared else { return };
        let made = group.make(stream).await;
        if made.is_ok() && made_before {
            self.renewals.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                "the group {:?} of topic {:?} was removed from NATS (consumer {:?}) and is made again: what waited for it \
                 is lost, {waiting} messages when it was last looked at",
                group.group,
                group.topic_name,
                group.consumer
            );
            // One of another stream may have its sequences.
            self.uncounted.forget(&format!("{}.>", group.consumer)).await;
        }
        self.note(group, made.map(|()| 0));
    }

    fn note(&self, group: &Group, waiting: Result<u64>) {
        let mut declared = self.declared.lock();
        let Some(declared) = declared.get_mut(&group.consumer) else { return };
        match waiting {
            Ok(waiting) => {
                (declared.made, declared.due, declared.waiting, declared.trouble) = (true, false, waiting, None);
            }
            Err(error) => declared.trouble = Some((error.kind(), error.message().to_owned())),
        }
    }

    fn was_told(&self, message: &Message) {
        let consumer = message.subject.rsplit('.').next().unwrap_or_default();
        if let Some(declared) = self.declared.lock().get_mut(consumer) {
            declared.due = true;
        }
    }
}

impl News {
    /// Takes note of all that the server has told.
    async fn hear(&mut self, groups: &Groups) -> Result<()> {
        let is_there = self.ears.as_ref().is_some_and(|ears| !ears.connection.is_over());
        if !is_there {
            self.ears = None;
            self.ears = Some(Ears::open(groups).await?);
            groups.location.doubt();
            groups.all_are_due();
        }
        let Some(ears) = &mut self.ears else { return Ok(()) };
        while let Some(note) = told(&mut ears.notes) {
            groups.declared.lock().remove(&*String::from_utf8_lossy(&note.payload));
        }
        while let Some(message) = told(&mut ears.consumers) {
            groups.was_told(&message);
        }
        while told(&mut ears.streams).is_some() {
            groups.location.doubt();
            groups.all_are_due();
        }
        if ears.deaf || self.looked.is_none_or(|looked| looked.elapsed() > LOOK) {
            self.looked = Some(Instant::now());
            groups.all_are_due();
        }
        Ok(())
    }
}

/// What has come, if anything.
fn told(subscriber: &mut Subscriber) -> Option<Message> {
    // Not as long as the task has a budget, but until there is nothing more.
    tokio::task::unconstrained(subscriber.next()).now_or_never().flatten()
}

impl Ears {
    async fn open(groups: &Groups) -> Result<Self> {
        let (link, stream) = (groups.link(), &groups.location.stream.name);
        let before = link.ready().await?.denials();
        let (notes, connection) = link.receive(groups.removals()).await?;
        let (consumers, _) = link.receive(format!("$JS.EVENT.ADVISORY.CONSUMER.DELETED.{stream}.*")).await?;
        let (streams, _) = link.receive(format!("$JS.EVENT.ADVISORY.STREAM.*.{stream}")).await?;
        // From here on the server tells us, or has refused to.
        link.round_trip().await?;
        let deaf = connection.denials() != before;
        Ok(Self { notes, consumers, streams, connection, deaf })
    }
}
