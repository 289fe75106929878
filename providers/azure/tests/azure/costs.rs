//! The costs that the page tells, counted.

use std::time::Duration;

use bytes::Bytes;
use slight_capabilities::{ByteRange, ObjectId, Outcome};
use slight_services::{DEADLINE, Faults, Request};

use crate::support::{MIB, Network, member, message, messaging, next, pattern, provider, read, unique, write};

/// The methods of the requests since the last time.
fn methods(faults: &Faults) -> Vec<String> {
    let mut methods: Vec<_> = faults.take_requests().into_iter().map(|Request { method, .. }| method).collect();
    methods.sort_unstable();
    methods
}

#[tokio::test]
async fn calls_on_entries() {
    let Some(network) = Network::new() else { return };
    let provider = network.connect().await;
    let costs = || methods(&network.blobs);
    let bucket = provider.key_value().unwrap().open(&unique("bucket")).await.unwrap();
    assert_eq!(costs(), [""; 0]);
    bucket.set("key", pattern(8 * MIB)).await.unwrap();
    assert_eq!(costs(), ["PUT"]);
    let entry = bucket.get("key").await.unwrap().unwrap();
    assert_eq!(costs(), ["GET"]);
    bucket.swap("key", Some(&entry.version), "1".into()).await.unwrap();
    assert_eq!(costs(), ["PUT"]);
    bucket.swap("key", Some(&entry.version), "2".into()).await.unwrap_err();
    assert_eq!(costs(), ["PUT"]);
    bucket.set("empty", Bytes::new()).await.unwrap();
    assert!(bucket.get("empty").await.unwrap().unwrap().value.is_empty());
    assert_eq!(costs(), ["GET", "PUT"]);
    assert!(bucket.get("missing").await.unwrap().is_none());
    assert_eq!(costs(), ["GET"]);
    assert!(bucket.exists("key").await.unwrap() && !bucket.exists("missing").await.unwrap());
    assert_eq!(costs(), ["HEAD", "HEAD"]);
    bucket.increment("key", 1).await.unwrap();
    assert_eq!(costs(), ["GET", "PUT"]);
    bucket.keys(None).await.unwrap();
    assert_eq!(costs(), ["GET"]);
    let keys = ["key", "empty", "missing"].map(str::to_owned);
    bucket.get_many(&keys).await.unwrap();
    assert_eq!(costs(), ["GET"; 3]);
    bucket.set_many(keys.iter().map(|key| (key.clone(), "1".into())).collect()).await.unwrap();
    assert_eq!(costs(), ["PUT"; 3]);
    bucket.delete_many(&keys).await.unwrap();
    bucket.delete("missing").await.unwrap();
    assert_eq!(costs(), ["DELETE"; 4]);
}

#[tokio::test]
async fn calls_on_objects() {
    let Some(network) = Network::new() else { return };
    let provider = network.connect().await;
    let costs = || methods(&network.blobs);
    let (store, name) = (provider.blob().unwrap(), unique("container"));
    let container = store.create(&name).await.unwrap();
    assert_eq!(costs(), ["PUT"]);
    store.get(&name).await.unwrap();
    assert!(store.exists(&name).await.unwrap());
    container.info().await.unwrap();
    assert_eq!(costs(), ["HEAD"; 3]);
    write(&*container, "small", &pattern(4 * MIB - 1)).await;
    assert_eq!(costs(), ["PUT"]);
    write(&*container, "large", &pattern(9 * MIB)).await;
    assert_eq!(costs(), ["PUT"; 4]);
    write(&*container, "empty", &Bytes::new()).await;
    assert_eq!(costs(), ["PUT"]);
    for object in ["small", "large", "empty"] {
        read(&*container, object).await.unwrap();
    }
    assert_eq!(costs(), ["GET"; 3]);
    for (start, end) in [(1, 2), (7, u64::MAX), (99_999_999, u64::MAX)] {
        container.read("large", ByteRange { start, end }).await.unwrap();
    }
    assert_eq!(costs(), ["GET"; 3]);
    container.stat("large").await.unwrap();
    assert_eq!(costs(), ["HEAD"]);
    container.list(None).await.unwrap();
    assert_eq!(costs(), ["GET"]);
    let id = |object: &str| ObjectId { container: name.clone(), object: object.to_owned() };
    store.copy(&id("large"), &id("copy")).await.unwrap();
    assert_eq!(costs(), ["HEAD", "HEAD", "PUT"]);
    container.delete(&["copy".into(), "missing".into()]).await.unwrap();
    assert_eq!(costs(), ["DELETE"; 2]);
    store.delete(&name).await.unwrap();
    assert_eq!(costs(), ["DELETE", "DELETE", "DELETE", "DELETE", "GET"]);
}

#[tokio::test]
async fn calls_on_topics() {
    let Some(network) = Network::new() else { return };
    let provider = network.connect().await;
    let costs = || (methods(&network.queues), methods(&network.blobs));
    let messaging = messaging(&*provider);
    let topic = unique("topic");
    for group in ["group", "other"] {
        messaging.create_group(&topic, group).await.unwrap();
    }
    let records = |number| vec!["PUT".to_owned(); number];
    assert_eq!(costs(), (vec!["PUT".to_owned(); 2], records(2)));
    messaging.create_group(&topic, "group").await.unwrap();
    // Azure compares what a queue says of itself, the second of its making too: only where that differs must we look.
    let again = costs();
    assert!(again.0 == ["PUT"] || again.0 == ["GET", "PUT"], "{again:?}");
    assert_eq!(again.1, records(1));
    messaging.publish(&topic, message("first")).await.unwrap();
    assert_eq!(costs(), (vec!["GET".to_owned(), "POST".to_owned(), "POST".to_owned()], vec!["GET".to_owned()]));

    // Of what a member asks for while it waits, the number depends on the time.
    let requests = |method: &str, target: &str| {
        let seen = network.queues.take_requests();
        seen.iter().filter(|seen| seen.method == method && seen.target.contains(target)).count()
    };
    let mut deliveries = member(&*messaging, &topic, Duration::from_secs(60)).await;
    let mut first = next(&mut deliveries).await;
    requests("PUT", "");
    assert_eq!(methods(&network.blobs), ["PUT"]);
    first.extend().await.unwrap();
    assert_eq!(requests("PUT", "/messages/"), 1);
    first.settle(Outcome::Retry { after: Duration::ZERO }).await.unwrap();
    assert_eq!(requests("PUT", "/messages/"), 1);
    next(&mut deliveries).await.settle(Outcome::Ack).await.unwrap();
    assert_eq!(requests("DELETE", "/messages/"), 1);
    assert_eq!(methods(&network.blobs), [""; 0]);

    let large = slight_capabilities::Message { data: pattern(100_000), ..Default::default() };
    messaging.publish(&topic, large).await.unwrap();
    assert_eq!(requests("POST", ""), 2);
    // The member may have its own before the other group has: what it reads is counted together with what is written.
    let large = next(&mut deliveries).await;
    // So is the list of records.
    assert_eq!(methods(&network.blobs), ["GET", "GET", "PUT", "PUT"]);
    requests("DELETE", "");
    large.settle(Outcome::Ack).await.unwrap();
    assert_eq!((requests("DELETE", ""), methods(&network.blobs)), (1, vec!["DELETE".to_owned()]));
}

#[tokio::test]
async fn a_list_of_groups_is_asked_for_every_two_seconds_and_not_more_often() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*provider(serde_json::json!({ "connection-string": network.string })).await);
    network.queues.take_requests();
    let topic = unique("topic");
    let started = std::time::Instant::now();
    let mut lists = 0;
    while lists < 3 {
        messaging.publish(&topic, message("to nobody")).await.unwrap();
        lists += network.queues.take_requests().len();
        let most = 1 + started.elapsed().as_secs() as usize / 2;
        assert!(lists <= most, "{lists} lists in {:?}", started.elapsed());
        assert!(started.elapsed() < DEADLINE, "{lists} lists in {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn an_inbox_and_a_reply() {
    let Some(network) = Network::new() else { return };
    let messaging = messaging(&*network.connect().await);
    let inbox = messaging.inbox().await.unwrap();
    network.queues.take_requests();
    let to = slight_capabilities::ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    messaging.reply(&to, message("answer")).await.unwrap();
    assert_eq!(network.queues.count("POST"), 1);
}
