use std::{
    future::ready,
    time::{Duration, Instant},
};

use futures_util::{Stream, StreamExt};
use redis::aio::PubSubStream;
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
async fn a_server_that_is_full_can_be_drained() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 10, LONG).await;
    for number in 0..3 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    let full = async |limit: &str| {
        let mut redis = redis(&server).await;
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(limit).query_async::<()>(&mut redis).await.unwrap();
    };
    full("1").await;
    let refused = messaging.publish(&"topic".into(), message("more")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("maxmemory"), "{refused}");
    // Retried, released, extended and acked, as at any other time.
    let first = next(&mut deliveries).await;
    assert_eq!(first.count(), 1);
    first.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut deliveries).await);
    }
    let again = held.iter().position(|delivery| text_of(&**delivery) == "0").unwrap();
    assert_eq!(held[again].count(), 2);
    held[0].extend().await.unwrap();
    held.remove(again).settle(Outcome::Release).await.unwrap();
    held.push(next(&mut deliveries).await);
    for delivery in held {
        ack(delivery).await;
    }
    assert_eq!(length(&server).await, 0);
    full("0").await;
    messaging.publish(&"topic".into(), message("more")).await.unwrap();
    ack(next(&mut deliveries).await).await;
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
    // But for a word that this was meant, for a while.
    eventually("the end of the keys", async || keys(&server).await == 1).await;
    messaging.publish(&"topic".into(), message("text")).await.unwrap();
    assert_eq!(keys(&server).await, 1);
    let seconds: i64 =
        redis::cmd("TTL").arg("slight-msg:{topic}:epoch").query_async(&mut redis(&server).await).await.unwrap();
    assert!((1..=30 * 24 * 3600).contains(&seconds), "{seconds}");
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

/// The topics of the members that wait.
const TOPICS: [&str; 3] = ["one", "two", "three"];

/// How long a member waits that nothing wakes.
const WAIT: Duration = Duration::from_secs(1);

/// What happens to the lists that wake members, the streams and the leases, in the server's own order.
async fn events(server: &Server) -> PubSubStream {
    let mut events = redis::Client::open(server.url()).unwrap().get_async_pubsub().await.unwrap();
    events.psubscribe("__keyspace@0__:slight-msg:*").await.unwrap();
    events.into_on_message()
}

/// Reads on to where the next message of a topic is leased: whether a member had been woken for it by then.
async fn is_woken_for(events: &mut PubSubStream, topic: &str) -> bool {
    let [stream, wake, due] =
        ["stream", "wake:group", "due:group"].map(|key| format!("__keyspace@0__:slight-msg:{{{topic}}}:{key}"));
    let mut is_woken = false;
    loop {
        let event = tokio::time::timeout(DEADLINE, events.next()).await.expect("an event comes").unwrap();
        let (key, name) = (event.get_channel_name(), event.get_payload::<String>().unwrap());
        if key == stream && name == "xadd" {
            is_woken = false;
        } else if key == wake && name == "lpop" {
            is_woken = true;
        } else if key == due && name == "zadd" {
            return is_woken;
        }
    }
}

#[tokio::test]
async fn a_message_wakes_a_member_that_waits() {
    let Some(server) = server(&["--notify-keyspace-events", "Kltz"]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let (mut events, mut redis) = (events(&server).await, redis(&server).await);
    let mut waits = async || {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut redis).await.unwrap();
        clients.lines().any(|client| client.contains(" flags=b "))
    };
    let mut looked = Instant::now();
    let mut deliveries = member(&*messaging, &TOPICS, 1, LONG).await;
    for topic in TOPICS.repeat(10) {
        loop {
            eventually("a member that waits", &mut waits).await;
            messaging.publish(&topic.into(), message("text")).await.unwrap();
            // The wait began after the last look, so it was not yet over by itself.
            let is_in_time = looked.elapsed() < WAIT;
            let delivery = next(&mut deliveries).await;
            let is_woken = is_woken_for(&mut events, topic).await;
            // With room for one, it neither looks nor waits before this.
            looked = Instant::now();
            ack(delivery).await;
            if is_woken {
                break;
            }
            assert!(!is_in_time, "a message of topic {topic:?} woke nobody");
        }
    }
}

/// The commands that clients send, each with the server's time in seconds, and without what scripts call.
async fn commands(server: &Server) -> impl Stream<Item = (f64, String)> + Unpin {
    let monitor = redis::Client::open(server.url()).unwrap().get_async_monitor().await.unwrap();
    let lines = monitor.into_on_message::<String>().filter(|line| ready(!line.contains(" lua] ")));
    // As in `1339518083.107412 [0 127.0.0.1:60866] "BLPOP" "a list" "1.000"`.
    lines.map(|line| {
        let (time, command) = (line.split(' ').next().unwrap(), line.split('"').nth(1).unwrap());
        (time.parse().unwrap(), command.to_uppercase())
    })
}

#[tokio::test]
async fn a_member_that_waits_asks_the_server_little() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut commands = commands(&server).await;
    let mut next = async || tokio::time::timeout(DEADLINE, commands.next()).await.expect("a command comes").unwrap();
    let deliveries = member(&*messaging, &TOPICS, 10, LONG).await;
    let began = loop {
        let (time, command) = next().await;
        if command == "BLPOP" {
            break time;
        }
    };
    // All on the server's clock: a busy machine makes everything rarer.
    let (mut last, mut waits, mut others) = (began, 0, 0);
    while waits < 3 {
        let (time, command) = next().await;
        if command == "BLPOP" {
            assert!(time - last > 0.9 * WAIT.as_secs_f64(), "it waited from {last} to {time}");
            (last, waits) = (time, waits + 1);
        } else {
            others += 1;
        }
        // A look at each topic when a wait is over, and when nobody has heard in time that it is.
        let most = TOPICS.len() as f64 * (2.0 + 2.0 * (time - began) / WAIT.as_secs_f64());
        assert!(f64::from(others) <= most, "{others} commands beside the waits in {} s", time - began);
    }
    assert!(others >= waits * TOPICS.len() as i32, "{others} looks after {waits} waits");
    drop(deliveries);
}
