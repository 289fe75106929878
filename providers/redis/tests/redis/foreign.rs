//! What other programs write in place of what is ours, and beside it.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use slight_capabilities::{ErrorKind, ReplyTo};

use crate::support::{ack, bucket, connect, member, message, messaging, next, redis, server, text_of};

const LONG: Duration = Duration::from_secs(300);

/// The longest that a test waits for a lease to end.
const SHORT: Duration = Duration::from_millis(300);

async fn run(redis: &mut MultiplexedConnection, parts: &[&[u8]]) {
    let mut command = redis::Cmd::new();
    for part in parts {
        command.arg(*part);
    }
    command.exec_async(redis).await.unwrap();
}

#[tokio::test]
async fn an_entry_that_is_no_message_of_ours_stops_no_other() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    messaging.create_group(&"topic".into(), "group").await.unwrap();
    let mut redis = redis(&server).await;
    let stream: &[u8] = b"slight-msg:{topic}:stream";
    run(&mut redis, &[b"XADD", stream, b"*", b"\xff\xfe", b"\xff", b"data", b"odd"]).await;
    run(&mut redis, &[b"XADD", stream, b"*", b"metadata", b"[", b"content-type", b"\xff"]).await;
    run(&mut redis, &[b"XADD", stream, b"*", b"data", &vec![b'x'; 20 << 20]]).await;
    for number in 0..3 {
        messaging.publish(&"topic".into(), message(&number.to_string())).await.unwrap();
    }
    let mut deliveries = member(&*messaging, &["topic"], 10, LONG).await;
    let mut lengths = Vec::new();
    for _ in 0..6 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.count(), 1);
        lengths.push(delivery.message().data.len());
        ack(delivery).await;
    }
    assert_eq!(lengths, [3, 0, 20 << 20, 1, 1, 1]);
}

#[tokio::test]
async fn junk_in_the_records_of_a_group_loses_nothing() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut deliveries = member(&*messaging, &["topic"], 1, SHORT).await;
    messaging.publish(&"topic".into(), message("text")).await.unwrap();
    drop(next(&mut deliveries).await);
    drop(deliveries);
    let mut redis = redis(&server).await;
    let ids: Vec<Vec<u8>> =
        redis::cmd("HKEYS").arg("slight-msg:{topic}:counts:group").query_async(&mut redis).await.unwrap();
    let (due, counts): (&[u8], &[u8]) = (b"slight-msg:{topic}:due:group", b"slight-msg:{topic}:counts:group");
    for (score, id) in
        [(&b"0"[..], &b"\xff"[..]), (b"-inf", b"+"), (b"1", b"99999999999999999999999-1"), (b"inf", &ids[0])]
    {
        run(&mut redis, &[b"ZADD", due, score, id]).await;
    }
    run(&mut redis, &[b"HSET", counts, &ids[0], b"many"]).await;
    run(&mut redis, &[b"HSET", counts, b"\xff", b"-7"]).await;
    run(&mut redis, &[b"XGROUP", b"SETID", b"slight-msg:{topic}:stream", b"group", b"99999999999999-0"]).await;
    messaging.publish(&"topic".into(), message("later")).await.unwrap();
    // The highest id that there is: nothing could be added behind it.
    let last = b"18446744073709551615-18446744073709551615";
    run(&mut redis, &[b"XADD", b"slight-msg:{topic}:stream", last, b"data", b"last"]).await;
    messaging.publish(&"topic".into(), message("latest")).await.unwrap();
    let mut deliveries = member(&*messaging, &["topic"], 10, SHORT).await;
    let mut missing = vec!["text", "later", "last", "latest"];
    while !missing.is_empty() {
        let delivery = next(&mut deliveries).await;
        missing.retain(|text| *text != text_of(&*delivery));
        // What is given twice may be over.
        let _ = delivery.settle(slight_capabilities::Outcome::Ack).await;
    }
}

#[tokio::test]
async fn a_key_that_is_no_string_is_named_and_is_no_entry() {
    let Some(server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server).await).await;
    let mut redis = redis(&server).await;
    bucket.set("good", "1".into()).await.unwrap();
    let version = bucket.get("good").await.unwrap().unwrap().version;
    run(&mut redis, &[b"RPUSH", b"slight-kv:bucket:list", b"1"]).await;
    run(&mut redis, &[b"SET", b"slight-kv:bucket:", b"1"]).await;
    for error in [
        bucket.get("list").await.err().unwrap(),
        bucket.increment("list", 1).await.unwrap_err(),
        bucket.swap("list", Some(&version), "2".into()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.message().contains("\"slight-kv:bucket:list\""), "{error}");
    }
    let many = bucket.get_many(&["good".to_owned(), "list".to_owned()]).await.unwrap();
    assert_eq!(many, [Some("1".into()), None]);
    assert_eq!(bucket.keys(None).await.unwrap().items, ["good"]);
    bucket.set("list", "2".into()).await.unwrap();
    assert_eq!(bucket.get("list").await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn an_inbox_reads_on_behind_what_is_no_reply() {
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut inbox = messaging.inbox().await.unwrap();
    let mut redis = redis(&server).await;
    let key = format!("slight-msg:{{inbox:{}}}", inbox.address);
    run(&mut redis, &[b"XADD", key.as_bytes(), b"*", b"\xff", b"\xff"]).await;
    let to = ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    messaging.reply(&to, message("first")).await.unwrap();
    let mut next = async || loop {
        if let Some(Ok(reply)) = futures_util::StreamExt::next(&mut inbox.replies).await
            && reply.correlation == "1"
        {
            return reply.message;
        }
    };
    assert_eq!(next().await, message("first"));
    run(&mut redis, &[b"SET", key.as_bytes(), b"no stream"]).await;
    messaging.reply(&to, message("second")).await.unwrap();
    assert_eq!(tokio::time::timeout(slight_services::DEADLINE, next()).await.unwrap(), message("second"));
}
