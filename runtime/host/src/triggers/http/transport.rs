//! The connection beneath HTTP: when it has been idle for too long, and how it ends.

use std::{
    io::{IoSlice, Result},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_io_timeout::TimeoutStream;

use super::body::Flag;

/// How long a connection may be idle between requests.
const IDLE: Duration = Duration::from_secs(60);

/// How long what a client still sends is taken off a connection that ends, and how long without any of it.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_IDLE: Duration = Duration::from_secs(2);

/// A connection that ends by itself when the client neither reads what it is sent nor sends anything.
///
/// Where a request was answered before all of it was read, the end waits for the rest: a connection that is closed on top
/// of unread data is reset, and the client may lose the answer with it (RFC 9112, section 9.6).
pub(super) struct Transport {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    unread: Flag,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    /// `timeout` is that of an invocation; `unread` is set where a request was not read to its end.
    pub fn new(stream: TcpStream, timeout: Duration, unread: Flag) -> Self {
        // Small writes of a response must not wait for the acknowledgement of the last.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection is served with delay: {error}");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(timeout));
        // Also while a request is served nothing more may come from the client.
        stream.set_read_timeout(Some(timeout.saturating_add(IDLE)));
        Self { stream: Box::pin(stream), unread, lingering: None }
    }

    /// Takes in what the client still sends, and forgets it.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 8192];
        while let Some(lingering) = &mut self.lingering
            && lingering.as_mut().poll(cx).is_pending()
        {
            let mut buffer = ReadBuf::new(&mut bytes);
            match ready!(self.stream.as_mut().poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                // Nothing comes any more.
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        self.stream.as_mut().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.stream.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.stream.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.stream.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.lingering.is_none() {
            ready!(self.stream.as_mut().poll_shutdown(cx))?;
            if !self.unread.get() {
                return Poll::Ready(Ok(()));
            }
            self.stream.as_mut().set_read_timeout_pinned(Some(LINGER_IDLE));
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        self.poll_linger(cx).map(Ok)
    }
}
