use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::jetstream::Context;
use serde_json::json;
use slight_capabilities::Capability;

use crate::support::{apart, container, eventually, messages_in, nats, read, shared, write};

const STREAM: &str = "OBJ_sweep-blob_container";

fn subject(kind: &str, id: &str) -> String {
    format!("$O.sweep-blob_container.{kind}.{id}")
}

/// What an upload leaves that began so many hours ago, and whose process died.
async fn leave(nats: &Context, id: &str, object: &str, hours: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mark = json!({ "object": object, "since": now - hours * 3600 }).to_string();
    nats.publish(subject("U", id), mark.into()).await.unwrap().await.unwrap();
    for _ in 0..3 {
        nats.publish(subject("C", id), vec![0; 1000].into()).await.unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_left_of_old_uploads_is_removed_at_the_start() {
    let Some(url) = shared() else { return };
    let store = container(&*apart(&url, "sweep").await).await;
    write(&*store, "object", "kept".into()).await;
    let nats = nats(&url).await;
    leave(&nats, "old", "never written", 25).await;
    leave(&nats, "old-too", "object", 25).await;
    leave(&nats, "new", "still written", 23).await;
    // One that ended well, and could not remove its mark.
    let stream = nats.get_stream(STREAM).await.unwrap();
    let meta = stream.get_last_raw_message_by_subject(&subject("M", "b2JqZWN0")).await.unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&meta.payload).unwrap();
    let id = meta["nuid"].as_str().unwrap();
    let mark = json!({ "object": "object", "since": 0 }).to_string();
    nats.publish(subject("U", id), mark.into()).await.unwrap().await.unwrap();

    apart(&url, "sweep").await.prepare(Capability::Blob).await.unwrap();
    // The object and its description, and the new upload with its mark.
    eventually("a swept store", async || messages_in(&nats, STREAM).await == 2 + 4).await;
    assert_eq!(read(&*store, "object").await, "kept");
    assert!(stream.get_last_raw_message_by_subject(&subject("C", "new")).await.is_ok());
}
