use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use slight_capabilities::{
    Deliveries, Delivery, Error, ErrorKind, Inbox, Message, Messaging, Outcome, Provider, QualifiedName, ReplyTo,
    Result, Subscription,
};
use slight_conformance::messaging::CASES;
use slight_provider_memory::Memory;
use tokio::sync::mpsc;

use crate::{Broken, every_fault_of_memory_is_found, joined};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    SortsMetadata,
    RefusesLargeMessages,
    CutsLargeMessages,
    FoldsTopics,
    IgnoresPrefixes,
    JoinsPrefixes,
    KeepsForLaterGroups,
    DeliversToEveryTopic,
    TellsOneTopic,
    DeliversTwice,
    HasOneGroup,
    FoldsGroups,
    MakesGroupsLate,
    EmptiesOnCreate,
    KeepsTheDeleted,
    IgnoresCapacity,
    AcksOnDelivery,
    IgnoresExtend,
    FailsWhenLate,
    CountsNothing,
    IgnoresAck,
    IgnoresTheDelay,
    IgnoresRetry,
    CountsReleases,
    CountsWhatNobodyTook,
    LosesCorrelations,
    LosesReplyAddresses,
    RepliesOnce,
    RepliesToAll,
    RefusesClosedInboxes,
    AcksWhatIsDropped,
}

use Fault::*;

const FAULTS: &[(Fault, &[&str])] = &[
    (SortsMetadata, &["a_message_comes_back_as_it_was_sent"]),
    (RefusesLargeMessages, &["a_message_of_256_kib_is_delivered"]),
    (CutsLargeMessages, &["a_larger_message_is_delivered_or_too_large"]),
    (FoldsTopics, &["topics_are_literal"]),
    (IgnoresPrefixes, &["a_prefix_isolates_topics"]),
    (JoinsPrefixes, &["a_prefix_isolates_topics"]),
    (KeepsForLaterGroups, &["a_topic_without_a_group_drops_messages", "a_group_starts_at_now"]),
    (DeliversToEveryTopic, &["an_unsubscribed_topic_gets_nothing"]),
    (TellsOneTopic, &["a_subscription_may_have_many_topics"]),
    (DeliversTwice, &["a_group_shares_its_messages", "racing_members_get_each_message_once"]),
    (HasOneGroup, &["two_groups_each_get_all"]),
    (FoldsGroups, &["group_names_may_hold_any_characters"]),
    (MakesGroupsLate, &["a_group_keeps_its_messages_without_a_subscriber", "a_group_starts_at_now"]),
    (EmptiesOnCreate, &["create_group_is_idempotent"]),
    (KeepsTheDeleted, &["delete_group_drops_its_messages"]),
    (IgnoresCapacity, &["at_most_capacity_are_out_at_a_time"]),
    (
        AcksOnDelivery,
        &[
            "an_unsettled_message_comes_again_after_its_lease",
            "a_dropped_stream_loses_nothing",
            "settling_after_the_lease_ended_loses_nothing",
        ],
    ),
    (IgnoresExtend, &["extend_keeps_the_lease"]),
    (FailsWhenLate, &["settling_after_the_lease_ended_loses_nothing"]),
    (CountsNothing, &["the_count_starts_at_one_and_grows", "an_unsettled_message_comes_again_after_its_lease"]),
    (IgnoresAck, &["an_acked_message_does_not_come_again"]),
    (IgnoresTheDelay, &["retry_delivers_again_after_the_delay"]),
    (IgnoresRetry, &["retry_with_no_delay_delivers_again_at_once"]),
    (CountsReleases, &["a_released_message_comes_again_at_once_and_uncounted", "what_nobody_took_does_not_count"]),
    (CountsWhatNobodyTook, &["what_nobody_took_does_not_count"]),
    (LosesCorrelations, &["a_reply_reaches_its_inbox"]),
    (LosesReplyAddresses, &["a_request_carries_its_reply_address"]),
    (RepliesOnce, &["one_request_may_have_many_replies"]),
    (RepliesToAll, &["inboxes_are_apart"]),
    (RefusesClosedInboxes, &["a_reply_to_a_closed_inbox_is_ok"]),
    (AcksWhatIsDropped, &["a_dropped_call_is_done_or_not_done"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_messaging_fault_is_found() {
    every_fault_of_memory_is_found(CASES, FAULTS, 64, |fault| {
        let memory = Memory::new();
        let faulty = Faulty { inner: memory.messaging().unwrap(), fault, state: Arc::default() };
        Broken { messaging: Some(Arc::new(faulty)), memory, ..Broken::default() }
    })
    .await;
}

struct Faulty {
    inner: Arc<dyn Messaging>,
    fault: Option<Fault>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    published: HashMap<QualifiedName, Vec<Message>>,
    topics: HashSet<QualifiedName>,
    inboxes: HashSet<String>,
    replied: HashSet<String>,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn topic(&self, topic: &QualifiedName) -> QualifiedName {
        let mut topic = topic.clone();
        match self.fault {
            Some(FoldsTopics) => topic.name = topic.name.to_lowercase(),
            Some(IgnoresPrefixes) => topic.prefix.clear(),
            Some(JoinsPrefixes) => topic = joined(&topic),
            _ => {}
        }
        topic
    }

    fn group(&self, group: &str) -> String {
        match self.fault {
            Some(HasOneGroup) => "the only one".into(),
            Some(FoldsGroups) => group.to_lowercase(),
            _ => group.to_owned(),
        }
    }

    /// Publishes again what a group that is made now should not get.
    async fn repeat(&self, topic: &QualifiedName) -> Result<()> {
        let published = self.state.lock().unwrap().published.get(topic).cloned().unwrap_or_default();
        for message in published.into_iter().filter(|_| self.has(KeepsForLaterGroups)) {
            self.inner.publish(topic, message).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Messaging for Faulty {
    async fn publish(&self, topic: &QualifiedName, mut message: Message) -> Result<()> {
        let topic = self.topic(topic);
        match self.fault {
            Some(SortsMetadata) => message.metadata.sort(),
            Some(RefusesLargeMessages) if message.size() > 200_000 => return Err(Error::too_large("it", 1, 0)),
            Some(CutsLargeMessages) => message.data.truncate(1024 * 1024),
            Some(LosesReplyAddresses) => message.reply_to = None,
            Some(DeliversTwice) => self.inner.publish(&topic, message.clone()).await?,
            Some(DeliversToEveryTopic) => {
                let topics = self.state.lock().unwrap().topics.clone();
                for topic in topics {
                    self.inner.publish(&topic, message.clone()).await?;
                }
            }
            _ => {}
        }
        self.state.lock().unwrap().published.entry(topic.clone()).or_default().push(message.clone());
        self.inner.publish(&topic, message).await
    }

    async fn subscribe(&self, mut subscription: Subscription) -> Result<Deliveries> {
        let told = subscription.topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
        subscription.topics = subscription.topics.iter().map(|topic| self.topic(topic)).collect();
        subscription.group = self.group(&subscription.group);
        if self.has(IgnoresCapacity) {
            subscription.capacity = 1000;
        }
        let topics = subscription.topics.clone();
        let deliveries = self.inner.subscribe(subscription).await?;
        self.state.lock().unwrap().topics.extend(topics.iter().cloned());
        for topic in &topics {
            self.repeat(topic).await?;
        }
        let fault = self.fault;
        let deliveries = if self.has(CountsWhatNobodyTook) { leased_ahead(deliveries) } else { deliveries };
        Ok(Box::pin(deliveries.then(move |delivery| {
            let told = told.clone();
            async move { FaultyDelivery::around(delivery?, fault, told).await }
        })))
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        let (topic, group) = (self.topic(topic), self.group(group));
        match self.fault {
            Some(MakesGroupsLate) => return Ok(()),
            Some(EmptiesOnCreate) => self.inner.delete_group(&topic, &group).await?,
            _ => {}
        }
        self.inner.create_group(&topic, &group).await?;
        self.repeat(&topic).await
    }

    async fn delete_group(&self, topic: &QualifiedName, group: &str) -> Result<()> {
        if self.has(KeepsTheDeleted) {
            return Ok(());
        }
        self.inner.delete_group(&self.topic(topic), &self.group(group)).await
    }

    async fn inbox(&self) -> Result<Inbox> {
        let inbox = self.inner.inbox().await?;
        self.state.lock().unwrap().inboxes.insert(inbox.address.clone());
        let open = OpenInbox { address: inbox.address.clone(), state: self.state.clone() };
        let replies = stream::unfold((inbox.replies, open), |(mut replies, open)| async move {
            Some((replies.next().await?, (replies, open)))
        });
        Ok(Inbox { address: inbox.address, replies: Box::pin(replies) })
    }

    async fn reply(&self, to: &ReplyTo, message: Message) -> Result<()> {
        let mut to = to.clone();
        let inboxes = self.state.lock().unwrap().inboxes.clone();
        let first = self.state.lock().unwrap().replied.insert(to.inbox.clone());
        match self.fault {
            Some(LosesCorrelations) => to.correlation.clear(),
            Some(RepliesOnce) if !first => return Ok(()),
            Some(RefusesClosedInboxes) if !inboxes.contains(&to.inbox) => return Err(Error::not_found("nobody")),
            Some(RepliesToAll) => {
                for inbox in inboxes {
                    let to = ReplyTo { inbox, ..to.clone() };
                    self.inner.reply(&to, message.clone()).await?;
                }
                return Ok(());
            }
            _ => {}
        }
        self.inner.reply(&to, message).await
    }
}

struct OpenInbox {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Drop for OpenInbox {
    fn drop(&mut self) {
        self.state.lock().unwrap().inboxes.remove(&self.address);
    }
}

/// Leases ahead, and retries what nobody took.
fn leased_ahead(mut deliveries: Deliveries) -> Deliveries {
    let (ahead, leased) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            if ahead.send(delivery).await.is_err() {
                return;
            }
        }
    });
    Box::pin(stream::unfold(LeasedAhead(leased), |mut leased| async move { Some((leased.0.recv().await?, leased)) }))
}

struct LeasedAhead(mpsc::Receiver<Result<Box<dyn Delivery>>>);

impl Drop for LeasedAhead {
    fn drop(&mut self) {
        self.0.close();
        while let Ok(Ok(delivery)) = self.0.try_recv() {
            tokio::spawn(delivery.settle(Outcome::Retry { after: Duration::ZERO }));
        }
    }
}

struct AckedWhenDropped(Option<Box<dyn Delivery>>);

impl Drop for AckedWhenDropped {
    fn drop(&mut self) {
        if let Some(delivery) = self.0.take() {
            tokio::spawn(delivery.settle(Outcome::Ack));
        }
    }
}

struct FaultyDelivery {
    /// None once it was settled behind the holder's back.
    inner: Option<Box<dyn Delivery>>,
    fault: Option<Fault>,
    topic: String,
    message: Message,
    count: u32,
}

impl FaultyDelivery {
    async fn around(inner: Box<dyn Delivery>, fault: Option<Fault>, told: String) -> Result<Box<dyn Delivery>> {
        let topic = if fault == Some(TellsOneTopic) { told } else { inner.topic().to_owned() };
        let count = if fault == Some(CountsNothing) { 1 } else { inner.count() };
        let mut delivery = Self { topic, message: inner.message().clone(), count, fault, inner: Some(inner) };
        if let Some(inner) = delivery.inner.take_if(|_| fault == Some(AcksOnDelivery)) {
            inner.settle(Outcome::Ack).await?;
        }
        Ok(Box::new(delivery))
    }

    fn when_late(&self, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if self.fault == Some(FailsWhenLate) => Err(Error::new(ErrorKind::Other, error.to_string())),
            result => result,
        }
    }
}

#[async_trait]
impl Delivery for FaultyDelivery {
    fn topic(&self) -> &str {
        &self.topic
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.count
    }

    async fn extend(&mut self) -> Result<()> {
        match self.inner.as_mut().filter(|_| self.fault != Some(IgnoresExtend)) {
            None => Ok(()),
            Some(inner) => {
                let extended = inner.extend().await;
                self.when_late(extended)
            }
        }
    }

    async fn settle(mut self: Box<Self>, mut outcome: Outcome) -> Result<()> {
        let Some(inner) = self.inner.take() else { return Ok(()) };
        if self.fault == Some(AcksWhatIsDropped) {
            let mut acking = AckedWhenDropped(Some(inner));
            tokio::task::yield_now().await;
            return match acking.0.take() {
                Some(inner) => inner.settle(outcome).await,
                None => Ok(()),
            };
        }
        match (self.fault, &mut outcome) {
            (Some(IgnoresAck), Outcome::Ack) | (Some(IgnoresRetry), Outcome::Retry { .. }) => return Ok(()),
            (Some(CountsReleases), Outcome::Release) => outcome = Outcome::Retry { after: Duration::ZERO },
            (Some(IgnoresTheDelay), Outcome::Retry { after }) => *after = Duration::ZERO,
            _ => {}
        }
        self.when_late(inner.settle(outcome).await)
    }
}
