//! Every function of `wasi:keyvalue` 0.2.0-draft2 over HTTP; the paths are in `tests/guests/README.md`.

use guest_support::{Answer, Request};
use serde_json::{Value, json};
use std::time::Instant;
use wasi::keyvalue::atomics::{self, Cas, CasError};
use wasi::keyvalue::{batch, store};

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft2",
    world: "wasi:keyvalue/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let method = request.method();
    let result = match (method.as_str(), request.segments().as_slice()) {
        ("GET", ["kv", bucket, key]) => get(bucket, key),
        ("HEAD", ["kv", bucket, key]) => exists(bucket, key),
        ("PUT", ["kv", bucket, key]) => set(bucket, key, &request.body()),
        ("DELETE", ["kv", bucket, key]) => delete(bucket, key),
        ("GET", ["exists", bucket, key]) => exists(bucket, key),
        ("GET", ["open", bucket]) => store::open(bucket).map(|_| Answer::text("ok")),
        ("GET", ["list", bucket]) => list(bucket, request.query("cursor")),
        ("GET", ["list-all", bucket]) => list_all(bucket),
        ("POST", ["increment", bucket, key]) => increment(bucket, key, request.number("delta", 1)),
        ("POST", ["swap", bucket, key]) => swap(bucket, key, &request),
        ("POST", ["append", bucket, key]) => append(bucket, key, &request.body()),
        ("POST", ["batch", bucket]) => run_batch(bucket, &request.body()),
        ("POST", ["time", bucket, key]) => time(bucket, key, request.number("times", 1000)),
        _ => Ok(Answer::not_found("no such path")),
    };
    result.unwrap_or_else(|error| Answer::error(case(&error)))
}

/// The error's WIT case, with the sentence if it has one.
fn case(error: &store::Error) -> String {
    match error {
        store::Error::NoSuchStore => "no-such-store".into(),
        store::Error::AccessDenied => "access-denied".into(),
        store::Error::Other(sentence) => format!("other: {sentence}"),
    }
}

fn get(bucket: &str, key: &str) -> Result<Answer, store::Error> {
    Ok(match store::open(bucket)?.get(key)? {
        Some(value) => Answer::bytes(value),
        None => Answer::not_found("no such key"),
    })
}

fn set(bucket: &str, key: &str, value: &[u8]) -> Result<Answer, store::Error> {
    store::open(bucket)?.set(key, value)?;
    Ok(Answer::text("ok"))
}

fn delete(bucket: &str, key: &str) -> Result<Answer, store::Error> {
    store::open(bucket)?.delete(key)?;
    Ok(Answer::text("ok"))
}

fn exists(bucket: &str, key: &str) -> Result<Answer, store::Error> {
    store::open(bucket)?.exists(key).map(Answer::text)
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

/// Runs a JSON object's `set` (object of strings), `get` and `delete` (lists of keys), in this order.
fn run_batch(bucket: &str, body: &[u8]) -> Result<Answer, store::Error> {
    let Ok(wanted) = serde_json::from_slice::<Value>(body) else {
        return Ok(Answer::text("the body is not JSON").status(400));
    };
    let bucket = store::open(bucket)?;
    if let Some(pairs) = wanted["set"].as_object() {
        let pairs: Vec<(String, Vec<u8>)> =
            pairs.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().into())).collect();
        batch::set_many(&bucket, &pairs)?;
    }
    let mut found = Vec::new();
    if wanted["get"].is_array() {
        for entry in batch::get_many(&bucket, &strings(&wanted["get"]))? {
            found.push(entry.map(|(key, value)| json!([key, text(Some(value))])));
        }
    }
    if wanted["delete"].is_array() {
        batch::delete_many(&bucket, &strings(&wanted["delete"]))?;
    }
    Ok(Answer::json(&json!(found)))
}

/// Nanoseconds that one `get` takes, in a loop within one invocation.
fn time(bucket: &str, key: &str, times: u32) -> Result<Answer, store::Error> {
    let bucket = store::open(bucket)?;
    let start = Instant::now();
    for _ in 0..times {
        bucket.get(key)?;
    }
    Ok(Answer::text(start.elapsed().as_nanos() / u128::from(times.max(1))))
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn text(value: Option<Vec<u8>>) -> Option<String> {
    value.map(|value| String::from_utf8_lossy(&value).into_owned())
}
