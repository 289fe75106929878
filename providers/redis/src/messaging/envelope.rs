//! How a message is written in an entry of a stream: a field for each part that it has, to be read by people as well.

use bytes::Bytes;
use slight_capabilities::{Error, Message, ReplyTo, Result};

/// A string in Redis holds no more by default (`proto-max-bulk-len`). A longer one would cost the connection.
pub(crate) const MAX_MESSAGE_BYTES: usize = 512 * 1024 * 1024;

const DATA: &str = "data";
const CONTENT_TYPE: &str = "content-type";
/// A JSON list of pairs, since names may come twice and the order counts.
const METADATA: &str = "metadata";
const INBOX: &str = "inbox";
const CORRELATION: &str = "correlation";

/// Names and values in turn.
///
/// # Errors
/// `TooLarge`.
pub(super) fn write(message: Message) -> Result<Vec<Bytes>> {
    if message.size() > MAX_MESSAGE_BYTES {
        return Err(Error::too_large("the message", message.size() as u64, MAX_MESSAGE_BYTES as u64));
    }
    let mut fields = vec![Bytes::from_static(DATA.as_bytes()), message.data];
    let mut add = |name: &'static str, value: String| fields.extend([Bytes::from(name), Bytes::from(value)]);
    if let Some(content_type) = message.content_type {
        add(CONTENT_TYPE, content_type);
    }
    if !message.metadata.is_empty() {
        let metadata = serde_json::to_string(&message.metadata);
        add(METADATA, metadata.map_err(|error| Error::other("the metadata cannot be written").with_source(error))?);
    }
    if let Some(ReplyTo { inbox, correlation }) = message.reply_to {
        add(INBOX, inbox);
        add(CORRELATION, correlation);
    }
    Ok(fields)
}

/// Reads what [`write()`] wrote. What another program has added is read as far as it can be.
pub(super) fn read(fields: impl IntoIterator<Item = (String, Vec<u8>)>) -> Message {
    let mut message = Message::default();
    let (mut inbox, mut correlation) = (None, None);
    for (name, value) in fields {
        match name.as_str() {
            DATA => message.data = value.into(),
            CONTENT_TYPE => message.content_type = Some(text(value)),
            METADATA => message.metadata = serde_json::from_slice(&value).unwrap_or_default(),
            INBOX => inbox = Some(text(value)),
            CORRELATION => correlation = Some(text(value)),
            _ => {}
        }
    }
    message.reply_to = inbox.zip(correlation).map(|(inbox, correlation)| ReplyTo { inbox, correlation });
    message
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}
