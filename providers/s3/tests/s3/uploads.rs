use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use slight_capabilities::{ByteRange, ByteStream, Error, ErrorKind, ObjectId};
use slight_services::{Fault, Rule};

use crate::support::{
    MIB, Place, S3_BUCKET, blobs, container, content, eventually, is_megabytes, megabytes, place, text,
};

/// Ready-made megabytes without an end, and how many have been taken.
fn endless() -> (ByteStream, Arc<AtomicUsize>) {
    let taken = Arc::<AtomicUsize>::default();
    let counted = taken.clone();
    let endless = stream::repeat_with(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(Bytes::from_static(&[0; MIB]))
    });
    (Box::pin(endless), taken)
}

#[tokio::test]
async fn a_stream_that_fails_leaves_no_parts() {
    let Some(place) = place() else { return };
    let container = place.container().await;
    let body = megabytes(30).chain(stream::iter([Err(Error::other("the guest went away"))]));
    let error = container.write("object", Box::pin(body)).await.unwrap_err();
    assert_eq!(error.message(), "the guest went away");
    // At once: the error says that all is over.
    assert_eq!(place.uploads().await, 0);
    assert_eq!(place.keys().await, ["blob/container/.slight-container"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_dropped_leaves_no_parts() {
    let Some(place) = place() else { return };
    let container = place.container().await;
    let (body, taken) = endless();
    let writing = tokio::spawn({
        let container = container.clone();
        async move { container.write("object", body).await }
    });
    eventually("parts on their way", async || taken.load(Ordering::SeqCst) > 30).await;
    assert_eq!(place.uploads().await, 1);
    writing.abort();
    place.has_no_uploads().await;
    assert_eq!(content(&*container, "object").await.unwrap_err().kind(), ErrorKind::NotFound);
}

// All on one thread, so that what has been taken is only ever seen while the write waits.
#[tokio::test]
async fn a_large_write_takes_no_more_ahead_than_its_parts() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    faults.add(Rule::always(Fault::Delay(Duration::from_secs(3600))).target("partNumber="));
    faults.take_requests();
    let (body, taken) = endless();
    let writing = tokio::spawn(async move { container.write("object", body).await });
    eventually("parts on their way", async || faults.count("PUT") >= 3).await;
    // It has the thread again and again, and only the parts hold it up.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    // Three parts of 8 MiB on their way, one that is full, and the megabyte that did not fit any more.
    assert_eq!((faults.count("PUT"), taken.load(Ordering::SeqCst)), (3, 33));
    writing.abort();
    place.has_no_uploads().await;
}

#[tokio::test]
async fn parts_have_the_size_that_is_set() {
    let Some(place) = place() else { return };
    let provider = place.provider_with(json!({ "blob": { "part-size": "5MiB" } })).await;
    let container = container(&*provider).await;
    for (size, parts) in [(5, None), (6, Some(2)), (10, Some(2)), (11, Some(3))] {
        container.write("object", megabytes(size)).await.unwrap();
        is_megabytes(container.read("object", ByteRange::ALL).await.unwrap(), size).await;
        assert_eq!(parts_of(&place, "blob/container/object").await, parts, "{size} MiB");
    }
}

/// How many parts an object was made of, as its ETag tells; `None` for one that was put at once.
async fn parts_of(place: &Place, key: &str) -> Option<usize> {
    let key = format!("{}/{key}", place.prefix);
    let head = place.client().head_object().bucket(S3_BUCKET).key(key).send().await.unwrap();
    head.e_tag().unwrap().trim_matches('"').split_once('-').map(|(_, parts)| parts.parse().unwrap())
}

#[tokio::test]
async fn a_large_object_is_copied_in_parts_with_what_it_is() {
    let Some(place) = place() else { return };
    let provider = place.provider().await;
    let container = container(&*provider).await;
    container.write("a+b", megabytes(70)).await.unwrap();
    let id = |object: &str| ObjectId { container: "container".into(), object: object.to_owned() };
    blobs(&*provider).copy(&id("a+b"), &id("copy")).await.unwrap();
    is_megabytes(container.read("copy", ByteRange::ALL).await.unwrap(), 70).await;
    assert_eq!(parts_of(&place, "blob/container/copy").await, Some(2));
    assert_eq!(place.uploads().await, 0);
}

#[tokio::test]
async fn copies_find_containers_with_slashes_in_their_names() {
    let Some(place) = place() else { return };
    let store = blobs(&*place.provider().await);
    let id = |object: &str| ObjectId { container: "team/photos".into(), object: object.to_owned() };
    let container = store.create(&"team/photos".into()).await.unwrap();
    for (object, size) in [("a/b", 1), ("large", 65)] {
        container.write(object, megabytes(size)).await.unwrap();
        store.copy(&id(object), &id("copy")).await.unwrap();
        is_megabytes(container.read("copy", ByteRange::ALL).await.unwrap(), size).await;
    }
}

#[tokio::test]
async fn a_start_removes_uploads_that_are_old_and_no_others() {
    let Some(place) = place() else { return };
    place.provider().await;
    let begin = async |key: &str| {
        let key = format!("{}/{key}", place.prefix);
        let upload = place.client().create_multipart_upload().bucket(S3_BUCKET).key(key).send().await.unwrap();
        upload.upload_id.unwrap()
    };
    begin("blob/container/old").await;
    begin("elsewhere/old").await;
    // Below the location, and of no name of ours.
    begin("blob/backup.tar").await;
    assert_eq!(place.uploads().await, 3);
    // Not old enough for this one; if it were, the next would have nothing to show.
    place.provider_with(json!({ "blob": { "abandoned-after": "24h" } })).await;
    eventually("the removal", async || {
        assert!(place.uploads().await >= 2, "those of other programs");
        place.provider_with(json!({ "blob": { "abandoned-after": "1ms" } })).await;
        place.uploads().await == 2
    })
    .await;
}

#[tokio::test]
async fn racing_large_writes_leave_one_whole_object() {
    let Some(place) = place() else { return };
    let container = place.container().await;
    let writes: Vec<Pin<Box<dyn Future<Output = slight_capabilities::Result<()>> + Send>>> = vec![
        Box::pin(container.write("object", megabytes(20))),
        Box::pin(container.write("object", megabytes(12))),
        Box::pin(container.write("object", text("small"))),
    ];
    for written in futures_util::future::join_all(writes).await {
        written.or_else(|error| if error.kind() == ErrorKind::Conflict { Ok(()) } else { Err(error) }).unwrap();
    }
    let blob = container.read("object", ByteRange::ALL).await.unwrap();
    match blob.size as usize / MIB {
        0 => assert_eq!(content(&*container, "object").await.unwrap(), b"small"),
        size => is_megabytes(blob, size).await,
    }
    assert_eq!(place.uploads().await, 0);
}
