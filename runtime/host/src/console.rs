//! The standard output and error of guests that serve: written by a thread each, so that a reader who does not read
//! holds up the guests that write, and never the host.

use std::{
    io::{self, Write},
    pin::Pin,
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    io::AsyncWrite,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::PollSender;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamError, StreamResult},
};

/// Writes that wait for the thread, of all guests together.
const WAITING: usize = 256;
/// The largest single write.
const CHUNK: usize = 16 * 1024;

/// Both streams, shared by all instances.
pub(crate) struct Consoles {
    pub stdout: Console,
    pub stderr: Console,
}

impl Default for Consoles {
    fn default() -> Self {
        Self {
            stdout: Console::start("stdout", io::stdout().is_terminal(), || Box::new(io::stdout())),
            stderr: Console::start("stderr", io::stderr().is_terminal(), || Box::new(io::stderr())),
        }
    }
}

impl Consoles {
    /// Waits until what guests wrote is written, for at most `limit`.
    pub async fn flush(&self, limit: Duration) {
        let both = async { tokio::join!(self.stdout.flush(), self.stderr.flush()) };
        if timeout(limit, both).await.is_err() {
            tracing::warn!("some output of guests is lost: it was not read within {limit:?}");
        }
    }
}

/// One of the streams.
#[derive(Clone)]
pub(crate) struct Console {
    chunks: mpsc::Sender<Item>,
    terminal: bool,
}

enum Item {
    Chunk(Bytes),
    /// Says that all before it is written.
    Mark(oneshot::Sender<()>),
}

impl Console {
    fn start(name: &str, terminal: bool, open: fn() -> Box<dyn Write>) -> Self {
        let (chunks, mut waiting) = mpsc::channel(WAITING);
        let write = move || {
            let mut out = open();
            while let Some(item) = waiting.blocking_recv() {
                // A reader that is gone, or nobody who waits for the mark, is no reason to stop.
                match item {
                    Item::Chunk(chunk) => _ = out.write_all(&chunk).and_then(|()| out.flush()),
                    Item::Mark(written) => _ = written.send(()),
                }
            }
        };
        // Without a thread the channel is closed, and guests are told that the stream is.
        if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(write) {
            tracing::warn!("the {name} of guests is lost: {error}");
        }
        Self { chunks, terminal }
    }

    async fn flush(&self) {
        let (mark, written) = oneshot::channel();
        if self.chunks.send(Item::Mark(mark)).await.is_ok() {
            // An error says that the thread is gone, and with it all there was to wait for.
            let _ = written.await;
        }
    }
}

impl IsTerminal for Console {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdoutStream for Console {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer(PollSender::new(self.chunks.clone())))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Stream { chunks: self.chunks.clone(), late: None })
    }
}

/// The stream as wasi:io 0.2 sees it.
struct Stream {
    chunks: mpsc::Sender<Item>,
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
        self.offer(bytes)
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
struct Writer(PollSender<Item>);

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let closed = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.0.poll_reserve(cx)).map_err(closed)?;
        let chunk = bytes.get(..CHUNK).unwrap_or(bytes);
        self.0.send_item(Item::Chunk(Bytes::copy_from_slice(chunk))).map_err(closed)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
