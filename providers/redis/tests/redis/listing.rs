use std::collections::BTreeSet;

use bytes::Bytes;
use slight_capabilities::{Bucket, Cursor};

use crate::support::{DURABLE, bucket, connect, redis, server};

/// Follows a listing to its end; the names in the order in which they came.
pub async fn list(bucket: &dyn Bucket, mut next: Option<Cursor>) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = bucket.keys(next.as_ref()).await.unwrap();
        names.extend(page.items);
        next = page.next;
        if next.is_none() {
            return names;
        }
    }
}

/// Requires that the keys are listed, and no others.
pub fn has_all(listed: &[String], keys: &BTreeSet<String>) {
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

#[tokio::test]
async fn a_few_keys_are_found_among_many_of_others() {
    let Some(server) = server(&[]) else { return };
    let provider = connect(&server).await;
    fill(&*bucket(&*provider).await, 100_000).await;
    let few = provider.key_value().unwrap().open(&"few".into()).await.unwrap();
    few.set("one", "1".into()).await.unwrap();
    assert_eq!(list(&*few, None).await, ["one"]);
}

#[tokio::test]
async fn a_listing_goes_on_after_a_restart_and_misses_nothing() {
    let Some(mut server) = server(&DURABLE) else { return };
    let bucket = bucket(&*connect(&server).await).await;
    let keys = fill(&*bucket, 10_000).await;
    let first = bucket.keys(None).await.unwrap();
    // Another run of the server keeps its keys in another order.
    server.kill();
    server.restart();
    let rest = list(&*bucket, first.next).await;
    has_all(&[first.items, rest].concat(), &keys);
}

#[tokio::test]
async fn keys_of_other_programs_are_no_harm() {
    let Some(server) = server(&[]) else { return };
    let bucket = bucket(&*connect(&server).await).await;
    let mut redis = redis(&server).await;
    let set = async |key: &[u8], redis: &mut redis::aio::MultiplexedConnection| {
        redis::cmd("SET").arg(key).arg("1").exec_async(redis).await.unwrap();
    };
    set(b"slight-kv:bucket:\xff", &mut redis).await;
    set(b"slight-kv:bucket", &mut redis).await;
    set(b"slight-kv:bucket:seen", &mut redis).await;
    assert_eq!(list(&*bucket, None).await, ["seen"]);
}
