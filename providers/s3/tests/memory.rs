//! A large object goes up and comes down in a bounded amount of memory. The only test of its process, whose memory it
//! measures.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use slight_capabilities::{ByteRange, Capability};
use slight_provider_s3::kind;
use slight_services::{S3_ADMIN, SEAWEEDFS, present, shared_url};

const MIB: usize = 1 << 20;

/// Of the object, in MiB.
const SIZE: usize = 384;

/// Of this process, in MiB.
const MOST: usize = 128;

/// The most memory that this process has had, in MiB.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_passes_in_a_bounded_amount_of_memory() {
    let Some(url) = present(shared_url(&SEAWEEDFS)) else { return };
    let settings = json!({
        "endpoint": url,
        "access-key-id": S3_ADMIN.id,
        "secret-access-key": S3_ADMIN.secret,
        "blob": { "location": "slight-memory", "create": true },
    });
    let provider = kind().connect(settings).await.unwrap();
    provider.prepare(Capability::Blob).await.unwrap();
    let store = provider.blob().unwrap();
    let container = store.create(&"large".into()).await.unwrap();

    // As from a guest: small pieces, each in memory of its own.
    let pieces = stream::iter(0..SIZE * 16).map(|number| Ok(Bytes::from(vec![number as u8; MIB / 16])));
    container.write("object", Box::pin(pieces)).await.unwrap();
    let up = peak();
    let mut blob = container.read("object", ByteRange::ALL).await.unwrap();
    let mut size = 0;
    while let Some(chunk) = blob.body.next().await {
        size += chunk.unwrap().len();
    }
    assert_eq!(size, SIZE * MIB);
    store.delete(&"large".into()).await.unwrap();
    println!("peak memory: {up} MiB after the write, {} MiB after the read", peak());
    assert!(peak() < MOST, "{} MiB, {up} MiB of them by the write", peak());
}
