use slight_capabilities::{ByteRange, ObjectId};
use slight_services::Faults;

use crate::support::{S3_BUCKET, blobs, bucket, container, eventually, megabytes, place, rest, text};

/// The requests since the last time, by their methods.
fn requests(faults: &Faults) -> String {
    let methods: Vec<_> = faults.take_requests().into_iter().map(|request| request.method).collect();
    methods.join(" ")
}

/// Waits for the one request that a start sends in the background.
async fn swept(faults: &Faults) {
    eventually("the look for old uploads", async || {
        faults.take_requests().iter().any(|request| request.target.contains("uploads"))
    })
    .await;
}

#[tokio::test]
async fn calls_of_key_value_cost_what_the_page_says() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let provider = place.provider().await;
    swept(&faults).await;
    let bucket = bucket(&*provider).await;
    assert_eq!(requests(&faults), "", "open");
    bucket.set("key", "1".into()).await.unwrap();
    assert_eq!(requests(&faults), "PUT", "set");
    let version = bucket.get("key").await.unwrap().unwrap().version;
    assert_eq!(requests(&faults), "GET", "get");
    bucket.get("missing").await.unwrap();
    assert_eq!(requests(&faults), "GET", "get of a missing key");
    bucket.exists("key").await.unwrap();
    assert_eq!(requests(&faults), "HEAD", "exists");
    bucket.swap("key", Some(&version), "2".into()).await.unwrap();
    assert_eq!(requests(&faults), "PUT", "swap");
    bucket.increment("key", 1).await.unwrap();
    assert_eq!(requests(&faults), "GET PUT", "increment");
    bucket.delete("key").await.unwrap();
    assert_eq!(requests(&faults), "DELETE", "delete");
    bucket.keys(None).await.unwrap();
    assert_eq!(requests(&faults), "GET", "a page of keys");
    let keys = ["a", "b", "c"].map(str::to_owned);
    bucket.set_many(keys.iter().map(|key| (key.clone(), "1".into())).collect()).await.unwrap();
    assert_eq!(requests(&faults), "PUT PUT PUT", "set of many");
    bucket.get_many(&keys).await.unwrap();
    assert_eq!(requests(&faults), "GET GET GET", "get of many");
    bucket.delete_many(&keys).await.unwrap();
    assert_eq!(requests(&faults), "POST", "delete of many");
}

#[tokio::test]
async fn calls_of_blob_cost_what_the_page_says() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let provider = place.provider().await;
    let store = blobs(&*provider);
    swept(&faults).await;
    let container = container(&*provider).await;
    assert_eq!(requests(&faults), "PUT", "create");
    store.get(&"container".into()).await.unwrap();
    assert_eq!(requests(&faults), "HEAD", "get of a container");
    store.exists(&"container".into()).await.unwrap();
    assert_eq!(requests(&faults), "HEAD", "exists");
    container.info().await.unwrap();
    assert_eq!(requests(&faults), "HEAD", "info");
    container.write("small", text("1")).await.unwrap();
    assert_eq!(requests(&faults), "PUT", "write of one part");
    container.write("large", megabytes(20)).await.unwrap();
    assert_eq!(requests(&faults), "POST PUT PUT PUT POST", "write of three parts");
    rest(container.read("large", ByteRange::ALL).await.unwrap()).await.unwrap();
    assert_eq!(requests(&faults), "GET", "read");
    rest(container.read("large", ByteRange { start: 5, end: 10 }).await.unwrap()).await.unwrap();
    assert_eq!(requests(&faults), "GET", "read of a range");
    container.stat("large").await.unwrap();
    assert_eq!(requests(&faults), "HEAD", "stat");
    container.list(None).await.unwrap();
    assert_eq!(requests(&faults), "GET", "a page of objects");
    let id = |object: &str| ObjectId { container: "container".into(), object: object.to_owned() };
    store.copy(&id("small"), &id("copy")).await.unwrap();
    assert_eq!(requests(&faults), "HEAD HEAD PUT", "copy within a container");
    container.delete(&["small".into(), "copy".into()]).await.unwrap();
    assert_eq!(requests(&faults), "POST", "delete of objects");
    store.existing(S3_BUCKET).await.unwrap();
    assert_eq!(requests(&faults), "GET", "opening an existing location");
    store.delete(&"container".into()).await.unwrap();
    assert_eq!(requests(&faults), "GET POST POST", "delete of a container");
}
