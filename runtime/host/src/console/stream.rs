use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{io::AsyncWrite, sync::mpsc};
use tokio_util::sync::PollSender;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

use super::{CHUNK, Item, lines::Lines};

/// One of the streams, as one instance has it.
pub(crate) struct Output {
    pub chunks: mpsc::Sender<Item>,
    pub terminal: bool,
    /// Has whole lines written, and nothing else.
    pub lines: Option<Arc<Lines>>,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { chunks: PollSender::new(self.chunks.clone()), lines: self.lines.clone() })
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Stream { chunks: self.chunks.clone(), lines: self.lines.clone(), late: None })
    }
}

/// What of `bytes`, and of what was written before them, is to be written now.
fn due(lines: Option<&Lines>, bytes: Bytes) -> Option<Bytes> {
    match lines {
        Some(lines) => lines.add(&bytes),
        None => Some(bytes),
    }
}

/// The stream as wasi:io 0.2 sees it.
struct Stream {
    chunks: mpsc::Sender<Item>,
    lines: Option<Arc<Lines>>,
    /// A chunk that was allowed when there was room, which another guest then took.
    late: Option<Bytes>,
}

impl Stream {
    fn offer(&mut self, chunk: Bytes) -> StreamResult<()> {
        match self.chunks.try_reserve() {
            Ok(place) => place.send(Item::Chunk(chunk)),
            Err(mpsc::error::TrySendError::Full(())) => self.late = Some(chunk),
            Err(mpsc::error::TrySendError::Closed(())) => return Err(StreamError::Closed),
        }
        Ok(())
    }
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match due(self.lines.as_deref(), bytes) {
            Some(chunk) => self.offer(chunk),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if let Some(late) = self.late.take() {
            self.offer(late)?;
        }
        if self.chunks.is_closed() {
            return Err(StreamError::Closed);
        }
        let room = self.late.is_none() && self.chunks.capacity() > 0;
        Ok(if room { CHUNK } else { 0 })
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        if let Ok(place) = self.chunks.reserve().await
            && let Some(late) = self.late.take()
        {
            place.send(Item::Chunk(late));
        }
    }
}

/// The stream as wasi:cli 0.3 sees it.
struct Writer {
    chunks: PollSender<Item>,
    lines: Option<Arc<Lines>>,
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.chunks.poll_reserve(cx)).map_err(closed)?;
        let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
        match due(self.lines.as_deref(), Bytes::copy_from_slice(chunk)) {
            Some(due) => self.chunks.send_item(Item::Chunk(due)).map_err(closed)?,
            // The place is for those who have something to write.
            None => _ = self.chunks.abort_send(),
        }
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
