//! Responses that the host gives in the guest's place. They tell the client what it can do, and the log the rest.

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;

/// A response with one paragraph of text.
pub(crate) fn answer(status: StatusCode, text: &str) -> Response<WasiBody> {
    let body = Full::new(format!("{text}\n").into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// 503: all instances are busy and the queue is full.
pub(crate) fn overloaded() -> Response<WasiBody> {
    answer(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server is busy: too many requests run and wait. Try again in a moment.",
    )
}

/// 503: the guest ended without a response when it was refused memory that others have.
pub(crate) fn no_memory() -> Response<WasiBody> {
    answer(StatusCode::SERVICE_UNAVAILABLE, "The server has no memory left for this request. Try again in a moment.")
}

/// 503: the server ends before the guest had a response.
pub(crate) fn stopping() -> Response<WasiBody> {
    answer(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server is being stopped, and the component gave no response in time. Try again in a moment.",
    )
}

/// 413: the request is larger than `limit` bytes.
pub(crate) fn too_large(limit: u64) -> Response<WasiBody> {
    let text = format!("The body of the request is larger than the {limit} bytes that are allowed (limits.body).");
    answer(StatusCode::PAYLOAD_TOO_LARGE, &text)
}

/// A request that cannot be served. `why` continues `the request `.
pub(crate) fn refused(status: StatusCode, why: &str) -> Response<WasiBody> {
    answer(status, &format!("The request {why}."))
}

/// 500: the guest ended without a response.
pub(crate) fn failed() -> Response<WasiBody> {
    answer(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The component failed and gave no response. What happened is in the log of the server.",
    )
}

/// 408: the guest waited for the request.
pub(crate) fn too_slow(timeout: std::time::Duration) -> Response<WasiBody> {
    let text = format!("The body of the request did not arrive within {timeout:?} (limits.timeout).");
    answer(StatusCode::REQUEST_TIMEOUT, &text)
}

/// 500: the guest took too long.
pub(crate) fn timed_out(timeout: std::time::Duration) -> Response<WasiBody> {
    let text = format!("The component gave no response within {timeout:?} (limits.timeout) and was stopped.");
    answer(StatusCode::INTERNAL_SERVER_ERROR, &text)
}
