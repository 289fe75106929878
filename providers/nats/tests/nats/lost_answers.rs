use serde_json::json;
use slight_capabilities::ErrorKind;

use crate::{
    network::Network,
    support::{
        bucket, connect, container, message, messages_in, messaging, nats, pattern, provider, read, server, write,
    },
};

/// What the server says when it has stored a message.
const STORED: &str = "{\"stream\":\"";

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown_and_counts_once() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*connect(&network.url).await).await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 1);
    network.lose(STORED).await;
    let lost = bucket.increment("counter", 1).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert!(lost.message().contains("unknown"), "{lost}");
    assert_eq!(bucket.increment("counter", 0).await.unwrap(), 2);
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_is_no_conflict() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*connect(&network.url).await).await;
    network.lose(STORED).await;
    assert_eq!(bucket.swap("key", None, "1".into()).await.unwrap_err().kind(), ErrorKind::Timeout);
    let entry = bucket.get("key").await.unwrap().unwrap();
    network.lose(STORED).await;
    let lost = bucket.swap("key", Some(&entry.version), "2".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert_eq!(bucket.get("key").await.unwrap().unwrap().value, "2");
}

#[tokio::test]
async fn reads_and_plain_writes_are_sent_again() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*connect(&network.url).await).await;
    network.lose(STORED).await;
    bucket.set("key", "value".into()).await.unwrap();
    network.lose("stream_msg_get_response").await;
    assert_eq!(bucket.get("key").await.unwrap().map(|entry| entry.value), Some("value".into()));
    network.lose("consumer_create_response").await;
    assert_eq!(bucket.keys(None).await.unwrap().items, ["key"]);
    network.lose("stream_purge_response").await;
    bucket.delete("key").await.unwrap();
    assert!(network.has_lost().await && !bucket.exists("key").await.unwrap());
}

#[tokio::test]
async fn a_publication_whose_answer_is_lost_is_sent_again_and_kept_once() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let far = messaging(&*connect(&network.url).await);
    messaging(&*connect(&server.url()).await).create_group(&"topic".into(), "group").await.unwrap();
    far.publish(&"topic".into(), message("first")).await.unwrap();
    network.lose(STORED).await;
    far.publish(&"topic".into(), message("second")).await.unwrap();
    assert!(network.has_lost().await);
    assert_eq!(messages_in(&nats(&server.url()).await, "slight-msg").await, 2);
}

#[tokio::test]
async fn an_object_is_there_although_the_answer_was_lost() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let container = container(&*provider(json!({ "url": network.url })).await).await;
    write(&*container, "object", pattern(1, 1000)).await;
    // After those of the mark and of the content comes that of the description.
    network.lose_after(2, STORED).await;
    write(&*container, "object", pattern(2, 1000)).await;
    assert!(network.has_lost().await);
    assert_eq!(read(&*container, "object").await, pattern(2, 1000));
    assert_eq!(messages_in(&nats(&server.url()).await, "OBJ_slight-blob_container").await, 2);
}

#[tokio::test]
async fn an_upload_that_loses_an_answer_shows_nothing_and_leaves_a_mark_for_the_sweep() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let container = container(&*connect(&network.url).await).await;
    network.lose_after(3, STORED).await;
    let body = crate::support::body([Ok(pattern(1, 4 * crate::support::MIB))]);
    let lost = container.write("object", body).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Unavailable, "{lost}");
    assert!(container.list(None).await.unwrap().items.is_empty());
    // Something may have been on its way that nobody hears of. By the mark, which came first, the sweep will find it.
    let stream = nats(&server.url()).await.get_stream("OBJ_slight-blob_container").await.unwrap();
    let mark = stream.get_raw_message(1).await.unwrap();
    assert!(mark.subject.starts_with("$O.slight-blob_container.U."), "{}", mark.subject);
}

#[tokio::test]
async fn increments_that_nobody_answers_changed_nothing_and_blame_nobody_else() {
    let Some(server) = server(&[]) else { return };
    let network = Network::before(&server).await;
    let bucket = bucket(&*connect(&network.url).await).await;
    bucket.increment("counter", 1).await.unwrap();
    network.be_silent(true);
    // The first asks for the counter, and the second waits for the first.
    let (first, second) = tokio::join!(bucket.increment("counter", 1), bucket.increment("counter", 1));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("was not incremented") && !error.message().contains("others"), "{error}");
    }
    let direct = crate::support::bucket(&*connect(&server.url()).await).await;
    assert_eq!(direct.increment("counter", 0).await.unwrap(), 1);
}
