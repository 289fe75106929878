//! What an object costs in memory: not its size. Alone in its process, so that it is the process that is measured.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "the helpers are part of the tests")]

use std::fs;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use slight_capabilities::{ByteRange, Capability};
use slight_provider_azure::kind;
use slight_services::{present, shared_azurite};

const MIB: u64 = 1024 * 1024;

/// Of the object, and of what the process may take at most.
const SIZE: u64 = 256 * MIB;
const MOST: u64 = 96 * MIB;

/// The most memory that this process ever had, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_goes_up_and_comes_down_in_little_memory() {
    let Some(string) = present(shared_azurite()) else { return };
    let provider = kind().connect(json!({ "connection-string": string })).await.unwrap();
    provider.prepare(Capability::Blob).await.unwrap();
    let store = provider.blob().unwrap();
    let container = store.create(&"memory".into()).await.unwrap();
    let chunks = stream::iter(0..SIZE / MIB).map(|number| Ok(Bytes::from(vec![number as u8; MIB as usize])));
    container.write("object", Box::pin(chunks)).await.unwrap();
    let mut blob = container.read("object", ByteRange::ALL).await.unwrap();
    let mut size = 0;
    while let Some(chunk) = blob.body.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.iter().zip(size..).all(|(byte, position)| *byte == (position / MIB) as u8));
        size += chunk.len() as u64;
    }
    assert_eq!(size, SIZE);
    let peak = peak();
    println!("{} MiB of memory for an object of {} MiB", peak / MIB, SIZE / MIB);
    assert!(peak < MOST, "{} MiB of memory for an object of {} MiB", peak / MIB, SIZE / MIB);
    store.delete(&"memory".into()).await.unwrap();
}
