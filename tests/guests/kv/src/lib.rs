//! Every function of `wasi:keyvalue` 0.2.0-draft2 over HTTP; the paths are in `tests/guests/README.md`.

use guest_support::{Answer, Request, text};
use serde_json::json;
use wasi::keyvalue::atomics::{self, Cas, CasError};

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft2",
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
        ("GET", ["open", bucket]) => store::open(bucket).map(|_| Answer::text("ok")),
        ("GET", ["list", bucket]) => list(bucket, request.query("cursor")),
        ("GET", ["list-all", bucket]) => list_all(bucket),
        ("POST", ["increment", bucket, key]) => increment(bucket, key, request.number("delta", 1)),
        ("POST", ["swap", bucket, key]) => swap(bucket, key, request),
        ("POST", ["append", bucket, key]) => append(bucket, key, &request.body()),
        _ => Ok(Answer::not_found("no such path")),
    }
}

fn list(bucket: &str, cursor: Option<&str>) -> Result<Answer, store::Error> {
    let page = store::open(bucket)?.list_keys(cursor)?;
    Ok(Answer::json(&json!({ "keys": page.keys, "cursor": page.cursor })))
}

/// Follows the cursors to the end: all keys, and how many pages they came in.
fn list_all(bucket: &str) -> Result<Answer, store::Error> {
    let bucket = store::open(bucket)?;
    let (mut keys, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = bucket.list_keys(cursor.as_deref())?;
        keys.extend(page.keys);
        pages += 1;
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(Answer::json(&json!({ "keys": keys, "pages": pages })));
        }
    }
}

fn increment(bucket: &str, key: &str, delta: i64) -> Result<Answer, store::Error> {
    atomics::increment(&store::open(bucket)?, key, delta).map(Answer::text)
}

/// Swaps once. With `?between=VALUE` the key is set to that after the snapshot was taken, so that the
/// swap fails; with `?again` it is then tried with the handle that came back. `?peek` reads the
/// snapshot first.
fn swap(bucket: &str, key: &str, request: &Request) -> Result<Answer, store::Error> {
    let bucket = store::open(bucket)?;
    let cas = Cas::new(&bucket, key)?;
    if request.query("peek").is_some() {
        cas.current()?;
    }
    if let Some(value) = request.query("between") {
        bucket.set(key, value.as_bytes())?;
    }
    let body = request.body();
    match atomics::swap(cas, &body) {
        Ok(()) => Ok(Answer::text("ok")),
        Err(CasError::StoreError(error)) => Err(error),
        Err(CasError::CasFailed(fresh)) => {
            let seen = fresh.current()?;
            let again = match request.query("again").map(|_| atomics::swap(fresh, &body)) {
                None => "not tried".into(),
                Some(Ok(())) => "ok".into(),
                Some(Err(CasError::CasFailed(_))) => "cas-failed".into(),
                Some(Err(CasError::StoreError(error))) => case(&error),
            };
            Ok(Answer::json(&json!({ "error": "cas-failed", "current": text(seen), "again": again })).status(409))
        }
    }
}

/// Appends the body to the value by swapping until it succeeds; answers with the number of tries.
fn append(bucket: &str, key: &str, more: &[u8]) -> Result<Answer, store::Error> {
    let mut cas = Cas::new(&store::open(bucket)?, key)?;
    for tries in 1.. {
        let mut value = cas.current()?.unwrap_or_default();
        value.extend_from_slice(more);
        match atomics::swap(cas, &value) {
            Ok(()) => return Ok(Answer::text(tries)),
            Err(CasError::StoreError(error)) => return Err(error),
            Err(CasError::CasFailed(fresh)) => cas = fresh,
        }
    }
    Ok(Answer::error("no try succeeded"))
}
