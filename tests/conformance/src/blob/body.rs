use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use slight_capabilities::{Blob, ByteRange, ByteStream, Container, ErrorKind, Result};

use crate::check::{Failure, Outcome, equal, equal_bytes, refused};

/// The size of the chunks that are written: many to a megabyte.
const CHUNK: usize = 64 * 1024;

pub(crate) const MIB: usize = 1024 * 1024;

pub(super) fn body(items: impl Stream<Item = Result<Bytes>> + Send + 'static) -> ByteStream {
    Box::pin(items)
}

/// `content` in chunks, with a pause for other tasks after each.
pub(crate) fn chunks(content: Bytes) -> ByteStream {
    body(stream::unfold(content, |mut rest| async move {
        tokio::task::yield_now().await;
        let chunk = rest.split_to(CHUNK.min(rest.len()));
        (!chunk.is_empty()).then_some((Ok(chunk), rest))
    }))
}

pub(crate) async fn write(container: &dyn Container, object: &str, content: impl Into<Bytes>) -> Outcome {
    Ok(container.write(object, chunks(content.into())).await?)
}

/// All that a read yields, which must be as much as it said.
pub(super) async fn received(blob: Blob) -> Outcome<Bytes> {
    let (size, mut body, mut content) = (blob.size, blob.body, Vec::new());
    while let Some(chunk) = body.next().await {
        content.extend_from_slice(&chunk?);
        if content.len() as u64 > size {
            return Err(Failure::new(format!("expected a stream of {size} bytes, found more")));
        }
    }
    equal("the bytes that the stream yielded, by its size", content.len() as u64, size)?;
    Ok(content.into())
}

pub(super) async fn content(container: &dyn Container, object: &str) -> Outcome<Bytes> {
    received(container.read(object, ByteRange::ALL).await?).await
}

/// Requires an object of exactly this content.
pub(crate) async fn holds(container: &dyn Container, object: &str, expected: &[u8]) -> Outcome {
    let found =
        content(container, object).await.map_err(|failure| failure.within(format_args!("object {object:?}")))?;
    equal_bytes(format_args!("object {object:?}"), &found, expected)?;
    equal(format_args!("the size of object {object:?}"), container.stat(object).await?.size, expected.len() as u64)
}

pub(super) async fn lacks(container: &dyn Container, object: &str) -> Outcome {
    let read = container.read(object, ByteRange::ALL).await;
    refused(format_args!("reading {object:?}"), read, ErrorKind::NotFound)?;
    refused(format_args!("stat of {object:?}"), container.stat(object).await, ErrorKind::NotFound)
}
