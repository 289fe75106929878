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

use crate::instances::Permit;

/// Whether a body turned out to be larger than allowed; shared with whoever answers for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exceeded(Arc<AtomicBool>);

impl Exceeded {
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A body that ends with an error once it is larger than allowed.
struct Limited<B> {
    body: B,
    left: u64,
    exceeded: Exceeded,
    error: fn(Option<u64>) -> Error,
    limit: u64,
    /// Given up when the body is done with: until then the invocation counts as running.
    _permit: Option<Permit>,
}

/// The body of a request, of at most `limit` bytes.
pub(crate) fn request_body<B>(body: B, limit: u64, exceeded: Exceeded) -> WasiBody
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Error>,
{
    let error = Error::HttpRequestBodySize;
    Limited { body: body.map_err(Into::into), left: limit, exceeded, error, limit, _permit: None }.boxed_unsync()
}

/// The body of a response, of at most `limit` bytes.
pub(crate) fn response_body(body: WasiBody, limit: u64, permit: Permit) -> WasiBody {
    let (exceeded, error) = (Exceeded::default(), Error::HttpResponseBodySize as fn(_) -> _);
    Limited { body, left: limit, exceeded, error, limit, _permit: Some(permit) }.boxed_unsync()
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
        let exceeded = Exceeded::default();
        let body = request_body(full("12345"), 5, exceeded.clone());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "12345");
        assert!(!exceeded.get());
    }

    #[tokio::test]
    async fn a_larger_one_ends_with_an_error_and_is_noted() {
        let exceeded = Exceeded::default();
        let body = request_body(full("123456"), 5, exceeded.clone());
        assert!(matches!(body.collect().await, Err(Error::HttpRequestBodySize(Some(5)))));
        assert!(exceeded.get());
    }
}
