//! Every function of `wasi:keyvalue` 0.2.0-draft over HTTP; the paths are in `tests/guests/README.md`.

use guest_support::{Answer, Request};
use serde_json::{Value, json};
use std::time::Instant;
use wasi::keyvalue::{atomics, batch, store};

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft",
    world: "wasi:keyvalue/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let method = request.method();
    let result = match (method.as_str(), request.segments().as_slice()) {
        ("GET", ["kv", bucket, key]) => get(bucket, key),
        ("PUT", ["kv", bucket, key]) => set(bucket, key, &request.body()),
        ("DELETE", ["kv", bucket, key]) => delete(bucket, key),
        ("GET", ["exists", bucket, key]) => exists(bucket, key),
        ("GET", ["list", bucket]) => list(bucket, request.query("cursor").and_then(|text| text.parse().ok())),
        ("POST", ["increment", bucket, key]) => increment(bucket, key, request.number("delta", 1)),
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

fn list(bucket: &str, cursor: Option<u64>) -> Result<Answer, store::Error> {
    let page = store::open(bucket)?.list_keys(cursor)?;
    Ok(Answer::json(&json!({ "keys": page.keys, "cursor": page.cursor.map(|cursor| cursor.to_string()) })))
}

fn increment(bucket: &str, key: &str, delta: u64) -> Result<Answer, store::Error> {
    atomics::increment(&store::open(bucket)?, key, delta).map(Answer::text)
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
            found.push(entry.map(|(key, value)| json!([key, String::from_utf8_lossy(&value)])));
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
