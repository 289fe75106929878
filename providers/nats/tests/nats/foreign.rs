//! What other programs leave in the streams of the provider.

use std::time::Duration;

use serde_json::json;
use slight_capabilities::{ByteRange, ErrorKind};

use crate::{
    raw::{ODD, Raw},
    support::{
        ack, apart, bucket, connect, container, eventually, member, message, messaging, nats, next, read, server,
        shared, text_of, write,
    },
};

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn messages_that_cannot_be_read_are_handed_on_with_their_bodies_and_stop_no_others() {
    let Some(server) = server(&[]) else { return };
    let (provider, raw) = (connect(&server.url()).await, Raw::to(server.port()));
    let messaging = messaging(&*provider);
    let mut member = member(&*messaging, &["topic", "other"], 20, LONG).await;
    for (headers, body) in ODD {
        raw.publish("slight-msg.topic", headers, body);
        messaging.publish(&"topic".into(), message("ours")).await.unwrap();
        messaging.publish(&"other".into(), message("ours")).await.unwrap();
    }
    let (mut bodies, mut ours, since) = (Vec::new(), 0, std::time::Instant::now());
    while ours < 2 * ODD.len() || bodies.len() < ODD.len() {
        let delivery = next(&mut member).await;
        match &*delivery.message().data {
            b"ours" => ours += 1,
            other => bodies.push(other.to_vec()),
        }
        ack(delivery).await;
    }
    println!("all were there after {:?}", since.elapsed());
    for (_, body) in ODD {
        // Headers that stand in the body are taken out of it.
        assert!(bodies.iter().any(|found| found == body || body.starts_with(b"\xc3\xa9")), "{body:?}");
    }
    // The other capabilities of the section go on.
    bucket(&*provider).await.set("key", "value".into()).await.unwrap();
}

#[tokio::test]
async fn entries_that_cannot_be_read_hide_no_others() {
    let Some(server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server.url()).await).await;
    let raw = Raw::to(server.port());
    bucket.set("first", "1".into()).await.unwrap();
    for (number, (headers, body)) in ODD.into_iter().enumerate() {
        raw.publish(&format!("$KV.slight-kv.bucket.=.odd{number}"), headers, body);
        raw.publish(&format!("$KV.slight-kv.bucket.=.={number}!"), headers, body);
    }
    bucket.set("last", "2".into()).await.unwrap();
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = bucket.keys(cursor.as_ref()).await.unwrap();
        keys.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    keys.sort_unstable();
    let odd: Vec<_> = (0..ODD.len() - 1).map(|number| format!("odd{number}")).collect();
    assert_eq!(
        keys,
        [vec!["first".to_owned(), "last".to_owned()], odd].concat(),
        "the last of the odd ones is a marker"
    );
    assert_eq!(bucket.get("odd2").await.unwrap().unwrap().value, ODD[2].1);
    bucket.delete_many(&keys).await.unwrap();
}

#[tokio::test]
async fn objects_that_are_damaged_say_so_and_can_be_written_and_deleted() {
    let Some(url) = shared() else { return };
    let store = container(&*apart(&url, "damaged-by-others").await).await;
    let nats = nats(&url).await;
    let (large, subject) = (vec![7; 300_000], "$O.damaged-by-others-blob_container");
    let damage = async |object: &str, description: serde_json::Value| {
        use base64::Engine;
        let name = base64::engine::general_purpose::URL_SAFE.encode(object);
        let body = description.as_str().map_or_else(|| description.to_string(), str::to_owned);
        nats.publish(format!("{subject}.M.{name}"), body.into()).await.unwrap().await.unwrap();
    };
    write(&*store, "whole", large.clone().into()).await;
    damage("no-json", json!("{")).await;
    damage("other-json", json!([1])).await;
    damage("no-chunks", json!({ "name": "x", "bucket": "x", "nuid": "none", "size": 10, "chunks": 3 })).await;
    damage("everything", json!({ "name": "x", "bucket": "x", "nuid": ">", "size": 10, "chunks": 3 })).await;
    damage("lies", json!({ "name": "x", "bucket": "x", "nuid": "y", "size": u64::MAX, "chunks": 1 })).await;
    damage("no-size", json!({ "name": "x", "bucket": "x", "nuid": "y", "size": 1, "chunks": 0 })).await;
    let damaged = ["no-json", "other-json", "no-chunks", "everything", "lies", "no-size"];
    let listed = store.list(None).await.unwrap().items;
    for object in damaged {
        let error = store.read(object, ByteRange::ALL).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Other, "{object}: {error}");
        assert!(error.message().contains(object), "{error}");
        assert!(listed.contains(&object.to_owned()), "{object}: {listed:?}");
    }
    write(&*store, "no-json", "mended".into()).await;
    assert_eq!(read(&*store, "no-json").await, "mended");
    store.delete(&damaged.map(str::to_owned)).await.unwrap();
    assert_eq!(store.list(None).await.unwrap().items, ["whole"]);
    assert_eq!(read(&*store, "whole").await, large, "what another object names as its content");
}

#[tokio::test]
async fn replies_that_cannot_be_read_close_no_inbox() {
    use futures_util::StreamExt;
    let Some(server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server.url()).await);
    let mut inbox = messaging.inbox().await.unwrap();
    let raw = Raw::to(server.port());
    for (headers, body) in ODD {
        raw.publish(&format!("_INBOX.slight-msg.{}", inbox.address), headers, body);
    }
    let to = slight_capabilities::ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    eventually("a reply", async || {
        messaging.reply(&to, message("ours")).await.unwrap();
        let reply = tokio::time::timeout(Duration::from_millis(300), inbox.replies.next()).await;
        reply.is_ok_and(|reply| reply.unwrap().is_ok_and(|reply| reply.message.data == "ours"))
    })
    .await;
}

#[tokio::test]
async fn what_was_released_is_not_counted_by_another_process_either() {
    use slight_capabilities::Outcome;
    let Some(url) = shared() else { return };
    let nats = nats(&url).await;
    let stream = "uncounted-msg=uncounted";
    let topic = ["topic"];
    for turn in 0..5 {
        let messaging = messaging(&*apart(&url, "uncounted").await);
        let mut member = member(&*messaging, &topic, 1, LONG).await;
        if turn == 0 {
            messaging.publish(&"topic".into(), message("1")).await.unwrap();
        }
        let delivery = next(&mut member).await;
        assert_eq!((text_of(&*delivery).as_str(), delivery.count()), ("1", 1));
        let outcome = if turn < 4 { Outcome::Release } else { Outcome::Ack };
        delivery.settle(outcome).await.unwrap();
        assert_eq!(crate::support::messages_in(&nats, stream).await, u64::from(turn < 4), "what is done is forgotten");
    }
    // Without the record the count is too high, and nothing else.
    let messaging = messaging(&*apart(&url, "uncounted").await);
    let mut member = member(&*messaging, &topic, 1, LONG).await;
    messaging.publish(&"topic".into(), message("2")).await.unwrap();
    next(&mut member).await.settle(Outcome::Release).await.unwrap();
    let delivery = next(&mut member).await;
    nats.delete_stream(stream).await.unwrap();
    delivery.settle(Outcome::Release).await.unwrap();
    let delivery = next(&mut member).await;
    assert!(delivery.count() > 1, "{}", delivery.count());
    ack(delivery).await;
}

#[tokio::test]
async fn a_group_that_another_process_has_deleted_stays_so() {
    let Some(url) = shared() else { return };
    let (one, other) = (apart(&url, "on-purpose").await, apart(&url, "on-purpose").await);
    let (one, other) = (messaging(&*one), messaging(&*other));
    one.create_group(&"topic".into(), "group").await.unwrap();
    one.publish(&"topic".into(), message("1")).await.unwrap();
    other.delete_group(&"topic".into(), "group").await.unwrap();
    one.publish(&"topic".into(), message("2")).await.unwrap();
    assert_eq!(crate::support::messages_in(&nats(&url).await, "on-purpose-msg").await, 0);
}
