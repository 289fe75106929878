//! `wasi:config` 0.2.0-draft-2024-09-27 over HTTP: `GET /config/<key>` and `GET /config`.

use guest_support::{Answer, Request};
use serde_json::{Map, Value};
use wasi::config::store::{self, Error};

wit_bindgen::generate!({
    path: "../../../wit/config-0.2.0-draft-2024-09-27",
    world: "wasi:config/imports",
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let result = match request.segments().as_slice() {
        ["config"] => all(),
        ["config", key] => one(key),
        _ => Ok(Answer::not_found("no such path")),
    };
    result.unwrap_or_else(|error| match error {
        Error::Upstream(sentence) => Answer::error(format!("upstream: {sentence}")),
        Error::Io(sentence) => Answer::error(format!("io: {sentence}")),
    })
}

fn one(key: &str) -> Result<Answer, Error> {
    Ok(match store::get(key)? {
        Some(value) => Answer::text(value),
        None => Answer::not_found("no such setting"),
    })
}

fn all() -> Result<Answer, Error> {
    let settings: Map<String, Value> =
        store::get_all()?.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    Ok(Answer::json(&Value::Object(settings)))
}
