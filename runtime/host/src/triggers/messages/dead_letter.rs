use std::time::SystemTime;

use slight_capabilities::{Delivery, Message};

use crate::messaging::add_metadata;

/// The most that is kept of an error: it must not make the message too large for the backend.
const MAX_ERROR_BYTES: usize = 1024;

/// The copy of a message that goes to the dead-letter topic: as it was, with where it came from and why in its metadata.
pub(super) fn dead_letter(delivery: &dyn Delivery, group: &str, error: Option<&str>, now: SystemTime) -> Message {
    let mut message = delivery.message().clone();
    let mut add = |name: &str, value: String| add_metadata(&mut message.metadata, name.to_owned(), value);
    add("dead-letter-topic", delivery.topic().to_owned());
    add("dead-letter-group", group.to_owned());
    add("dead-letter-count", delivery.count().to_string());
    add("dead-letter-time", humantime::format_rfc3339_seconds(now).to_string());
    if let Some(error) = error {
        add("dead-letter-error", shorten(error).to_owned());
    }
    message
}

fn shorten(error: &str) -> &str {
    error.get(..error.floor_char_boundary(MAX_ERROR_BYTES)).unwrap_or(error)
}
