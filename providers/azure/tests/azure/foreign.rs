//! Blobs and messages that other programs hold, or have written.

use std::time::{Duration, Instant};

use slight_capabilities::{ErrorKind, Message, Outcome};

use crate::{
    messages::queue_of,
    raw,
    support::{
        MIB, ack, azurite, connect, container, member, message, messaging, next, pattern, provider, read, text_of,
        unique, write,
    },
};

/// The blob of a key of a bucket.
fn path(bucket: &slight_capabilities::QualifiedName, key: &str) -> String {
    format!("slight-kv/{}/{key}", bucket.encoded())
}

async fn blob(string: &str, request: (&str, &str), headers: &[(&str, &str)], body: &str) {
    let (status, answer) = raw::send(string, "BlobEndpoint", request, headers, body).await.unwrap();
    assert!((200..300).contains(&status), "{request:?}: {status} {answer}");
}

#[tokio::test]
async fn a_leased_entry_is_told_at_once_with_what_to_do() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let name = unique("bucket");
    let bucket = provider.key_value().unwrap().open(&name).await.unwrap();
    bucket.set("counter", "1".into()).await.unwrap();
    let version = bucket.get("counter").await.unwrap().unwrap().version;
    let lease = format!("{}?comp=lease", path(&name, "counter"));
    blob(&string, ("PUT", &lease), &[("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")], "").await;
    let started = Instant::now();
    let (set, swapped, counted, deleted) = tokio::join!(
        bucket.set("counter", "2".into()),
        bucket.swap("counter", Some(&version), "2".into()),
        bucket.increment("counter", 1),
        bucket.delete("counter"),
    );
    for error in [set.err(), swapped.err(), counted.err(), deleted.err()] {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("lease break"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    let broken = [("x-ms-lease-action", "break"), ("x-ms-lease-break-period", "0")];
    blob(&string, ("PUT", &lease), &broken, "").await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 2);
}

#[tokio::test]
async fn archived_entries_and_those_with_snapshots_are_told_apart_from_conflicts() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let name = unique("bucket");
    let bucket = provider.key_value().unwrap().open(&name).await.unwrap();
    for key in ["archived", "snapshot"] {
        bucket.set(key, "1".into()).await.unwrap();
    }
    let tier = format!("{}?comp=tier", path(&name, "archived"));
    blob(&string, ("PUT", &tier), &[("x-ms-access-tier", "Archive")], "").await;
    let error = bucket.get("archived").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.message().contains("archived"), "{error}");
    blob(&string, ("PUT", &format!("{}?comp=snapshot", path(&name, "snapshot"))), &[], "").await;
    bucket.delete("snapshot").await.unwrap();
    assert!(bucket.get("snapshot").await.unwrap().is_none());
}

#[tokio::test]
async fn blobs_of_other_types_are_written_over() {
    let Some(string) = azurite() else { return };
    let provider = connect(&string).await;
    let container = container(&*provider).await;
    write(&*container, "object", &pattern(10)).await;
    let name = unique("container");
    let container = provider.blob().unwrap().create(&name).await.unwrap();
    let path = format!("slight-blob/{}/large", name.encoded().replace('=', "%3D"));
    blob(&string, ("PUT", &path), &[("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", "512")], "").await;
    write(&*container, "large", &pattern(9 * MIB)).await;
    assert_eq!(read(&*container, "large").await.unwrap(), pattern(9 * MIB));
}

#[tokio::test]
async fn what_two_capabilities_keep_is_kept_apart() {
    let settings = serde_json::json!({
        "connection-string": "UseDevelopmentStorage=true",
        "key-value": { "location": "shared" },
        "blob": { "location": "shared" },
    });
    let error = slight_provider_azure::kind().connect(settings).await.err().unwrap();
    assert!(error.kind() == ErrorKind::Invalid && error.message().contains("blob.location"), "{error}");
}

#[tokio::test]
async fn a_released_message_is_uncounted_however_large_and_whoever_sent_it() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    messaging.create_group(&topic, "group").await.unwrap();
    let queue = queue_of(&string, &topic).await;
    // Three quarters of what a queue takes: as base64 of an envelope it would be too large.
    let foreign = "?".repeat(60 * 1024);
    let body = format!("<QueueMessage><MessageText>{foreign}</MessageText></QueueMessage>");
    let (path, xml) = (format!("{queue}/messages"), [("content-type", "application/xml")]);
    raw::send(&string, "QueueEndpoint", ("POST", &path), &xml, &body).await.unwrap();
    messaging.publish(&topic, Message { data: pattern(100_000), ..Message::default() }).await.unwrap();
    // Each time by another process, as it were.
    for turn in 1..=4 {
        let mut deliveries = member(&*connect_messaging(&string).await, &topic, Duration::from_secs(60)).await;
        let (one, other) = (next(&mut deliveries).await, next(&mut deliveries).await);
        for delivery in [one, other] {
            let message = delivery.message();
            assert!(message.data == foreign || message.data == pattern(100_000), "{} bytes", message.data.len());
            assert_eq!(delivery.count(), 1, "turn {turn}");
            match turn {
                4 => ack(delivery).await,
                _ => delivery.settle(Outcome::Release).await.unwrap(),
            }
        }
    }
}

async fn connect_messaging(string: &str) -> std::sync::Arc<dyn slight_capabilities::Messaging> {
    messaging(&*connect(string).await)
}

#[tokio::test]
async fn what_can_never_be_read_passes_every_limit_and_stops_no_other() {
    let Some(string) = azurite() else { return };
    let messaging = messaging(&*connect(&string).await);
    let topic = unique("topic");
    messaging.create_group(&topic, "group").await.unwrap();
    messaging.publish(&topic, Message { data: pattern(100_000), ..Message::default() }).await.unwrap();
    let queue = queue_of(&string, &topic).await;
    let (_, listed) =
        raw::send(&string, "BlobEndpoint", ("GET", "slight-msg?restype=container&comp=list"), &[], "").await.unwrap();
    let name = listed
        .split("<Name>")
        .find_map(|part| part.split_once("</Name>").map(|(name, _)| name).filter(|name| name.starts_with(&queue)));
    blob(&string, ("DELETE", &format!("slight-msg/{}", name.unwrap())), &[], "").await;
    messaging.publish(&topic, message("beside it")).await.unwrap();
    let mut deliveries = member(&*messaging, &topic, Duration::from_secs(60)).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivery = next(&mut deliveries).await;
        seen.push((delivery.count(), delivery.message().metadata.clone()));
        if delivery.count() == 1 {
            assert_eq!(text_of(&*delivery), "beside it");
        }
        ack(delivery).await;
    }
    seen.sort();
    assert_eq!((seen[0].0, seen[1].0), (1, u32::MAX));
    let [(key, why)] = &seen[1].1[..] else { panic!("{seen:?}") };
    assert!(key == "dead-letter-error" && why.contains("is gone"), "{why}");
}

#[tokio::test]
async fn an_inbox_that_was_deleted_is_made_again_at_its_address() {
    use futures_util::StreamExt;

    let Some(string) = azurite() else { return };
    let settings = serde_json::json!({ "connection-string": string, "messaging": { "location": "inboxes" } });
    let messaging = messaging(&*provider(settings).await);
    let mut inbox = messaging.inbox().await.unwrap();
    let queue = format!("inboxes-inbox-{}", inbox.address);
    raw::send(&string, "QueueEndpoint", ("DELETE", &queue), &[], "").await.unwrap();
    let to = slight_capabilities::ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    let answering = async {
        loop {
            messaging.reply(&to, message("answer")).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let reply = tokio::select! {
        reply = async { loop { if let Ok(reply) = inbox.replies.next().await.unwrap() { break reply } } } => reply,
        () = answering => unreachable!(),
    };
    assert_eq!((reply.correlation.as_str(), &reply.message.data[..]), ("1", &b"answer"[..]));
}
