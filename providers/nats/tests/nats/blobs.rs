use std::pin::pin;

use async_nats::jetstream::object_store::ObjectStore;
use bytes::Bytes;
use futures_util::{StreamExt, future::poll_immediate, stream};
use slight_capabilities::{ByteRange, Container, Error, ErrorKind, Result};
use tokio::io::AsyncReadExt;

use crate::support::{
    MIB, apart, body, container, eventually, messages_in, nats, pattern, read, rest, server, shared, write,
};

/// How many chunks an object of so many megabytes has.
const fn chunks(megabytes: u64) -> u64 {
    megabytes * 8
}

/// A container, and what NATS's own client sees of it.
async fn both(url: &str, name: &str) -> (std::sync::Arc<dyn Container>, ObjectStore) {
    let container = container(&*apart(url, name).await).await;
    (container, nats(url).await.get_object_store(format!("{name}-blob_container")).await.unwrap())
}

#[tokio::test]
async fn other_clients_of_nats_read_and_write_the_same_objects() {
    let Some(url) = shared() else { return };
    let (container, store) = both(&url, "others-blob").await;
    let (ours, theirs) = (pattern(1, 3 * MIB + 1), pattern(2, 2 * MIB + 7));
    write(&*container, "by us/é", ours.clone()).await;
    let mut found = Vec::new();
    // It checks the digest.
    store.get("by us/é").await.unwrap().read_to_end(&mut found).await.unwrap();
    assert_eq!(found, ours);
    store.put("by them", &mut theirs.as_ref()).await.unwrap();
    assert_eq!(read(&*container, "by them").await, theirs);
    let range = container.read("by them", ByteRange { start: 2 * MIB as u64 + 3, end: u64::MAX }).await.unwrap();
    assert_eq!(rest(range.body).await.unwrap(), theirs.slice(2 * MIB + 3..));
    store.delete("by us/é").await.unwrap();
    assert_eq!(container.stat("by us/é").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(container.list(None).await.unwrap().items, ["by them"]);
    write(&*container, "by us/é", "again".into()).await;
    assert_eq!(read(&*container, "by us/é").await, "again");
}

#[tokio::test]
async fn overwriting_and_deleting_leave_no_chunks_behind() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "no-chunks").await;
    let held = async || messages_in(&nats(&url).await, "OBJ_no-chunks-blob_container").await;
    for turn in 0..3 {
        write(&*container, "object", pattern(turn, 2 * MIB)).await;
        assert_eq!(held().await, chunks(2) + 1, "chunks and a description");
    }
    container.delete(&["object".into()]).await.unwrap();
    assert_eq!(held().await, 0);
}

#[tokio::test]
async fn a_failed_upload_leaves_no_chunks_behind() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "failed").await;
    let failing = body([Ok(pattern(1, 3 * MIB)), Err(Error::denied("the guest went away"))]);
    assert_eq!(container.write("object", failing).await.unwrap_err().message(), "the guest went away");
    assert_eq!(messages_in(&nats(&url).await, "OBJ_failed-blob_container").await, 0);
}

#[tokio::test]
async fn an_abandoned_upload_leaves_no_chunks_behind() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "abandoned").await;
    let nats = nats(&url).await;
    {
        let endless = stream::iter([Ok(pattern(1, 3 * MIB))]).chain(stream::pending::<Result<Bytes>>());
        let mut writing = pin!(container.write("object", Box::pin(endless)));
        eventually("stored chunks", async || {
            assert!(poll_immediate(writing.as_mut()).await.is_none());
            messages_in(&nats, "OBJ_abandoned-blob_container").await > chunks(2)
        })
        .await;
    }
    eventually("an empty store", async || messages_in(&nats, "OBJ_abandoned-blob_container").await == 0).await;
}

#[tokio::test]
async fn a_range_far_into_an_object_is_found_by_the_sizes_of_its_chunks() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "far").await;
    let content = pattern(1, 12 * MIB + 12345);
    write(&*container, "object", content.clone()).await;
    for (start, length) in [(3 * MIB, MIB), (12 * MIB - 1, 2), (12 * MIB + 12344, 1), (5 * MIB + 1, 7 * MIB)] {
        let range = ByteRange { start: start as u64, end: (start + length - 1) as u64 };
        let blob = container.read("object", range).await.unwrap();
        assert_eq!(blob.size, length as u64);
        assert_eq!(rest(blob.body).await.unwrap(), content.slice(start..start + length), "{start} {length}");
    }
}

#[tokio::test]
async fn a_read_goes_on_after_the_server_forgot_it() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "forgotten").await;
    let content = pattern(1, 8 * MIB);
    write(&*container, "object", content.clone()).await;
    let mut body = container.read("object", ByteRange::ALL).await.unwrap().body;
    let first = body.next().await.unwrap().unwrap();
    let stream = nats(&url).await.get_stream("OBJ_forgotten-blob_container").await.unwrap();
    let names: Vec<_> = stream.consumer_names().map(std::result::Result::unwrap).collect().await;
    for name in names {
        stream.delete_consumer(&name).await.unwrap();
    }
    assert_eq!([first, rest(body).await.unwrap()].concat(), content);
}

#[tokio::test]
async fn damage_is_noticed_before_the_last_byte() {
    let Some(url) = shared() else { return };
    let (container, _) = both(&url, "damaged").await;
    let content = pattern(1, 2 * MIB);
    write(&*container, "object", content.clone()).await;
    let nats = nats(&url).await;
    let stream = nats.get_stream("OBJ_damaged-blob_container").await.unwrap();
    let chunk = stream.get_raw_message(3).await.unwrap();
    // One chunk less, and one of the same size at the end instead.
    stream.delete_message(3).await.unwrap();
    nats.publish(chunk.subject, pattern(9, 128 * 1024)).await.unwrap().await.unwrap();
    let error = rest(container.read("object", ByteRange::ALL).await.unwrap().body).await.unwrap_err();
    assert!(error.message().contains("damaged"), "{error}");
    // And now one is missing.
    stream.delete_message(4).await.unwrap();
    let error = container.read("object", ByteRange::ALL).await.err().unwrap();
    assert!(error.message().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_link_of_another_client_is_not_followed() {
    let Some(url) = shared() else { return };
    let (container, store) = both(&url, "links").await;
    write(&*container, "object", "1".into()).await;
    let object = store.get("object").await.unwrap();
    store.add_link("link", &object).await.unwrap();
    let error = container.read("link", ByteRange::ALL).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_ends_reads_and_writes_in_time() {
    let Some(mut server) = server(&[]) else { return };
    let container = container(&*crate::support::connect(&server.url()).await).await;
    let content = pattern(1, 8 * MIB);
    write(&*container, "object", content.clone()).await;
    let mut reading = container.read("object", ByteRange::ALL).await.unwrap().body;
    reading.next().await.unwrap().unwrap();
    let endless = stream::repeat_with(|| Ok(pattern(2, MIB)));
    let writing = tokio::spawn({
        let container = container.clone();
        async move { container.write("object", Box::pin(endless)).await }
    });
    tokio::task::block_in_place(|| server.kill());
    let started = std::time::Instant::now();
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(rest(reading).await.is_err());
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    tokio::task::block_in_place(|| server.restart());
    assert_eq!(read(&*container, "object").await, content);
}
