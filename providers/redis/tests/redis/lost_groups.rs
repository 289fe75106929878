//! Groups that the server does not know any more, told apart from such as were deleted; and what counts as a delivery.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use slight_capabilities::Outcome;
use slight_services::{RedisCluster, Server, present};

use crate::support::{ack, connect, member, message, messaging, next, provider, redis, server, text_of};

const LONG: Duration = Duration::from_secs(300);

/// The longest that a test waits for a lease to end.
const SHORT: Duration = Duration::from_millis(300);

async fn flush(server: &Server) {
    redis::cmd("FLUSHALL").exec_async(&mut redis(server).await).await.unwrap();
}

/// Requires that the group has exactly these.
async fn group_has(messaging: &dyn slight_capabilities::Messaging, texts: &[&str]) {
    let mut deliveries = member(messaging, &["topic"], 10, LONG).await;
    for text in texts {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text_of(&*delivery), *text);
        ack(delivery).await;
    }
    messaging.publish(&"topic".into(), message("last")).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(text_of(&*delivery), "last");
    ack(delivery).await;
}

#[tokio::test]
async fn one_that_only_publishes_makes_the_groups_again_that_it_saw() {
    let Some(server) = server(&[]) else { return };
    let publisher = messaging(&*connect(&server).await);
    let other = messaging(&*connect(&server).await);
    other.create_group(&"topic".into(), "group").await.unwrap();
    publisher.publish(&"topic".into(), message("lost")).await.unwrap();
    flush(&server).await;
    publisher.publish(&"topic".into(), message("kept")).await.unwrap();
    group_has(&*other, &["kept"]).await;
}

#[tokio::test]
async fn a_group_made_after_a_flush_does_not_hide_those_before() {
    let Some(server) = server(&[]) else { return };
    let publisher = messaging(&*connect(&server).await);
    let other = messaging(&*connect(&server).await);
    other.create_group(&"topic".into(), "group").await.unwrap();
    publisher.publish(&"topic".into(), message("lost")).await.unwrap();
    flush(&server).await;
    messaging(&*connect(&server).await).create_group(&"topic".into(), "new").await.unwrap();
    publisher.publish(&"topic".into(), message("kept")).await.unwrap();
    group_has(&*other, &["kept"]).await;
}

#[tokio::test]
async fn a_group_that_was_deleted_stays_so() {
    let Some(server) = server(&[]) else { return };
    let publisher = messaging(&*connect(&server).await);
    let other = messaging(&*connect(&server).await);
    for group in ["group", "second"] {
        other.create_group(&"topic".into(), group).await.unwrap();
    }
    publisher.publish(&"topic".into(), message("first")).await.unwrap();
    other.delete_group(&"topic".into(), "group").await.unwrap();
    publisher.publish(&"topic".into(), message("second")).await.unwrap();
    other.delete_group(&"topic".into(), "second").await.unwrap();
    publisher.publish(&"topic".into(), message("third")).await.unwrap();
    let mut redis = redis(&server).await;
    let exists: bool = redis::cmd("EXISTS").arg("slight-msg:{topic}:stream").query_async(&mut redis).await.unwrap();
    assert!(!exists);
    group_has(&*other, &[]).await;
}

#[tokio::test]
async fn groups_come_again_on_a_cluster() {
    let Some(mut cluster) = present(RedisCluster::start(3)) else { return };
    let settings = json!({ "url": cluster.url(), "cluster": true });
    let publisher = messaging(&*provider(settings.clone()).await);
    let other = messaging(&*provider(settings).await);
    let mut deliveries = member(&*other, &["topic", "second", "third"], 10, LONG).await;
    for topic in ["topic", "second", "third"] {
        publisher.publish(&topic.into(), message("lost")).await.unwrap();
        ack(next(&mut deliveries).await).await;
    }
    for node in cluster.nodes() {
        flush(node).await;
    }
    for topic in ["topic", "second", "third"] {
        publisher.publish(&topic.into(), message(topic)).await.unwrap();
    }
    let mut got = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut deliveries).await;
        got.push(text_of(&*delivery));
        ack(delivery).await;
    }
    got.sort_unstable();
    assert_eq!(got, ["second", "third", "topic"]);
    // A subscription ends as a whole, so that whoever subscribes anew has all of it.
    other.delete_group(&"second".into(), "group").await.unwrap();
    let end = async { while deliveries.next().await.is_some() {} };
    tokio::time::timeout(slight_services::DEADLINE, end).await.unwrap();
}

#[tokio::test]
async fn what_was_leased_ahead_of_one_that_died_does_not_count() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    messaging.create_group(&"topic".into(), "group").await.unwrap();
    for number in 0..5 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    for died in 0..3 {
        let mut dead = member(&*messaging, &["topic"], 5, SHORT).await;
        let taken = next(&mut dead).await;
        assert!(taken.count() <= died + 1);
        drop(taken);
        // It neither takes the others nor gives them back, as one that was killed.
        std::mem::forget(dead);
    }
    let mut deliveries = member(&*messaging, &["topic"], 5, LONG).await;
    let mut counts = Vec::new();
    for _ in 0..5 {
        let delivery = next(&mut deliveries).await;
        counts.push(delivery.count());
        ack(delivery).await;
    }
    assert_eq!(counts.iter().sum::<u32>(), 5 + 3, "three were taken, and no others: {counts:?}");
}

#[tokio::test]
async fn a_lease_that_is_over_is_not_taken_for_the_one_after_a_release() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 3, SHORT).await;
    messaging.publish(&"topic".into(), message("text")).await.unwrap();
    let mut first = next(&mut deliveries).await;
    next(&mut deliveries).await.settle(Outcome::Release).await.unwrap();
    let again = next(&mut deliveries).await;
    assert_eq!((first.count(), again.count()), (1, 2));
    assert!(first.extend().await.is_err());
    ack(again).await;
}
