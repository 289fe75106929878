//! How a message is written in an entry of a stream: a field for each part that it has, to be read by people as well.

use bytes::Bytes;
use redis::Value;
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

/// Reads what [`write()`] wrote: names and values in turn.
///
/// What another program has added is metadata under its own name, as far as it is text; bytes that are none are replaced in
/// it by U+FFFD.
pub(super) fn read(fields: Vec<Value>) -> Message {
    let mut message = Message::default();
    let (mut inbox, mut correlation) = (None, None);
    let mut fields = fields.into_iter().map(bytes);
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match std::str::from_utf8(&name) {
            Ok(DATA) => message.data = value.into(),
            Ok(CONTENT_TYPE) => message.content_type = Some(text(value)),
            Ok(METADATA) => match serde_json::from_slice::<Vec<(String, String)>>(&value) {
                Ok(pairs) => message.metadata.extend(pairs),
                Err(_) => message.metadata.push((text(name), text(value))),
            },
            Ok(INBOX) => inbox = Some(text(value)),
            Ok(CORRELATION) => correlation = Some(text(value)),
            _ => message.metadata.push((text(name), text(value))),
        }
    }
    message.reply_to = inbox.zip(correlation).map(|(inbox, correlation)| ReplyTo { inbox, correlation });
    message
}

fn bytes(part: Value) -> Vec<u8> {
    redis::from_redis_value(part).unwrap_or_default()
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(parts: &[&[u8]]) -> Message {
        read(parts.iter().map(|part| Value::BulkString(part.to_vec())).collect())
    }

    #[test]
    fn what_another_program_wrote_is_read_as_far_as_it_can_be() {
        let message =
            read_all(&[b"\xff", b"\xfe", b"data", b"\x00\xff", b"metadata", b"{}", b"id", b"7", b"left over"]);
        assert_eq!(&message.data[..], b"\x00\xff");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(message.metadata, [pair("\u{fffd}", "\u{fffd}"), pair("metadata", "{}"), pair("id", "7")]);
        assert_eq!(read_all(&[]), Message::default());
    }
}
