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
        Box::new(Stream { chunks: self.chunks.clone(), lines: self.lines.clone(), allowed: 0, late: Vec::new() })
    }
}

/// What of `bytes`, and of what was written before them, is to be written now.
fn due(lines: Option<&Lines>, bytes: Bytes) -> Option<Bytes> {
    match lines {
        Some(lines) => lines.add(&bytes),
        None => Some(bytes),
    }
}

fn item(chunk: Bytes, lines: Option<&Lines>) -> Item {
    Item::Chunk(chunk, lines.map(Lines::served))
}

/// The stream as wasi:io 0.2 sees it.
struct Stream {
    chunks: mpsc::Sender<Item>,
    lines: Option<Arc<Lines>>,
    /// How many bytes `check_write` has allowed that are not written yet.
    allowed: usize,
    /// What was written when there was no room. As much as was allowed at once, at most.
    late: Vec<u8>,
}

impl Stream {
    /// Sends what is late, then a chunk.
    fn offer(&mut self, chunk: Bytes) -> StreamResult<()> {
        let all = match self.late.is_empty() {
            true => chunk,
            false => {
                self.late.extend_from_slice(&chunk);
                std::mem::take(&mut self.late).into()
            }
        };
        match self.chunks.try_send(item(all, self.lines.as_deref())) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(Item::Chunk(all, _))) => {
                self.late = all.into();
                Ok(())
            }
            Err(_) => Err(StreamError::Closed),
        }
    }
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.allowed = self
            .allowed
            .checked_sub(bytes.len())
            .ok_or_else(|| StreamError::trap("the guest wrote more than check-write allowed"))?;
        match due(self.lines.as_deref(), bytes) {
            Some(chunk) => self.offer(chunk),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if !self.late.is_empty() {
            self.offer(Bytes::new())?;
        }
        if self.chunks.is_closed() {
            return Err(StreamError::Closed);
        }
        // Whether there is room for it shows when it is written: what room there is now, another guest may take, again and
        // again, and one whose stream is ready and allows nothing ends with a trap.
        self.allowed = if self.late.is_empty() { CHUNK } else { 0 };
        Ok(self.allowed)
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {
        if !self.late.is_empty()
            && let Ok(place) = self.chunks.reserve().await
        {
            place.send(item(std::mem::take(&mut self.late).into(), self.lines.as_deref()));
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
            Some(due) => {
                let item = item(due, self.lines.as_deref());
                self.chunks.send_item(item).map_err(closed)?;
            }
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

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Waker};

    use super::*;

    fn stream(places: usize) -> (Stream, mpsc::Receiver<Item>) {
        let (chunks, written) = mpsc::channel(places);
        (Stream { chunks, lines: None, allowed: 0, late: Vec::new() }, written)
    }

    fn next(written: &mut mpsc::Receiver<Item>) -> Bytes {
        match written.try_recv() {
            Ok(Item::Chunk(chunk, _)) => chunk,
            _ => panic!("expected a chunk"),
        }
    }

    #[test]
    fn no_more_is_taken_than_was_allowed() {
        let (mut stream, _written) = stream(8);
        assert!(matches!(stream.write("unasked".into()), Err(StreamError::Trap(_))));
        let allowed = stream.check_write().unwrap();
        stream.write(vec![0; allowed - 1].into()).unwrap();
        stream.write("x".into()).unwrap();
        assert!(matches!(stream.write("x".into()), Err(StreamError::Trap(_))));
    }

    #[test]
    fn what_another_guest_has_taken_the_room_of_is_kept_in_order() {
        let (mut stream, mut written) = stream(1);
        assert!(stream.check_write().unwrap() > 0);
        stream.chunks.try_send(Item::Chunk("of another".into(), None)).unwrap();
        stream.write("one ".into()).unwrap();
        stream.write("two ".into()).unwrap();
        assert_eq!(stream.check_write().unwrap(), 0);
        assert_eq!(next(&mut written), "of another");
        assert!(stream.check_write().unwrap() > 0, "what was late takes the room");
        assert_eq!(next(&mut written), "one two ");
    }

    #[tokio::test]
    async fn a_stream_that_is_ready_can_be_written_to_whatever_others_write() {
        let (mut stream, mut written) = stream(1);
        for _ in 0..3 {
            // Another guest takes all the room there is, each time.
            let _ = stream.chunks.try_send(Item::Chunk("of another".into(), None));
            let mut writing = pin!(stream.blocking_write_and_flush("line\n".into()));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(writing.as_mut().poll(&mut cx).is_pending());
            assert_eq!(next(&mut written), "of another");
            writing.await.unwrap();
            assert_eq!(next(&mut written), "line\n");
        }
    }
}
