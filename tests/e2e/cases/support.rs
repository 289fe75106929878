//! What several themes need.

use std::{pin::Pin, task::Poll};

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use slight_e2e::{Body, pieces, within};
use tokio::sync::mpsc;

pub const MIB: u64 = 1 << 20;

/// A body that a test writes piece by piece.
pub fn hand_written() -> (mpsc::Sender<Bytes>, Body) {
    let (sender, mut receiver) = mpsc::channel(1);
    let stream: Pin<Box<dyn Stream<Item = Bytes> + Send + Sync>> =
        Box::pin(stream::poll_fn(move |cx| receiver.poll_recv(cx)));
    (sender, pieces(stream))
}

/// A body of so many bytes, made as it is sent: the pattern of the guests, with the period 251.
pub fn generated(length: u64) -> Body {
    const CHUNK: u64 = 64 * 1024;
    let mut offset = 0;
    pieces(stream::poll_fn(move |_| {
        let size = CHUNK.min(length - offset);
        let piece: Vec<u8> = (offset..offset + size).map(|position| (position % 251) as u8).collect();
        offset += size;
        Poll::Ready((size > 0).then(|| piece.into()))
    }))
}

/// Reads a body to its end and checks that it is the pattern; its length.
pub async fn read_generated(mut body: Incoming) -> u64 {
    let mut offset = 0u64;
    while let Some(data) = next(&mut body).await {
        for byte in &data {
            assert_eq!(*byte, (offset % 251) as u8, "at {offset}");
            offset += 1;
        }
    }
    offset
}

/// The next piece of a body; none at its end.
pub async fn next(body: &mut Incoming) -> Option<Bytes> {
    loop {
        let frame = within("the next piece of the body", body.frame()).await?;
        let data = frame.expect("the body is whole").into_data();
        if let Some(data) = data.ok().filter(|data| !data.is_empty()) {
            return Some(data);
        }
    }
}

/// FNV-1a over 64 bits of the pattern, as `/digest` paths tell it.
pub fn digest_of_generated(length: u64) -> serde_json::Value {
    let hash = (0..length)
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, position| (hash ^ (position % 251)).wrapping_mul(0x0100_0000_01b3));
    serde_json::json!({ "length": length, "fnv1a": format!("{hash:016x}") })
}
