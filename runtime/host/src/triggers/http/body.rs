use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

use super::activity::InProgress;

/// Something about a body that whoever deals with its other end needs to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub fn set(&self) {
        self.put(true);
    }

    pub fn put(&self, holds: bool) {
        self.0.store(holds, Ordering::Release);
    }
}

/// Sets a flag when what it belongs to is dropped, unless that is over by then.
pub(crate) struct SetOnDrop(pub Option<Flag>);

impl SetOnDrop {
    pub fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        if let Some(flag) = &self.0 {
            flag.set();
        }
    }
}

/// A body that ends with an error once it is larger than allowed.
struct Limited<B> {
    body: B,
    left: u64,
    limit: u64,
    /// Set when there is more than allowed.
    exceeded: Flag,
    error: fn(Option<u64>) -> Error,
}

/// The body of a request, of at most `limit` bytes.
pub(crate) fn request_body<B>(body: B, limit: u64, exceeded: Flag) -> WasiBody
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    let (body, error) = (body.map_err(Into::into), Error::HttpRequestBodySize);
    Limited { body, left: limit, limit, exceeded, error }.boxed_unsync()
}

/// The body of a response, of at most `limit` bytes.
///
/// It ends with an error if the instance that wrote it was `broken` on the way: wasmtime-wasi-http ends it as if all of
/// it had been written, and the client must not take that for whole.
pub(crate) fn response_body(body: WasiBody, limit: u64, answering: Answering) -> WasiBody {
    let (exceeded, error) = (Flag::default(), Error::HttpResponseBodySize as fn(_) -> _);
    Answered { body: Limited { body, left: limit, limit, exceeded, error }, answering, ended: false }.boxed_unsync()
}

/// For a response that has none, whatever the guest writes.
pub(crate) fn without_body(_: WasiBody) -> WasiBody {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// What is known of the request that a response answers.
pub(crate) struct Answering {
    /// For the log.
    pub request: String,
    pub broken: Flag,
    /// Set when nobody waits for the end of the response.
    pub left: Flag,
    /// Set when the request turns out to be larger than allowed.
    pub request_exceeded: Flag,
    /// Says to the connection that a request is being answered.
    pub _progress: InProgress,
}

/// What a guest answers, until it is sent.
struct Answered {
    body: Limited<WasiBody>,
    answering: Answering,
    ended: bool,
}

impl Drop for Answered {
    fn drop(&mut self) {
        if !self.ended {
            self.answering.left.set();
        }
    }
}

impl Answered {
    /// Says why a response ends before its end. Of an instance that fails, its worker tells.
    fn log_cut(&self, error: &Error) {
        let (request, limit) = (&self.answering.request, self.body.limit);
        if self.body.exceeded.get() {
            tracing::warn!("the response to {request} was cut off: it is larger than limits.body ({limit})");
        } else if self.answering.request_exceeded.get() {
            tracing::warn!("the response to {request} was cut off: the request is larger than limits.body ({limit})");
        } else {
            tracing::warn!(
                "the response to {request} was cut off: the component did not write it to its end ({error})"
            );
        }
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
        let broken = this.answering.broken.get();
        this.ended |= !matches!(frame, Some(Ok(_)));
        match &frame {
            None if broken => return Poll::Ready(Some(Err(Error::HttpResponseIncomplete))),
            Some(Err(error)) if !broken => this.log_cut(error),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // Whether an end is one shows only when it is asked for.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for Limited<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
        let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        match this.left.checked_sub(size) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                this.exceeded.set();
                Poll::Ready(Some(Err((this.error)(Some(this.limit)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    fn full(text: &'static str) -> impl Body<Data = Bytes, Error = Error> + Send + Unpin {
        Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {})
    }

    #[tokio::test]
    async fn a_body_of_just_the_limit_passes() {
        let exceeded = Flag::default();
        let body = request_body(full("12345"), 5, exceeded.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "12345");
        assert!(!exceeded.get());
    }

    #[tokio::test]
    async fn a_larger_one_ends_with_an_error_and_is_noted() {
        let exceeded = Flag::default();
        let body = request_body(full("123456"), 5, exceeded.clone());
        assert!(matches!(body.collect().await, Err(Error::HttpRequestBodySize(Some(5)))));
        assert!(exceeded.get());
    }
}
