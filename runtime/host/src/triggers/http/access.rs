//! One line in the debug log for each request, at its end.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tracing::Level;
use wasmtime_wasi_http::{Error, WasiBody};

/// What filters of the log call it.
const TARGET: &str = "slight_runtime::http";

/// A request that is being served. Its line is written when this goes out of scope.
pub(super) struct Access {
    method: Method,
    /// Without the query, which may hold what should not be logged.
    path: String,
    start: Instant,
    /// None if the client left before there was one.
    status: Option<u16>,
}

impl Access {
    /// Nothing at all unless somebody reads it.
    pub fn begin<B>(request: &Request<B>) -> Option<Self> {
        tracing::enabled!(target: TARGET, Level::DEBUG).then(|| Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            start: Instant::now(),
            status: None,
        })
    }

    /// Goes with the response until it is sent.
    pub fn with(mut self, response: Response<WasiBody>) -> Response<WasiBody> {
        self.status = Some(response.status().as_u16());
        response.map(|body| Watched { body, _access: self }.boxed_unsync())
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let Self { method, path, start, status } = self;
        // Microseconds are enough, and read better.
        let duration_ms = start.elapsed().as_micros() as f64 / 1000.0;
        tracing::debug!(target: TARGET, %method, path, status, duration_ms, "request ended");
    }
}

struct Watched {
    body: WasiBody,
    _access: Access,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
