//! Every function of `wasi:keyvalue` 0.2.0-draft over HTTP; the paths are in `tests/guests/README.md`.

use guest_support::{Answer, Request, text};
use serde_json::json;
use wasi::keyvalue::atomics;

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft",
    world: "wasi:keyvalue/imports",
    generate_all,
});

guest_support::serve_http!(handle);
guest_support::key_value_calls!(|entry| entry.map(|(key, value)| json!([key, text(Some(value))])).into());

fn handle(request: Request) -> Answer {
    let result = key_call(&request).unwrap_or_else(|| call(&request));
    result.unwrap_or_else(|error| Answer::error(case(&error)))
}

fn call(request: &Request) -> Result<Answer, store::Error> {
    let method = request.method();
    match (method.as_str(), request.segments().as_slice()) {
        ("GET", ["list", bucket]) => list(bucket, request.query("cursor").and_then(|text| text.parse().ok())),
        ("POST", ["increment", bucket, key]) => increment(bucket, key, request.number("delta", 1)),
        _ => Ok(Answer::not_found("no such path")),
    }
}

fn list(bucket: &str, cursor: Option<u64>) -> Result<Answer, store::Error> {
    let page = store::open(bucket)?.list_keys(cursor)?;
    Ok(Answer::json(&json!({ "keys": page.keys, "cursor": page.cursor.map(|cursor| cursor.to_string()) })))
}

fn increment(bucket: &str, key: &str, delta: u64) -> Result<Answer, store::Error> {
    atomics::increment(&store::open(bucket)?, key, delta).map(Answer::text)
}
