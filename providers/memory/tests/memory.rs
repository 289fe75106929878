//! What the memory provider does where the contracts leave it open.

#![allow(clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use slight_capabilities::{
    ByteStream, Capability, Deliveries, ErrorKind, Message, Messaging, Outcome, Provider, QualifiedName, ReplyTo,
    Subscription,
};
use slight_provider_memory::{Memory, kind};

fn messaging() -> Arc<dyn Messaging> {
    Memory::new().messaging().unwrap()
}

async fn member(messaging: &dyn Messaging, topics: &[&str], capacity: usize) -> Deliveries {
    let topics = topics.iter().map(|topic| QualifiedName::from(*topic)).collect();
    let visibility = Duration::from_secs(60);
    messaging.subscribe(Subscription { topics, group: "group".into(), capacity, visibility }).await.unwrap()
}

fn body(content: &'static str) -> ByteStream {
    Box::pin(stream::iter([Ok(Bytes::from_static(content.as_bytes()))]))
}

#[tokio::test]
async fn the_kind_connects_with_no_settings_and_refuses_unknown_ones() {
    assert_eq!(kind().capabilities, Capability::ALL);
    let provider = kind().connect(json!({})).await.unwrap();
    provider.ping().await.unwrap();
    for capability in Capability::ALL {
        provider.prepare(capability).await.unwrap();
    }
    let refused = kind().connect(json!({ "location": "x" })).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn two_memories_are_apart_and_clones_are_one() {
    let (one, other) = (Memory::new(), Memory::new());
    let bucket = one.key_value().unwrap().open(&"bucket".into()).await.unwrap();
    bucket.set("key", "1".into()).await.unwrap();
    let open = async |memory: &Memory| memory.key_value().unwrap().open(&"bucket".into()).await.unwrap();
    assert!(open(&one.clone()).await.exists("key").await.unwrap());
    assert!(!open(&other).await.exists("key").await.unwrap());
}

#[tokio::test]
async fn a_handle_to_a_deleted_container_finds_and_stores_nothing() {
    let blob = Memory::new().blob().unwrap();
    let old = blob.create(&"container".into()).await.unwrap();
    blob.delete(&"container".into()).await.unwrap();
    let new = blob.create(&"container".into()).await.unwrap();
    assert_eq!(old.write("object", body("lost")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(old.info().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(new.list(None).await.unwrap().items, Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_delivery_gives_its_room_back() {
    let messaging = messaging();
    let mut deliveries = member(&*messaging, &["topic"], 1).await;
    for _ in 0..2 {
        messaging.publish(&"topic".into(), Message::default()).await.unwrap();
    }
    let first = deliveries.next().await.unwrap().unwrap();
    assert!(deliveries.next().now_or_never().is_none(), "there is room for one");
    drop(first);
    assert_eq!(deliveries.next().await.unwrap().unwrap().count(), 1);
}

#[tokio::test]
async fn topics_of_one_subscription_take_turns() {
    let messaging = messaging();
    let mut deliveries = member(&*messaging, &["a", "b"], 10).await;
    for topic in ["a", "a", "a", "b", "b", "b"] {
        messaging.publish(&topic.into(), Message::default()).await.unwrap();
    }
    let mut topics = Vec::new();
    for _ in 0..6 {
        topics.push(deliveries.next().await.unwrap().unwrap().topic().to_owned());
    }
    assert!(topics.chunks(2).all(|pair| pair.first() != pair.last()), "{topics:?}");
}

#[tokio::test]
async fn a_message_that_fails_again_and_again_does_not_keep_others_waiting() {
    let messaging = messaging();
    let mut deliveries = member(&*messaging, &["topic"], 1).await;
    for text in ["bad", "good"] {
        messaging.publish(&"topic".into(), Message { data: text.into(), ..Message::default() }).await.unwrap();
    }
    let bad = deliveries.next().await.unwrap().unwrap();
    bad.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    assert_eq!(deliveries.next().await.unwrap().unwrap().message().data, "good");
}

#[tokio::test]
async fn a_visibility_beyond_the_clock_is_as_good_as_never() {
    let messaging = messaging();
    let (topics, visibility) = (vec!["topic".into()], Duration::MAX);
    let subscription = Subscription { topics, group: "group".into(), capacity: usize::MAX, visibility };
    let mut deliveries = messaging.subscribe(subscription).await.unwrap();
    messaging.publish(&"topic".into(), Message::default()).await.unwrap();
    let mut delivery = deliveries.next().await.unwrap().unwrap();
    delivery.extend().await.unwrap();
    delivery.settle(Outcome::Ack).await.unwrap();
}

#[tokio::test]
async fn a_subscription_ends_with_an_error_when_its_group_is_deleted() {
    let messaging = messaging();
    let mut deliveries = member(&*messaging, &["topic"], 1).await;
    assert!(deliveries.next().now_or_never().is_none());
    messaging.delete_group(&"topic".into(), "group").await.unwrap();
    assert_eq!(deliveries.next().await.unwrap().err().unwrap().kind(), ErrorKind::NotFound);
    assert!(deliveries.next().await.is_none());
}

#[tokio::test]
async fn a_full_inbox_refuses_replies_and_holds_up_nobody() {
    let messaging = messaging();
    let mut inbox = messaging.inbox().await.unwrap();
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    let mut accepted = 0;
    let refused = loop {
        match messaging.reply(&to, Message::default()).await {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1_000_000, "the inbox is not bounded");
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    inbox.replies.next().await.unwrap().unwrap();
    messaging.reply(&to, Message::default()).await.unwrap();
}
