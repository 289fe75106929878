//! The message that says that there is a new report.

use crate::report;
use crate::wasi::messaging::producer;
use crate::wasi::messaging::types::{Client, Error, Message};

pub const TOPIC: &str = "reports";

/// Tells whoever subscribes to the topic where the report is.
pub fn send(size: u64) -> Result<(), String> {
    let message = Message::new(format!("{}/{}", report::CONTAINER, report::OBJECT).as_bytes());
    message.set_content_type("text/plain");
    message.add_metadata("size", &size.to_string());
    Client::connect("").and_then(|client| producer::send(&client, TOPIC, message)).map_err(sentence)
}

fn sentence(error: Error) -> String {
    match error {
        Error::Timeout => format!("publishing to the topic `{TOPIC}` took too long"),
        Error::Connection(sentence) | Error::PermissionDenied(sentence) | Error::Other(sentence) => sentence,
    }
}
