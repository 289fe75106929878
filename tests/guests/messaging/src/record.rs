//! What the handler got, kept in the bucket `default` so that a request can ask for it.

use crate::wasi::keyvalue::{atomics, store};
use crate::wasi::messaging::types::Message;
use guest_support::Answer;
use serde_json::{Value, json};

const BUCKET: &str = "default";

/// Counts a delivery of the message and keeps what it looked like; how often it was delivered by now.
pub fn keep(id: &str, message: &Message) -> Result<i64, store::Error> {
    let bucket = store::open(BUCKET)?;
    let count = atomics::increment(&bucket, &format!("deliveries/{id}"), 1)?;
    bucket.set(&format!("received/{id}"), describe(message).to_string().as_bytes())?;
    Ok(count)
}

/// A number that no message had yet, for one that brought no name.
pub fn next_id() -> Result<String, store::Error> {
    atomics::increment(&store::open(BUCKET)?, "next-id", 1).map(|id| id.to_string())
}

pub fn one(id: &str) -> Answer {
    read(&format!("received/{id}"))
}

pub fn deliveries(id: &str) -> Answer {
    read(&format!("deliveries/{id}"))
}

/// Every message by its name.
pub fn all() -> Answer {
    match everything() {
        Ok(messages) => Answer::json(&Value::Object(messages)),
        Err(error) => Answer::error(format!("{error:?}")),
    }
}

fn everything() -> Result<serde_json::Map<String, Value>, store::Error> {
    let bucket = store::open(BUCKET)?;
    let (mut messages, mut cursor) = (serde_json::Map::new(), None);
    loop {
        let page = bucket.list_keys(cursor.as_deref())?;
        for key in &page.keys {
            let Some(id) = key.strip_prefix("received/") else {
                continue;
            };
            if let Some(value) = bucket.get(key)? {
                messages.insert(id.to_owned(), serde_json::from_slice(&value).unwrap_or_default());
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(messages);
        }
    }
}

fn read(key: &str) -> Answer {
    match store::open(BUCKET).and_then(|bucket| bucket.get(key)) {
        Ok(Some(value)) => Answer::text(String::from_utf8_lossy(&value)),
        Ok(None) => Answer::not_found("not received"),
        Err(error) => Answer::error(format!("{error:?}")),
    }
}

/// `{"topic", "content_type", "metadata": [[name, value]…], "data"}`; what the message has not is null.
pub fn describe(message: &Message) -> Value {
    json!({
        "topic": message.topic(),
        "content_type": message.content_type(),
        "metadata": message.metadata(),
        "data": String::from_utf8_lossy(&message.data()),
        "length": message.data().len(),
    })
}
