use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use slight_capabilities::{Blob, ByteRange, ByteStream, Error, Result};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

use super::{Answer, Container, bindings::types::HostIncomingValue, sentence};
use crate::{
    slices::Slices,
    state::{Shared, State},
};

/// The most that one read hands to the guest, whatever it asks for.
const MAX_READ: usize = 1024 * 1024;

/// An object, or a range of one, that the guest is about to read. Its provider has opened it.
pub struct IncomingValue {
    size: u64,
    chunks: Chunks,
}

impl IncomingValue {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        container: Container,
        object: String,
        range: ByteRange,
    ) -> Result<Self> {
        let read = container.container.read(&object, range);
        let Blob { size, body } = shared.on_object(&container, "blob read", &object, read).await?;
        Ok(Self {
            size,
            chunks: Chunks { shared: shared.clone(), container, object, body, left: size, slices: Slices::begin() },
        })
    }

    pub(super) fn into_chunks(self) -> Chunks {
        self.chunks
    }

    async fn collect(mut self) -> Result<Vec<u8>> {
        let Chunks { shared, container, object, .. } = &self.chunks;
        let limit = shared.limits.returned;
        let Some(size) = usize::try_from(self.size).ok().filter(|size| *size <= limit) else {
            let error = Error::too_large(container.describe(object), self.size, limit as u64);
            let hint = "that one call returns (limits.returned); use incoming-value-consume-async";
            return Err(Error::new(error.kind(), format!("{error} {hint}")));
        };
        let mut bytes = Vec::with_capacity(size);
        while let Some(chunk) = self.chunks.next().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// What a provider's read yields, held to its word: every chunk in time, and as many bytes as it said.
pub(super) struct Chunks {
    shared: Arc<Shared>,
    container: Container,
    object: String,
    body: ByteStream,
    left: u64,
    /// A provider in memory never waits, and whoever takes all of it would not either.
    slices: Slices,
}

impl Chunks {
    /// The next chunk, never empty; `None` at the end. May be dropped while it waits.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Self { shared, container, object, body, left, slices } = self;
            slices.pause().await;
            let next = async { body.next().await.transpose() };
            let Some(chunk) = shared.on_object(container, "blob read", object, next).await? else { break };
            let Some(rest) = left.checked_sub(chunk.len() as u64) else { return Err(self.wrong_size("more")) };
            *left = rest;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        if self.left > 0 { Err(self.wrong_size("less")) } else { Ok(None) }
    }

    fn wrong_size(&self, how: &str) -> Error {
        Error::other(format!(
            "{}: the provider {:?} sent {how} than it said",
            self.container.describe(&self.object),
            self.container.section
        ))
    }
}

impl HostIncomingValue for State {
    async fn incoming_value_consume_sync(&mut self, this: Resource<IncomingValue>) -> Answer<Vec<u8>> {
        Ok(self.table.delete(this)?.collect().await.map_err(sentence))
    }

    async fn incoming_value_consume_async(
        &mut self,
        this: Resource<IncomingValue>,
    ) -> Answer<Resource<DynInputStream>> {
        let value = self.table.delete(this)?;
        let stream: DynInputStream = Box::new(Body::Waiting(value.chunks));
        Ok(self.push(stream).map_err(sentence))
    }

    async fn size(&mut self, value: Resource<IncomingValue>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&value)?.size)
    }

    async fn drop(&mut self, value: Resource<IncomingValue>) -> wasmtime::Result<()> {
        self.table.delete(value)?;
        Ok(())
    }
}

/// The guest's end: fetches a chunk when the guest waits for one, and holds no more than that.
enum Body {
    Waiting(Chunks),
    Ready(Bytes, Chunks),
    Failed(Error),
    Closed,
}

impl Body {
    fn took(chunks: Chunks, next: Result<Option<Bytes>>) -> Self {
        match next {
            Ok(Some(bytes)) => Self::Ready(bytes, chunks),
            Ok(None) => Self::Closed,
            Err(error) => Self::Failed(error),
        }
    }
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        if let Self::Waiting(chunks) = self {
            let next = chunks.next().await;
            if let Self::Waiting(chunks) = std::mem::replace(self, Self::Closed) {
                *self = Self::took(chunks, next);
            }
        }
    }
}

#[async_trait]
impl InputStream for Body {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match std::mem::replace(self, Self::Closed) {
            Self::Waiting(chunks) => {
                *self = Self::Waiting(chunks);
                Ok(Bytes::new())
            }
            Self::Ready(mut bytes, chunks) => {
                let taken = bytes.split_to(size.min(MAX_READ).min(bytes.len()));
                *self = if bytes.is_empty() { Self::Waiting(chunks) } else { Self::Ready(bytes, chunks) };
                Ok(taken)
            }
            Self::Failed(error) => Err(StreamError::LastOperationFailed(wasmtime::Error::msg(sentence(error)))),
            Self::Closed => Err(StreamError::Closed),
        }
    }
}
