//! The connection beneath HTTP: what of it is read, when it is stuck, and how it ends.

use std::{
    io::{self, IoSlice, Result},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_io_timeout::TimeoutStream;

use super::{
    activity::Activity,
    framing::{Ambiguous, Framing},
};

/// How long what a client still sends is taken off a connection that ends, and how long without any of it.
const LINGER: Duration = Duration::from_secs(30);
const LINGER_IDLE: Duration = Duration::from_secs(2);

/// What no request can have in its head: hyper answers it with 400, in its turn.
const REFUSED: &[u8] = b"\0\r\n\r\n";

/// A connection that ends by itself when the client neither reads what it is sent nor sends anything.
///
/// Its end comes in stages: a connection that is closed on top of unread data is reset, and the client may lose the last
/// response with it (RFC 9112, section 9.6). So the client is told, and what it still sends is taken in.
pub(super) struct Transport {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    activity: Arc<Activity>,
    framing: Framing,
    /// What is read in place of all that the client sends from now on.
    instead: Option<&'static [u8]>,
    /// The client sends no more.
    ended: bool,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    /// `timeout` is that of an invocation, and `idle` how long a client may send nothing between two.
    pub fn new(stream: TcpStream, timeout: Duration, idle: Duration, activity: Arc<Activity>) -> Self {
        // Small writes of a response must not wait for the acknowledgement of the last.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection is served with delay: {error}");
        }
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(timeout));
        // Also while a request is served nothing more may come from the client.
        stream.set_read_timeout(Some(timeout.saturating_add(idle)));
        Self {
            stream: Box::pin(stream),
            activity,
            framing: Framing::new(),
            instead: None,
            ended: false,
            lingering: None,
        }
    }

    /// Checks what was read after `before`, and cuts it off where it is ambiguous.
    fn check(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> Result<()> {
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.ended |= read.is_empty() && buffer.remaining() > 0;
        let followed = self.framing.follow(read);
        self.activity.set_beginning(self.framing.is_within_head());
        match followed {
            Ok(()) => Ok(()),
            Err(Ambiguous::Head(at)) => {
                buffer.set_filled(before + at);
                self.instead = Some(REFUSED);
                self.activity.set_beginning(false);
                self.read_instead(buffer);
                Ok(())
            }
            Err(Ambiguous::Body) => Err(io::Error::new(io::ErrorKind::InvalidData, "chunks of a body are malformed")),
        }
    }

    /// Whether something else is read than what the client sends.
    fn read_instead(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let Some(left) = self.instead else { return false };
        let (now, later) = left.split_at(left.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.instead = Some(later);
        true
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
        if self.read_instead(buffer) {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(self.stream.as_mut().poll_read(cx, buffer))?;
        Poll::Ready(self.check(buffer, before))
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
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            self.stream.as_mut().set_read_timeout_pinned(Some(LINGER_IDLE));
            self.lingering = Some(Box::pin(sleep(LINGER)));
        }
        self.poll_linger(cx).map(Ok)
    }
}
