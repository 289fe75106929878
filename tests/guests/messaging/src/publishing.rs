//! Sending and asking.

use crate::case;
use crate::record::describe;
use crate::wasi::messaging::producer;
use crate::wasi::messaging::request_reply::{RequestOptions, request as ask_for_replies};
use crate::wasi::messaging::types::{Client, Error, Message};
use guest_support::{Answer, Request};
use serde_json::Value;

pub fn connect(client: &str) -> Result<&'static str, Error> {
    Client::connect(client)?.disconnect()?;
    Ok("ok")
}

/// Sends the body `?times=` (1) over the client `?client=`.
pub fn send(topic: &str, request: &Request) -> Result<&'static str, Error> {
    let client = Client::connect(request.query("client").unwrap_or_default())?;
    let data = request.body();
    for _ in 0..request.number("times", 1u32) {
        producer::send(&client, topic, message(&data, request))?;
    }
    Ok("ok")
}

/// Sends the body as a request; the replies as a JSON list.
pub fn ask(topic: &str, request: &Request) -> Answer {
    let replies = Client::connect(request.query("client").unwrap_or_default())
        .and_then(|client| ask_for_replies(&client, topic, &message(&request.body(), request), options(request)));
    match replies {
        Ok(replies) => Answer::json(&Value::Array(replies.iter().map(describe).collect())),
        Err(error) => Answer::error(case(error)),
    }
}

/// `?timeout-ms=` and `?replies=`; none of them, no options.
fn options(request: &Request) -> Option<RequestOptions> {
    let timeout = request.query("timeout-ms").and_then(|text| text.parse().ok());
    let replies = request.query("replies").and_then(|text| text.parse().ok());
    if timeout.is_none() && replies.is_none() {
        return None;
    }
    let options = RequestOptions::new();
    if let Some(milliseconds) = timeout {
        options.set_timeout_ms(milliseconds);
    }
    if let Some(count) = replies {
        options.set_expected_replies(count);
    }
    Some(options)
}

/// A message of this data, with the content type of `?content-type=` and each `?meta-NAME=VALUE` as metadata.
fn message(data: &[u8], request: &Request) -> Message {
    let message = Message::new(data);
    for (name, value) in request.queries() {
        if name == "content-type" {
            message.set_content_type(value);
        } else if let Some(key) = name.strip_prefix("meta-") {
            message.add_metadata(key, value);
        }
    }
    message
}
