//! A request of the guest's own.

use guest_support::wasip2::http::outgoing_handler;
use guest_support::wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use guest_support::{Answer, Request, read_chunk};
use serde_json::json;

/// `{"status", "body"}`, or the error's case.
pub fn get(url: &str) -> Answer {
    let Some(request) = request(url) else {
        return Answer::text(format!("`{url}` is no URL")).status(400);
    };
    match send(request).map_err(|error| format!("{error:?}")).and_then(|response| read(&response)) {
        Ok(answer) => answer,
        Err(error) => Answer::error(error),
    }
}

fn request(url: &str) -> Option<OutgoingRequest> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.into()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&scheme)).ok()?;
    request.set_authority(Some(authority)).ok()?;
    request.set_path_with_query(Some(path)).ok()?;
    Some(request)
}

/// A request as the parameters say: `method`, `authority`, `path` (none without it), `field=NAME:VALUE`, and `body`, which
/// is written without saying how long it is. `{"status", "headers", "body"}`, or the error's case.
pub fn send_as_told(told: &Request) -> Answer {
    let fields = Fields::new();
    for (_, field) in told.queries().iter().filter(|(name, _)| name == "field") {
        let (name, value) = field.split_once(':').unwrap_or((field, ""));
        if let Err(error) = fields.append(name, value.as_bytes()) {
            return Answer::error(format!("{error:?}"));
        }
    }
    let request = OutgoingRequest::new(fields);
    let method = match told.query("method").unwrap_or("GET") {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        "PUT" => Method::Put,
        "POST" => Method::Post,
        "TRACE" => Method::Trace,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.into()),
    };
    let set = request.set_method(&method).is_ok()
        && request.set_scheme(Some(&Scheme::Http)).is_ok()
        && request.set_authority(told.query("authority")).is_ok()
        && request.set_path_with_query(told.query("path")).is_ok();
    if !set {
        return Answer::text("that is no request").status(400);
    }
    let body = told.query("body").map(|text| (text.to_owned(), request.body().ok()));
    let sent = outgoing_handler::handle(request, None);
    if let Some((text, Some(body))) = body {
        if !text.is_empty() {
            let stream = body.write().expect("it is the first");
            // Whoever sends it may have failed.
            let _ = stream.blocking_write_and_flush(text.as_bytes());
        }
        let _ = OutgoingBody::finish(body, None);
    }
    match sent.and_then(wait).map_err(|error| format!("{error:?}")).and_then(|response| read(&response)) {
        Ok(answer) => answer,
        Err(error) => Answer::error(error),
    }
}

fn send(request: OutgoingRequest) -> Result<IncomingResponse, ErrorCode> {
    outgoing_handler::handle(request, None).and_then(wait)
}

fn wait(response: FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    response.subscribe().block();
    match response.get() {
        Some(Ok(result)) => result,
        _ => Err(ErrorCode::InternalError(Some("the response was not there when it was ready".into()))),
    }
}

fn read(response: &IncomingResponse) -> Result<Answer, String> {
    let body = response.consume().map_err(|()| "the body was already taken")?;
    let stream = body.stream().map_err(|()| "the body was already taken")?;
    let mut whole = Vec::new();
    while let Some(chunk) = read_chunk(&stream)? {
        whole.extend(chunk);
    }
    let headers = response.headers().entries().into_iter();
    let headers: Vec<_> = headers.map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned())).collect();
    let body = String::from_utf8_lossy(&whole);
    Ok(Answer::json(&json!({ "status": response.status(), "headers": headers, "body": body })))
}
