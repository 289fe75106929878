//! A request of the guest's own.

use guest_support::wasip2::http::outgoing_handler;
use guest_support::wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, Scheme};
use guest_support::{Answer, read_chunk};
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

fn send(request: OutgoingRequest) -> Result<IncomingResponse, ErrorCode> {
    let response = outgoing_handler::handle(request, None)?;
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
    Ok(Answer::json(&json!({ "status": response.status(), "body": String::from_utf8_lossy(&whole) })))
}
