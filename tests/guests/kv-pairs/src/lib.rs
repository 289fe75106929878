//! `batch` of `wasi:keyvalue` 0.2.0-draft2 with the second shape of `get-many`: `POST /batch/<bucket>` as the
//! guest `kv` has it, but each entry of the answer is `[key, value or null]`.

use guest_support::{Answer, Request};
use serde_json::{Value, json};
use wasi::keyvalue::{batch, store};

wit_bindgen::generate!({
    path: "wit",
    world: "wasi:keyvalue/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let method = request.method();
    let result = match (method.as_str(), request.segments().as_slice()) {
        ("POST", ["batch", bucket]) => run_batch(bucket, &request.body()),
        _ => Ok(Answer::not_found("no such path")),
    };
    result.unwrap_or_else(|error| match error {
        store::Error::NoSuchStore => Answer::error("no-such-store"),
        store::Error::AccessDenied => Answer::error("access-denied"),
        store::Error::Other(sentence) => Answer::error(format!("other: {sentence}")),
    })
}

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
        for (key, value) in batch::get_many(&bucket, &strings(&wanted["get"]))? {
            found.push(json!([key, value.map(|value| String::from_utf8_lossy(&value).into_owned())]));
        }
    }
    if wanted["delete"].is_array() {
        batch::delete_many(&bucket, &strings(&wanted["delete"]))?;
    }
    Ok(Answer::json(&json!(found)))
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
