use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::json;
use slight_capabilities::{ErrorKind, Outcome, ReplyTo};
use slight_services::{DEADLINE, Server};

use crate::support::{ack, connect, eventually, member, message, messaging, next, provider, redis, server, text_of};

const LONG: Duration = Duration::from_secs(300);

async fn length(server: &Server) -> usize {
    let mut redis = redis(server).await;
    redis::cmd("XLEN").arg("slight-msg:{topic}:stream").query_async(&mut redis).await.unwrap()
}

async fn keys(server: &Server) -> usize {
    redis::cmd("DBSIZE").query_async(&mut redis(server).await).await.unwrap()
}

#[tokio::test]
async fn a_topic_keeps_what_some_group_still_waits_for_and_no_more() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    messaging.create_group(&"topic".into(), "slow").await.unwrap();
    let mut member = member(&*messaging, &["topic"], 10, LONG).await;
    for number in 0..10 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(next(&mut member).await);
    }
    let last = held.pop().unwrap();
    for delivery in held {
        ack(delivery).await;
    }
    assert_eq!(length(&server).await, 10, "the other group has seen none");
    messaging.delete_group(&"topic".into(), "slow").await.unwrap();
    assert_eq!(length(&server).await, 1);
    ack(last).await;
    assert_eq!(length(&server).await, 0);
}

#[tokio::test]
async fn nothing_is_left_of_a_topic_without_groups() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 1, LONG).await;
    for _ in 0..3 {
        messaging.publish(&"topic".into(), message("text")).await.unwrap();
    }
    drop(next(&mut deliveries).await);
    messaging.delete_group(&"topic".into(), "group").await.unwrap();
    drop(deliveries);
    eventually("the end of the keys", async || keys(&server).await == 0).await;
    messaging.publish(&"topic".into(), message("text")).await.unwrap();
    assert_eq!(keys(&server).await, 0);
}

#[tokio::test]
async fn a_closed_inbox_leaves_nothing() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let inbox = messaging.inbox().await.unwrap();
    assert_eq!(keys(&server).await, 1);
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    drop(inbox);
    eventually("the end of the inbox", async || keys(&server).await == 0).await;
    messaging.reply(&to, message("to nobody")).await.unwrap();
    assert_eq!(keys(&server).await, 0);
}

#[tokio::test]
async fn an_inbox_of_a_dead_process_expires() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let inbox = messaging.inbox().await.unwrap();
    let key = format!("slight-msg:{{inbox:{}}}", inbox.address);
    let seconds: i64 = redis::cmd("TTL").arg(key).query_async(&mut redis(&server).await).await.unwrap();
    assert!((1..=300).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_full_inbox_refuses_replies() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut inbox = messaging.inbox().await.unwrap();
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    let mut accepted = 0;
    let refused = loop {
        match messaging.reply(&to, message("text")).await {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 100_000, "the inbox is not bounded");
    };
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    for _ in 0..accepted {
        inbox.replies.next().await.unwrap().unwrap();
    }
    messaging.reply(&to, message("text")).await.unwrap();
    inbox.replies.next().await.unwrap().unwrap();
}

#[tokio::test]
async fn what_nobody_has_seen_goes_to_another_member_at_once_and_uncounted() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut first = member(&*messaging, &["topic"], 10, LONG).await;
    for number in 0..5 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    let seen = next(&mut first).await;
    drop(first);
    let mut second = member(&*messaging, &["topic"], 10, LONG).await;
    for _ in 0..4 {
        let delivery = next(&mut second).await;
        assert_eq!(delivery.count(), 1);
        ack(delivery).await;
    }
    // Deliveries stay valid without their stream.
    ack(seen).await;
    assert_eq!(length(&server).await, 0);
}

#[tokio::test]
async fn a_retry_at_once_wakes_another_member() {
    let Some(server) = server(&[]) else { return };
    let provider = connect(&server).await;
    let messaging = messaging(&*provider);
    let mut first = member(&*messaging, &["topic"], 1, LONG).await;
    messaging.publish(&"topic".into(), message("text")).await.unwrap();
    let delivery = next(&mut first).await;
    let mut second = member(&*messaging, &["topic"], 1, LONG).await;
    drop(first);
    delivery.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    let delivery = next(&mut second).await;
    assert_eq!(delivery.count(), 2);
    ack(delivery).await;
}

#[tokio::test]
async fn a_message_that_fails_again_and_again_does_not_keep_others_waiting() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 1, LONG).await;
    messaging.publish(&"topic".into(), message("bad")).await.unwrap();
    for number in 0..3 {
        messaging.publish(&"topic".into(), message(&format!("good {number}"))).await.unwrap();
    }
    let mut good = 0;
    for _ in 0..20 {
        let delivery = next(&mut deliveries).await;
        if text_of(&*delivery) == "bad" {
            delivery.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
        } else {
            ack(delivery).await;
            good += 1;
        }
    }
    assert_eq!(good, 3);
}

#[tokio::test]
async fn messages_of_one_member_come_in_the_order_in_which_they_were_published() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 7, LONG).await;
    for number in 0..100 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    for number in 0..100 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(text_of(&*delivery), number.to_string());
        ack(delivery).await;
    }
}

#[tokio::test]
async fn a_subscription_ends_with_an_error_when_its_group_is_deleted() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 1, LONG).await;
    messaging.delete_group(&"topic".into(), "group").await.unwrap();
    let ended = async {
        let error = deliveries.next().await.unwrap().err().unwrap();
        (error.kind(), deliveries.next().await.is_none())
    };
    assert_eq!(tokio::time::timeout(DEADLINE, ended).await.unwrap(), (ErrorKind::NotFound, true));
}

#[tokio::test]
async fn a_maximum_length_cuts_off_the_oldest_also_such_as_are_out() {
    let Some(server) = server(&["--stream-node-max-entries", "10"]) else { return };
    let settings = json!({ "url": server.url(), "messaging": { "max-length": 20 } });
    let messaging = messaging(&*provider(settings).await);
    let mut deliveries = member(&*messaging, &["topic"], 1, Duration::from_secs(1)).await;
    messaging.publish(&"topic".into(), message("first")).await.unwrap();
    drop(next(&mut deliveries).await);
    for number in 0..200 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    assert!(length(&server).await <= 40);
    // What was cut off while it was out is forgotten, and holds up nothing.
    let mut last = String::new();
    while last != "199" {
        let delivery = next(&mut deliveries).await;
        last = text_of(&*delivery);
        ack(delivery).await;
    }
    eventually("the end of the messages", async || length(&server).await == 0).await;
}

#[tokio::test]
async fn a_message_reaches_a_waiting_member_soon() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["one", "two", "three"], 1, LONG).await;
    let mut late = 0;
    for turn in 0..50 {
        let topic = ["one", "two", "three"][turn % 3];
        let started = Instant::now();
        messaging.publish(&topic.into(), message("text")).await.unwrap();
        ack(next(&mut deliveries).await).await;
        // A second is what it would take without being woken.
        late += usize::from(started.elapsed() > Duration::from_millis(900));
    }
    // A busy machine may stand still now and then; a topic that wakes nobody is late in every third turn.
    assert!(late <= 2, "{late} of 50 messages came late");
}

#[tokio::test]
async fn a_member_that_waits_asks_the_server_little() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let deliveries = member(&*messaging, &["one", "two", "three"], 10, LONG).await;
    let mut redis = redis(&server).await;
    let mut commands = async || -> u64 {
        let info: String = redis::cmd("INFO").arg("stats").query_async(&mut redis).await.unwrap();
        let count = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap();
        count.trim().parse().unwrap()
    };
    let (started, before) = (Instant::now(), commands().await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = commands().await - before;
    // Each second, and a script counts with what it calls: one wait, and for each topic two looks at most.
    let most = started.elapsed().as_millis() as u64 * 40 / 1000;
    assert!((6..=most).contains(&asked), "{asked} commands in {:?}", started.elapsed());
    drop(deliveries);
}
