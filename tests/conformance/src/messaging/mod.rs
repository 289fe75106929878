//! The cases of [`Messaging`].

mod dropped;
mod groups;
mod inboxes;
mod leases;
mod retries;
pub(crate) mod subscriber;
mod topics;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use slight_capabilities::{Capability, Message, Messaging, QualifiedName, Subscription};

use self::subscriber::Subscriber;
use crate::{
    case::{self, Patience},
    check::Outcome,
    harness::Target,
    names::unique,
};

crate::__messaging_cases! { crate::table { Scope } }

/// The list of the cases, by the module that holds them, with the cases that those rest on, the deepest first; hands it on
/// to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __messaging_cases {
    ($with:path { $($args:tt)* }) => { $with! { $($args)*;
        topics (a_message_comes_back_as_it_was_sent) {
            a_message_comes_back_as_it_was_sent
            a_message_of_256_kib_is_delivered
            a_larger_message_is_delivered_or_too_large
            topics_are_literal
            a_prefix_isolates_topics
            a_topic_without_a_group_drops_messages
            an_unsubscribed_topic_gets_nothing
            a_subscription_may_have_many_topics
        }
        groups (a_message_comes_back_as_it_was_sent an_acked_message_does_not_come_again) {
            a_group_starts_at_now
            a_group_shares_its_messages
            two_groups_each_get_all
            group_names_may_hold_any_characters
            a_group_keeps_its_messages_without_a_subscriber
            create_group_is_idempotent
            delete_group_drops_its_messages
        }
        leases (
            a_message_comes_back_as_it_was_sent
            an_acked_message_does_not_come_again
            an_unsettled_message_comes_again_after_its_lease
        ) {
            at_most_capacity_are_out_at_a_time
            an_unsettled_message_comes_again_after_its_lease
            extend_keeps_the_lease
            settling_after_the_lease_ended_loses_nothing
            a_dropped_stream_loses_nothing
            racing_members_get_each_message_once
        }
        retries (a_message_comes_back_as_it_was_sent an_acked_message_does_not_come_again) {
            the_count_starts_at_one_and_grows
            an_acked_message_does_not_come_again
            retry_delivers_again_after_the_delay
            retry_with_no_delay_delivers_again_at_once
            a_released_message_comes_again_at_once_and_uncounted
            what_nobody_took_does_not_count
        }
        dropped (a_message_comes_back_as_it_was_sent an_acked_message_does_not_come_again) {
            a_dropped_call_is_done_or_not_done
        }
        inboxes (a_reply_reaches_its_inbox) {
            a_reply_reaches_its_inbox
            a_request_carries_its_reply_address
            one_request_may_have_many_replies
            inboxes_are_apart
            a_reply_to_a_closed_inbox_is_ok
        }
    } };
}

/// A lease that the cases let end: short, and whole seconds, since some servers count in those.
const LEASE: Duration = Duration::from_secs(2);

/// A lease that does not end within a case.
const LONG_LEASE: Duration = Duration::from_secs(300);

/// Topics to try, and a record of their groups.
pub struct Scope {
    messaging: Arc<dyn Messaging>,
    patience: Patience,
    groups: Mutex<Vec<(QualifiedName, String)>>,
}

impl Scope {
    /// Says that a case may make a group of this name.
    fn claim(&self, topic: &QualifiedName, group: &str) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).push((topic.clone(), group.to_owned()));
    }

    async fn create_group(&self, topic: &QualifiedName, group: &str) -> Outcome {
        self.claim(topic, group);
        Ok(self.messaging.create_group(topic, group).await?)
    }

    async fn publish(&self, topic: &QualifiedName, text: &str) -> Outcome {
        Ok(self.messaging.publish(topic, message(text)).await?)
    }

    async fn publish_all(&self, topic: &QualifiedName, texts: &[String]) -> Outcome {
        for text in texts {
            self.publish(topic, text).await?;
        }
        Ok(())
    }

    /// A member with room for many messages, and time to settle them.
    async fn subscribe(&self, topic: &QualifiedName, group: &str) -> Outcome<Subscriber> {
        self.subscribe_with(&[topic], group, 100, LONG_LEASE).await
    }

    /// A member whose leases end soon.
    async fn subscribe_briefly(&self, topic: &QualifiedName, group: &str) -> Outcome<Subscriber> {
        self.subscribe_with(&[topic], group, 100, LEASE).await
    }

    async fn subscribe_with(
        &self,
        topics: &[&QualifiedName],
        group: &str,
        capacity: usize,
        visibility: Duration,
    ) -> Outcome<Subscriber> {
        topics.iter().for_each(|topic| self.claim(topic, group));
        let topics = topics.iter().map(|topic| (*topic).clone()).collect();
        let subscription = Subscription { topics, group: group.to_owned(), capacity, visibility };
        Ok(Subscriber::new(self.messaging.subscribe(subscription).await?, self.patience))
    }
}

impl case::Scope for Scope {
    const CAPABILITY: Option<Capability> = Some(Capability::Messaging);

    fn new(target: &Target, patience: Patience) -> Option<Self> {
        Some(Self { messaging: target.provider.messaging()?, patience, groups: Mutex::default() })
    }

    async fn clean_up(&self) -> Outcome {
        let groups = std::mem::take(&mut *self.groups.lock().unwrap_or_else(PoisonError::into_inner));
        for (topic, group) in groups {
            self.messaging.delete_group(&topic, &group).await?;
        }
        Ok(())
    }
}

pub(crate) fn new_topic() -> QualifiedName {
    unique().as_str().into()
}

pub(crate) fn message(text: &str) -> Message {
    Message { data: text.to_owned().into(), ..Message::default() }
}

/// Texts that tell messages apart.
fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}
