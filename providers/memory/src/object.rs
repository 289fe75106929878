use std::{ops::Range, sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use slight_capabilities::{Blob, ByteRange, ByteStream, ObjectInfo, Result};

/// The most bytes that a reader gets at a time.
const MAX_CHUNK: usize = 256 * 1024;

/// Shorter chunks are gathered: one kept on its own costs as much again in bookkeeping, and keeps alive whatever larger
/// buffer it was cut from.
const MIN_CHUNK: usize = 16 * 1024;

/// One version of an object. Clones share its bytes, so a reader keeps its version while another takes its place.
#[derive(Clone)]
pub(crate) struct Object {
    bytes: Arc<Rope>,
    created_at: SystemTime,
}

impl Object {
    /// Takes the whole stream, or fails with the stream's error.
    pub(crate) async fn receive(mut body: ByteStream) -> Result<Self> {
        let mut rope = Rope::default();
        let mut short = Vec::new();
        while let Some(bytes) = body.next().await {
            let bytes = bytes?;
            if bytes.len() < MIN_CHUNK {
                short.extend_from_slice(&bytes);
                if short.len() >= MIN_CHUNK {
                    rope.push_copy(&mut short);
                }
            } else {
                rope.push_copy(&mut short);
                rope.push(bytes);
            }
        }
        rope.push_copy(&mut short);
        Ok(Self { bytes: Arc::new(rope), created_at: SystemTime::now() })
    }

    /// The same bytes, written now.
    pub(crate) fn copied(&self) -> Self {
        Self { bytes: self.bytes.clone(), created_at: SystemTime::now() }
    }

    pub(crate) fn info(&self) -> ObjectInfo {
        ObjectInfo { size: self.bytes.size, created_at: self.created_at }
    }

    pub(crate) fn read(&self, range: ByteRange) -> Blob {
        let range = range.clamp(self.bytes.size);
        let size = range.end - range.start;
        let body = stream::unfold((self.bytes.clone(), range), |(rope, mut range)| async move {
            let bytes = rope.piece(&range)?;
            range.start += bytes.len() as u64;
            Some((Ok(bytes), (rope, range)))
        });
        Blob { size, body: Box::pin(body) }
    }
}

/// Bytes in pieces, in order.
#[derive(Default)]
struct Rope {
    /// Each with the position of its first byte.
    chunks: Vec<(u64, Bytes)>,
    size: u64,
}

impl Rope {
    fn push(&mut self, bytes: Bytes) {
        let start = self.size;
        self.size += bytes.len() as u64;
        self.chunks.push((start, bytes));
    }

    fn push_copy(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.push(Bytes::copy_from_slice(bytes));
            bytes.clear();
        }
    }

    /// The first bytes of a range within the object; `None` if it is empty.
    fn piece(&self, range: &Range<u64>) -> Option<Bytes> {
        let index = self.chunks.partition_point(|(start, _)| *start <= range.start).checked_sub(1)?;
        let (start, bytes) = self.chunks.get(index)?;
        let skip = usize::try_from(range.start - start).ok()?;
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(MAX_CHUNK);
        let end = bytes.len().min(skip.saturating_add(wanted));
        (skip < end).then(|| bytes.slice(skip..end))
    }
}
