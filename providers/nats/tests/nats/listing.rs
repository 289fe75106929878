use std::collections::BTreeSet;

use bytes::Bytes;
use slight_capabilities::{Bucket, Cursor};

use crate::support::{apart, bucket, connect, nats, server, shared};

/// Follows a listing to its end; the names in the order in which they came, and the size of the largest page.
async fn list(bucket: &dyn Bucket, mut next: Option<Cursor>) -> (Vec<String>, usize) {
    let (mut names, mut largest) = (Vec::new(), 0);
    loop {
        let page = bucket.keys(next.as_ref()).await.unwrap();
        largest = largest.max(page.items.len());
        names.extend(page.items);
        next = page.next;
        if next.is_none() {
            return (names, largest);
        }
    }
}

/// Requires that the keys are listed, and no others.
fn has_all(listed: &[String], keys: &BTreeSet<String>) {
    let listed: BTreeSet<_> = listed.iter().cloned().collect();
    let (missing, unknown) = (keys.difference(&listed).count(), listed.difference(keys).count());
    assert_eq!((missing, unknown), (0, 0), "keys that are missing, and such as nobody set");
}

async fn fill(bucket: &dyn Bucket, count: usize) -> BTreeSet<String> {
    let keys: Vec<_> = (0..count).map(|number| format!("key/{number}")).collect();
    for part in keys.chunks(10_000) {
        bucket.set_many(part.iter().map(|key| (key.clone(), Bytes::from_static(b"1"))).collect()).await.unwrap();
    }
    keys.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_keys_are_listed_in_pages_of_bounded_size() {
    let Some(server) = server(&[]) else { return };
    let provider = connect(&server.url()).await;
    let bucket = bucket(&*provider).await;
    let keys = fill(&*bucket, 100_000).await;
    let (listed, largest) = list(&*bucket, None).await;
    assert_eq!(listed.len(), keys.len(), "each once");
    has_all(&listed, &keys);
    assert!(largest <= 10_000, "a page of {largest}");
    // A few are found among many of others.
    let few = provider.key_value().unwrap().open(&"few".into()).await.unwrap();
    few.set("one", "1".into()).await.unwrap();
    assert_eq!(list(&*few, None).await.0, ["one"]);
}

#[tokio::test]
async fn a_listing_goes_on_after_a_restart_and_misses_nothing() {
    let Some(mut server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server.url()).await).await;
    let keys = fill(&*bucket, 3_000).await;
    let first = bucket.keys(None).await.unwrap();
    server.kill();
    server.restart();
    let (rest, _) = list(&*bucket, first.next).await;
    has_all(&[first.items, rest].concat(), &keys);
}

#[tokio::test]
async fn a_key_that_is_written_again_meanwhile_is_listed() {
    let Some(url) = shared() else { return };
    let bucket = bucket(&*apart(&url, "written-again").await).await;
    let keys = fill(&*bucket, 2_500).await;
    let first = bucket.keys(None).await.unwrap();
    for key in keys.iter().rev().take(50) {
        bucket.set(key, "2".into()).await.unwrap();
    }
    let (rest, _) = list(&*bucket, first.next).await;
    has_all(&[first.items, rest].concat(), &keys);
}

#[tokio::test]
async fn listings_leave_no_consumers_behind() {
    let Some(url) = shared() else { return };
    let bucket = bucket(&*apart(&url, "no-consumers").await).await;
    fill(&*bucket, 1_500).await;
    assert_eq!(list(&*bucket, None).await.0.len(), 1_500);
    let nats = nats(&url).await;
    crate::support::eventually("the end of the consumers", async || {
        nats.get_stream("KV_no-consumers-kv").await.unwrap().cached_info().state.consumer_count == 0
    })
    .await;
}

#[tokio::test]
async fn keys_of_other_programs_are_no_harm() {
    let Some(url) = shared() else { return };
    let bucket = bucket(&*apart(&url, "other-keys").await).await;
    let store = nats(&url).await.get_key_value("other-keys-kv").await.unwrap();
    for key in ["bucket", "bucket.=", "bucket.=.a//b", "bucket.=.=YR", "bucket.=.seen", "other.=.seen"] {
        store.put(key, "1".into()).await.unwrap();
    }
    assert_eq!(list(&*bucket, None).await.0, ["seen"]);
}
