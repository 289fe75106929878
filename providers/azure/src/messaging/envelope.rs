//! How a message is written: a line of JSON with all but the body, and the body. In a queue it is base64 of that, since a
//! message there is XML.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slight_capabilities::{Error, Message, ReplyTo, Result};

/// A line with anything else is the beginning of what another program has sent.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Header {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// A list, since names may come twice and the order counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inbox: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    /// The blob that the message itself is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    released: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a queue holds.
pub(super) enum Held {
    Message(Message),
    /// The message is in this blob.
    Blob(String),
}

/// What is written in a queue.
pub(super) struct Envelope {
    pub(super) held: Held,
    /// How many of its leases were given back without being begun. The queue counts all, and its count cannot be lowered.
    pub(super) released: u32,
}

pub(super) fn write(message: Message, released: u32) -> Result<Bytes> {
    let (inbox, correlation) = message.reply_to.map(|to| (to.inbox, to.correlation)).unzip();
    let Message { content_type, metadata, data, .. } = message;
    line(&Header { content_type, metadata, inbox, correlation, blob: None, released }).map(|mut line| {
        line.extend_from_slice(&data);
        line.into()
    })
}

/// What stands in a queue for a message that is in a blob.
pub(super) fn write_blob(name: &str, released: u32) -> Result<Bytes> {
    line(&Header { blob: Some(name.to_owned()), released, ..Header::default() }).map(Bytes::from)
}

fn line(header: &Header) -> Result<Vec<u8>> {
    let written = serde_json::to_vec(header);
    let mut line = written.map_err(|error| Error::other("the metadata cannot be written").with_source(error))?;
    line.push(b'\n');
    Ok(line)
}

pub(super) fn to_text(envelope: &[u8]) -> String {
    STANDARD.encode(envelope)
}

/// Reads what is in a queue. What another program has put there is a body: the bytes that it is the base64 of, or else
/// its text as it is.
pub(super) fn read_text(text: &str) -> Envelope {
    match STANDARD.decode(text) {
        Ok(envelope) => read(envelope.into()),
        Err(_) => foreign(Bytes::copy_from_slice(text.as_bytes())),
    }
}

pub(super) fn read(envelope: Bytes) -> Envelope {
    // serde would take a list for the header, too.
    let is_header = envelope.starts_with(b"{");
    let end = envelope.iter().position(|byte| is_header && *byte == b'\n');
    let header = end.and_then(|end| serde_json::from_slice::<Header>(envelope.get(..end)?).ok());
    let (Some(end), Some(header)) = (end, header) else { return foreign(envelope) };
    let Header { content_type, metadata, inbox, correlation, blob, released } = header;
    let held = match blob {
        Some(blob) => Held::Blob(blob),
        None => Held::Message(Message {
            data: envelope.slice(end + 1..),
            content_type,
            metadata,
            reply_to: inbox.zip(correlation).map(|(inbox, correlation)| ReplyTo { inbox, correlation }),
        }),
    };
    Envelope { held, released }
}

/// All of it is a body.
pub(super) fn foreign(data: Bytes) -> Envelope {
    Envelope { held: Held::Message(Message { data, ..Message::default() }), released: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Bytes {
        match read_text(text).held {
            Held::Message(message) => {
                assert_eq!(message, Message { data: message.data.clone(), ..Message::default() });
                message.data
            }
            Held::Blob(_) => panic!("{text} is a blob"),
        }
    }

    #[test]
    fn what_other_programs_send_is_a_body() {
        for text in ["plain text", "{}", "", "  blanks  ", "=", "AAAA"] {
            assert_eq!(body(text), STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()), "{text:?}");
        }
        for bytes in ["{\"id\":1}\n{\"id\":2}", "{\"content-type\":5}\nbody", "[]\nbody", "\n", "{\"released\":-1}\n"] {
            assert_eq!(body(&STANDARD.encode(bytes)), bytes);
        }
    }

    #[test]
    fn releases_are_counted_beside_the_message() {
        let message = Message { data: "body".into(), content_type: Some("text/plain".into()), ..Message::default() };
        let read = read(write(message.clone(), 3).unwrap());
        assert!(matches!(read.held, Held::Message(found) if found == message) && read.released == 3);
        let read = read_text(&to_text(&write_blob("queue/blob", 2).unwrap()));
        assert!(matches!(read.held, Held::Blob(name) if name == "queue/blob") && read.released == 2);
        assert!(!String::from_utf8_lossy(&write(message, 0).unwrap()).contains("released"));
    }
}
