//! What a request must be before it is sent, beyond what wasmtime-wasi-http and hyper see to.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header, uri::Scheme};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a `GET` waits for whether it has a body.
const PATIENCE: Duration = Duration::from_secs(1);

/// Checks what no guest may send: to a user (RFC 9110, section 4.2.4), for a tunnel, or a `TRACE` with content (section
/// 9.3.8).
///
/// # Errors
/// What the guest is told.
pub(super) fn check(request: &Request<WasiBody>) -> Result<(), Error> {
    let authority = request.uri().authority().ok_or(Error::HttpRequestUriInvalid)?;
    if authority.as_str().contains('@') {
        return Err(Error::HttpRequestUriInvalid);
    }
    let has_body = || !request.body().is_end_stream();
    if request.method() == Method::CONNECT || (request.method() == Method::TRACE && has_body()) {
        return Err(Error::HttpRequestMethodInvalid);
    }
    Ok(())
}

/// Completes the fields that say how a request is sent.
///
/// # Errors
/// That of its body.
pub(super) async fn complete(request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
    let mut request = frame(request).await?;
    let over_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
    let headers = request.headers_mut();
    let Some(codings) = headers.remove(header::TE) else { return Ok(request) };
    // Of transfer codings, chunked alone is understood, which everybody may send.
    let mut codings = codings.as_bytes().split(|byte| *byte == b',');
    if codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers")) {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        // RFC 9110, section 10.1.4. Over TLS it is known too late whether this is HTTP/2, which has no `Connection`.
        if !over_tls {
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
    }
    Ok(request)
}

/// hyper sends no body with these methods unless the fields say that there is one.
async fn frame(request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
    let is_bare = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_framed = request.headers().contains_key(header::CONTENT_LENGTH);
    if !is_bare || is_framed || request.body().is_end_stream() || request.body().size_hint().exact().is_some() {
        return Ok(request);
    }
    let (mut head, mut body) = request.into_parts();
    let body = match timeout(PATIENCE, body.frame()).await {
        Ok(None) => return Ok(Request::from_parts(head, no_body())),
        Ok(Some(first)) => Begun { first: Some(first?), rest: body }.boxed_unsync(),
        // It is open, whatever comes of it.
        Err(_) => body,
    };
    // HTTP/2 has no use for it, and hyper takes it away.
    head.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    Ok(Request::from_parts(head, body))
}

pub(super) fn no_body() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body whose first frame was taken off.
struct Begun {
    first: Option<Frame<Bytes>>,
    rest: WasiBody,
}

impl Body for Begun {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
