//! Objects of any size pass through in constant memory. In a process of its own, which is measured.

#![allow(clippy::unwrap_used, reason = "the helper is part of the test")]

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;
use slight_capabilities::{ByteRange, Capability};
use slight_provider_nats::kind;
use slight_services::{NATS, Server, present};

const MIB: usize = 1024 * 1024;
const PIECES: usize = 256;

/// The most memory that this process ever had, in megabytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

#[tokio::test]
async fn a_large_object_passes_through_in_little_memory() {
    let Some(server) = present(Server::start(&NATS, &[])) else { return };
    let provider = kind().connect(json!({ "url": server.url() })).await.unwrap();
    provider.prepare(Capability::Blob).await.unwrap();
    let container = provider.blob().unwrap().create(&"container".into()).await.unwrap();
    let before = peak();
    let pieces = stream::iter(0..PIECES).map(|number| Ok(Bytes::from(vec![number as u8; MIB])));
    container.write("object", Box::pin(pieces)).await.unwrap();
    let blob = container.read("object", ByteRange::ALL).await.unwrap();
    assert_eq!(blob.size, (PIECES * MIB) as u64);
    let (mut body, mut place) = (blob.body, 0);
    while let Some(bytes) = body.next().await {
        let bytes = bytes.unwrap();
        for (offset, byte) in bytes.iter().enumerate().step_by(4096) {
            assert_eq!(usize::from(*byte), (place + offset) / MIB);
        }
        place += bytes.len();
    }
    assert_eq!(place, PIECES * MIB);
    let grown = peak() - before;
    assert!(grown < 64, "{grown} MiB for an object of {PIECES} MiB");
}
